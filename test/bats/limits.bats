# What the machine has no more of, and what is too large for it.
load helper

records() { find "$JL_STORE" -path '*/ac/*' -type f 2>/dev/null | wc -l; }
many() {
	write_manifest <<'END'
version: 1
steps:
  a: {foreach: {from: 1, to: 30}, command: [cp, in, "${{ output }}"], inputs: in, outputs: "o${{ item }}"}
END
	echo 1 >in
}

@test "S06 few descriptors: less at a time; too few: tried for a time, told, nothing recorded" {
	many
	local n
	for n in 64 40 32; do
		rm -rf .jl "$JL_STORE" o*
		run --separate-stderr bash -c "ulimit -n $n; exec jl run -j30"
		assert_status 0
		assert_counts ran=30
	done
	rm -rf .jl "$JL_STORE" o*
	run --separate-stderr bash -c "ulimit -n 16; exec jl run -j4"
	assert_status 1
	assert_stderr_has "a[1] failed"
	assert_stderr_has "Too many open files, tried for 5 s; see ulimit -n and ulimit -u"
	assert_equal "$(records)" 0
	jl_ok run
	assert_counts ran=30
}

@test "S06 few processes: less at a time; none: tried for a time, told, nothing recorded" {
	local as=(setpriv --reuid 54321 --regid 54321 --clear-groups)
	"${as[@]}" true 2>/dev/null || skip "only root can become another user"
	many
	# The folders of the tests are closed to others.
	local dir
	dir=$(mktemp -d /tmp/jl-limits.XXXXXX)
	cp "$JL_BUILD/jl" joblib.yaml in "$dir"
	chown -R 54321 "$dir"
	cd "$dir"
	run --separate-stderr env -i PATH="$PATH" HOME="$dir" JL_STORE="$dir/store" "${as[@]}" bash -c 'ulimit -u 4; exec ./jl run -j30'
	local first=$status first_err=$stderr
	rm -rf .jl store o*
	run --separate-stderr env -i PATH="$PATH" HOME="$dir" JL_STORE="$dir/store" "${as[@]}" bash -c 'ulimit -u 1; exec ./jl run -j30'
	local records
	records=$(find store -path '*/ac/*' -type f 2>/dev/null | wc -l)
	cd /
	rm -rf "$dir"
	assert_status 1
	assert_stderr_has "Resource temporarily unavailable, tried for 5 s; see ulimit -n and ulimit -u"
	assert_equal "$records" 0
	status=$first stderr=$first_err
	assert_status 0
	assert_counts ran=30
}

@test "S26 a script of over 128 KiB is run from a file; its key does not know" {
	{
		printf '%s\n' 'version: 1' 'steps:' '  a:' '    outputs: o' '    command: |'
		seq -f '      x=%.0f; true "$x"' 12000
		printf '%s\n' '      tally a' '      echo "$0 $x" > ${{ output }}'
	} >joblib.yaml
	[[ $(stat -c %s joblib.yaml) -gt 200000 ]]
	jl_ok run
	assert_file o "bash 12000"
	assert_equal "$(find . "$TMPDIR" -name '.tmp-*')" ""
	jl_ok run
	assert_counts fresh=1
	rm -r .jl o
	jl_ok run
	assert_counts restored=1
	assert_tallies 1
	# What it exits with is the script's, and it stops at the first failure.
	sed -i 's/^      tally a/      sh -c "exit 7"/' joblib.yaml
	run_jl run
	assert_status 1
	assert_stderr_has "a failed: exit 7"
	assert_equal "$(find . -name '.tmp-*')" ""
}

@test "S26 an argument or a variable that is too long: an error that names the step and says what to do" {
	local long
	long=$(head -c 140000 /dev/zero | tr '\0' x)
	printf '%s\n' 'version: 1' 'steps:' "  a: {command: [echo, $long]}" >joblib.yaml
	run_jl run
	assert_status 1
	assert_stderr_has "a failed: exit 126: cannot execute \"echo\": argument 1 is 140000 bytes long, the system takes at most 131071; put it into a file"
	printf '%s\n' 'version: 1' 'steps:' "  a: {command: [echo], env: {V: $long}}" >joblib.yaml
	run_jl run
	assert_status 1
	assert_stderr_has "the variable V is 140002 bytes long, the system takes at most 131071; put it into a file"
}
