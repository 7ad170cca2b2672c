#!/usr/bin/env bats
# From the view of cron and of CI logs: silence, failures, folded groups.
# shellcheck disable=SC2154 # stderr, stderr_lines come from the helper
load helper

two_steps() {
	write_manifest <<'EOF'
version: 1
vars: {end: 0}
steps:
  good: {command: "echo out; echo err >&2; cp i o", inputs: i, outputs: o}
  bad: {command: "echo bad out; echo bad err >&2; exit ${{ vars.end }}", after: good}
EOF
	echo 1 >i
}

@test "run -q: no byte of a success, the failed step's output, how to see more, and the summary" {
	two_steps
	jl_ok run -q
	assert_equal "$output$stderr" ""
	# Warnings, what goes to the trash, and restores are no reason to send a mail.
	echo edited >o
	jl_ok run -q
	assert_equal "$output$stderr" ""
	assert_trashed o
	run_jl run -q --var end=3
	assert_status 1
	assert_output "bad out"
	assert_regex "$stderr" $'^bad err\njl: bad failed: exit 3 [^\n]*\n  command: [^\n]*\n  log: [^\n]*\n  more: jl log --var end=3 bad\n  again: jl run --var end=3 bad\n2 steps: 0 ran, 1 fresh, 0 restored, 1 failed in [^\n]*$'
	# What it says to type works.
	jl_ok log --var end=3 bad
	assert_output $'bad out\nbad err'
}

@test "run -q: errors of the manifest and of jl are told" {
	two_steps
	run_jl run -q nosuchstep
	assert_status 2
	assert_equal "${#stderr_lines[@]}" 1
	echo 'steps: [' >joblib.yaml
	run_jl run -q
	assert_status 2
	assert_regex "$stderr" '^joblib.yaml:'
}

@test "another run in the workspace: -q waits without a word, --no-wait says one line" {
	two_steps
	write_manifest other.yaml <<'EOF'
version: 1
steps:
  long: {command: "touch up; until test -e go; do sleep 0.01; done"}
EOF
	start_job jl run -f other.yaml
	wait_until test -e up
	run_jl run -q --no-wait
	assert_status 3
	assert_output ""
	assert_equal "${#stderr_lines[@]}" 1
	assert_regex "$stderr" '^jl: .*another run is in this workspace'
	jl run -q good >out 2>err &
	local second=$!
	# It waits for the lock: seen in the kernel's list of locks and those who wait.
	wait_until grep -q -- "-> FLOCK .* $second " /proc/locks
	touch go
	end_of_job
	assert_equal "$status" "exit 0"
	wait "$second"
	assert_file out ""
	assert_file err ""
	[[ -f o ]]
}

@test "map -q: no byte of a success, output of failed jobs, a line in the end" {
	jl_ok map -q 'echo {}; echo {} >&2' ::: 1 2 3
	assert_equal "$output$stderr" ""
	run_jl map -q -j1 'echo out {}; echo err {} >&2; exit {}' ::: 0 5 0
	assert_status 1
	assert_output 'out 5'
	assert_regex "$stderr" $'^jl: failed: [^\n]*: exit status 5\nerr 5\njl: 1 of 3 jobs failed in [0-9.]+m?s$'
}

@test "memo -q: no byte of a success, run or stored; all of a failure, in order" {
	run_jl memo -q -- sh -c 'echo out; echo err >&2'
	assert_status 0
	assert_equal "$output$stderr" ""
	run_jl memo -q -- sh -c 'echo out; echo err >&2'
	assert_equal "$output$stderr" ""
	# Without it the stored result is shown as ever.
	jl_ok memo -- sh -c 'echo out; echo err >&2'
	assert_output out
	run_jl memo -q -- sh -c 'echo out; echo err >&2; exit 7'
	assert_status 7
	assert_output out
	assert_equal "$stderr" $'err\njl: memo: failed: sh: exit status 7'
	run_jl memo -q -- sh -c 'head -c 3000000 /dev/zero | tr "\0" x; echo 1 >&2; exit 1'
	assert_equal "${#output}" 3000000
	run bash -c 'jl memo -q -- sh -c "echo a; sleep 0.05; echo b >&2; sleep 0.05; echo c; exit 1" 2>&1'
	assert_equal "$output" $'a\nb\nc\njl: memo: failed: sh: exit status 1'
	run_jl memo -q -- nosuchprogram
	assert_status 127
	assert_equal "${#stderr_lines[@]}" 1
}

@test "GitHub: the output of failed steps is a group, the failure an annotation" {
	two_steps
	export GITHUB_ACTIONS=true
	run_jl run --var end=3
	assert_status 1
	assert_output $'out\nbad out'
	assert_regex "$stderr" $'^err\n::group::bad\nbad err\n::endgroup::\njl: bad failed: [^\n]*\n'
	assert_stderr_has $'\n::error title=bad::bad failed: exit 3\n'
	refute_stderr_has '::group::good'
	run_jl run --force -v good
	assert_regex "$stderr" $'^::group::good\nerr\n::endgroup::\nran  good '
	run_jl run -q --var end=3
	assert_regex "$stderr" $'^::group::bad\nbad err\n::endgroup::\njl: bad failed'
	run_jl run --progress none --var end=3
	refute_stderr_has '::'
	run_jl map -j1 'echo {} >&2; exit {}' ::: 0 5
	assert_status 1
	assert_regex "$stderr" $'^0\njl: failed: ([^\n]*)\n::error title=5::failed: [^\n]*: exit status 5\n::group::5\n5\n::endgroup::$'
	run_jl map -v -k -j1 'printf {} >&2' ::: 1
	assert_stderr_has $'::group::1\n1\n::endgroup::'
	GITHUB_ACTIONS=false run_jl run --var end=3
	refute_stderr_has '::'
}

@test "GitLab: the output of failed steps is a section" {
	two_steps
	export GITLAB_CI=true
	run_jl run --var end=3
	assert_status 1
	assert_regex "$stderr" $'\n\e\\[0Ksection_start:[0-9]+:jl_1\r\e\\[0Kbad\nbad err\n\e\\[0Ksection_end:[0-9]+:jl_1\r\e\\[0K\njl: bad failed'
	run_jl map -j1 'echo {} >&2; exit 1' ::: a b
	assert_regex "$stderr" $'section_start:[0-9]+:jl_1\r\e\\[0Ka\na\n\e\\[0Ksection_end:[0-9]+:jl_1\r'
	assert_regex "$stderr" $'section_start:[0-9]+:jl_2\r\e\\[0Kb\n'
	jl_ok run
	refute_stderr_has section
}

@test "--color and --progress of map" {
	run_jl map 'exit {}' ::: 1
	refute_stderr_has $'\e'
	run_jl map --color always 'exit {}' ::: 1
	assert_equal "$stderr" $'\e[31mjl: failed: exit 1: exit status 1\e[0m'
	run_jl map --eta --progress none true ::: 1
	assert_equal "$stderr" ""
	run_jl map --progress plain --eta true ::: 1
	assert_equal "$stderr" 'jl: 1 of 1 done, 0 running, 0 failed, ETA 0ms'
	run_jl map --progress bar true ::: 1
	assert_equal "$stderr" ""
	run_jl map --progress fancy true ::: 1
	assert_status 125
}
