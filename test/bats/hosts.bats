# Steps on other machines: by an agent that a command launches, and by ssh with Debian's sshd.
# shellcheck disable=SC2154,SC2016 # bats sets stderr; texts for others' shells
load helper
load ../servers/helper
setup() { jl_setup; }

agent() { echo "$JL_BUILD/libexec/jl/jl-agent-$(uname -m)"; }

# Nothing of any agent runs or lies about in these cache folders: all_gone [CACHE...]
all_gone() {
	local cache
	for cache; do
		assert_equal "$(find "$cache/jl/agent/run" -mindepth 1 2>/dev/null)" ''
	done
}

box() { # slots, the rest of the manifest on stdin
	printf 'version: 1\nexecutors:\n  box: {type: command, launch: ["%s"], slots: %s}\n' "$(agent)" "$1" >joblib.yaml
	cat >>joblib.yaml
}

@test "the same keys, records and outputs here and there; a result made there is a hit here" {
	box 2 <<'EOF2'
steps:
  one: {command: "cat in sub/x > ${{ output }}; chmod 750 ${{ output }}; echo said; echo err >&2", inputs: [in, sub/], outputs: o/one}
  all: {foreach: {from: 1, to: 3}, command: [cp, o/one, "${{ output }}"], inputs: o/one, outputs: "o/${{ item }}"}
  tree: {command: "mkdir t/e; ln -s ../in t/l; head -c 100000 /dev/zero > t/z", inputs: in, outputs: t/}
  streams: {command: tr a-z A-Z, stdin: in, stdout: upper}
EOF2
	mkdir sub
	echo in >in
	echo x >sub/x
	jl_ok run --executor box --events there.json
	assert_equal "$(cat o/3)" $'in\nx'
	assert_equal "$(cat upper)" IN
	assert_equal "$(readlink t/l)" ../in
	assert_equal "$(stat -c %a o/one)" 750
	assert_equal "$(grep -c '"executor":"box","host":"box"' there.json)" "$(grep -c '"executor"' there.json)"
	jl_ok run

	assert_regex "$stderr" '6 steps: 0 ran, 6 fresh'
	find o t upper -printf '%p %m %s %l\n' | sort >there.txt
	rm -rf o t upper .jl
	jl_ok run
	assert_regex "$stderr" '0 ran, 0 fresh, 6 restored'
	rm -rf o t upper .jl
	export JL_STORE=$BATS_TEST_TMPDIR/another
	jl_ok run --executor local --events here.json
	assert_equal "$(find o t upper -printf '%p %m %s %l\n' | sort)" "$(cat there.txt)"
	keys() { grep -o '"type":"step_finished".*' "$1" | grep -o '"step":"[^"]*"\|"key":"[^"]*"' | paste - - | sort; }
	assert_equal "$(keys here.json)" "$(keys there.json)"
	all_gone "$XDG_CACHE_HOME"
}

@test "an input that is not declared is not there, and that is said" {
	box 1 <<'EOF2'
steps:
  a: {command: "cat hidden", inputs: in, executor: box}
EOF2
	touch in hidden
	run_jl run
	assert_status 1
	assert_regex "$stderr" 'hidden: No such file'
	assert_regex "$stderr" 'only its declared inputs'
}

@test "links and what they lead to travel; what lies outside of the workspace does not" {
	box 1 <<'EOF2'
steps:
  a: {command: "cat l d/f", inputs: [l, d/], executor: box}
  b: {command: "cat ../far", inputs: ../far, executor: box, manual: true}
EOF2
	mkdir real d
	echo text >real/file
	ln -s real/file l
	ln -s ../real/file d/f
	jl_ok run
	assert_output $'text\ntext'
	echo far >../far
	run_jl run b
	assert_status 1
	assert_regex "$stderr" '"\.\./far" lies outside of the workspace'
}

@test "a failed step's outputs come along, a missing one is told as it is here" {
	box 1 <<'EOF2'
steps:
  a: {command: "echo part > o; exit 3", inputs: in, outputs: o, executor: box}
  b: {command: "true", inputs: in, outputs: p, executor: box}
EOF2
	touch in
	run_jl run -k
	assert_status 1
	assert_equal "$(cat .jl/failed/a/o)" part
	assert_regex "$stderr" 'output "p" was not made'
}

@test "S34: a host that is cut in mid-step: its tree ends, the step runs again, and the third time it is the step" {
	box 1 <<'EOF2'
steps:
  once: {command: "if mkdir $GONE 2>/dev/null; then sleep 1000 & kill -9 $PPID; wait; fi; echo done > o", inputs: in, outputs: o,
         pass_env: [GONE], executor: box}
EOF2
	touch in
	GONE=$BATS_TEST_TMPDIR/gone jl_ok run
	assert_equal "$(cat o)" 'done'
	assert_regex "$stderr" 'host "box" was lost; it runs again'
	all_gone "$XDG_CACHE_HOME"
	rm o
	write_manifest <<EOF2
version: 1
executors: {box: {type: command, launch: ["$(agent)"], slots: 1}}
steps:
  killer: {command: "kill -9 \$PPID; sleep 1000", inputs: in, executor: box}
EOF2
	run_jl run
	assert_status 1
	assert_regex "$stderr" '3 hosts were lost while it ran'
}

@test "S36: a host that cannot be had is told and left alone; without any the steps fail and say why" {
	write_manifest <<EOF2
version: 1
executors:
  box: {type: command, launch: [sh, -c, "echo no way >&2; exit 1"]}
steps:
  a: {command: "tally a", inputs: in, executor: box}
  b: {command: "tally b", inputs: in}
EOF2
	touch in
	run_jl run -k
	assert_status 1
	assert_regex "$stderr" 'no host of "box" can be had; box: no way'
	assert_equal "$(cat "$TALLY")" b
}

@test "killed with -9, jl leaves no process and no folder there" {
	mkfifo up
	box 1 <<EOF2
steps:
  a: {command: "sleep 1000 & echo \$! > $PWD/up; wait", inputs: in, executor: box}
EOF2
	touch in
	jl run >/dev/null 2>&1 3>&- &
	local jl=$! pid
	read -r pid <up
	kill -9 $jl
	while kill -0 "$pid" 2>/dev/null || [[ -n $(find "$XDG_CACHE_HOME/jl/agent/run" -mindepth 1) ]]; do read -rt 0.05 <> <(:) || :; done
}

@test "S42: names of hosts that ssh or a shell would take for something else" {
	local name
	for name in -oProxyCommand=x 'a b' "a;b" 'a$(b)' "a'b" ''; do
		printf 'version: 1\nexecutors: {lab: {type: ssh, hosts: [{host: "%s"}]}}\nsteps: {a: {command: x, executor: lab}}\n' "$name" >joblib.yaml
		run_jl run
		assert_status 2
		assert_regex "$stderr" 'joblib.yaml:2:'
		assert_regex "$stderr" 'is no name of a host'
	done
}

@test "S35: a host that falls silent is lost after its time, and the run goes on" {
	mkfifo up
	write_manifest <<EOF2
version: 1
executors: {box: {type: command, launch: ["$(agent)"], slots: 1, silence: 1s}}
steps:
  a: {command: "if mkdir $PWD/once 2>/dev/null; then echo \$PPID > $PWD/up; sleep 1000; fi; echo ok > o", inputs: in, outputs: o, executor: box}
EOF2
	touch in
	jl run >out 2>err 3>&- &
	local jl=$! pid
	read -r pid <up
	kill -STOP "$pid" # it is there, and says nothing
	wait $jl
	assert_equal "$(cat o)" ok
	run cat err
	assert_output --partial 'host "box" of "box": nothing was heard of it'
	assert_output --partial 'it runs again'
	all_gone "$XDG_CACHE_HOME"
}

@test "a launcher that ends in a shell: the agent is brought there once, past what the shell prints" {
	write_manifest <<EOF2
version: 1
executors:
  box: {type: command, launch: [env, "XDG_CACHE_HOME=$PWD/far", sh, -c, "echo welcome; echo a note >&2; exec \\"\$0\\"", sh], slots: 2}
steps:
  one: {command: "cat in > o; ls -A | wc -l", inputs: in, outputs: o, executor: box}
EOF2
	echo x >in
	jl_ok run --events first
	assert_equal "$(cat o)" x
	assert_regex "$(cat first)" '"executor":"box"'
	find far/jl/agent -maxdepth 1 -type f -printf '%f %T@\n' >agents
	assert_equal "$(wc -l <agents)" 1
	jl_ok run --force
	find far/jl/agent -maxdepth 1 -type f -printf '%f %T@\n' | cmp - agents
	all_gone "$PWD/far"
}

@test "S35: when jl falls silent the agent ends what it runs, and nothing that it says later counts" {
	mkfifo up
	write_manifest <<EOF2
version: 1
executors: {box: {type: command, launch: ["$(agent)"], slots: 1, silence: 1s}}
steps:
  a: {command: "if mkdir $PWD/once 2>/dev/null; then echo \$\$ > $PWD/up; sleep 1000; echo late > o; else echo ok > o; fi", inputs: in, outputs: o, executor: box}
EOF2
	touch in
	jl run >out 2>err 3>&- &
	local jl=$! pid
	read -r pid <up
	kill -STOP $jl
	ended() { ! kill -0 "$pid" 2>/dev/null; }
	wait_until ended
	kill -CONT $jl
	wait $jl
	assert_equal "$(cat o)" ok
}

@test "jl hosts: those that are up, and why others are not" {
	write_manifest <<EOF2
version: 1
executors:
  box: {type: command, launch: ["$(agent)"], slots: 3}
  off: {type: command, launch: [sh, -c, "echo no way >&2; exit 1"]}
steps: {a: {command: x}}
EOF2
	run_jl hosts
	assert_status 1
	assert_line --index 0 --regexp "^box  box  up  3 slots  linux-$(uname -m)  [0-9.]+ GiB  round trip [0-9.]+ms  connected in "
	assert_line --index 1 'off  off  down  no way'
	all_gone "$XDG_CACHE_HOME"
	sed -i '/off:/d' joblib.yaml
	jl_ok hosts
	sed -i '/box:/d; /executors/d' joblib.yaml
	run_jl hosts
	assert_status 1
	assert_equal "$stderr" 'jl: the manifest has no "executors"'
}

# ---- by ssh ----

lab() { # hosts, the steps on stdin
	printf 'version: 1\nexecutors:\n  lab: {type: ssh, hosts: [%s]}\ndefaults: {executor: lab}\n' "$1" >joblib.yaml
	cat >>joblib.yaml
}

@test "ssh: the agent is brought once, steps run on two hosts, inputs go once" {
	sshd_start -n 2
	lab '{host: h1, slots: 1, tags: [one]}, {host: h2, slots: 1, tags: [two]}' <<'EOF2'
steps:
  make: {command: "head -c 200000 /dev/urandom > big", outputs: big, inputs: in, hosts: [two]}
  use: {foreach: {from: 1, to: 5}, command: "cksum < big > ${{ output }}", inputs: big, outputs: "o/${{ item }}"}
  last: {command: "cksum < big > ${{ output }}", inputs: big, outputs: "o/last", hosts: [one]}
EOF2
	touch in
	jl_ok run --events events.json
	assert_equal "$(cat o/* | sort -u | wc -l)" 1
	assert_equal "$(cksum <big)" "$(cat o/1)"
	run grep -o '"host":"h[12]"' events.json
	assert_line '"host":"h1"'
	assert_line '"host":"h2"'
	assert_equal "$(find "$(ssh_home h1)/.cache/jl/agent" -maxdepth 1 -type f | wc -l)" 1
	all_gone "$(ssh_home h1)/.cache" "$(ssh_home h2)/.cache"
	rm -rf .jl o big
	jl_ok run
	assert_regex "$stderr" '0 ran, 0 fresh, 7 restored'
}

@test "S37: rc files that print and a login banner do no harm" {
	sshd_start --noisy --banner
	lab h1 <<'EOF2'
steps:
  a: {command: "echo hello", inputs: in}
EOF2
	touch in
	jl_ok run
	assert_output hello
	refute_regex "$stderr" noise
}

@test "ssh: a damaged agent in the host's cache is not believed" {
	sshd_start
	lab h1 <<'EOF2'
steps:
  a: {command: "echo hello", inputs: in}
EOF2
	touch in
	jl_ok run
	local program
	program=$(find "$(ssh_home h1)/.cache/jl/agent" -maxdepth 1 -type f)
	rm "$program"
	jl_ok run --force
	assert_output hello
	[[ -x $program ]]
}

@test "S34: a host that goes down in mid-run: its steps run on the other one" {
	sshd_start -n 2
	mkfifo up
	exec 9<>up # one reader for all, so that no line is lost between two
	lab '"h1*2", "h2*2"' <<EOF2
steps:
  a: {foreach: [1, 2], command: "n=1000; if test -e $PWD/go; then n=0; fi; basename \${HOME%/home} > $PWD/up; sleep \$n; echo ok > o\${{ item }}",
      inputs: in, outputs: "o\${{ item }}"}
EOF2
	touch in
	jl run >out 2>err 3>&- 9>&- &
	local jl=$! one two again
	read -r one <&9
	read -r two <&9
	touch go
	sshd_kill "$one"
	read -r again <&9
	refute [ "$one" = "$again" ]
	if [[ $two == "$one" ]]; then
		read -r again <&9
		refute [ "$one" = "$again" ]
		wait $jl
		assert_equal "$(cat o1 o2)" $'ok\nok'
	else
		kill -INT $jl
		wait $jl || true
	fi
	exec 9>&-
	run cat err
	assert_output --partial "host \"$one\" was lost; it runs again"
}
