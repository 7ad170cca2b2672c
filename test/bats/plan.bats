# plan: what run would do, without a lock and without a write; --cache modes.
load helper

mixed() { # after this: a fresh, b to be restored, c to run, d behind c, e never ran
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; cat ${{ input }} > ${{ output }}", inputs: i, outputs: a}
  b: {command: "tally b; cat ${{ input }} > ${{ output }}", inputs: a, outputs: b}
  c: {command: "tally c; cat ${{ input }} > ${{ output }}", inputs: j, outputs: c}
  d: {command: "tally d; cat ${{ input }} > ${{ output }}", inputs: c, outputs: d}
EOF
	echo i >i
	echo j >j
	jl_ok run
	rm b
	echo k >j
	echo '  e: {command: "tally e", inputs: i}' >>joblib.yaml
	tally_reset
}

@test "plan changes nothing, not even a time, and run does what it said" {
	mixed
	find . "$JL_STORE" -type f -exec cat {} + >/dev/null # so that no read is the first
	local before after
	before=$(tree_stamps . "$JL_STORE" "$HOME" "$TMPDIR")
	jl_ok plan -v
	after=$(tree_stamps . "$JL_STORE" "$HOME" "$TMPDIR")
	assert_equal "$after" "$before"
	assert_tallies 0
	assert_line --regexp '^fresh  a'
	assert_line --regexp '^would be restored  b'
	assert_line --regexp '^would run  c  .*changed'
	assert_line --regexp '^maybe  d  '
	assert_line --regexp '^would run  e  '
	assert_equal "$stderr" "5 steps: 2 would run, 1 would be restored, 1 fresh, 1 maybe"
	jl_ok run --events ev
	assert_equal "$(event_statuses ev)" $'a fresh\nb restored\nc ran\nd ran\ne ran'
	jl_ok plan
	assert_output ""
}

@test "plan of targets, with --force, with --var, of an error" {
	mixed
	jl_ok plan b
	assert_equal "$stderr" "2 steps: 0 would run, 1 would be restored, 1 fresh, 0 maybe"
	jl_ok plan --force a
	assert_equal "$stderr" "1 step: 1 would run, 0 would be restored, 0 fresh, 0 maybe"
	rm i
	local before
	before=$(tree_stamps . "$JL_STORE")
	run_jl plan
	assert_status 2
	assert_stderr_has '"i"'
	assert_equal "$(tree_stamps . "$JL_STORE")" "$before"
}

@test "plan in a workspace that never ran, read-only too, makes neither .jl nor store" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: d/*, command: "true", inputs: "${{ item }}"}
  b: {command: "touch d/x", outputs: d/}
EOF
	jl_ok plan
	assert_line --regexp '^would run  b'
	assert_line --regexp '^maybe  a'
	assert_no_file .jl "$JL_STORE"
}

@test "plan works while a run holds the workspace" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "touch started; until test -e go; do sleep 0.01; done", inputs: i}
EOF
	: >i
	start_job jl run
	wait_until test -e started
	jl_ok plan
	assert_line --regexp '^would run  a'
	touch go
	end_of_job
	assert_equal "$status" "exit 0"
}

@test "plan of items that would leave takes nothing away" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: in/*, command: "cp ${{ item }} ${{ output }}", inputs: "${{ item }}", outputs: "out/${{ item.name }}"}
EOF
	mkdir in
	touch in/1 in/2
	jl_ok run
	rm in/1
	local before
	before=$(tree_stamps . "$JL_STORE")
	jl_ok plan
	assert_equal "$(tree_stamps . "$JL_STORE")" "$before"
	jl_ok run
	assert_equal "$(ls out)" 2
}

one() {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; cat ${{ input }} > ${{ output }}", inputs: i, outputs: o}
EOF
	echo 1 >i
}
records() { find "$JL_STORE" -path '*/ac/*' -type f 2>/dev/null | wc -l; }

@test "--cache=ro uses what is stored and writes nothing to the store" {
	one
	jl_ok run
	rm o
	jl_ok run --cache ro
	assert_counts restored=1
	local before
	before=$(tree_stamps "$JL_STORE")
	echo 2 >i
	jl_ok run --cache=ro
	assert_counts ran=1
	assert_equal "$(tree_stamps "$JL_STORE")" "$before"
	jl_ok run --cache=ro
	assert_counts fresh=1
}

@test "--cache=wo always runs and stores" {
	one
	jl_ok run --cache=wo
	assert_equal "$(records)" 1
	jl_ok run --cache=wo
	assert_counts ran=1
	assert_tallies 2
	rm o
	jl_ok run
	assert_counts restored=1
}

@test "--cache=off always runs, makes no store" {
	one
	jl_ok run --cache=off
	jl_ok run --cache=off
	assert_counts ran=1
	assert_tallies 2
	assert_no_file "$JL_STORE"
	jl_ok run
	assert_counts fresh=1
}

@test "S20 a store that may only be read is used for reading" {
	one
	jl_ok run
	rm o
	echo 2 >j
	chmod -R a-w "$JL_STORE"
	run --separate-stderr unprivileged jl run
	local seen=$status text=$stderr
	chmod -R u+w "$JL_STORE"
	stderr=$text
	[[ $seen == 0 ]] || fail "$seen: $text"
	assert_counts restored=1
}

@test "adopt stores what is there without running; what is not asked for is not adopted" {
	one
	echo '  b: {command: "tally b; cp o p", inputs: o, outputs: p}' >>joblib.yaml
	run_jl adopt a
	assert_status 1
	assert_equal "$(records)" 0
	echo mine >o
	echo yours >p
	run_jl adopt b
	[[ $status != 0 ]]
	jl_ok adopt a b
	jl_ok run
	assert_counts fresh=2
	assert_tallies 0
	assert_file o mine
	rm o p
	jl_ok run
	assert_counts restored=2
	assert_file o mine
	assert_file p yours
}

@test "clean keeps what is not jl's, in owned folders too, and takes empty folders along" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "mkdir -p d/s; echo 1 > d/s/1; echo 2 > d/2; echo 3 > g.3", outputs: [d/, {glob: "g.*"}]}
  b: {command: "echo 1 > e/f", outputs: e/f}
EOF
	jl_ok run
	echo stray >d/stray
	jl_ok clean a
	assert_equal "$(find d e g.* 2>/dev/null | sort)" $'d\nd/stray\ne\ne/f'
	jl_ok clean
	assert_no_file e/f
	assert_file d/stray stray
	jl_ok run
	assert_counts restored=2
	assert_trashed d/stray
	run_jl clean nope
	assert_status 2
}
