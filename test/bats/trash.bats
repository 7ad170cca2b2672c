# Nothing that a person made is lost: what is in the way is moved to the trash and named.
load helper

one_step() {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; cat ${{ input }} > ${{ output }}", inputs: i, outputs: o}
EOF
	echo 1 >i
}

@test "an edited output is put right and the edit is in the trash, named" {
	one_step
	jl_ok run
	echo edit >>o
	jl_ok run
	assert_counts restored=1
	assert_tallies 1
	assert_file o 1
	assert_trashed o
	assert_file .jl/trash/*/o $'1\nedit'
	assert_stderr_has "$(echo .jl/trash/*/o)"
}

@test "an edited output is in the trash too when the step runs again" {
	one_step
	jl_ok run
	echo edit >>o
	echo 2 >i
	jl_ok run
	assert_counts ran=1
	assert_file o 2
	assert_trashed o
	assert_file .jl/trash/*/o $'1\nedit'
}

@test "an edit of the same size and mtime is an edit" {
	one_step
	jl_ok run
	touch -r o ref
	printf '9\n' | dd of=o conv=notrunc status=none
	touch -r ref o
	jl_ok run
	assert_counts restored=1
	assert_file o 1
	assert_trashed o
}

@test "an output that nobody changed goes without a trace" {
	one_step
	jl_ok run
	echo 2 >i
	jl_ok run
	assert_file o 2
	assert_no_file .jl/trash
}

@test "files from before the first run go to the trash" {
	one_step
	echo precious >o
	jl_ok run
	assert_counts ran=1
	assert_file o 1
	assert_trashed o
	assert_file .jl/trash/*/o precious
}

@test "files from before the first run that are what the store has are left alone" {
	one_step
	jl_ok run
	rm -rf .jl
	local before
	before=$(tree_stamps o)
	jl_ok run
	assert_counts fresh=1
	assert_equal "$(tree_stamps o)" "$before"
	assert_no_file .jl/trash
}

@test "a folder from before in the way of a file, with all in it" {
	one_step
	mkdir -p o/deep/empty
	echo precious >o/deep/file
	echo more >o/.hidden
	ln -s file o/deep/link
	jl_ok run
	assert_file o 1
	assert_trashed o/.hidden o/deep/file o/deep/link
}

@test "an owned folder from before: all that is in it goes to the trash" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > d/1", outputs: d/}
EOF
	mkdir -p d/sub
	echo a >d/a
	echo b >d/sub/b
	jl_ok run
	assert_equal "$(ls -A d)" 1
	assert_trashed d/a d/sub/b
}

@test "a stray file in an owned folder goes to the trash, jl's own files do not" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cp i d/1; cp i d/2", inputs: i, outputs: d/}
EOF
	echo 1 >i
	jl_ok run
	echo stray >d/stray
	echo 2 >i
	jl_ok run
	assert_counts ran=1
	assert_equal "$(ls d)" $'1\n2'
	assert_trashed d/stray
}

@test "two edits in two runs are both kept" {
	one_step
	jl_ok run
	echo first >o
	jl_ok run
	echo second >o
	jl_ok run
	assert_equal "$(cat .jl/trash/*/o | sort)" $'first\nsecond'
}

@test "a file in the place of an output's folder: an error, nothing lost" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > ${{ output }}", outputs: d/o}
EOF
	echo precious >d
	run_jl run
	if [[ $status == 0 ]]; then
		assert_trashed d
	else
		assert_status 1
		assert_file d precious
		assert_stderr_has '"d"'
	fi
}

@test "a failed step's edited former output is in the trash, the failure's in failed" {
	one_step
	jl_ok run
	echo edit >o
	sed -i 's/cat/false; cat/; s/tally a;/tally a; echo part > o;/' joblib.yaml
	run_jl run
	assert_status 1
	assert_no_file o
	assert_file .jl/trash/*/o edit
	assert_file .jl/failed/a/o part
}

@test "keep: the output of the run before is there for the next" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cat ${{ input }} >> log; echo x > other", inputs: i, outputs: [log, other], keep: log}
EOF
	echo 1 >i
	jl_ok run
	echo 2 >i
	jl_ok run
	assert_file log $'1\n2'
	assert_equal "$(trashed)" ""
}

@test "trash older than 7 days goes with a later run, younger stays" {
	one_step
	jl_ok run
	echo edit >o
	jl_ok run
	mkdir .jl/trash/old
	echo x >.jl/trash/old/x
	touch -d '8 days ago' .jl/trash/old
	mkdir .jl/trash/young
	touch -d '6 days ago' .jl/trash/young
	rm o
	jl_ok run
	assert_no_file .jl/trash/old
	[[ -d .jl/trash/young ]]
	assert_file .jl/trash/*/o edit
}

@test "S32 an output that is a link out of the workspace: an error, the target untouched" {
	mkdir ../outside
	echo safe >../outside/file
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "ln -s ${{ raw('') }}../outside/file ${{ output }}", outputs: o}
EOF
	sed -i "s/\${{ raw('') }}//" joblib.yaml
	run_jl run
	assert_status 1
	assert_stderr_has '"o"'
	assert_stderr_has "out of the workspace"
	assert_file ../outside/file safe
	[[ -L .jl/failed/a/o && ! -L o ]]
	sed -i "s,ln -s [^ ]*,ln -s $PWD/../outside/file," joblib.yaml
	run_jl run
	assert_status 1
	assert_file ../outside/file safe
	# A person's link in the way: the link goes, not what it points to.
	sed -i 's/command: "[^"]*"/command: "echo new > o"/' joblib.yaml
	ln -s ../outside/file o
	jl_ok run
	assert_file ../outside/file safe
	assert_file o new
	[[ ! -L o ]]
	[[ -L $(echo .jl/trash/*/o) ]]
	# And so when restoring.
	rm o
	ln -s ../outside/file o
	jl_ok run
	assert_counts restored=1
	assert_file ../outside/file safe
	assert_file o new
}

@test "S32 a parent folder that is a link out of the workspace: an error, nothing written or removed there" {
	mkdir -p ../outside/d
	echo safe >../outside/o
	echo safe >../outside/d/x
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo new > sub/o", inputs: i, outputs: sub/o}
  b: {command: "tally b; echo new > sub/d/x", inputs: i, outputs: sub/d/}
EOF
	: >i
	jl_ok run
	local before
	before=$(tree_stamps ../outside)
	rm -rf sub
	ln -s ../outside sub
	run_jl run -k
	assert_status 1
	assert_stderr_has "out of the workspace"
	assert_equal "$(tree_stamps ../outside)" "$before"
	tally_reset
	echo 2 >i
	run_jl run -k
	assert_status 1
	assert_tallies 0
	assert_equal "$(tree_stamps ../outside)" "$before"
	jl_ok clean
	assert_equal "$(tree_stamps ../outside)" "$before"
	run_jl clean --orphans
	assert_equal "$(tree_stamps ../outside)" "$before"
}

@test "S32 a step that puts a link in the place of its parent folder: nothing outside is written or removed" {
	mkdir ../outside
	echo safe >../outside/o
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "rmdir sub; ln -s ../outside sub", outputs: sub/o}
EOF
	run_jl run
	assert_status 1
	assert_stderr_has "out of the workspace"
	assert_file ../outside/o safe
	[[ $(ls -A ../outside) == o ]]
}

@test "S32 a fifo, a socket or a device as an output: an error, no hang" {
	write_manifest <<'EOF'
version: 1
steps:
  fifo: {command: "mkfifo ${{ output }}", outputs: f}
  in: {command: "mkfifo d/fifo", outputs: d/}
  null: {command: "ln /dev/null n || mknod n c 1 3 || ln -s /dev/null n", outputs: n}
EOF
	run_jl run -k
	assert_status 1
	assert_counts failed=3
	assert_stderr_has '"f"'
	assert_stderr_has '"d/fifo"'
	[[ -c /dev/null ]]
	assert_no_file "$JL_STORE/ac"/*/*
}

@test "S32 a fifo in the way of an output goes to the trash" {
	one_step
	mkfifo o
	jl_ok run
	assert_file o 1
	[[ -p $(echo .jl/trash/*/o) ]]
}

@test "an output may not be or hold the manifest, .jl, .git or an input; nor be outside" {
	local out
	for out in joblib.yaml ./ . .jl/x .git/config .git/ ../x /etc/x sub/; do
		rm -rf sub
		mkdir sub
		: >sub/in
		write_manifest <<EOF
version: 1
steps:
  a: {command: "true", inputs: sub/in, outputs: $out}
EOF
		run_jl run
		[[ $status == 2 ]] || fail "outputs: $out → $status"
		assert_stderr_has "joblib.yaml:3:"
		[[ -f joblib.yaml && -f sub/in ]]
	done
}

@test "an owned folder may not hold the input of another step" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "true", outputs: sub/}
  b: {command: "true", inputs: src/x, outputs: o}
  c: {command: "true", inputs: i, outputs: src/}
EOF
	mkdir -p src
	echo mine >src/x
	: >i
	run_jl run
	# Either refused, or the person's file is in the trash: never lost.
	if [[ $status != 2 ]]; then assert_file .jl/trash/*/src/x mine; else assert_file src/x mine; fi
}
