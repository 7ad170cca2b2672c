# Failures: what is told, what is kept, what still runs; and what is not stored though it succeeded.
load helper

records() { find "$JL_STORE" -path '*/ac/*' -type f 2>/dev/null | wc -l; }

@test "a failed step's outputs go to .jl/failed, nothing is recorded, the log is kept" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo half > o; mkdir d/s; echo x > d/s/x; echo said; echo cried >&2; test -e ok", outputs: [o, d/]}
EOF
	run_jl run
	assert_status 1
	assert_counts failed=1
	assert_no_file o d
	assert_file .jl/failed/a/o half
	assert_file .jl/failed/a/d/s/x x
	assert_file .jl/logs/a.log $'said\ncried'
	assert_equal "$(records)" 0
	run_jl run
	assert_status 1
	assert_tallies 2
	: >ok
	jl_ok run
	assert_counts ran=1
	assert_file o half
	assert_equal "$(trashed)" ""
}

@test "exit statuses, signals and commands that cannot be run are told" {
	write_manifest <<'EOF'
version: 1
steps:
  three: {command: "exit 3"}
  kill: {command: "kill -9 $$"}
  none: {command: no-such-program x}
  plain: {command: ./plain}
EOF
	echo 'text' >plain
	run_jl run -k
	assert_status 1
	assert_counts failed=4
	assert_stderr_has "three failed: exit 3"
	assert_stderr_has "kill failed: signal 9 (SIGKILL)"
	assert_regex "$stderr" 'none failed: [^'$'\n'']*no-such-program'
	assert_regex "$stderr" 'plain failed: [^'$'\n'']*plain'
}

@test "a declared output that was not made is a failure, and nothing of it is stored" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > one", outputs: [one, two]}
  d: {command: "rmdir d; echo > d", outputs: d/}
  f: {command: "mkdir f", outputs: f}
  g: {command: "true", outputs: {glob: "g.*"}}
EOF
	run_jl run -k
	assert_status 1
	assert_counts failed=4
	assert_stderr_has 'output "two" was not made'
	assert_stderr_has '"d/" is a file'
	assert_stderr_has '"f" is a folder'
	assert_stderr_has '"g.*"'
	assert_file .jl/failed/a/one 1
	assert_equal "$(records)" 0
}

# bad fails at once; needs needs it; slow runs until a file says so; free needs nothing.
four() {
	write_manifest <<'EOF'
version: 1
steps:
  bad: {command: "tally bad; until test -e started; do sleep 0.01; done; exit 1", outputs: bad}
  needs: {command: "tally needs", inputs: bad}
  slow: {command: "tally slow; touch started; until test -e go; do sleep 0.01; done; echo 1 > slow", outputs: slow}
  free: {command: "tally free", after: slow}
EOF
}

@test "fail-fast soon: what runs ends and is kept, nothing new starts" {
	four
	start_job jl run -j2 --events ev
	wait_until grep -qs '"step":"bad".*"status":"failed"' ev
	touch go
	end_of_job
	assert_equal "$status" "exit 1"
	assert_summary "4 steps: 1 ran, 0 fresh, 0 restored, 1 failed, 2 skipped"
	assert_tallies 0 free
	assert_tallies 0 needs
	assert_file slow 1
}

@test "fail-fast now: what runs is ended, and not recorded" {
	four
	run_jl run -j2 --fail-fast=now
	assert_status 1
	assert_summary "4 steps: 0 ran, 0 fresh, 0 restored, 1 failed, 3 skipped"
	assert_no_file slow
	assert_equal "$(records)" 0
	assert_tallies 0 free
}

@test "keep-going: all that does not need what failed runs" {
	four
	: >go
	run_jl run -j2 -k
	assert_status 1
	assert_summary "4 steps: 2 ran, 0 fresh, 0 restored, 1 failed, 1 skipped"
	assert_tallies 1 free
	assert_tallies 0 needs
	: >started
	run_jl run -k -j1
	assert_summary "4 steps: 1 ran, 1 fresh, 0 restored, 1 failed, 1 skipped"
}

@test "a timeout ends the whole tree and fails the step" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "sleep 300 & echo $! > ../pids; setsid sleep 300 & echo $! >> ../pids; wait", outputs: o, timeout: 200ms}
EOF
	run_jl run --kill-after 200ms
	assert_status 1
	assert_stderr_has "a failed: timed out"
	local pid
	while read -r pid; do wait_until gone "$pid"; done <../pids
	assert_equal "$(records)" 0
}
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

@test "S22 a background child that keeps the output open: a bounded wait, a warning, not stored" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; sleep 300 & echo $! > ../pid; echo out > ${{ output }}", outputs: o}
EOF
	jl_ok run
	assert_counts ran=1
	assert_stderr_has "background process"
	assert_equal "$(records)" 0
	assert_file o out
	kill "$(cat ../pid)" || true
	jl_ok run
	assert_counts ran=1
	kill "$(cat ../pid)" || true
}

@test "S13 an input that is edited while its step runs: the result is used, not stored" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; cat ${{ input }} > ${{ output }}; touch started; until test -e go; do sleep 0.01; done", inputs: i, outputs: o}
EOF
	echo 1 >i
	start_job jl run
	wait_until test -e started
	echo 2 >i
	touch go
	end_of_job
	assert_equal "$status" "exit 0"
	assert_stderr_has '"i" changed while it ran'
	assert_file o 1
	assert_equal "$(records)" 0
	jl_ok run
	assert_counts ran=1
	assert_file o 2
	assert_equal "$(trashed)" ""
	echo 1 >i
	jl_ok run
	assert_counts ran=1
	assert_file o 1
}

@test "S13 the same for what a link points to, a file in a folder, an executable bit" {
	write_manifest <<'EOF'
version: 1
steps:
  link: {command: "cat ${{ input }} > ${{ output }}; echo 2 > target", inputs: l, outputs: o1}
  dir: {command: "cat d/x > ${{ output }}; echo 2 > d/x", inputs: d/, outputs: o2}
  new: {command: "ls d2 > ${{ output }}; touch d2/y", inputs: d2/, outputs: o3}
  bit: {command: "cat ${{ input }} > ${{ output }}; chmod +x b", inputs: b, outputs: o4}
  prog: {command: "./prog ${{ output }}", outputs: o5}
EOF
	mkdir d d2
	echo 1 >target
	ln -s target l
	echo 1 >d/x
	touch d2/x b
	printf '#!/bin/sh\necho 1 >"$1"\necho "# x" >>prog\n' >prog
	chmod +x prog
	jl_ok run
	assert_counts ran=5
	assert_equal "$(grep -c 'changed while it ran' <<<"$stderr")" 5
	assert_equal "$(records)" 0
}

@test "S14 an input rewritten with the same size in the same moment is noticed" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: cp i o, inputs: i, outputs: o}
EOF
	local n
	for n in 1 2 3 4 5 6 7 8; do
		# In place: inode, size and, within a clock tick, every time stay the same.
		printf 'a%s' $n >i
		touch -d '2020-01-01' i
		jl run -q
		printf 'b%s' $n >i
		touch -d '2020-01-01' i
		jl run -q
		[[ $(cat o) == b$n ]] || fail "round $n: $(cat o)"
		# With nothing to run the first look and the edit are nearer still.
		printf 'a%s' $n >i
		jl run -q
		printf 'b%s' $n >i
		jl run -q
		[[ $(cat o) == b$n ]] || fail "round $n: $(cat o)"
	done
}

@test "the live log can be followed while the step runs" {
	write_manifest <<'EOF'
version: 1
steps:
  "x/y": {command: "true"}
  a: {foreach: [p/q], command: "echo begun; until test -e go; do sleep 0.01; done; echo done"}
EOF
	sed -i 3d joblib.yaml
	start_job jl run
	wait_until grep -qsx begun -r .jl/logs
	refute grep -qsx "done" -r .jl/logs
	touch go
	end_of_job
	assert_equal "$status" "exit 0"
	assert_equal "$(cat .jl/logs/*)" $'begun\ndone'
}

@test "outputs of steps at once are not mixed" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: [a, b], command: "for i in 1 2 3 4 5; do echo ${{ item }}; echo ${{ item }} > said.${{ item }}; until test -e said.a && test -e said.b; do sleep 0.01; done; done"}
EOF
	jl_ok run -j2
	assert_equal "$(uniq <<<"$output" | wc -l)" 2
	assert_equal "${#lines[@]}" 10
}

@test "no more than -j steps at once, and JL_SLOT is of those" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: {from: 1, to: 12}, command: "mkdir slot.$JL_SLOT; sleep 0.02; rmdir slot.$JL_SLOT; echo $JL_SLOT"}
EOF
	jl_ok run -j3
	assert_counts ran=12
	assert_equal "$(sort -u <<<"$output")" $'1\n2\n3'
}

@test "a step whose log is larger than memory should be runs; the cut is told" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "head -c 30000000 /dev/zero | tr '\\0' x; echo 1 > ${{ output }}", outputs: o}
EOF
	jl run >out 2>err
	grep -q "1 ran" err
	grep -q "more output came than is kept" err
	[[ $(stat -c %s .jl/logs/a.log) == 30000000 ]]
}

@test "no space left or a store that cannot be made: the step's result stands" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > ${{ output }}", outputs: o}
EOF
	: >"$BATS_TEST_TMPDIR/file"
	jl_ok run --store "$BATS_TEST_TMPDIR/file/store"
	assert_counts ran=1
	assert_stderr_has "no store"
	assert_file o 1
	jl_ok run --store "$BATS_TEST_TMPDIR/file/store"
	assert_counts fresh=1
}
