#!/usr/bin/env bats
# `if`: steps that are not there for a run.

load helper

@test "a step whose if is false is skipped, and counted so" {
	write_manifest <<'END'
version: 1
vars: {fast: true}
steps:
  slow: {if: "${{ vars.fast }}", command: tally slow}
  never: {if: false, command: tally never}
  always: {if: true, command: tally always}
END
	jl_ok run -v
	assert_summary "3 steps: 2 ran, 0 fresh, 0 restored, 0 failed, 1 skipped"
	assert_stderr_has 'skipped  never  its "if" is false'
	jl_ok run --var fast=false
	assert_summary "3 steps: 1 ran, 0 fresh, 0 restored, 0 failed, 2 skipped"
	jl_ok plan --var fast=false
	assert_stderr_has "1 would run, 0 would be restored, 0 fresh, 0 maybe, 2 skipped"
	assert_tallies 1 slow
	assert_tallies 0 never
}

@test "what depends on a step that is off uses what lies on disk, or says what is missing" {
	write_manifest <<'END'
version: 1
vars: {remake: "true"}
steps:
  make: {if: "${{ vars.remake }}", command: "tally make; echo 1 > ${{ output }}", outputs: a}
  use: {command: "tally use; cat ${{ input }} > ${{ output }}", inputs: a, outputs: b}
END
	run_jl run --var remake=false
	assert_status 2
	assert_stderr_has 'joblib.yaml:5:73: input "a" of step "use": no step makes it and there is no such file; step "make" would make it, but its "if" is false'
	jl_ok run
	assert_tallies 2
	echo mine >a
	jl_ok run --var remake=false
	assert_file b mine
	assert_tallies 1 make
	run_jl clean --orphans
	assert_file a mine
}

@test "outputs of a step that is off are no orphans and come back without a run" {
	write_manifest <<'END'
version: 1
vars: {on: "true"}
steps:
  s: {if: "${{ vars.on }}", foreach: [a, b], command: "tally s; echo ${{ item }} > ${{ output }}", outputs: "o/${{ item }}"}
END
	jl_ok run
	jl_ok run --var on=false
	assert_summary "1 step: 0 ran, 0 fresh, 0 restored, 0 failed, 1 skipped"
	assert_file o/a a
	sed -i 's/on: "true"/on: "false"/' joblib.yaml
	jl_ok run
	jl_ok clean --orphans
	assert_file o/b b
	sed -i 's/on: "false"/on: "true"/' joblib.yaml
	jl_ok run
	assert_counts fresh=2
	assert_tallies 2
}

@test "if over an item switches single instances, also of a late foreach" {
	write_manifest <<'END'
version: 1
steps:
  list: {command: "mkdir -p n; touch n/true n/false", outputs: n/}
  each: {foreach: n/*, if: "${{ item.name }}", command: "tally ${{ item.name }}; touch ${{ output }}", outputs: "o/${{ item.name }}"}
  all: {command: "ls o > ${{ output }}", inputs: o/*, outputs: all}
END
	jl_ok run
	assert_tallies 1
	assert_file all true
	jl_ok run
	assert_summary "4 steps: 0 ran, 3 fresh, 0 restored, 0 failed, 1 skipped"
}

@test "two steps may make the same file when one of them is off" {
	write_manifest <<'END'
version: 1
vars: {debug: "true", release: "false"}
steps:
  d: {if: "${{ vars.debug }}", command: "echo d > ${{ output }}", outputs: bin}
  r: {if: "${{ vars.release }}", command: "echo r > ${{ output }}", outputs: bin}
END
	jl_ok run
	assert_file bin d
	jl_ok run --var debug=false --var release=true
	assert_file bin r
	run_jl run --var release=true
	assert_status 2
	assert_stderr_has 'overlaps'
}

@test "a value of if that is neither true nor false is an error with its place" {
	write_manifest <<'END'
version: 1
vars: {x: "1"}
steps:
  a: {if: "${{ vars.x }}", command: tally a}
  b: {foreach: [true, 7], if: "${{ item }}", command: tally b}
END
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:4:11: "if" of step "a" gives "1", which is neither true nor false'
	run_jl run --var x=true
	assert_status 2
	assert_stderr_has 'joblib.yaml:5:31: "if" of step "b" gives "7", which is neither true nor false'
	assert_tallies 0
}

@test "if reads the environment, and a new value is noticed" {
	write_manifest <<'END'
version: 1
steps:
  a: {if: "${{ env.CI }}", command: tally a}
END
	run_jl run
	assert_status 2
	CI=false jl_ok run
	CI=true jl_ok run
	assert_tallies 1
}
