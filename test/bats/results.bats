# What people see of a run and of its results: outputs, failures, list, log, cat, events.
load helper

# Three steps: words without a foreach, greet with one, fail on demand.
three_steps() {
	write_manifest <<'END'
version: 1
steps:
  words:
    description: Some words
    tags: [text, small]
    command: echo to-out; echo to-err >&2; printf 'one\ntwo\n' > ${{ output }}
    outputs: words.txt
  upper:
    foreach: [a, b]
    command: echo ${{ item }} > ${{ output }}; cat ${{ input }} >> ${{ output }}
    inputs: words.txt
    outputs: upper/${{ item }}.txt
  bad:
    manual: true
    command: echo said; echo cried >&2; exit 3
    inputs: words.txt
END
}

@test "what init writes runs, and its second run is fresh" {
	jl_ok init
	jl_ok run
	assert_counts ran=5
	assert_file all.txt "hello 1:ann
hello 2:bob
hello 3:cy"
	jl_ok run
	assert_counts fresh=5
	jl_ok run --var greeting=hi
	assert_counts ran=4 fresh=1
}

@test "step outputs keep their streams, and are replayed where they were" {
	three_steps
	jl_ok run words
	assert_output to-out
	assert_equal "${stderr_lines[0]}" to-err
	rm words.txt
	jl_ok run words
	assert_counts restored=1
	assert_output to-out
	assert_equal "${stderr_lines[0]}" to-err
}

@test "a failure is told with its exit, command, log and what repeats it" {
	three_steps
	run_jl run bad
	assert_status 1
	assert_equal "$output" "to-out
said"
	assert_regex "$stderr" $'\ncried\njl: bad failed: exit 3 \\([0-9.]+m?s\\)\n  command: [^\n]*exit 3\n  log: \\.jl/logs/bad\\.log\n  again: jl run bad\n2 steps: '
	[[ -f .jl/logs/bad.log ]]
	# The words printed are a command that does it.
	run_jl run bad
	assert_status 1
	assert_summary "2 steps: 0 ran, 1 fresh, 0 restored, 1 failed"
}

@test "-q shows failures and what they printed, and no summary of a success" {
	three_steps
	run_jl run -q bad
	assert_status 1
	assert_output said
	refute_stderr_has to-err
	assert_stderr_has "jl: bad failed"
	jl_ok run -q
	assert_output ""
	assert_equal "$stderr" ""
}

@test "-v says each step that ran, -vv fresh ones too" {
	three_steps
	jl_ok run -v
	assert_regex "$stderr" $'(^|\n)ran  words  '
	assert_regex "$stderr" $'\nran  upper\\[a\\]  '
	jl_ok run -v
	refute_stderr_has "words"
	jl_ok run -vv
	assert_regex "$stderr" $'(^|\n)fresh  upper\\[b\\]'
}

@test "plan lists on stdout what would run and changes nothing" {
	three_steps
	jl_ok plan
	assert_regex "${lines[0]}" '^would run  words'
	assert_regex "$stderr" '^3 steps: [123] would run, 0 would be restored, 0 fresh, [012] maybe$'
	assert_no_file words.txt .jl "$JL_STORE"
	jl_ok run
	rm upper/a.txt
	jl_ok run -n
	assert_regex "$output" '^would be restored  upper\[a\]'
	assert_equal "${#lines[@]}" 1
	assert_equal "$stderr" "3 steps: 0 would run, 1 would be restored, 2 fresh, 0 maybe"
	jl_ok plan -v
	assert_equal "${#lines[@]}" 3
	assert_no_file upper/a.txt
}

@test "list shows steps in order with their state, -v instances" {
	three_steps
	jl_ok list
	assert_equal "${#lines[@]}" 3
	assert_regex "${lines[0]}" '^words  Some words  \[text, small\]  never ran$'
	assert_regex "${lines[1]}" '^upper +never ran$'
	run_jl run words 'upper[a]' bad
	assert_status 1
	jl_ok list
	assert_regex "${lines[0]}" ' ok in [0-9.]+m?s, [0-9]+m?s ago$'
	assert_regex "${lines[1]}" ' 1 of 2 ok'
	assert_regex "${lines[2]}" ' failed'
	jl_ok list -v
	assert_equal "${#lines[@]}" 5
	assert_regex "${lines[2]}" '^  upper\[a\] +ok'
	assert_regex "${lines[3]}" '^  upper\[b\] +never ran$'
}

@test "log shows a step's stored streams, by name and by key" {
	three_steps
	jl_ok run -q --events events.json
	jl_ok log words
	assert_output to-out
	assert_equal "$stderr" to-err
	local key
	key=$(sed -n 's/.*"step_finished","step":"words".*"key":"xxh3:\([0-9a-f]*\)".*/\1/p' events.json)
	[[ ${#key} == 32 ]]
	jl_ok log "${key:0:8}"
	assert_output to-out
	assert_equal "$stderr" to-err
	cd "$BATS_TEST_TMPDIR"
	jl_ok log "xxh3:$key"
	assert_output to-out
}

@test "log of a failed step is what its last try printed" {
	three_steps
	run_jl run bad
	jl_ok log bad
	assert_line said
	assert_line cried
	run_jl log upper
	assert_status 2
	assert_equal "$stderr" 'jl: "upper" never ran here'
	run_jl log uper
	assert_status 2
	assert_stderr_has '"upper"'
}

@test "cat writes an output, the only one or by path, or the stored stdout" {
	three_steps
	jl_ok run
	rm words.txt
	jl cat words | cmp - <(printf 'one\ntwo\n')
	jl cat 'upper[a]' upper/a.txt | cmp - <(printf 'a\none\ntwo\n')
	mkdir sub
	cd sub
	jl cat 'upper[b]' ../upper/b.txt | cmp - <(printf 'b\none\ntwo\n')
	run_jl cat upper
	assert_status 2
	assert_stderr_has 'upper[a]'
	run_jl cat words nothing
	assert_status 2
	assert_stderr_has '"nothing" is no output'
}

@test "cat gives a large output back byte for byte" {
	write_manifest <<'END'
version: 1
steps:
  big: {command: "seq 300000 > ${{ output }}", outputs: big}
END
	jl_ok run
	jl cat big | cmp - big
}

@test "events on stdout leave the outputs of steps to stderr" {
	three_steps
	jl_ok run words --events -
	run awk '!/^\{"v":1,"t":[0-9.e-]+,"event":"[a-z_]+"/' <<<"$output"
	assert_output ""
	run_jl run words --force --events -
	assert_stderr_has to-out
	assert_regex "${lines[0]}" '"event":"run_started"'
	assert_regex "${lines[-1]}" '"event":"run_finished","ran":1,'
}

@test "clean takes outputs away, keeps what was changed, and a run restores" {
	three_steps
	jl_ok run
	echo mine >upper/a.txt
	jl_ok clean -n
	assert_line "would remove words.txt"
	[[ -f words.txt ]]
	jl_ok clean
	assert_line "removed words.txt"
	assert_line "removed upper/b.txt"
	assert_line --partial "upper/a.txt"
	assert_no_file words.txt upper/b.txt
	assert_file upper/a.txt mine
	jl_ok run words
	assert_counts restored=1
}

@test "adopt accepts what is there without running it" {
	write_manifest <<'END'
version: 1
steps:
  slow: {command: "tally slow; echo new > ${{ output }}", outputs: slow.txt}
END
	echo old >slow.txt
	jl_ok adopt slow
	assert_tallies 0
	jl_ok run
	assert_counts fresh=1
	assert_file slow.txt old
	rm slow.txt
	jl_ok run
	assert_counts restored=1
	assert_file slow.txt old
}

@test "manifest errors: one a line with its place, status 2, no summary" {
	write_manifest <<'END'
version: 1
steps:
  a: {comand: "true", outputs: x}
END
	run_jl run
	assert_status 2
	assert_equal "$output" ""
	assert_regex "$stderr" $'(^|\n)joblib\.yaml:3:7: unknown key "comand"; [^\n]*"command"'
	run grep -vE '^joblib\.yaml:[0-9]+:[0-9]+: ' <<<"$stderr"
	assert_output ""
}

@test "S30 binary output is replayed byte for byte; on a terminal control sequences are harmless" {
	printf 'a\0\377\376\033[2J\033]0;title\007\rb\n' >bytes
	printf 'e\0\200\033[31m\n' >errors
	write_manifest <<-'END'
		version: 1
		steps:
		  s: {command: "cat bytes; cat errors >&2; echo 1 > ${{ output }}", inputs: [bytes, errors], outputs: out}
	END
	# When it runs, when it is restored, and as the stored log.
	for what in run run log; do
		rm -f out
		jl "$what" s >got 2>err </dev/null
		cmp got bytes
		grep -vaE '^[0-9]+ step' err | cmp - errors
	done
	key=$(find "$JL_STORE/ac" -type f -printf '%f\n')
	jl log "$key" 2>/dev/null | cmp - bytes
	# A terminal gets no escape but a colour, no bell and no return of a stored log, and loses no text.
	script -qec 'jl log s' /dev/null </dev/null >screen
	[[ $(tr -d '\r\n' <screen | LC_ALL=C sed 's/\x1b\[[0-9;]*m//g' | LC_ALL=C grep -c $'[\033\007]') == 0 ]]
	grep -qa 'a.*b' screen
	rm -f out
	script -qec 'jl run --color never --progress plain' /dev/null </dev/null >screen
	grep -qa '1 restored' screen
	[[ $(LC_ALL=C grep -caE $'\033\\[2J|\033\\]0' screen) == 0 ]]
}
