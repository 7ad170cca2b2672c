# Hosts that are busy, bad, or gone, and steps that are: who runs what then, and who is to blame. With Debian's sshd.
# shellcheck disable=SC2154,SC2016 # bats sets stderr; texts for others' shells
load helper
load ../servers/helper
setup() {
	jl_setup
	sshd_start -n 2
	touch in
}

lab() { # hosts, the steps on stdin
	printf 'version: 1\nexecutors:\n  lab: {type: ssh, hosts: [%s]}\ndefaults: {executor: lab}\nsteps:\n' "$1" >joblib.yaml
	cat >>joblib.yaml
}
two='{host: h1, slots: 1, tags: [one]}, {host: h2, slots: 1, tags: [two]}'
in_events() { [[ $(grep -c "$1" events.json) -ge $2 ]]; }

@test "what was sent ahead and waits behind a long step is taken back when another host idles, and runs once" {
	mkfifo up long block
	exec 8<>up 6<>long 7<>block
	# Both hosts are known to be quick, then both are busy, and eight steps are sent ahead, some to each.
	lab "$two" <<EOF2
  warm1: {foreach: [1, 2, 3], command: "true", hosts: [one]}
  warm2: {foreach: [1, 2, 3], command: "true", hosts: [two]}
  long: {command: "echo > $PWD/up; read x < $PWD/long", after: [warm1, warm2], hosts: [one]}
  block: {command: "echo > $PWD/up; read x < $PWD/block", after: [warm1, warm2], hosts: [two]}
  gate: {command: "read x < $PWD/up; read x < $PWD/up; touch gate", outputs: gate, executor: local}
  short: {foreach: {from: 1, to: 8}, command: "echo \${{ item }} \$HOME >> $PWD/ran", inputs: gate}
EOF2
	jl run --events events.json >/dev/null 2>err 3>&- 6>&- 7>&- 8>&- &
	local jl=$!
	wait_until in_events '"step_started","step":"short' 8
	echo >&7
	wait_until in_events '"step_finished","step":"short' 8
	run grep -c '"step_finished","step":"long' events.json
	assert_output 0
	echo >&6
	wait $jl
	exec 6>&- 7>&- 8>&-
	assert_equal "$(cut -d ' ' -f 1 ran | sort | tr '\n' ' ')" '1 2 3 4 5 6 7 8 '
	assert_equal "$(cut -d ' ' -f 2 ran | sort -u)" "$(ssh_home h2)"
	run cat err
	refute_output --partial warning
}

@test "S36: a host that fails every step is found out, and set aside; its steps run elsewhere" {
	touch "$(ssh_home h1)/bad"
	# The good one waits until the other one has shown what it is.
	lab "$two" <<EOF2
  good: {command: "true", hosts: [two]}
  a: {foreach: {from: 1, to: 12}, after: good, inputs: in, outputs: "o/\${{ item }}",
      command: "if [ -e \$HOME/bad ]; then echo >> $PWD/bad; exit 3; fi; until [ -e $PWD/bad ] && [ \$(wc -l < $PWD/bad) -ge 3 ]; do sleep 0.05; done; echo ok > \${{ output }}"}
EOF2
	jl_ok run
	assert_equal "$(cat o/* | wc -l)" 12
	assert_regex "$stderr" 'host "h1" of "lab": set aside: [0-9]+ failed in a row there, and the last one succeeded on "h2"'
	assert_regex "$stderr" 'exit 3 on "h1"; it is tried on another host'
	refute_regex "$stderr" '"h2" of "lab"'
}

@test "S36: a step that fails plainly is run once; where nothing has succeeded yet it is tried on another host, and it is the step" {
	lab "$two" <<EOF2
  good1: {command: "true", hosts: [one]}
  good2: {command: "true", hosts: [two]}
  bad: {command: "echo bad >> $TALLY; exit 3", after: [good1, good2], inputs: in}
EOF2
	run_jl run
	assert_status 1
	assert_equal "$(cat "$TALLY")" bad
	lab "$two" <<EOF2
  good2: {command: "true", hosts: [two]}
  busy: {command: "until [ -s $TALLY ]; do sleep 0.05; done", hosts: [two], after: good2}
  bad: {command: "echo bad >> $TALLY; exit 3", after: good2, inputs: in}
EOF2
	: >"$TALLY"
	run_jl run -k
	assert_status 1
	assert_equal "$(cat "$TALLY")" $'bad\nbad'
	refute_regex "$stderr" 'set aside'
}

@test "S36: a program that one host lacks: the step runs on the other" {
	mkdir "$(ssh_home h2)/bin"
	printf '#!/bin/sh\necho ok\n' >"$(ssh_home h2)/bin/tool"
	chmod +x "$(ssh_home h2)/bin/tool"
	lab "$two" <<'EOF2'
  a: {command: 'PATH=$HOME/bin:$PATH; tool'}
EOF2
	jl_ok run
	assert_output ok
}

@test "S36: a step that kills every host fails; those beside it do not, and no host is set aside" {
	lab '"h1*2", "h2*2"' <<EOF2
  killer: {command: "echo >> $PWD/kills; kill -9 \$PPID; sleep 1000"}
  beside: {foreach: [1, 2, 3], command: "until [ -e $PWD/kills ] && [ \$(wc -l < $PWD/kills) -ge 2 ]; do sleep 0.05; done; echo ok > \${{ output }}",
           outputs: "o/\${{ item }}"}
EOF2
	run_jl run -k
	assert_status 1
	assert_regex "$stderr" 'killer.*3 hosts were lost while it ran'
	assert_regex "$stderr" '4 steps: 3 ran, .* 1 failed'
	assert_equal "$(wc -l <kills)" 3
	refute_regex "$stderr" 'set aside'
	jl_ok hosts # the next agents take away what those left that were killed
	assert_equal "$(find "$(ssh_home h1)/.cache/jl/agent/run" "$(ssh_home h2)/.cache/jl/agent/run" -mindepth 1)" ''
}

@test "S36: what the host itself cannot is no failure of the step" {
	lab "$two" <<'EOF2'
  good: {command: "true", hosts: [two]}
  spoil: {command: 'rm -rf "${TMPDIR%/*/*}"', hosts: [one], after: good}
  a: {foreach: {from: 1, to: 8}, command: "echo ok > ${{ output }}", outputs: "o/${{ item }}", after: spoil}
EOF2
	jl_ok run
	assert_equal "$(cat o/* | wc -l)" 8
	assert_regex "$stderr" 'host "h1": cannot make a folder for the job: .*; it runs on another'
}

@test "S34: a host that went down in mid-run and came back is used again" {
	mkfifo up
	exec 9<>up
	lab "$two" <<EOF2
  hold: {command: "echo up > $PWD/up; until test -e $PWD/go; do sleep 0.05; done", hosts: [one]}
  after: {command: "echo ok > after", outputs: after, hosts: [one], after: hold}
EOF2
	jl run --events events.json >out 2>err 3>&- 9>&- &
	local jl=$!
	read -r _ <&9
	sshd_kill h1
	wait_until grep -q 'was lost' err
	sshd_revive h1
	read -r _ <&9
	touch go
	wait $jl
	exec 9>&-
	assert_equal "$(cat after)" ok
	run grep -o '"event":"host","executor":"lab","host":"h1","state":"[a-z]*"' events.json
	assert_output --regexp '"up".*"lost".*"up"'
}

@test "processors and memory of a step are its host's" {
	lab '{host: h1, slots: 2}' <<EOF2
  wide: {foreach: [1, 2, 3, 4], command: "mkdir $PWD/lock && sleep 0.05 && rmdir $PWD/lock", resources: {cpus: 2}}
  big: {foreach: [1, 2, 3, 4], command: "mkdir $PWD/lock2 && sleep 0.05 && rmdir $PWD/lock2", resources: {memory: 900TiB}}
EOF2
	jl_ok run -k
	assert_regex "$stderr" '8 steps: 8 ran'
}
