# What makes a step run again and what does not; the same keys wherever and whoever.
load helper

# Two chains that meet: a.txt → up → join, b.txt → low → join; and a step apart from them.
diamond() {
	write_manifest <<'EOF'
version: 1
steps:
  up: {command: "tally up; tr a-z A-Z < ${{ input }} > ${{ output }}", inputs: a.txt, outputs: out/up}
  low: {command: "tally low; tr A-Z a-z < ${{ input }} > ${{ output }}", inputs: b.txt, outputs: out/low}
  join: {command: "tally join; cat ${{ inputs }} > ${{ output }}", inputs: [out/up, out/low], outputs: joined}
  apart: {command: "tally apart; wc -c < ${{ input }} > ${{ output }}", inputs: c.txt, outputs: size}
EOF
	echo one >a.txt
	echo TWO >b.txt
	echo three >c.txt
}

other_place() { # a folder that another user can reach
	OTHER=$(mktemp -d /tmp/jl-other.XXXXXX)
	chmod 755 "$OTHER"
}
teardown() { if [[ -n ${OTHER-} ]]; then rm -rf "$OTHER"; fi; }

@test "a second run does nothing and touches nothing" {
	diamond
	jl_ok run
	assert_counts ran=4
	assert_file joined $'ONE\ntwo'
	local before
	before=$(tree_stamps out joined size a.txt b.txt c.txt "$JL_STORE"/ac)
	tally_reset
	jl_ok run
	assert_counts fresh=4
	assert_tallies 0
	assert_equal "$(tree_stamps out joined size a.txt b.txt c.txt "$JL_STORE"/ac)" "$before"
}

@test "touch reruns nothing, of inputs, outputs and manifest" {
	diamond
	jl_ok run
	touch -d '2001-01-01' a.txt out/up
	touch b.txt joined joblib.yaml
	jl_ok run
	assert_counts fresh=4
	assert_tallies 4
}

@test "a rewritten but equal manifest and inputs rerun nothing" {
	diamond
	jl_ok run
	cp a.txt t && mv t a.txt
	sed -i '1i # a comment' joblib.yaml
	jl_ok run
	assert_counts fresh=4
	assert_tallies 4
}

@test "one changed byte reruns its dependents only" {
	diamond
	jl_ok run
	tally_reset
	echo onf >a.txt
	jl_ok run
	assert_counts ran=2 fresh=2
	assert_equal "$(cat "$TALLY")" $'up\njoin'
	assert_file joined $'ONF\ntwo'
}

@test "going back to earlier bytes is restored, not run" {
	diamond
	jl_ok run
	echo onf >a.txt
	jl_ok run
	tally_reset
	echo one >a.txt
	jl_ok run
	assert_counts restored=2 fresh=2
	assert_tallies 0
	assert_file joined $'ONE\ntwo'
	assert_equal "$(trashed)" ""
}

@test "a producer that remakes identical bytes stops the rebuild there" {
	diamond
	jl_ok run
	tally_reset
	echo oNe >a.txt
	jl_ok run
	assert_counts ran=1 fresh=3
	assert_equal "$(cat "$TALLY")" up
}

@test "a command edit reruns that step, and what its bytes change" {
	diamond
	jl_ok run
	tally_reset
	sed -i 's/wc -c/wc -m/' joblib.yaml
	jl_ok run
	assert_counts ran=1 fresh=3
	assert_equal "$(cat "$TALLY")" apart
	sed -i 's/tr a-z A-Z/tr a-z x/' joblib.yaml
	jl_ok run
	assert_counts ran=2 fresh=2
	assert_file joined $'xxx\ntwo'
}

@test "an executable bit is part of an input, other permission bits are not" {
	diamond
	chmod 644 a.txt
	jl_ok run
	chmod 600 a.txt
	jl_ok run
	assert_counts fresh=4
	tally_reset
	chmod 755 a.txt
	jl_ok run
	assert_counts ran=1 fresh=3
	assert_equal "$(cat "$TALLY")" up
}

@test "a file of the workspace that is the command is an input" {
	printf '#!/bin/sh\necho 1 >"$1"\n' >make-it
	chmod +x make-it
	write_manifest <<'EOF'
version: 1
steps:
  direct: {command: "./make-it ${{ output }}", outputs: a}
  list: {command: [./make-it, b], outputs: b}
  shell: {command: "./make-it x && mv x ${{ output }}", outputs: c}
EOF
	jl_ok run
	assert_counts ran=3
	sed -i 's/echo 1/echo 2/' make-it
	jl_ok run
	assert_counts ran=3
	assert_file a 2
	assert_file b 2
	assert_file c 2
}

@test "an undeclared variable changes nothing and is not seen" {
	write_manifest <<'EOF'
version: 1
steps:
  see: {command: "tally see; echo ${FOO-unset} ${LANG-unset} ${LC_ALL} > ${{ output }}; env >> ${{ output }}", outputs: seen, shell: [bash, -c]}
EOF
	FOO=1 LANG=de_DE.UTF-8 LC_ALL=C jl_ok run
	assert_equal "$(head -n 1 seen)" "unset unset C.UTF-8"
	FOO=2 BAR=3 jl_ok run
	assert_counts fresh=1
	run grep -E '^(FOO|BATS_[A-Z_]*|JL_STORE|WS|TALLY|OLDPWD)=' seen
	assert_output ""
	grep -qx "JL_STEP=see" seen
	grep -qE '^JL_SLOT=[0-9]+$' seen
	grep -qxF "HOME=$HOME" seen
}

@test "env is seen and is in the key; pass_env is seen and is not" {
	write_manifest <<'EOF'
version: 1
defaults: {pass_env: [HOST_X]}
steps:
  a: {command: "tally a; echo $LEVEL $HOST_X $HOST_Y > ${{ output }}", outputs: a, env: {LEVEL: "${{ vars.level }}"}}
  b: {command: "tally b; echo $HOST_X-$HOST_Y > ${{ output }}", outputs: b, pass_env: [HOST_Y]}
  c: {command: "tally c; echo $HOST_X-$HOST_Y > ${{ output }}", outputs: c, pass_env: ["*"]}
vars: {level: 1}
EOF
	HOST_X=x HOST_Y=y jl_ok run
	assert_file a "1 x"
	assert_file c x-y
	HOST_X=z HOST_Y=w jl_ok run
	assert_counts fresh=3
	jl_ok run --var level=2
	assert_counts ran=1 fresh=2
	assert_file a "2"
}

@test "env: a number and a word stay text" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo $N $Y > ${{ output }}", outputs: a, env: {N: 1.10, Y: no}}
EOF
	jl_ok run
	assert_file a "1.10 no"
}

@test "\${{ env.X }} is read from the caller and a new value makes a new key" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo ${{ env.WHO }} > ${{ output }}", outputs: a}
EOF
	WHO='an n' jl_ok run
	assert_file a 'an n'
	WHO=bob jl_ok run
	assert_counts ran=1
	assert_file a bob
	WHO='an n' jl_ok run
	assert_counts restored=1
	run_jl run
	assert_status 2
	assert_stderr_has "joblib.yaml:3:"
	assert_stderr_has "WHO"
}

@test "TZ joins the key when it is set" {
	write_manifest <<'EOF'
version: 1
steps:
  when: {command: "tally when; date -d @0 +%H > ${{ output }}", outputs: hour}
EOF
	jl_ok run
	TZ=XXX-5 jl_ok run
	assert_counts ran=1
	assert_file hour 05
	TZ=XXX-7 jl_ok run
	assert_counts ran=1
	assert_file hour 07
	TZ=XXX-5 jl_ok run
	assert_counts restored=1
	assert_tallies 3
}

@test "version, workdir, declared outputs and the input's path are in the key" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "true", inputs: i, outputs: {path: a, optional: true}, version: one}
EOF
	mkdir sub
	cp joblib.yaml i
	cp i j
	local key keys=""
	for edit in p 's/one/1.10/' 's/version: 1.10/workdir: sub/' 's/path: a/path: b/' 's/inputs: i/inputs: j/'; do
		if [[ $edit != p ]]; then sed -i "3,\$$edit" joblib.yaml; fi
		jl_ok run --events "$BATS_TEST_TMPDIR/e"
		assert_counts ran=1
		key=$(event_keys "$BATS_TEST_TMPDIR/e")
		[[ -n $key && $keys != *"$key"* ]] || fail "the edit \"$edit\" leaves the key: $key"
		keys+=$key
	done
}

@test "how the manifest is written, jobs, timeout, tags and description are not in the key" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cat ${{ input }} > ${{ output }}", inputs: i, outputs: o}
EOF
	echo 1 >i
	jl_ok run -j1
	write_manifest <<'EOF'
version: 1
vars: {in: i}
defaults: {timeout: 1m}
steps:
  a:
    description: Something
    tags: [x]
    outputs: {res: ./o}
    inputs:
      - ${{ vars.in }}
    command: |-
      cat ${{ inputs[0] }} > ${{ outputs.res }}
EOF
	jl_ok run -j2 --timeout 30s
	assert_counts fresh=1
}

@test "the same tree has the same keys in another folder" {
	diamond
	jl_ok run --events "$BATS_TEST_TMPDIR/e1"
	mkdir -p "$BATS_TEST_TMPDIR/else where/ws"
	cp -r a.txt b.txt c.txt joblib.yaml "$BATS_TEST_TMPDIR/else where/ws"
	cd "$BATS_TEST_TMPDIR/else where/ws"
	jl_ok run --store "$BATS_TEST_TMPDIR/store2" --events "$BATS_TEST_TMPDIR/e2"
	assert_counts ran=4
	assert_equal "$(event_keys "$BATS_TEST_TMPDIR/e1" | wc -l)" 4
	assert_equal "$(event_keys "$BATS_TEST_TMPDIR/e2")" "$(event_keys "$BATS_TEST_TMPDIR/e1")"
	# And so with one store the second place restores.
	rm -rf .jl out joined size
	jl_ok run
	assert_counts restored=4
	assert_file joined $'ONE\ntwo'
}

@test "the same tree has the same keys as another user" {
	diamond
	sed -i 's/tally [a-z]*; //' joblib.yaml
	jl_ok run --events "$BATS_TEST_TMPDIR/e1"
	other_place
	cp "$JL_BUILD/jl" "$OTHER/jl"
	mkdir "$OTHER/ws" "$OTHER/home"
	cp a.txt b.txt c.txt joblib.yaml "$OTHER/ws"
	# Who may neither become somebody else nor have a user namespace is another in name, home and umask only.
	local as=(setpriv --reuid 65534 --regid 65534 --clear-groups) uid=65534
	if ! "${as[@]}" true 2>/dev/null || ! chown -R 65534:65534 "$OTHER/ws" "$OTHER/home" 2>/dev/null; then
		as=(unshare --user --map-user=12345 --map-group=12345) uid=12345
		"${as[@]}" true 2>/dev/null || as=() uid=$(id -u)
	fi
	(
		cd "$OTHER/ws"
		umask 077
		run --separate-stderr "${as[@]}" env -i PATH=/usr/bin:/bin HOME="$OTHER/home" USER=other LOGNAME=other \
			ASAN_OPTIONS="${ASAN_OPTIONS-}" UBSAN_OPTIONS="${UBSAN_OPTIONS-}" "$OTHER/jl" run --events ../home/e2
		assert_status 0
		assert_counts ran=4
		run "${as[@]}" id -u
		assert_output "$uid"
	)
	assert_equal "$(event_keys "$BATS_TEST_TMPDIR/e1" | wc -l)" 4
	assert_equal "$(event_keys "$OTHER/home/e2")" "$(event_keys "$BATS_TEST_TMPDIR/e1")"
}

@test "the order of steps in the manifest and other steps do not change keys" {
	diamond
	jl_ok run
	{ sed -n '1,2p;6p;5p' joblib.yaml; sed -n '4p;3p' joblib.yaml; echo '  more: {command: "true", inputs: a.txt}'; } >n
	mv n joblib.yaml
	jl_ok run
	assert_counts ran=1 fresh=4
}

@test "an input that is a link: its text and what it points to" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "cat ${{ input }} > ${{ output }}", inputs: link, outputs: o}
EOF
	echo 1 >one
	echo 1 >eins
	mkdir "$BATS_TEST_TMPDIR/outside"
	echo 3 >"$BATS_TEST_TMPDIR/outside/three"
	ln -s one link
	jl_ok run
	jl_ok run
	assert_counts fresh=1
	echo 2 >one
	jl_ok run
	assert_counts ran=1
	assert_file o 2
	echo 1 >one
	ln -sfn eins link
	jl_ok run
	assert_counts ran=1
	ln -sfn "$BATS_TEST_TMPDIR/outside/three" link
	jl_ok run
	assert_counts ran=1
	assert_file o 3
	echo 4 >"$BATS_TEST_TMPDIR/outside/three"
	jl_ok run
	assert_counts ran=1
	assert_file o 4
}

@test "a folder as an input: names, contents, empty folders and links in it" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; find ${{ input }} | LC_ALL=C sort > ${{ output }}", inputs: dir/, outputs: o}
EOF
	mkdir -p dir/sub
	echo 1 >dir/sub/x
	jl_ok run
	jl_ok run
	assert_counts fresh=1
	local edits=('echo 2 >dir/sub/x' 'mv dir/sub/x dir/sub/y' 'mkdir dir/empty' 'ln -s y dir/sub/l' 'rmdir dir/empty' 'chmod +x dir/sub/y') edit
	for edit in "${edits[@]}"; do
		eval "$edit"
		jl_ok run
		assert_counts ran=1
		jl_ok run
		assert_counts fresh=1
	done
}

@test "a step without outputs is memoized by its inputs; with neither it always runs; cache: false always runs" {
	write_manifest <<'EOF'
version: 1
steps:
  check: {command: "tally check; grep -q x ${{ input }}", inputs: i}
  always: {command: "tally always"}
  never: {command: "tally never; cat ${{ input }} > ${{ output }}", inputs: i, outputs: o, cache: false}
EOF
	echo x >i
	jl_ok run
	jl_ok run
	assert_counts ran=2 fresh=1
	assert_tallies 1 check
	assert_tallies 2 always
	assert_tallies 2 never
	assert_equal "$(find "$JL_STORE/ac" -type f | wc -l)" 1
}

@test "the order of after and of inputs; after alone is not in the key" {
	write_manifest <<'EOF'
version: 1
steps:
  b: {command: "tally b; cat log > ${{ output }}", outputs: o, after: a}
  a: {command: "tally a; echo 1 > log", inputs: i}
EOF
	echo 1 >i
	jl_ok run b
	assert_counts ran=2
	assert_equal "$(cat "$TALLY")" $'a\nb'
	echo 2 >i
	jl_ok run
	assert_counts ran=1 fresh=1
	assert_tallies 2 a
}

@test "--force runs what was asked for, once, and what it needs only if it must" {
	diamond
	jl_ok run
	tally_reset
	jl_ok run --force
	assert_counts ran=4
	assert_tallies 4
	tally_reset
	jl_ok run --force joined
	assert_counts ran=1 fresh=2
	assert_tallies 1 join
}

@test "--var overrides, an unknown one is an error" {
	write_manifest <<'EOF'
version: 1
vars: {level: 3, who: me}
steps:
  a: {command: "echo ${{ vars.level }} ${{ vars.who }} > ${{ output }}", outputs: o}
EOF
	jl_ok run
	assert_file o "3 me"
	jl_ok run --var level=9 --var 'who=a $b'
	assert_file o '9 a $b'
	run_jl run --var nope=1
	assert_status 2
	assert_stderr_has nope
	jl_ok run
	assert_counts restored=1
}

@test "-C and -f and a search upwards find the workspace; targets are relative to where one stands" {
	diamond
	mkdir -p deep/er
	cd deep/er
	jl_ok run ../../joined
	assert_counts ran=3
	[[ -f ../../joined && ! -e ../../size ]]
	cd "$BATS_TEST_TMPDIR"
	jl_ok run -C ws apart
	assert_counts ran=1
	jl_ok run -f ws/joblib.yaml
	assert_counts fresh=4
}

@test "a deleted .jl is rebuilt: everything is fresh by the store" {
	diamond
	jl_ok run
	rm -rf .jl
	tally_reset
	local before
	before=$(tree_stamps out joined size)
	jl_ok run
	assert_counts fresh=4
	assert_tallies 0
	assert_equal "$(tree_stamps out joined size)" "$before"
	assert_equal "$(trashed)" ""
}

@test "S21 a damaged state file starts anew with a warning, a run is right" {
	diamond
	jl_ok run
	local f
	for f in .jl/state*; do
		printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | dd of="$f" conv=notrunc bs=1 seek=16 status=none
	done
	echo edit >joined
	jl_ok run
	assert_stderr_has "memory starts anew"
	assert_counts fresh=3 restored=1
	assert_file joined $'ONE\ntwo'
	assert_trashed joined
}
