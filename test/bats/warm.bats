# What a job costs on a host that is connected, and that it sees nothing of those before it.
# shellcheck disable=SC2154,SC2016,SC1003 # bats sets stderr; texts for other shells
load helper
load ../servers/helper
setup() { jl_setup; }

agent() { echo "$JL_BUILD/libexec/jl/jl-agent-$(uname -m)"; }

# Calls of a name in a table of strace -c, or all: calls FILE [NAME]
calls() { awk -v name="${2-total}" '$NF == name { print $4 }' "$1" | grep . || echo 0; }
per_hundred() { echo $(($(calls "$1.150" "${2-total}") - $(calls "$1.50" "${2-total}"))); }

@test "a warm step there and back: one message there, two back, and the calls that start a process" {
	if [[ -n ${JL_SAN-} ]]; then skip "sanitizers make calls of their own"; fi
	local n i
	for n in 50 150; do
		{
			printf 'version: 1\ndefaults: {executor: box}\n'
			printf 'executors: {box: {type: command, launch: [strace, -c, -o, %s, %s], slots: 1}}\n' "$PWD/far.$n" "$(agent)"
			printf 'steps:\n  s1: {command: [/bin/true]}\n'
			for ((i = 2; i <= n; i++)); do printf '  s%d: {command: [/bin/true], after: s%d}\n' $i $((i - 1)); done
		} >joblib.yaml
		rm -rf .jl
		strace -c -o "$PWD/here.$n" jl run 2>err
		assert_regex "$(cat err)" "$n steps: $n ran,"
	done
	echo "of 100 steps: $(per_hundred far) calls there, $(per_hundred here) here" >&2
	(($(per_hundred here sendto) <= 110)) || fail "messages there: $(per_hundred here sendto)"
	(($(per_hundred far write) <= 210)) || fail "messages back: $(per_hundred far write)"
	(($(per_hundred here) <= 800)) || fail "calls here: $(cat here.150)"
	(($(per_hundred far) <= 3300)) || fail "calls there: $(cat far.150)"
	# Folders: only until the clock of their stamps has gone on, and where it can be trusted.
	if [[ -r /proc/thread-self/children && $(stat -f -c %T .) =~ ^(tmpfs|ext2/ext3|xfs|btrfs|overlayfs)$ ]]; then
		(($(calls far.150 mkdirat) <= 150)) || fail "folders that were made: $(calls far.150 mkdirat)"
	fi
}

@test "a job finds its folder and its TMPDIR as new, whatever those before it left or still do" {
	local seen='find .. | wc -l; stat -c %a . .. \"$TMPDIR\"' as_new=$'3\n755\n700\n700'
	write_manifest <<EOF
version: 1
executors: {box: {type: command, launch: ["$(agent)"], slots: 1}}
defaults: {executor: box}
steps:
  plain: {command: "$seen"}
  work: {command: "$seen; touch x; mkdir -p d/e", after: plain}
  tmp: {command: "$seen; touch \"\$TMPDIR/x\"", after: work}
  beside: {command: "$seen; touch ../x", after: tmp}
  mode: {command: "$seen; chmod 500 . \"\$TMPDIR\"", after: beside}
  gone: {command: "$seen; rmdir \$PWD", after: mode}
  output: {command: "$seen; echo 1 >o", outputs: o, after: gone}
  late:
    command: |
      $(tr -d '\\' <<<"$seen")
      setsid sh -c 'until test -e $PWD/go; do sleep 0.01; done; touch ./late; touch $PWD/tried' </dev/null >/dev/null 2>&1 &
    after: output
  then: {command: "touch $PWD/go; until test -e $PWD/tried; do sleep 0.01; done; $seen", after: late}
EOF
	jl_ok run
	local i want=
	for ((i = 0; i < 9; i++)); do want+=$as_new$'\n'; done
	assert_equal "$output"$'\n' "$want"
	assert_equal "$(find "$XDG_CACHE_HOME/jl/agent/run" -mindepth 1)" ''
}

# A mix of small steps, the same for each seed: tiny FOLDER STEPS; the last one notes jl's memory in KiB.
tiny() {
	mkdir "../$1"
	cd "../$1" || return 1
	RANDOM=7
	write_manifest <<EOF
version: 1
executors: {lab: {type: ssh, hosts: [{host: h1, slots: 2, tags: [one]}, {host: h2, slots: 2, tags: [two]}]}}
defaults: {executor: lab}
steps:
  one: {command: [/bin/true], hosts: [one]}
  two: {command: [/bin/true], hosts: [two]}
  nop: {foreach: {from: 1, to: $(($2 / 2))}, command: [/bin/true], after: [one, two]}
  copy:
    foreach: {from: 1, to: $(($2 / 4))}
    command: [cp, in$((RANDOM % 3)), "\${{ output }}"]
    inputs: [in0, in1, in2]
    outputs: "c/\${{ item }}"
    after: [one, two]
  make:
    foreach: {from: 1, to: $(($2 / 4))}
    command: "printf %0$((RANDOM % 9000 + 9))d \${{ item }} >\${{ output }}"
    outputs: "m/\${{ item }}"
    after: [one, two]
  memory:
    command: awk '/^RssAnon/ { print \$2 }' /proc/\$PPID/status >memory
    outputs: memory
    executor: local
    after: [nop, copy, make]
EOF
	echo 0 >in0
	head -c 4000 /dev/zero >in1
	head -c 9000 /dev/zero >in2
}

@test "many small steps over two hosts: both have their share, one connection each, no memory for each step" {
	if [[ -n ${JL_SAN-} ]]; then skip "a sanitizer's memory is not jl's"; fi
	sshd_start -n 2
	local n host connections share
	declare -A memory
	for n in 100 900; do
		tiny far$n $n
		JL_STORE=$PWD/store jl_ok run --events events
		memory[far$n]=$(cat memory)
		tiny here$n $n
		JL_STORE=$PWD/store jl_ok run --executor local
		memory[here$n]=$(cat memory)
		diff -r c ../far$n/c
		diff -r m ../far$n/m
	done
	echo "KiB: far ${memory[far100]} ${memory[far900]}, here ${memory[here100]} ${memory[here900]}" >&2
	# 1 KiB a step would be 800 KiB.
	((memory[far900] - memory[far100] <= memory[here900] - memory[here100] + 700)) || fail "${memory[*]}"
	cd ../far900
	assert_equal "$(grep -c '"event":"step_finished".*"status":"ran"' events)" 903
	for host in h1 h2; do
		share=$(grep -c "\"event\":\"step_finished\".*\"host\":\"$host\"" events)
		((share >= 200 && share <= 700)) || fail "$host had $share of 902 steps"
		# One by who started the server, one by each run.
		connections=$(grep -c 'Accepted publickey' "${SSH_BIN%/bin}/$host/log")
		((connections <= 4)) || fail "$connections connections to $host"
		assert_equal "$(find "$(ssh_home $host)/.cache/jl/agent/run" -mindepth 1)" ''
	done
}
