#!/usr/bin/env bats
# The JSON Schema is made from the reader's table; here the two are held against each other on the same manifests.

load helper

@test "jl schema accepts and refuses what the reader does" {
	jl_ok schema
	[[ $output == '{"$schema":"http://json-schema.org/draft-07/schema#"'* ]]
	printf '%s\n' "$output" >schema.json
	run python3 "$JL_SOURCE/test/manifests/check.py" schema.json "$JL_SOURCE/test/manifests/good" \
		"$JL_SOURCE/test/manifests/bad"
	assert_success
	refute_output
}

@test "the reader accepts each good manifest and refuses each bad one with its place" {
	local file
	cp -r "$JL_SOURCE/test/manifests/good" "$JL_SOURCE/test/manifests/bad" .
	for file in good/*.yaml; do
		run_jl list -f "$file"
		if [[ $status != 0 ]]; then fail "$file: $stderr"; fi
	done
	for file in bad/*.yaml; do
		run_jl plan -f "$file"
		if [[ $status != 2 || $stderr != "$file":[0-9]*:[0-9]*:\ * ]]; then fail "$file: $status $stderr"; fi
	done
}

@test "jl schema that cannot write says so" {
	if [[ ! -w /dev/full ]]; then skip "/dev/full cannot be written"; fi
	run -3 bash -c 'jl schema > /dev/full'
}
