#!/usr/bin/env bats
# Warnings for variables that a script uses, that are set outside and not passed.

load helper

@test "a variable that is set outside but not passed gets a warning with its place, once a step" {
	mkdir sub
	write_manifest <<'END'
version: 1
include: [sub/x.yaml]
steps:
  each:
    foreach: [1, 2, 3]
    command: |
      tally each
      echo "$LEVEL" $UNSET $PATH $HOME $JL_STEP '$LEVEL' > ${{ output }}
    outputs: o${{ item }}
  passed: {command: "echo $LEVEL $OTHER | cat", pass_env: LEVEL, env: {OTHER: 1}}
  all: {command: "echo $LEVEL | cat", pass_env: "*"}
  own: {command: "LEVEL=1; echo $LEVEL"}
  perl: {command: "print '$LEVEL'.$LEVEL;", shell: [perl, -e]}
END
	printf 'version: 1\nsteps: {inner: {command: "echo $LEVEL | cat"}}\n' >sub/x.yaml
	export LEVEL=3 OTHER=4
	jl_ok run
	assert_stderr_has 'jl: warning: each: joblib.yaml:8:13: $LEVEL is set outside but not passed; name it in "pass_env" or "env"'
	assert_stderr_has 'jl: warning: inner: sub/x.yaml:2:32: $LEVEL is set outside'
	assert_equal "$(grep -c 'set outside' <<<"$stderr")" 2
	unset LEVEL
	rm o2
	jl_ok run --cache wo
	refute_stderr_has 'set outside'
	export LEVEL=4
	jl_ok run each
	refute_stderr_has 'set outside'
	cd sub
	run_jl plan -f ../joblib.yaml each --force
	assert_stderr_has '../joblib.yaml:8:13: $LEVEL is set outside'
}
