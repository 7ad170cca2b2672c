# jl map --memo: jobs whose results are stored are not run.
load helper
setup() {
	jl_setup
	cat >"$BATS_TEST_TMPDIR/bin/work" <<-'END'
		#!/bin/sh
		tally "$@"
		echo "out $*"
		echo "err $*" >&2
	END
	chmod +x "$BATS_TEST_TMPDIR/bin/work"
}

# Locks in this store's file of flights: of jobs that run, of those that wait for them.
locks() { grep -c "OFDLCK.* $1 .*:$(stat -c %i "$JL_STORE/flight") " /proc/locks; }
in_flight() { [[ -e $JL_STORE/flight ]] && (($(locks WRITE) >= 1)); }
awaited() { (($(locks READ) >= $1)); }

@test "a second run replays all, in order, by tag, and runs nothing" {
	for i in 1 2; do
		jl map --memo -k --tag work ::: c a b >"out$i" 2>"err$i"
	done
	assert_tallies 3
	assert_file out1 $'c\tout c\na\tout a\nb\tout b'
	assert_file err1 $'c\terr c\na\terr a\nb\terr b'
	cmp out1 out2
	cmp err1 err2
	run_jl map --memo -j2 work ::: a d
	assert_status 0
	assert_tallies 1 d
	assert_tallies 4
}

@test "memo and map have the same keys: words" {
	echo in >x.txt
	jl_ok map --memo -i '{}' -e COLOUR work '{.}' ::: x.txt
	run_jl memo -n -i x.txt -e COLOUR work x
	assert_output "out x"
	COLOUR=red run_jl memo -n -i x.txt -e COLOUR --tool sed --ignore quick work quick x
	assert_tallies 1 "x"
	assert_tallies 1 "quick x"
	COLOUR=red run_jl map --memo -i '{}' -e COLOUR --tool sed --ignore slow work slow '{.}' ::: x.txt
	assert_output "out quick x"
	assert_tallies 2
}

@test "memo and map have the same keys: a script, and files" {
	echo in >'x y.txt'
	jl_ok map --memo -i '{}' -o '{.}.up' 'tally ran; tr a-z A-Z < {} > {.}.up; echo done' ::: 'x y.txt'
	run_jl memo -n --check -i 'x y.txt' -o 'x y.up' "tally ran; tr a-z A-Z < 'x y.txt' > 'x y'.up; echo done"
	assert_status 0
	cp 'x y.txt' in.txt
	jl_ok memo -n -i in.txt -o in.up 'tally ran; tr a-z A-Z < in.txt > in.up; echo done'
	rm in.up
	jl_ok map --memo -i '{}' -o '{.}.up' 'tally ran; tr a-z A-Z < {} > {.}.up; echo done' ::: in.txt
	assert_output "done"
	assert_file in.up IN
	assert_tallies 2
}

@test "a value is an input only with -i" {
	echo 1 >f
	jl_ok map --memo work ::: f
	echo 2 >f
	jl_ok map --memo work ::: f
	assert_tallies 1
	jl_ok map --memo -i {} work ::: f
	echo 3 >f
	jl_ok map --memo -i {} work ::: f
	assert_tallies 3
}

@test "outputs come back; several values, columns and folders" {
	mkdir sub
	echo a >sub/a
	echo b >b
	cmd=(map --memo -N2 -i '{}' -o '{1/.}-{2/.}.cat' 'tally cat; cat {} > {1/.}-{2/.}.cat')
	jl_ok "${cmd[@]}" ::: sub/a b
	rm a-b.cat
	jl_ok "${cmd[@]}" ::: sub/a b
	assert_file a-b.cat $'a\nb'
	echo B >b
	jl_ok "${cmd[@]}" ::: sub/a b
	assert_file a-b.cat $'a\nB'
	assert_tallies 2
	jl_ok map --memo --header : -o '{name}/' 'tally dir; mkdir -p {name}; echo {n} >{name}/n' ::: name d ::: n 7
	rm -r d
	jl_ok map --memo --header : -o '{name}/' 'tally dir; mkdir -p {name}; echo {n} >{name}/n' ::: name d ::: n 7
	assert_file d/n 7
	assert_tallies 1 dir
}

@test "failures count, are not stored, and have memo's exit statuses" {
	run_jl map --memo --joblog log 'tally {}; exit {}' ::: 0 3 0
	assert_status 1
	run_jl map --memo 'tally {}; exit {}' ::: 0 3
	assert_status 1
	assert_tallies 1 0
	assert_tallies 2 3
	run_jl map --memo --joblog log -i {} -o {}.out true ::: absent
	assert_status 1
	assert_stderr_has 'input "absent" is missing'
	assert_equal "$(cut -f7 log | tail -n 1)" 125
	run_jl map --memo --joblog log -o {}.out true ::: made
	assert_status 1
	assert_stderr_has 'failed: true made: output "made.out"'
	assert_equal "$(cut -f7 log | tail -n 1)" 125
	: >plain
	run_jl map --memo -k --joblog log {} ::: no-such-program ./plain true
	assert_status 2
	assert_equal "$(sort -n log | cut -f7 | tr '\n' ' ')" "Exitval 127 126 0 "
	run_jl map --memo -o / true ::: x
	assert_status 1
	run_jl map --memo --joblog log 'kill -USR1 $$ #' ::: x
	assert_status 1
	assert_equal "$(cut -f7,8 log | tail -n 1)" "0"$'\t'"10"
}

@test "--cache-failures, --ttl, --force, --cache" {
	for i in 1 2; do
		run_jl map --memo --cache-failures 1h 'tally {}; echo {}; exit {}' ::: 3 4
		assert_status 2
		assert_equal "$(sort <<<"$output")" $'3\n4'
	done
	assert_tallies 2
	tally_reset
	jl_ok map --memo work ::: a
	jl_ok map --memo --ttl 1h work ::: a
	jl_ok map --memo --cache ro work ::: a b
	jl_ok map --memo --cache ro work ::: b
	assert_tallies 3
	jl_ok map --memo --ttl 0s work ::: a
	jl_ok map --memo --force work ::: a
	jl_ok map --memo --cache off work ::: a
	jl_ok map --memo --cache wo work ::: a
	assert_tallies 5 a
	jl_ok map --memo --store "$BATS_TEST_TMPDIR/other" work ::: a
	assert_tallies 6 a
}

@test "jobs with one key compute once; the same in two processes" {
	jl_ok map --memo -j8 'tally ran; sleep 0.1; echo {//}' ::: {1..200}
	assert_tallies 1
	assert_equal "$(sort <<<"$output" | uniq -c | tr -s ' ')" " 200 ."
	tally_reset
	for i in 1 2 3; do jl map --memo -j4 -k 'tally {}; sleep 0.1; echo {}' ::: {a..h} >"out$i" & done
	wait
	assert_tallies 8
	cmp out1 out2
	cmp out1 out3
	assert_equal "$(tr -d '\n' <out1)" abcdefgh
}

@test "who waits in another process takes a failure, too" {
	mkfifo go
	jl map --memo -j1 'tally {//}; read x <go; exit 5' ::: 1 >/dev/null 2>&1 &
	wait_until grep -q . "$TALLY"
	# The lock that tells the holder so: of each of the two.
	run_waiting() { jl map --memo -j1 'tally {//}; read x <go; exit 5' ::: 2 3 >/dev/null 2>&1 || echo $? >status; }
	run_waiting &
	wait_until awaited 2
	echo >go
	wait_until test -s status
	assert_file status 2
	assert_tallies 1
	wait || true
}

@test "a job that waits for another process holds no slot, and a signal ends all" {
	mkfifo go
	jl memo -n 'test late != late || read x <go; tally late; echo late' >first &
	wait_until in_flight
	start_job jl map --memo -j1 'test {} != late || read x <go; tally {}; echo {}' ::: late other
	wait_until grep -q other "$TALLY"
	wait_until awaited 1
	kill -TERM "$JOB"
	end_of_job
	assert_equal "$status" "signal 15"
	start_job jl map --memo -j1 -k 'test {} != late || read x <go; tally {}; echo {}' ::: late other
	wait_until awaited 1
	echo >go
	end_of_job
	assert_equal "$status" "exit 0"
	assert_equal "$output" $'late\nother'
	wait
	assert_file first late
	assert_tallies 1 late
	assert_tallies 1 other
}

@test "the job log marks what was not run" {
	jl_ok map --memo work ::: a
	jl_ok map --memo -k -j1 --joblog log work ::: a b
	assert_equal "$(cut -f 1,2,6,7 log | tail -n +2)" $'1\tstore\t6\t0\n2\t:\t6\t0'
	jl_ok map --memo --joblog log --resume work ::: a b c
	assert_output "out c"
	assert_tallies 3
}

@test "events and what stderr says" {
	jl_ok map --memo -o {} 'echo x >{}' ::: a
	jl_ok map --memo -k --events ev -o {} 'echo x >{}' ::: a b
	assert_equal "$(event_statuses ev)" $'a fresh\nb ran'
	rm a
	jl_ok map --memo --events ev -o {} 'echo x >{}' ::: a
	assert_equal "$(event_statuses ev)" $'a restored'
	grep -q '"event":"step_finished".*"attempt":0.*"stored":true' ev
	grep -q '"restored":1' ev
	run_jl map --memo -k 'sleep 100 & echo $! >pid; echo {}' ::: v
	kill "$(cat pid)"
	assert_stderr_has "v: not stored: a background process still held its output"
}

@test "--results, -q, --retries, --wd" {
	jl_ok map --memo work ::: a
	jl_ok map --memo --results res work ::: a b
	assert_file res/1/a/stdout "out a"
	assert_file res/1/a/stderr "err a"
	assert_file res/1/b/stdout "out b"
	assert_file res/1/a/seq 1
	jl_ok map --memo -q work ::: a
	assert_output ""
	tally_reset
	jl_ok map --memo --retries 3 'tally x; echo try; test -e {} || { touch {}; exit 1; }' ::: flag
	assert_output try
	assert_tallies 2
	rm flag
	jl_ok map --memo --retries 3 'tally x; echo try; test -e {} || { touch {}; exit 1; }' ::: flag
	assert_tallies 2
	mkdir d
	echo 1 >d/in
	jl_ok map --memo --wd d -i {} -o out 'tally wd; cp {} out' ::: in
	rm d/out
	(cd d && jl memo -n -i in -o out 'tally wd; cp in out')
	assert_file d/out 1
	assert_tallies 1 wd
}

@test "what cannot be is said" {
	run_jl map -o x true ::: a
	assert_status 125
	assert_stderr_has "need --memo"
	run_jl map --memo 'echo {%}' ::: a
	assert_status 125
	assert_stderr_has "{%} is not known before a job runs"
	run_jl map --memo -o 'x{%}' echo ::: a
	assert_status 125
	assert_stderr_has 'option "-o"'
	run_jl map --memo -n -i {} 'echo {}' ::: a
	assert_status 0
	assert_output "echo a"
}

@test "a stored result that is damaged is run again" {
	seq 200000 >big
	jl_ok map --memo 'tally ran; cat {}' ::: big
	find "$JL_STORE/cas" -type f -exec truncate -s 100 {} +
	run_jl map --memo 'tally ran; cat {}' ::: big
	assert_status 0
	cmp big <(printf '%s\n' "$output")
	assert_tallies 2
}

@test "S28 memory does not grow with jobs, run or not" {
	if has_sanitizer address || has_sanitizer thread; then skip "a sanitizer's memory is not jl's"; fi
	seq 500 >few
	seq 50000 >in
	echo 'jl map --memo -j1 echo {//} <"$1" >/dev/null' >same
	peak() {
		jl map --events "$1.ev" -j1 sh same ::: "$1" >/dev/null
		sed -n 's/.*"max_rss":\([0-9]*\).*/\1/p' "$1.ev"
	}
	local small large
	small=$(peak few)
	large=$(peak in)
	((large < small + 1000000)) || fail "500 lines: $small bytes, 50,000 lines: $large"
}

@test "a hit starts nothing and costs few system calls" {
	if [[ -n ${JL_SAN-} ]]; then skip "sanitizers make calls of their own"; fi
	local own=()
	for n in 100 300; do
		seq $n >in
		jl map --memo echo :::: in >/dev/null
		count_syscalls jl map --memo echo :::: in
		assert_equal "$(syscalls spawned)" 0
		own+=("$(syscalls total)")
	done
	local each=$(((own[1] - own[0]) / 200))
	((each >= 4 && each <= 12)) || fail "$each calls a hit"
}
