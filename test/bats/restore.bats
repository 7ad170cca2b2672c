# What a hit puts back, and that it puts back exactly that.
load helper

@test "a deleted output is restored without running; its neighbours are not touched" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo 1 > one; echo 2 > two", outputs: [one, two]}
EOF
	jl_ok run
	local before
	before=$(tree_stamps two)
	rm one
	jl_ok run
	assert_counts restored=1
	assert_tallies 1
	assert_file one 1
	assert_equal "$(tree_stamps two)" "$before"
}

@test "content, modes, links, empty files and empty folders are restored exactly" {
	write_manifest <<'EOF'
version: 1
steps:
  tree:
    command: sh ${{ input }}
    inputs: make-tree
    outputs: [out/, top, link]
EOF
	cat >make-tree <<'EOF'
umask 0
cd out
mkdir -p deep/er empty closed
: >nothing
: >deep/.hidden
printf 'no newline' >deep/er/file
head -c 100000 /dev/zero >big
head -c 300000 /dev/urandom >noise
chmod 0555 closed
chmod 0400 big
chmod 0751 deep
chmod 0700 empty
ln -s deep/er/file link
ln -s nowhere dangling
ln -s . self
ln -s ../top up
echo top >../top
chmod 0755 ../top
ln -s out/deep ../link
EOF
	jl_ok run
	local before
	before=$(tree_content .  | grep -v ' \./\.jl')
	chmod 755 out/closed
	rm -rf out top link
	jl_ok run
	assert_counts restored=1
	assert_equal "$(tree_content . | grep -v ' \./\.jl')" "$before"
	jl_ok run
	assert_counts fresh=1
	# And with no memory of it.
	rm -rf .jl out top link
	jl_ok run
	assert_counts restored=1
	assert_equal "$(tree_content . | grep -v ' \./\.jl')" "$before"
	assert_equal "$(trashed)" ""
}

@test "a changed mode is put right" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > ${{ output }}; chmod 640 ${{ output }}", outputs: a}
  d: {command: "mkdir d/s; echo 1 > d/s/f; chmod 750 d/s", outputs: d/}
EOF
	jl_ok run
	chmod 600 a
	chmod 700 d/s
	jl_ok run
	assert_counts restored=2
	assert_equal "$(stat -c %a a d/s)" $'640\n750'
}

@test "an empty owned folder is an output like any other" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "true", inputs: i, outputs: d/}
EOF
	: >i
	jl_ok run
	[[ -d d ]]
	rmdir d
	jl_ok run
	assert_counts restored=1
	[[ -d d ]]
	jl_ok run
	assert_counts fresh=1
}

@test "a link that was replaced by a file, a file by a link, a file by a folder: all put right" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "ln -s x l; echo f > f; echo g > g", inputs: x, outputs: [l, f, g]}
EOF
	echo x >x
	jl_ok run
	rm l f g
	echo mine >l
	ln -s x f
	mkdir g
	echo too >g/in
	jl_ok run
	assert_counts restored=1
	[[ $(readlink l) == x && ! -L f && -f g ]]
	assert_file x x
	assert_trashed f g/in l
}

@test "a file in an owned folder that does not belong is taken away; a lost one comes back" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > d/1; echo 2 > d/2", inputs: i, outputs: d/}
EOF
	: >i
	jl_ok run
	echo mine >d/stray
	mkdir -p d/new/folder
	rm d/1
	jl_ok run
	assert_counts restored=1
	assert_equal "$(ls d)" $'1\n2'
	assert_trashed d/stray
	assert_stderr_has '"d/stray"'
}

@test "S16 editing a restored output leaves the store's copy as it was" {
	write_manifest <<'EOF'
version: 1
steps:
  small: {command: "echo 1 > ${{ output }}", outputs: small}
  large: {command: "seq 100000 > ${{ output }}", outputs: large}
  noise: {command: "head -c 200000 /dev/urandom > ${{ output }}", outputs: noise}
EOF
	jl_ok run
	local sums
	sums=$(sha256sum small large noise)
	rm small large noise
	jl_ok run
	assert_counts restored=3
	# In place, not by a new file: a hard link would hand it on to the store.
	for f in small large noise; do printf X | dd of=$f conv=notrunc status=none; done
	jl_ok run
	assert_counts restored=3
	assert_equal "$(sha256sum small large noise)" "$sums"
	assert_trashed large noise small
	# The command's own file is no hard link to the store either.
	rm -rf .jl
	for f in small large noise; do printf Y | dd of=$f conv=notrunc status=none; done
	jl_ok run
	assert_equal "$(sha256sum small large noise)" "$sums"
	assert_equal "$(stat -c %h small large noise)" $'1\n1\n1'
}

@test "S11 a blob that is gone: nothing is touched before it is known, the step runs" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo 1 > one; seq 100000 > two", outputs: [one, two]}
EOF
	jl_ok run
	find "$JL_STORE/cas" -type f -delete
	rm two
	jl_ok run
	assert_counts ran=1
	assert_tallies 2
	assert_file one 1
	cmp two <(seq 100000)
	# It is stored again.
	rm two
	jl_ok run
	assert_counts restored=1
}

@test "S04 a damaged blob or record is a warning and a run, never wrong bytes" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; seq 100000 > ${{ output }}", outputs: a}
EOF
	jl_ok run
	local f
	find "$JL_STORE/cas" "$JL_STORE/ac" -type f >"$BATS_TEST_TMPDIR/files"
	while read -r f; do
		chmod u+w "$f"
		printf 'X' | dd of="$f" conv=notrunc bs=1 seek=$(($(stat -c %s "$f") / 2)) status=none
		rm -f a
		jl_ok run
		assert_counts ran=1
		assert_stderr_has warning
		cmp a <(seq 100000)
		rm a
		jl_ok run
		assert_counts restored=1
		cmp a <(seq 100000)
	done <"$BATS_TEST_TMPDIR/files"
	assert_tallies 3
}

@test "S33 setuid, setgid and sticky bits are not restored" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cp /bin/true f; chmod 6755 f; chmod 3775 d; echo 1 > d/f; chmod 4755 d/f; mkdir d/s; chmod 1777 d/s", outputs: [f, d/]}
EOF
	jl_ok run
	jl_ok run
	assert_counts fresh=1
	rm -rf f d
	jl_ok run
	assert_counts restored=1
	assert_equal "$(stat -c %a f d d/f d/s)" $'755\n775\n755\n777'
	jl_ok run
	assert_counts fresh=1
}

@test "stdout and stderr are replayed on their streams, bytes and order kept" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: 'printf "o1\n"; printf "e1\n" >&2; printf "\0\377\033[31m" ; echo 1 > ${{ output }}', outputs: a}
EOF
	jl run 2>err1 >out1
	rm a
	jl run 2>err2 >out2
	printf 'o1\n\0\377\033[31m' | cmp - out1
	cmp out1 out2
	assert_equal "$(head -n 1 err2)" e1
	grep -q ' 1 restored' err2
	# A fresh step says nothing.
	jl_ok run
	assert_output ""
}

@test "a log of megabytes is replayed whole" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "seq 300000; echo 1 > ${{ output }}", outputs: a}
EOF
	jl run >out1
	cmp out1 <(seq 300000)
	rm a
	jl run >out2
	cmp out1 out2
	jl log a | cmp - out1
}

@test "optional outputs: absent stays absent, present comes back" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; echo 1 > must; if grep -q x i; then echo 2 > may; fi", inputs: i, outputs: [must, {path: may, optional: true}]}
EOF
	echo x >i
	jl_ok run
	rm may
	jl_ok run
	assert_counts restored=1
	assert_file may 2
	echo y >i
	jl_ok run
	assert_counts ran=1
	assert_no_file may
	jl_ok run
	assert_counts fresh=1
	# One that is there and should not be is a stranger.
	echo mine >may
	jl_ok run
	assert_counts restored=1
	assert_no_file may
	assert_trashed may
	echo x >i
	jl_ok run
	assert_counts restored=1
	assert_file may 2
	assert_tallies 2
}

@test "outputs by glob are stored and restored; former ones are gone before a new run" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; for i in $(cat ${{ input }}); do echo $i > p.$i; done", inputs: i, outputs: {glob: "p.*"}}
EOF
	echo 1 2 3 >i
	jl_ok run
	rm p.2
	jl_ok run
	assert_counts restored=1
	assert_file p.2 2
	jl_ok run
	assert_counts fresh=1
	echo 2 4 >i
	jl_ok run
	assert_counts ran=1
	assert_equal "$(echo p.*)" "p.2 p.4"
	echo 1 2 3 >i
	jl_ok run
	assert_counts restored=1
	assert_equal "$(echo p.*)" "p.1 p.2 p.3"
	assert_equal "$(trashed)" ""
}

@test "outputs by glob: a file from before is not taken for an output" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > p.1", inputs: i, outputs: {glob: "p.*"}}
EOF
	echo mine >p.0
	: >i
	jl_ok run
	assert_equal "$(echo p.*)" "p.1"
	assert_trashed p.0
	assert_file .jl/trash/*/p.0 mine
}

@test "outputs by glob with an exclusion: the excluded is left alone" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > p.1; echo x > p.tmp", inputs: i, outputs: [{glob: "p.*"}, "!p.tmp", "!p.mine"]}
EOF
	echo mine >p.mine
	: >i
	jl_ok run
	assert_file p.mine mine
	rm -f p.1 p.tmp
	jl_ok run
	assert_counts restored=1
	assert_equal "$(echo p.*)" "p.1 p.mine"
	echo 2 >i
	jl_ok run
	assert_file p.mine mine
	assert_equal "$(trashed)" ""
}

@test "restoring for a user: read-only folders and files are replaced" {
	cat >joblib.yaml <<'EOF'
version: 1
steps:
  a: {command: "mkdir d/ro; cp i d/ro/f; chmod 444 d/ro/f; chmod 555 d/ro", inputs: i, outputs: d/}
EOF
	echo 1 >i
	unprivileged jl run
	echo 2 >i
	run --separate-stderr unprivileged jl run
	assert_status 0
	assert_counts ran=1
	assert_file d/ro/f 2
	echo 1 >i
	run --separate-stderr unprivileged jl run
	assert_status 0
	assert_counts restored=1
	assert_file d/ro/f 1
	assert_equal "$(stat -c %a d/ro d/ro/f)" $'555\n444'
	run --separate-stderr unprivileged jl clean
	assert_status 0
	assert_no_file d/ro/f d
}

# Run ./script with out/ on another file system than the rest, in a user namespace; where there is none, the trash is on
# another one.
elsewhere() {
	local trash
	mkdir -p out .jl
	if unshare -rm mount -t tmpfs none out; then
		unshare -rm sh -ec 'mount -t tmpfs none out; . ./script'
		return
	fi
	trash=$(mktemp -d /dev/shm/jl-trash-XXXXXX)
	ln -s "$trash" .jl/trash
	sh -e ./script
	rm .jl/trash
	cp -a "$trash" .jl/trash
	rm -r "$trash"
}

@test "S18: outputs on another file system are put back there, and what is in the way goes to the trash" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: tally a; mkdir -p out/d/e; seq 20000 | tee out/a >out/d/e/f; ln -s a out/l, inputs: in, outputs: [out/a, out/l, out/d/]}
END
	touch in
	cat >script <<'END'
jl run
rm -r out/a out/l out/d
jl run
seq 20000 | cmp - out/a
seq 20000 | cmp - out/d/e/f
[ "$(readlink out/l)" = a ]
echo mine >out/a
chmod 751 out/a
ln -sf mine out/l
echo mine >out/d/mine
jl run
seq 20000 | cmp - out/a
[ ! -e out/d/mine ]
ls -A out
END
	run --separate-stderr elsewhere
	assert_status 0
	assert_equal "$output" $'a\nd\nl'
	assert_equal "$(cat "$TALLY")" a
	assert_equal "$(cat .jl/trash/*/out/a .jl/trash/*/out/d/mine)" $'mine\nmine'
	assert_equal "$(stat -c %a .jl/trash/*/out/a)" 751
	assert_equal "$(readlink .jl/trash/*/out/l)" mine
}

@test "S18: a store on another file system than the workspace" {
	local elsewhere
	elsewhere=$(mktemp -d /dev/shm/jl-store-XXXXXX)
	[[ $(stat -c %d "$elsewhere") != "$(stat -c %d .)" ]] || echo '# one file system holds both' >&3
	write_manifest <<'END'
version: 1
steps:
  a: {command: tally a; mkdir -p d; seq 20000 | tee a >d/f, inputs: in, outputs: [a, d/]}
END
	touch in
	export JL_STORE=$elsewhere
	run_jl run
	assert_status 0
	rm -r a d
	run_jl run
	rm -r "$elsewhere"
	assert_counts restored=1
	seq 20000 | cmp - a
	seq 20000 | cmp - d/f
}
