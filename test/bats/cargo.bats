# What travels to hosts and back: the same keys, records and outputs wherever a step runs.
# shellcheck disable=SC2154,SC2016 # bats sets stderr; texts for others' shells
load helper
load ../servers/helper
setup() { jl_setup; }

agent() { echo "$JL_BUILD/libexec/jl/jl-agent-$(uname -m)"; }

box() { # slots, the rest of the manifest on stdin
	printf 'version: 1\nexecutors:\n  box: {type: command, launch: ["%s"], slots: %s}\n' "$(agent)" "$1" >joblib.yaml
	cat >>joblib.yaml
}

@test "with shared stores: the same SHA-256 keys here and on a host; what a host made is a hit for others" {
	sshd_start
	export JL_REMOTE_PATIENCE=2m # a busy machine is not a dead remote
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "file://$BATS_TEST_TMPDIR/shared", mode: readwrite}]}
		executors: {lab: {type: ssh, hosts: [h1]}}
		steps:
		  one: {command: "cat in big > t/sum; ln -s sum t/link; head -c 300000 big > t/large; mkdir t/none; echo said", inputs: [in, big], outputs: t/}
		  two: {command: "tr a-z A-Z < t/sum", inputs: t/, stdout: upper}
		  three: {command: "head -c 3 t/link", inputs: [t/link], stdout: first}
	END
	echo in >in
	head -c 900000 /dev/urandom >big
	jl_ok run --executor lab --events there
	assert_counts ran=3
	tree_content t >there.tree
	jl_ok run
	assert_counts fresh=3
	assert_regex "$(event_keys there)" 'one sha256:'
	# Another user, who has nothing of his own.
	mkdir -p "$BATS_TEST_TMPDIR/bob/home"
	cp joblib.yaml in big "$BATS_TEST_TMPDIR/bob"
	(
		cd "$BATS_TEST_TMPDIR/bob"
		export HOME=$PWD/home JL_STORE=$PWD/store
		jl_ok run
		assert_counts restored=3
		assert_equal "$(tree_content t)" "$(cat "$WS/there.tree")"
	)
	rm -r .jl t upper first "$JL_STORE" "$BATS_TEST_TMPDIR/shared"
	jl_ok run --events here
	assert_counts ran=3
	assert_equal "$(tree_content t)" "$(cat there.tree)"
	assert_equal "$(event_keys here)" "$(event_keys there)"
}

@test "S26 a script of over 128 KiB runs on a host from a file of its own, beside the folder with its inputs" {
	{
		printf '%s\n' 'version: 1' 'executors:' "  box: {type: command, launch: [\"$(agent)\"], slots: 1}" 'steps:' '  a:' '    outputs: o' '    command: |'
		seq -f '      x=%.0f; true "$x"' 12000
		printf '%s\n' '      echo "$0 $x" $(ls -A) > ${{ output }}'
	} >joblib.yaml
	jl_ok run --executor box
	assert_file o "bash 12000"
	jl_ok run
	assert_counts fresh=1
	assert_equal "$(find . "$XDG_CACHE_HOME/jl/agent/run" -name '.tmp-*' -o -name script)" ""
	sed -i 's/^      echo .*/      sh -c "exit 7"/' joblib.yaml
	run_jl run --executor box
	assert_status 1
	assert_stderr_has "a failed: exit 7"
	local long
	long=$(head -c 140000 /dev/zero | tr '\0' x)
	printf '%s\n' 'version: 1' 'executors:' "  box: {type: command, launch: [\"$(agent)\"], slots: 1}" 'steps:' "  a: {command: [echo, $long]}" >joblib.yaml
	run_jl run --executor box
	assert_status 1
	assert_stderr_has "argument 1 is 140000 bytes long, the system takes at most 131071; put it into a file"
}
