# Commands, options, help and messages: what does not need a run.
load helper

@test "every command has help that names it, on stdout" {
	jl_ok help
	for command in run plan why list log cat hash clean adopt init help version; do
		assert_regex "$output" "  $command +[A-Z]"
	done
	for command in run plan why list log cat hash clean adopt init help version; do
		run_jl "$command" --help
		assert_status 0
		assert_equal "$stderr" ""
		assert_regex "${lines[0]}" "^Usage: jl $command"
		local shown=$output
		jl_ok help "$command"
		assert_equal "$output" "$shown"
	done
}

@test "lines of help fit a terminal" {
	for command in run plan why list log cat hash clean adopt init help version; do
		jl help "$command" >help.txt
		run awk 'length > 100' help.txt
		assert_output ""
	done
}

@test "--help works behind operands and other options" {
	jl_ok run a b -k --help
	assert_regex "${lines[0]}" "^Usage: jl run"
}

@test "--version" {
	jl_ok --version
	assert_output "jl 0.1.0"
	jl_ok version
	assert_output "jl 0.1.0"
}

@test "usage errors are one line on stderr and status 2" {
	usage() {
		local want=$1
		shift
		run_jl "$@"
		assert_status 2
		assert_equal "$output" ""
		assert_equal "$stderr" "jl: $want"
	}
	usage 'no command; "jl help" lists them'
	usage 'unknown command "rnu"; did you mean "run"?' rnu
	usage 'unknown command "something"; "jl help" lists them' something
	usage 'unknown command "lits"; did you mean "list"?' help lits
	usage 'run: unknown option "--keepgoing"; did you mean "--keep-going"?' run --keepgoing
	usage 'run: unknown option "-K"; did you mean "-k" (--keep-going)?' run -vK
	usage 'plan: option "--jobs" needs an argument: N' plan --jobs
	usage 'run: option "-j": "x" is no number of slots; write 4, 50%, -1 (all), -2 (all but one) or auto' run -j x
	usage 'run: option "--cache": "no" must be one of rw|ro|wo|off' run --cache no
	usage 'run: option "--no-wait" takes no argument' run --no-wait=x
	usage 'hash: something is missing: jl hash FILE|DIR ...' hash
	usage 'adopt: something is missing: jl adopt STEP ...' adopt
	usage 'list takes no operand, not "x"' list x
	usage 'log: one operand too many: "b"; jl log STEP|KEY' log a b
	usage 'clean: --orphans belong to no step: name none, not "a"' clean --orphans a
	usage 'cannot go to "nowhere": No such file or directory' run -C nowhere
	usage 'option "--var": "x" is not NAME=VALUE' run --var x
}

@test "an unknown option's bytes cannot reach the terminal" {
	run_jl run $'--\e[2J\n'
	assert_status 2
	assert_equal "$stderr" 'jl: run: unknown option "--\x1b[2J\x0a"; --help lists them'
}

@test "without a manifest: status 2 and what to do" {
	for command in run plan list clean; do
		run_jl "$command"
		assert_status 2
		assert_stderr_has "jl init"
	done
}

@test "hash: digests in the order given, of files, folders and standard input" {
	printf a >a
	mkdir d
	printf a >d/a
	jl_ok hash a d a
	assert_equal "${#lines[@]}" 3
	assert_regex "${lines[0]}" '^xxh3:[0-9a-f]{32} a$'
	assert_regex "${lines[1]}" '^xxh3:[0-9a-f]{32} d$'
	assert_equal "${lines[2]}" "${lines[0]}"
	[[ ${lines[1]%% *} != "${lines[0]%% *}" ]]
	local want="${lines[0]%% *} -"
	run bash -c 'printf a | jl hash -'
	assert_success
	assert_output "$want"
}

@test "hash: the same tree has the same digest elsewhere; a new name or byte changes it" {
	mkdir -p x/in y
	printf 1 >x/in/f
	cp -r x/. y
	run jl hash x y
	assert_equal "${lines[0]%% *}" "${lines[1]%% *}"
	mv y/in/f y/in/g
	run jl hash x y
	[[ ${lines[0]%% *} != "${lines[1]%% *}" ]]
}

@test "hash: what cannot be read is told, the rest goes on, status 1" {
	printf a >a
	run_jl hash a absent a
	assert_status 1
	assert_equal "${#lines[@]}" 2
	assert_equal "$stderr" 'jl: cannot read "absent": No such file or directory'
}

@test "hash: -C and names that look like options" {
	mkdir d
	printf a >d/-j
	jl_ok hash -C d -- -j
	assert_regex "$output" '^xxh3:[0-9a-f]{32} -j$'
}

@test "init writes a manifest once" {
	jl_ok init
	assert_equal "$stderr" 'jl: wrote joblib.yaml; "jl run" runs it'
	cp joblib.yaml first
	run_jl init
	assert_status 2
	assert_stderr_has "stays as it is"
	cmp joblib.yaml first
	mkdir sub
	jl_ok init -C sub
	cmp sub/joblib.yaml first
}

@test "a closed standard output is an error, not a success" {
	[[ -w /dev/full ]] || skip "no /dev/full"
	run bash -c 'jl help >/dev/full'
	assert_failure 3
	assert_output --partial "cannot write to standard output: No space left on device"
}

@test "jl ... | head ends quietly" {
	for i in $(seq 3000); do printf '%s' "$i" >"file-with-a-rather-long-name-to-fill-a-pipe-$i"; done
	run bash -c 'jl hash file-* 2>err | head -n 1 >/dev/null; echo "${PIPESTATUS[0]}"'
	assert_output 141
	assert_equal "$(cat err)" ""
}
