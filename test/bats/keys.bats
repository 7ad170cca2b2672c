#!/usr/bin/env bats
# Keys of a step that no other file is about. Which test shows which key stands in test/unit/manifest_keys.c.

load helper

@test "shell: the script is the last word of another one" {
	write_manifest <<'END'
version: 1
defaults: {shell: [sh, -c]}
steps:
  of_default: {command: "echo ${BASH_VERSION-none}; false | true", stdout: default}
  own: {command: 'BEGIN { print 1 + 1 > "own" }', shell: [awk], inputs: i, outputs: own}
  text: {command: "echo $0 > ${{ output }}", shell: "sh -c", inputs: i, outputs: text}
END
	: >i
	jl_ok run
	if [[ $(readlink -f /bin/sh) != */bash ]]; then assert_file default none; fi
	assert_file own 2
	assert_file text sh
	# Another shell is another command.
	sed -i 's/sh -c"/bash -c"/' joblib.yaml
	jl_ok run
	assert_summary "3 steps: 1 ran, 2 fresh, 0 restored, 0 failed"
	assert_file text bash
	sed -i 's/bash -c"/no-such-shell -c"/' joblib.yaml
	run_jl run text
	assert_status 1
	assert_stderr_has 'no such program: "no-such-shell"'
}

@test "version of a step: another text makes stored results void, the former one brings them back" {
	write_manifest <<'END'
version: 1
defaults: {version: 1.10}
steps:
  a: {command: "tally a; cp i o", inputs: i, outputs: o}
  b: {command: "tally b; cp i p", inputs: i, outputs: p, version: no}
END
	: >i
	jl_ok run
	sed -i 's/1.10/1.1/' joblib.yaml # as numbers these would be the same
	jl_ok run
	assert_counts ran=1 fresh=1
	sed -i 's/1.1}/1.10}/' joblib.yaml
	jl_ok run
	assert_counts fresh=2
	sed -i 's/version: no/version: false/' joblib.yaml
	jl_ok run
	assert_counts ran=1 fresh=1
	assert_tallies 2 a
	assert_tallies 2 b
}

@test "cache: false runs each time and stores nothing, true undoes a default" {
	write_manifest <<'END'
version: 1
defaults: {cache: false}
steps:
  a: {command: "tally a; cp i o", inputs: i, outputs: o}
  b: {command: "tally b; cp i p", inputs: i, outputs: p, cache: true}
END
	: >i
	jl_ok run
	jl_ok run -v
	assert_counts ran=1 fresh=1
	assert_stderr_has 'cache: false'
	assert_tallies 2 a
	assert_tallies 1 b
	rm o p
	jl_ok run
	assert_counts ran=1 restored=1
	jl_ok cache ls
	assert_equal "${#lines[@]}" 1
	assert_output --regexp 'b$'
	# Off, it looks nothing up either: what is stored of it does not count.
	sed -i 's/cache: true/cache: false/' joblib.yaml
	jl_ok run b
	assert_counts ran=1
}

@test "portable: a result of another architecture serves" {
	local other
	other=$(setarch linux32 uname -m 2>/dev/null) || skip "this machine is always itself"
	if [[ $other == "$(uname -m)" ]]; then skip "this machine is always itself"; fi
	write_manifest <<'END'
version: 1
steps:
  a: {command: "tally a; cp i o", inputs: i, outputs: o, portable: true}
  b: {command: "tally b; cp i p", inputs: i, outputs: p}
END
	: >i
	jl_ok run
	run --separate-stderr setarch linux32 jl run
	assert_status 0
	assert_counts ran=1 fresh=1
	assert_tallies 1 a
	assert_tallies 2 b
	rm -rf .jl o p
	run --separate-stderr setarch linux32 jl run
	assert_counts restored=2
}

@test "keep: what is listed is there for the next run, the rest is not" {
	write_manifest <<'END'
version: 1
defaults: {keep: true}
steps:
  some:
    command: "ls > seen; cat i >> log; cp i o"
    inputs: i
    outputs: [log, o, seen]
    keep: [log]
  all: {command: "cat i >> all", inputs: i, outputs: all}
END
	echo 1 >i
	jl_ok run -j1 some all
	echo 2 >i
	jl_ok run -j1
	assert_counts ran=2
	assert_file log $'1\n2'
	assert_file all $'1\n2'
	run cat seen
	assert_line log
	refute_line o
}

@test "allow_failure: the run goes on and succeeds, and the step is tried again" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "tally a; test -s i && cp i o", inputs: i, outputs: {o: {path: o, optional: true}}, allow_failure: true}
  b: {command: "tally b; echo b", after: a, inputs: j}
  c: {command: "tally c; cat o > c", inputs: {o: {path: o, optional: true}}, outputs: c, allow_failure: true}
END
	: >i
	: >j
	jl_ok run
	assert_summary "3 steps: 3 ran, 0 fresh, 0 restored, 0 failed"
	assert_stderr_has 'a failed: exit 1'
	jl_ok run
	assert_tallies 2 a
	assert_tallies 1 b
	assert_counts ran=2 fresh=1
	echo 1 >i
	jl_ok run
	refute_stderr_has failed:
	assert_file c 1
	jl_ok run
	assert_counts fresh=3
	# The default of all is undone by one.
	sed -i -e 's/^steps:/defaults: {allow_failure: true}\n&/' -e 's/, allow_failure: true}$/, allow_failure: false}/' joblib.yaml
	: >i
	run_jl run
	assert_status 1
}

@test "max_age: what was not used for so long goes" {
	write_manifest <<'END'
version: 1
store: {dir: store, max_age: 30d}
steps:
  a: {command: "tally a; cp i o", inputs: i, outputs: o}
END
	unset JL_STORE
	echo 1 >i
	jl_ok run
	echo 2 >i
	jl_ok run
	jl_ok cache ls
	assert_equal "${#lines[@]}" 2
	find store -type f -exec touch -d '40 days ago' {} +
	jl_ok cache gc
	jl_ok cache ls
	assert_equal "${#lines[@]}" 0
}
