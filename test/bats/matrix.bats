#!/usr/bin/env bats
# `matrix`: an instance for each combination.

load helper

@test "a matrix makes an instance for each combination, named by its values" {
	write_manifest <<'END'
version: 1
steps:
  test:
    matrix: {os: [a, b], py: [3.10, 3.9], exclude: [{os: b, py: 3.9}], include: [{os: a, flag: fast}, {os: c, py: 4, flag: new}, {os: b, flag: slow}]}
    command: tally ${{ matrix.os }} ${{ matrix.py }} ${{ matrix.flag }}; touch ${{ output }}
    outputs: o/${{ matrix.os }}-${{ matrix.py }}
  all: {command: "ls o > ${{ output }}", inputs: o/*, outputs: all}
END
	jl_ok run
	assert_counts ran=5
	assert_tallies 1 "a 3.10 fast"
	assert_tallies 1 "b 3.10 slow"
	assert_tallies 1 "c 4 new"
	assert_file all "$(printf '%s\n' a-3.10 a-3.9 b-3.10 c-4)"
	jl_ok run 'test[os=a,py=3.10]' 'test[os=c,py=4,flag=new]'
	assert_counts fresh=2
	run_jl run 'test[os=b,py=3.9]'
	assert_status 2
	jl_ok run
	assert_counts fresh=5
}

@test "outputs of combinations that left are taken away" {
	write_manifest <<'END'
version: 1
steps:
  t: {matrix: {a: [1, 2], b: [x, y]}, command: "echo > ${{ output }}", outputs: "o/${{ matrix.a }}${{ matrix.b }}"}
END
	jl_ok run
	sed -i 's/b: \[x, y\]/b: [x], include: [{a: 3, b: z}]/' joblib.yaml
	jl_ok run
	assert_counts ran=1 fresh=2
	assert_equal "$(ls o)" "$(printf '1x\n2x\n3z')"
}

@test "a stored plan of a matrix with gaps is used again" {
	write_manifest <<'END'
version: 1
steps:
  t: {matrix: {a: [1, 2, 3], b: [x, y], exclude: [{b: x}]}, command: "cat ${{ inputs }} > ${{ output }}", inputs: "*.in", outputs: "o/${{ matrix.a }}${{ matrix.b }}"}
END
	echo 1 >a.in
	jl_ok run
	echo 2 >b.in
	jl_ok run
	assert_counts ran=3
	assert_file o/3y "$(printf '1\n2')"
}

@test "a key that a combination lacks is an error that names the step" {
	write_manifest <<'END'
version: 1
steps:
  t: {matrix: {a: [1, 2], include: [{a: 1, b: 3}]}, command: "echo ${{ matrix.b }}"}
END
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:3:68: a combination of step "t" has no "b"'
}
