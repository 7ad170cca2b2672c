# Keys and options that change how a step runs, with real processes.
load helper

records() { find "$JL_STORE" -path '*/ac/*' -type f 2>/dev/null | wc -l; }

@test "stdin, stdout, stderr: files of their own, not in the log, in place of a shell" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: [sort], stdin: in.txt, stdout: out/sorted.txt}
  b: {command: "echo out; echo err >&2", stdout: both, stderr: both}
  c: {command: "cat; echo err >&2", stdin: out/sorted.txt, outputs: [], stderr: c.err}
EOF
	printf 'b\na\n' >in.txt
	jl_ok run
	assert_counts ran=3
	assert_file out/sorted.txt $'a\nb'
	assert_file both $'out\nerr'
	assert_equal "$output" $'a\nb'
	refute_stderr_has err
	assert_file c.err err
	jl_ok run
	assert_counts fresh=3
	rm out/sorted.txt both
	echo c >>in.txt
	jl_ok run
	assert_counts ran=2 restored=1
	assert_file out/sorted.txt $'a\nb\nc'
	assert_equal "$(trashed)" ""
}

@test "retries: a step that works at its third attempt, with events for each" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo half > o; test $(grep -c a ../tally) = 3", outputs: o, retries: 5}
EOF
	jl_ok run --events ev
	assert_counts ran=1
	assert_tallies 3
	assert_equal "$(grep -o '"event":"step_started".*"attempt":[0-9]' ev | grep -o '.$' | tr -d '\n')" 123
	assert_equal "$(grep -c step_finished ev)" 1
	run_jl run --retries 1 --var x=1
	assert_status 2
}

@test "--retries: only the last failure counts, and is the run's" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo $(tallies) >&2; exit 7"}
EOF
	run_jl run --retries 2
	assert_status 1
	assert_counts failed=1
	assert_tallies 3
	assert_stderr_has "a failed: exit 7"
	assert_equal "$(grep -c 'attempt . follows' <<<"$stderr")" 2
	run_jl run --retries=-1
	assert_status 2
}

@test "S23 a timeout ends the whole tree, a grandchild in a session of its own too, and what ignores TERM" {
	write_manifest <<'EOF'
version: 1
steps:
  a:
    command: |
      trap '' TERM
      (trap '' TERM; sleep 300 & echo $! >> ../pids; wait) &
      setsid bash -c 'trap "" TERM; echo $$ >> ../pids; while :; do sleep 300; done' &
      echo $$ >> ../pids
      wait; wait; wait
    outputs: o
    timeout: 300ms
    retries: 1
EOF
	run_jl run --kill-after 100ms
	assert_status 1
	assert_stderr_has "a failed: timed out"
	local pid
	[[ $(wc -l <../pids) -ge 6 ]] # of two attempts
	while read -r pid; do wait_until gone "$pid"; done <../pids
	assert_equal "$(records)" 0
	run_jl run --timeout soon
	assert_status 2
	run_jl run --kill-after 1parsec
	assert_status 2
}
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

@test "tools: another compiler is another key; one that is not there is an error" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; compiler > ${{ output }}", outputs: o, tools: compiler}
EOF
	run_jl run
	assert_status 1
	assert_stderr_has 'tool "compiler"'
	printf '#!/bin/sh\necho 1\n' >"$BATS_TEST_TMPDIR/bin/compiler"
	chmod +x "$BATS_TEST_TMPDIR/bin/compiler"
	jl_ok run
	assert_counts ran=1
	jl_ok run
	assert_counts fresh=1
	printf '#!/bin/sh\necho 2\n' >"$BATS_TEST_TMPDIR/bin/compiler"
	jl_ok plan
	assert_regex "$output" "would run +a"
	jl_ok run
	assert_counts ran=1
	assert_file o 2
	assert_tallies 2
}

@test "-v: a line with the reason for every step that ran" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cp i o", inputs: i, outputs: o}
  b: {command: "true"}
EOF
	echo 1 >i
	jl_ok run -v
	assert_stderr_has "ran  a  not run before"
	assert_stderr_has "ran  b  has neither inputs nor outputs"
	echo 2 >i
	jl_ok plan
	assert_regex "$output" 'would run  a  input "i" changed'
	jl_ok run -v
	assert_stderr_has 'ran  a  input "i" changed'
}

@test "resources: a pool of one is used by one at a time; an unknown pool is refused with its place" {
	write_manifest <<'EOF'
version: 1
pools: {disk: 1}
steps:
  a: {foreach: {from: 1, to: 6}, command: "mkdir here; sleep 0.01; rmdir here", resources: {disk: 1}}
  b: {foreach: {from: 1, to: 6}, command: "mkdir there; sleep 0.01; rmdir there", resources: {cpus: 3}}
EOF
	jl_ok run -j4
	assert_counts ran=12
	sed -i 's/{disk: 1}}/{disc: 1}}/' joblib.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:4:93: there is no pool "disc"; did you mean "disk"?'
}

@test "--from, --force=STEP, --shuffle, --load, --memfree from the command line" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo a > ${{ output }}", outputs: a}
  b: {command: "tally b; cat a > ${{ output }}", inputs: a, outputs: b}
  c: {command: "tally c; cat b > ${{ output }}", inputs: b, outputs: c}
  d: {command: "tally d; cat a > ${{ output }}", inputs: a, outputs: d}
EOF
	jl_ok run --shuffle 7
	assert_counts ran=4
	jl_ok run --from b
	assert_counts ran=2 fresh=2
	assert_tallies 2 c
	jl_ok plan --from b
	assert_regex "$output" "would run  b  forced"
	jl_ok run --force=d --force=b
	assert_counts ran=2 fresh=2
	jl_ok run --force
	assert_counts ran=4
	jl_ok run --force --load 0.000001 --memfree 1000000GiB -j4
	assert_counts ran=4
	run_jl run --from x
	assert_status 2
	assert_stderr_has '--from'
	run_jl run --load no
	assert_status 2
	run_jl run --memfree 1G
	assert_status 2
	run_jl run --force=e
	assert_status 2
}

@test "secret_env: the command sees it; no log, event, record, state or message does" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; test $TOKEN = $(cat ../expect); printf hush-; sleep 0.05; echo hush-1; echo $TOKEN >&2; echo 1 > ${{ output }}", outputs: o, secret_env: TOKEN}
EOF
	export TOKEN=hush-hush-1
	echo $TOKEN >../expect
	jl_ok run --events ev -v
	assert_equal "$output" '***'
	assert_stderr_has '***'
	jl log a >said 2>&1
	run grep -rlF hush-hush-1 .jl ev said "$JL_STORE"
	assert_equal "$output" ''
	[[ $(stat -c '%a %s' "$JL_STORE/secret") == "600 32" ]]
	jl_ok run
	assert_counts fresh=1
	rm o
	jl_ok run
	assert_counts restored=1
	assert_equal "$output" '***'
	TOKEN=hush-hush-2 run_jl run
	assert_status 1
	assert_counts failed=1
	refute_stderr_has hush-hush
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo ${{ env.TOKEN }}", secret_env: TOKEN}
EOF
	run_jl run
	assert_status 2
	assert_stderr_has '"TOKEN" is secret'
	refute_stderr_has hush
}

@test "valid_if: a command says whether the stored result counts" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo 1 > ${{ output }}", outputs: o, valid_if: "tally check; test -e ok"}
EOF
	: >ok
	jl_ok run
	assert_tallies 0 check
	jl_ok run
	assert_counts fresh=1
	assert_tallies 1 check
	rm ok
	jl_ok plan
	assert_regex "$output" "maybe  a"
	assert_tallies 1 check
	jl_ok run -v
	assert_counts ran=1
	assert_stderr_has "valid_if says so"
}

@test "interactive: the terminal, alone, each time" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "test -t 0 && test -t 1; read x; echo got $x > ../got", interactive: true, outputs: []}
EOF
	mkfifo keys
	script -qefc 'exec jl run' /dev/null <keys >typescript 2>&1 3>&- &
	local script=$!
	exec 9>keys
	echo hello >&9
	wait "$script"
	exec 9>&-
	assert_file ../got "got hello"
	run_jl run </dev/null
	assert_status 1
	assert_counts failed=1
}

@test "S29 a step that writes 3 GB to its stdout: memory flat, a capped log, told" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "head -c 3000000000 /dev/zero; echo 1 > ${{ output }}", outputs: o}
EOF
	# The limit is on jl's own memory; what a sanitizer maps would not fit.
	if has_sanitizer address; then skip "needs a limit of the address space"; fi
	(ulimit -v 600000 && jl run -q >out 2>err)
	jl log a >said 2>&1
	grep -aq 'more output came than is kept: 3000000000 bytes' said
	[[ $(stat -c %s .jl/logs/a.log) -le 104923136 ]]
	assert_file o 1
	rm -f .jl/logs/a.log said
}

@test "a step that is killed from outside is told with its signal and what may be the cause" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "kill -9 $$"}
EOF
	run_jl run
	assert_status 1
	assert_stderr_has 'a failed: signal 9 (SIGKILL): not by jl; '
	assert_stderr_has 'out of memory'
}
