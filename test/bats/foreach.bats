# foreach: lists, globs, ranges, lines, mappings; over files that are there and over what another step makes.
load helper

@test "a list: one instance an item, named by it" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: [x, "y z", 3, no], command: "echo ${{ item }} > ${{ output }}", outputs: "o/${{ item }}"}
EOF
	assert_equal "$(statuses)" $'a[3] ran\na[no] ran\na[x] ran\na[y z] ran'
	assert_file "o/y z" "y z"
	assert_file o/no no
}

@test "a list of mappings: \${{ item.key }}" {
	write_manifest <<'EOF'
version: 1
steps:
  a:
    foreach: [{name: x, n: 1}, {name: y, n: 2}]
    command: echo ${{ item.n }} > ${{ output }}
    outputs: ${{ item.name }}.txt
EOF
	assert_equal "$(statuses)" $'a[name=x,n=1] ran\na[name=y,n=2] ran'
	assert_file x.txt 1
	assert_file y.txt 2
}

@test "ranges, up, down and by steps" {
	write_manifest <<'EOF'
version: 1
steps:
  up: {foreach: {from: 1, to: 3}, command: "echo ${{ item }} > ${{ output }}", outputs: "up.${{ item }}"}
  one: {foreach: {from: -1, to: -1}, command: "echo ${{ item }} > ${{ output }}", outputs: "one.${{ item }}"}
EOF
	jl_ok run
	assert_counts ran=4
	assert_equal "$(echo up.* one.*)" "up.1 up.2 up.3 one.-1"
}

@test "lines of a file: empty ones are none, a missing last newline is fine" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: {lines: list}, command: "echo ${{ item }} > ${{ output }}", outputs: "o/${{ item }}"}
EOF
	printf 'one\n\n two \nthree' >list
	jl_ok run
	assert_counts ran=3
	assert_equal "$(ls o)" $' two \none\nthree'
	printf 'one\n two \n' >list
	jl_ok run
	assert_counts fresh=2
	assert_equal "$(ls o)" $' two \none'
	rm list
	run_jl run
	assert_status 2
	assert_stderr_has "joblib.yaml:3:"
}

@test "a glob in byte order, without dotfiles; the parts of a path" {
	write_manifest <<'EOF'
version: 1
steps:
  a:
    foreach: in/**/*.txt
    command: printf '%s\n' ${{ item.dir }} ${{ item.name }} ${{ item.stem }} ${{ item.ext }} > ${{ output }}
    inputs: ${{ item }}
    outputs: out/${{ item.stem }}
EOF
	mkdir -p in/deep/er in/.hidden
	: >in/deep/er/b.tar.txt
	: >in/Z.txt
	: >in/a.txt
	: >in/.c.txt
	: >in/.hidden/d.txt
	jl_ok run -j1
	assert_counts ran=3
	assert_file out/b.tar $'in/deep/er\nb.tar.txt\nb.tar\n.txt'
	assert_equal "$(ls out)" $'Z\na\nb.tar'
}

joined() { # FOREACH: its copies in out/, and a join over them
	write_manifest <<EOF
version: 1
steps:
  copy: {foreach: $1, command: "tally copy; cat \${{ item }} > \${{ output }}", inputs: "\${{ item }}", outputs: "out/\${{ item.name }}"}
  join: {command: "tally join; cat \${{ inputs }} > \${{ output }}", inputs: out/*, outputs: all}
EOF
	mkdir -p in
	echo a >in/a
	echo b >in/b
	echo c >in/c
}

@test "an item that leaves a glob leaves no trace in a join" {
	joined 'in/*'
	jl_ok run
	assert_file all $'a\nb\nc'
	rm in/b
	tally_reset
	jl_ok run
	assert_counts ran=1 fresh=2
	assert_equal "$(cat "$TALLY")" join
	assert_file all $'a\nc'
	assert_no_file out/b
	assert_equal "$(trashed)" ""
	jl_ok run
	assert_counts fresh=3
	# And back: nothing has to run.
	echo b >in/b
	jl_ok run
	assert_counts restored=2 fresh=2
	assert_file all $'a\nb\nc'
}

@test "an item that leaves: its edited output goes to the trash" {
	joined 'in/*'
	jl_ok run
	rm in/b
	echo mine >>out/b
	jl_ok run
	assert_no_file out/b
	assert_trashed out/b
	assert_file .jl/trash/*/out/b $'b\nmine'
	assert_file all $'a\nc'
}

@test "an item that leaves a list in the manifest leaves no trace" {
	joined '[in/a, in/b, in/c]'
	jl_ok run
	sed -i 's,in/a\, in/b,in/a,' joblib.yaml
	jl_ok run
	assert_counts ran=1 fresh=2
	assert_file all $'a\nc'
	assert_no_file out/b
}

@test "an item that leaves is gone also when only the join is asked for, and when only another step is run before" {
	joined 'in/*'
	jl_ok run
	rm in/b
	jl_ok run 'copy[in/a]'
	jl_ok run join
	assert_file all $'a\nc'
	assert_no_file out/b
}

@test "an owned folder of an item that leaves goes with all in it" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: in/*, command: "mkdir ${{ output }}/sub; cp ${{ item }} ${{ output }}/sub", inputs: "${{ item }}", outputs: "out/${{ item.name }}/"}
EOF
	mkdir in
	touch in/a in/b
	jl_ok run
	echo mine >out/b/stray
	rm in/b
	jl_ok run
	assert_counts fresh=1
	assert_no_file out/b
	assert_trashed out/b/stray
}

@test "outputs of an item that left and that another step makes now stay" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: in/*, command: "cat ${{ item }} > ${{ output }}", inputs: "${{ item }}", outputs: "out/${{ item.name }}"}
EOF
	mkdir in
	echo a >in/a
	echo b >in/b
	jl_ok run
	rm in/b
	echo '  b: {command: "echo b > out/b", outputs: out/b}' >>joblib.yaml
	jl_ok run
	assert_file out/b b
	assert_equal "$(trashed)" ""
}

@test "a step taken out of the manifest: its outputs stay until clean --orphans" {
	joined 'in/*'
	echo '  more: {command: "echo m > more; echo n > n", outputs: [more, n]}' >>joblib.yaml
	jl_ok run
	echo mine >n
	sed -i '$d' joblib.yaml
	jl_ok run
	[[ -f more ]]
	jl_ok clean --orphans -n
	[[ -f more ]]
	jl_ok clean --orphans
	assert_line "removed more"
	assert_no_file more
	assert_file n mine
	[[ -f out/a && -f all ]]
}

# split makes parts, count goes over them as they are then, sum joins.
dynamic() {
	write_manifest <<'EOF'
version: 1
steps:
  split: {command: "tally split; split -l 1 ${{ input }} parts/p.", inputs: data, outputs: parts/}
  upper:
    foreach: parts/p.*
    command: tally upper; tr a-z A-Z < ${{ item }} > ${{ output }}
    inputs: ${{ item }}
    outputs: up/${{ item.name }}
  sum: {command: "tally sum; cat ${{ inputs }} > ${{ output }}", inputs: up/*, outputs: sum}
EOF
	printf '%s\n' one two three >data
}

@test "foreach over what another step makes expands when that is done" {
	dynamic
	jl_ok run
	assert_counts ran=5
	assert_file sum $'ONE\nTWO\nTHREE'
	tally_reset
	jl_ok run
	assert_counts fresh=5
	assert_tallies 0
}

@test "a dynamic item that leaves leaves no trace; those that stay are not run again" {
	dynamic
	jl_ok run
	tally_reset
	printf '%s\n' one two >data
	jl_ok run
	assert_counts ran=2 fresh=2
	assert_equal "$(sort "$TALLY")" $'split\nsum'
	assert_file sum $'ONE\nTWO'
	assert_equal "$(ls up)" $'p.aa\np.ab'
	jl_ok run
	assert_counts fresh=4
}

@test "a dynamic item that leaves: its edited output goes to the trash" {
	dynamic
	jl_ok run
	echo mine >up/p.ac
	printf '%s\n' one two >data
	jl_ok run
	assert_file sum $'ONE\nTWO'
	assert_trashed up/p.ac
	assert_file .jl/trash/*/up/p.ac mine
}

@test "a new dynamic item runs alone, and all comes back from the store" {
	dynamic
	jl_ok run
	tally_reset
	printf '%s\n' one two three four >data
	jl_ok run
	assert_counts ran=3 fresh=3
	assert_equal "$(sort "$TALLY")" $'split\nsum\nupper'
	rm -rf parts up sum .jl
	tally_reset
	jl_ok run
	assert_counts restored=6
	assert_tallies 0
	assert_file sum $'ONE\nTWO\nTHREE\nFOUR'
}

@test "targets by path and by item, also of what is expanded late, in a fresh workspace" {
	dynamic
	jl_ok run up/p.ab
	assert_counts ran=2
	[[ -f up/p.ab && ! -e up/p.aa && ! -e sum ]]
	rm -rf .jl parts up
	jl_ok run 'upper[parts/p.ac]'
	assert_counts ran=1 restored=1
	assert_equal "$(ls up)" p.ac
	rm -rf .jl parts up
	jl_ok run sum
	assert_counts ran=2 restored=3
}

@test "a target that turns out to be made by nobody is an error" {
	dynamic
	run_jl run 'upper[parts/p.zz]'
	[[ $status != 0 ]] || fail "$stderr"
	assert_stderr_has p.zz
}

@test "a foreach of nothing: no instance, the join sees nothing" {
	joined 'in/*'
	rm in/*
	jl_ok run
	assert_counts ran=1
	assert_file all ""
	dynamic
	: >data
	jl_ok run
	assert_counts ran=2
	assert_file sum ""
}

@test "two items with one name, or one output: an error with its place" {
	write_manifest <<'EOF'
version: 1
steps:
  a:
    foreach: [x, y, x]
    command: echo > ${{ output }}
    outputs: ${{ item }}
EOF
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:4:'
	assert_stderr_has 'a[x]'
	sed -i 's/y, x/y/; s/outputs: .*/outputs: same/' joblib.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:6:'
	assert_stderr_has 'a[x]'
	assert_stderr_has 'a[y]'
}

@test "late items that collide fail their step before anything of it runs" {
	write_manifest <<'EOF'
version: 1
steps:
  split: {command: "touch parts/a.1 parts/a.2", outputs: parts/}
  c: {foreach: parts/*, command: "tally c; cp ${{ item }} ${{ output }}", inputs: "${{ item }}", outputs: "o/${{ item.stem }}"}
EOF
	run_jl run
	assert_status 1
	assert_tallies 0
	assert_stderr_has "overlaps"
	run_jl run
	assert_status 1
	assert_tallies 0
}

@test "a foreach over a foreach over a folder" {
	write_manifest <<'EOF'
version: 1
steps:
  c: {foreach: b/*, command: "cat ${{ item }} ${{ item }} > ${{ output }}", inputs: "${{ item }}", outputs: "c/${{ item.name }}"}
  b: {foreach: a/*, command: "cat ${{ item }} ${{ item }} > ${{ output }}", inputs: "${{ item }}", outputs: "b/${{ item.name }}"}
  a: {command: "for i in $(cat ${{ input }}); do echo $i > a/$i; done", inputs: list, outputs: a/}
EOF
	echo 1 2 >list
	jl_ok run
	assert_counts ran=5
	assert_equal "$(cat c/1)" $'1\n1\n1\n1'
	echo 2 3 >list
	jl_ok run
	assert_counts ran=3 fresh=2
	assert_equal "$(ls b c)" $'b:\n2\n3\n\nc:\n2\n3'
	jl_ok run c/3
	assert_counts fresh=4
}

@test "a manifest edit elsewhere does not rerun expanded items; an edit of the command reruns all" {
	dynamic
	jl_ok run
	sed -i '1a # x' joblib.yaml
	jl_ok run
	assert_counts fresh=5
	sed -i 's/tr a-z A-Z/tr a-z B-ZA/' joblib.yaml
	jl_ok run
	assert_counts ran=4 fresh=1
}

@test "another manifest of the same folder with a step of the same name takes nothing away" {
	printf 'version: 1\nsteps:\n  s: {foreach: [a, b], command: "echo ${{ item }} > ${{ output }}", inputs: in, outputs: "o/${{ item }}"}\n' >one.yaml
	sed 's/\[a, b\]/[c]/' one.yaml >two.yaml
	echo x >in
	jl_ok run -f one.yaml
	jl_ok run -f two.yaml
	[[ -e o/a && -e o/b && -e o/c ]]
}

@test "a program of the workspace is an input without being told, also one that came later" {
	printf 'version: 1\nsteps:\n  a: {command: ./tool in > out, inputs: in, outputs: out}\n' >joblib.yaml
	echo hi >in
	run -1 jl run
	printf '#!/bin/sh\ncat $1\n' >tool
	chmod +x tool
	jl_ok run
	jl_ok run
	assert_summary "1 step: 0 ran, 1 fresh, 0 restored, 0 failed"
	printf '#!/bin/sh\ncat $1 $1\n' >tool
	jl_ok run
	assert_equal "$(cat out)" $'hi\nhi'
}

@test "more than ten million lines are an error with its place, not ten million instances" {
	printf 'version: 1\nsteps:\n  a: {foreach: {lines: l}, command: "x ${{ item }}"}\n' >joblib.yaml
	yes a | head -10000001 >l
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:3:16: "l" holds more than 10 million lines; use several steps'
	printf 'version: 1\nsteps:\n  a: {foreach: {from: 0, to: 10000000}, command: "x ${{ item }}"}\n' >joblib.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:3:16: a range of more than 10 million items'
}

@test "dynamic: a step waits for what makes its input, whichever of both was expanded first in the run before" {
	write_manifest <<'END'
version: 1
steps:
  items: {command: "for i in 1 2 3; do cp n items/$i; done", inputs: n, outputs: items/}
  b: {foreach: items/*, command: "cp ${{ item }} ${{ output }}", inputs: "${{ item }}", outputs: "b/${{ item.name }}"}
  c: {foreach: items/*, command: "cp ${{ input }} ${{ output }}", inputs: "b/${{ item.name }}", outputs: "c/${{ item.name }}"}
END
	local first second
	for first in 1 2 3 4; do
		rm -rf .jl items b c
		echo $first >n
		jl_ok run --shuffle "$first"
		for second in 1 2 3 4; do
			echo $first$second >n
			jl_ok run --shuffle "$second"
			assert_equal "$(cat c/*)" "$first$second"$'\n'"$first$second"$'\n'"$first$second"
		done
	done
}
