# The graph: what needs what, globs over what others make, targets, tags, and the errors of a graph.
load helper

@test "a chain in any order of writing; only what a target needs runs" {
	write_manifest <<'EOF'
version: 1
steps:
  c: {command: "cp b c", inputs: b, outputs: c}
  b: {command: "cp a b", inputs: a, outputs: b}
  a: {command: "echo 1 > a", outputs: a}
  d: {command: "echo 1 > d", outputs: d}
EOF
	jl_ok run b
	assert_counts ran=2
	assert_no_file c d
	jl_ok run ./c
	assert_counts ran=1 fresh=2
	jl_ok run b d
	assert_counts ran=1 fresh=2
}

@test "tags select steps, several words add up; manual steps run only when asked for" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a", tags: x}
  b: {command: "tally b", tags: [x, y]}
  c: {command: "tally c", tags: [y], manual: true}
  d: {command: "tally d"}
  m: {command: "tally m; echo 1 > m", manual: true, outputs: m}
  n: {command: "tally n", inputs: m, manual: true}
EOF
	jl_ok run
	assert_equal "$(sort "$TALLY" | xargs)" "a b d"
	tally_reset
	jl_ok run @x
	assert_equal "$(sort "$TALLY" | xargs)" "a b"
	tally_reset
	jl_ok run @y d
	assert_equal "$(sort "$TALLY" | xargs)" "b c d"
	tally_reset
	jl_ok run n
	assert_equal "$(xargs <"$TALLY")" "m n"
	run_jl run @z
	assert_status 2
	assert_stderr_has '"z"'
	run_jl run nope
	assert_status 2
	assert_stderr_has '"nope"'
}

@test "a manual step that another one needs runs with it" {
	write_manifest <<'EOF'
version: 1
steps:
  m: {command: "echo 1 > m", manual: true, outputs: m}
  n: {command: "cp m n", inputs: m, outputs: n}
EOF
	jl_ok run
	assert_counts ran=2
}

@test "a glob input waits for the steps whose outputs it matches" {
	write_manifest <<'EOF'
version: 1
steps:
  all: {command: "cat ${{ inputs }} > ${{ output }}", inputs: ["gen/**/*.txt"], outputs: all}
  x: {command: "echo x > gen/deep/x.txt", outputs: gen/deep/x.txt}
  y: {command: "echo y > gen/y.txt", outputs: gen/y.txt}
  z: {command: "echo z > gen/z.dat", outputs: gen/z.dat}
  o: {command: "echo o > gen/own/o.txt; echo p > gen/own/p", outputs: gen/own/}
EOF
	mkdir gen
	echo disk >gen/a.txt
	jl_ok run all
	assert_counts ran=4
	assert_file all $'disk\nx\no\ny'
}

@test "exclusions: of globs, of folders, of what other steps make" {
	write_manifest <<'EOF'
version: 1
steps:
  all: {command: "echo ${{ inputs }} > ${{ output }}", inputs: ["**/*.txt", "!skip/**", "!b?.txt", "!out/"], outputs: out/all.txt}
  dir: {command: "tally dir; ls ${{ input }} > ${{ output }}", inputs: [src/, "!src/*.tmp"], outputs: out/dir.txt}
EOF
	mkdir -p skip/deep src/sub
	touch a.txt b1.txt b12.txt skip/x.txt skip/deep/y.txt src/f src/g.tmp src/sub/z.txt
	jl_ok run
	assert_file out/all.txt "a.txt b12.txt src/sub/z.txt"
	echo 1 >src/g.tmp
	echo 1 >b1.txt
	jl_ok run
	assert_counts fresh=2
	echo 1 >src/f
	jl_ok run
	assert_counts ran=1 fresh=1
}

@test "an exclusion cuts the link to a step that makes what is excluded" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cat ${{ inputs }} > ${{ output }}", inputs: ["**/*.txt", "!out/**"], outputs: out/a.txt}
  b: {command: "cp ${{ input }} ${{ output }}", inputs: out/a.txt, outputs: out/b.txt}
EOF
	echo 1 >x.txt
	jl_ok run
	assert_counts ran=2
	assert_file out/b.txt 1
	jl_ok run
	assert_counts fresh=2
}

@test "a step's own outputs are never its inputs" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cat ${{ inputs }} > ${{ output }}", inputs: "*.txt", outputs: all.txt}
  g: {command: "for i in ${{ inputs }}; do cp $i $i.bak; done", inputs: "d/*", outputs: {glob: "d/*.bak"}}
EOF
	mkdir d
	echo 1 >1.txt
	echo 2 >d/2
	jl_ok run
	jl_ok run
	assert_counts fresh=2
	assert_file all.txt 1
	assert_equal "$(ls d)" $'2\n2.bak'
}

@test "globs never see .jl, .git and dotfiles" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo ${{ inputs }} > ${{ output }}", inputs: "**", outputs: o}
EOF
	mkdir -p .git d/.git .jl
	touch .git/x d/.git/x d/y .z
	echo 1 >.jl/x
	jl_ok run
	assert_file o "d/y joblib.yaml"
}

@test "an input folder waits for all that is made in it" {
	write_manifest <<'EOF'
version: 1
steps:
  ls: {command: "ls ${{ input }} > ${{ output }}", inputs: d/, outputs: ls}
  a: {command: "touch d/a", outputs: d/a}
  b: {foreach: [x, y], command: "touch ${{ output }}", outputs: "d/${{ item }}"}
EOF
	jl_ok run ls
	assert_counts ran=4
	assert_file ls $'a\nx\ny'
}

@test "a file below another's owned folder is an input made by it" {
	write_manifest <<'EOF'
version: 1
steps:
  b: {command: "cp d/sub/f ${{ output }}", inputs: d/sub/f, outputs: o}
  a: {command: "mkdir d/sub; echo 1 > d/sub/f; echo $RANDOM > d/other", outputs: d/}
EOF
	jl_ok run b
	assert_counts ran=2
	assert_file o 1
	jl_ok run d/sub/f
	assert_counts fresh=1
	jl_ok run --force a
	jl_ok run
	assert_counts fresh=2
}

@test "a file that an output glob names is an input made by it" {
	write_manifest <<'EOF'
version: 1
steps:
  b: {command: "cp p.2 ${{ output }}", inputs: p.2, outputs: o}
  a: {command: "echo 1 > p.1; echo 2 > p.2", outputs: {glob: "p.*"}}
EOF
	jl_ok run
	assert_counts ran=2
	assert_file o 2
	rm -rf .jl p.* o
	jl_ok run b
	assert_counts restored=2
}

@test "names for inputs and outputs, indices, list values in a list command" {
	write_manifest <<'EOF'
version: 1
steps:
  a:
    command: cat ${{ inputs.one }} ${{ inputs[1] }} > ${{ outputs.res }}; wc -l ${{ inputs }} > ${{ outputs[1] }}
    inputs: {one: x 1, two: y}
    outputs: {res: res, cnt: cnt}
  b: {command: [cp, "${{ inputs }}", "${{ output }}"], inputs: [x 1, y], outputs: d/}
EOF
	echo 1 >'x 1'
	echo 2 >y
	jl_ok run
	assert_file res $'1\n2'
	assert_equal "$(ls d)" $'x 1\ny'
}

@test "workdir: the command runs there, templates give paths from there" {
	write_manifest <<'EOF'
version: 1
steps:
  a:
    workdir: sub/dir
    command: pwd > ${{ output }}; cat ${{ input }} >> ${{ output }}
    inputs: in/x
    outputs: out/o
EOF
	mkdir -p sub/dir in
	echo 1 >in/x
	jl_ok run
	assert_file out/o "$PWD/sub/dir"$'\n1'
}

@test "a workdir outside of the workspace is refused with its place, also from defaults and by an item" {
	local dir
	for dir in /tmp .. sub/../../other; do
		write_manifest <<EOF
version: 1
defaults: {workdir: $dir}
steps:
  a: {command: "pwd > \${{ output }}", outputs: o}
  b: {foreach: [sub, $dir], workdir: "\${{ item }}", command: "echo \${{ inputs }}", inputs: "i*"}
EOF
		: >i
		run_jl run
		assert_status 2
		assert_stderr_has "joblib.yaml:2:21: workdir \"$dir\" lies outside of the workspace; name a folder below the \
manifest's, or go there in the command"
		assert_stderr_has "joblib.yaml:5:$((34 + ${#dir})): workdir \"$dir\" lies outside of the workspace; name a \
folder below the manifest's, or go there in the command"
		assert_no_file o .jl/logs
	done
	# An included file may go up as far as the workspace's own folder.
	mkdir -p etl
	write_manifest etl/joblib.yaml <<'EOF'
version: 1
steps: {a: {command: "pwd > ${{ output }}", workdir: .., outputs: o}}
EOF
	write_manifest <<'EOF'
version: 1
include: [{file: etl/joblib.yaml, as: etl}]
EOF
	jl_ok run
	assert_file etl/o "$PWD"
}
@test "a workdir that is not there is an error that names it" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {workdir: nowhere, command: "true"}
EOF
	run_jl run
	[[ $status == 1 || $status == 2 ]]
	assert_stderr_has nowhere
}

@test "optional inputs and their coming" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cat may 2>/dev/null > ${{ output }} || true", inputs: {path: may, optional: true}, outputs: o}
EOF
	jl_ok run
	assert_file o ""
	echo 1 >may
	jl_ok run
	assert_counts ran=1
	assert_file o 1
	rm may
	jl_ok run
	assert_counts restored=1
}

@test "after waits, through foreach too, and an unknown name is an error" {
	write_manifest <<'EOF'
version: 1
steps:
  z: {command: "tally z", after: [a, f]}
  a: {command: "tally a"}
  f: {foreach: [1, 2], command: "tally f"}
EOF
	jl_ok run -j4
	assert_equal "$(tail -n 1 "$TALLY")" z
	assert_tallies 4
	sed -i 's/\[a, f\]/[a, ff]/' joblib.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:3:'
	assert_stderr_has '"ff"'
}

@test "a cycle is told with its steps and a place, nothing runs" {
	write_manifest <<'EOF'
version: 1
steps:
  d: {command: "tally d", outputs: d}
  a: {command: "tally a", inputs: c, outputs: a}
  b: {command: "tally b", inputs: a, outputs: b}
  c: {command: "tally c", inputs: b, outputs: c}
EOF
	run_jl run
	assert_status 2
	assert_regex "$stderr" '^joblib\.yaml:[456]:3: '
	for step in a b c; do assert_stderr_has "\"$step\""; done
	refute_stderr_has '"d"'
	assert_tallies 0
	run_jl plan
	assert_status 2
	write_manifest <<'EOF'
version: 1
steps:
  x: {command: "tally a", after: x}
EOF
	run_jl run
	assert_status 2
	assert_regex "$stderr" '^joblib\.yaml:3:'
	write_manifest <<'EOF'
version: 1
steps:
  x: {command: "tally a", after: y}
  y: {command: "tally a", after: x}
EOF
	run_jl run
	assert_status 2
	assert_regex "$stderr" '^joblib\.yaml:[34]:3: '
}

@test "two steps with overlapping outputs: the later's place, the earlier's name" {
	local pair
	for pair in 'o o' 'd/ d/x' 'd/x d/' 'd/e/ d/' './o o' 'a/../o o'; do
		write_manifest <<EOF
version: 1
steps:
  first: {command: "tally", outputs: ${pair% *}}
  second:
    command: "tally"
    outputs: ${pair#* }
EOF
		run_jl run
		[[ $status == 2 ]] || fail "$pair: $status"
		[[ $stderr == "joblib.yaml:6:14: "*first* ]] || fail "$pair: $stderr"
	done
	assert_tallies 0
}

@test "an input that nothing makes and no file holds: its place, nothing runs" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a"}
  b:
    command: tally b
    inputs:
      - joblib.yaml
      - no/such
    outputs: o
EOF
	run_jl run
	assert_status 2
	assert_regex "$stderr" '^joblib\.yaml:8:9: .*"no/such"'
	assert_tallies 0
	# Not asked for, not looked at.
	jl_ok run a
	assert_tallies 1
}

@test "several errors in one go, in order, nothing run" {
	write_manifest <<'EOF'
version: 1
nope: 1
steps:
  a: {command: "tally a", outputs: ../x}
  b: {comand: "tally b"}
  c: {command: "echo '${{ item }}'", timeout: soon}
  c: {command: "tally c"}
EOF
	run_jl run
	assert_status 2
	assert_tallies 0
	assert_regex "$stderr" $'(^|\n)joblib\.yaml:2:1: '
	assert_regex "$stderr" $'(^|\n)joblib\.yaml:5:7: '
	assert_regex "$stderr" $'(^|\n)joblib\.yaml:6:47: '
	assert_regex "$stderr" $'(^|\n)joblib\.yaml:7:3: '
	assert_equal "$(grep -o '^joblib.yaml:[0-9]*' <<<"$stderr" | sort -c -t: -k2n 2>&1)" ""
}

@test "stdin is empty unless declared" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cat > ${{ output }}", outputs: o}
EOF
	echo text | jl run
	assert_file o ""
}

@test "a command without shell syntax is executed directly, and one with it by bash with pipefail" {
	write_manifest <<'EOF'
version: 1
steps:
  direct: {command: show-parent a  b}
  shell: {command: "show-parent a  b; true"}
  own: {command: "echo $0; false; false | true", shell: [sh, -c]}
  pipe: {command: "false | true", manual: true}
EOF
	printf '#!/bin/sh\necho "$# $(cat /proc/$PPID/comm)"\n' >"$BATS_TEST_TMPDIR/bin/show-parent"
	chmod +x "$BATS_TEST_TMPDIR/bin/show-parent"
	jl_ok run direct
	assert_output "2 jl"
	jl_ok run shell
	assert_output "2 bash"
	jl_ok run own
	assert_output sh
	run_jl run pipe
	assert_status 1
}
