# jl map: input, replacement strings, order, logs, what ends it; and that it gives what xargs and GNU parallel give.
# shellcheck disable=SC1083,SC2238,SC2015 # replacement strings and ":::" are meant as they stand
load helper

gnu() { parallel --will-cite "$@"; }

# 1,000 lines of all kinds that a line can be.
odd_lines() {
	seq 1 980 | sed 's/^/line /'
	printf '%s\n' 'two  blanks' ' leading' 'trailing ' "it's" 'say "x"' 'back\slash' '$HOME' '`id`' '*' '?' '-n' '--help' \
		'a;b' 'a|b' 'a&b' '#x' '~' '!x' ''
	printf 'caf\351 \377\n'
}

@test "S31 1,000 odd lines: the same output as xargs and GNU parallel" {
	odd_lines >in
	xargs -d '\n' -n1 printf '[%s]\n' <in >xargs.out
	jl map -k -j2 printf '[%s]\n' <in >jl.out
	cmp xargs.out jl.out
	gnu -k -j2 -q printf '[%s]\n' <in >parallel.out
	cmp parallel.out jl.out
	jl map -j2 printf '[%s]\n' <in | LC_ALL=C sort >sorted
	LC_ALL=C sort xargs.out | cmp - sorted
	# The same through a shell.
	jl map -k 'printf "[%s]\n" {} | cat' <in >shell.out
	cmp xargs.out shell.out
	assert_equal "$(wc -l <jl.out)" 1000
}

@test "S31 values that end with NUL hold newlines; without -0 a NUL is an error" {
	printf 'a\nb\0-x\0 c\0d\377' >in
	xargs -0 -n1 printf '[%s]\n' -- <in >xargs.out
	jl map -0 -k printf '[%s]\n' -- <in >jl.out
	cmp xargs.out jl.out
	gnu -0 -k -q printf '[%s]\n' -- <in | cmp - jl.out
	jl map -0 -k 'printf "[%s]\n" -- {} | cat' <in | cmp - jl.out
	run_jl map true <in
	assert_status 125
	assert_stderr_has NUL
}

@test "empty input runs nothing, as GNU parallel; blank lines count but with -r" {
	run_jl map echo ran </dev/null
	assert_status 0
	assert_equal "$output$stderr" ""
	printf '\n  \na\n' >in
	assert_equal "$(jl map -k echo x <in)" "$(gnu -k echo x <in)"
	assert_equal "$(jl map -r -k printf '[%s]' <in)" "[a]"
}

@test "a line of 1 MB: an error of its own as an argument, whole as output" {
	head -c 1000000 /dev/zero | tr '\0' a >big
	printf '\nb\n' >>big
	run_jl map -k echo <big
	assert_status 1
	assert_output b
	assert_stderr_has '1000000 bytes long'
	local how
	for how in -k --line-buffer -u; do
		jl map $how -j1 cat ::: big >out
		cmp big out
	done
	jl map --tag --line-buffer cat ::: big >out
	sed 's/^/big\t/' big | cmp - out
}

@test "all replacement strings give what GNU parallel gives" {
	local v=(a.b/c .bashrc d/.x e. a/b/ / a//b.c.d x 'p q.r') t
	for t in '{}' '{.}' '{/}' '{//}' '{/.}' '{#}' '{1.}' '{1/.}' 'a{}b{.}c'; do
		assert_equal "$(jl map -k echo "$t" ::: "${v[@]}")" "$(gnu -k echo "$t" ::: "${v[@]}")"
	done
	for t in '{1} {2}' '{2} {-1}' '{2.}/{1}' '{}'; do
		assert_equal "$(jl map -k echo "$t" ::: a b.c ::: 1 2.3)" "$(gnu -k echo "$t" ::: a b.c ::: 1 2.3)"
		assert_equal "$(jl map -k echo "$t" ::: a b.c :::+ 1 2.3 4)" "$(gnu -k echo "$t" ::: a b.c :::+ 1 2.3 4)"
	done
	assert_equal "$(jl map -j1 echo {%} {#} ::: a b)" $'1 1\n1 2'
}

@test "files, cross products, columns, headers as GNU parallel" {
	printf 'a,b,,\nc\n' >csv
	seq 3 >n
	printf 'n,m\n1,2\n3,4\n' >head
	assert_equal "$(jl map -k echo '[{1}][{2}][{3}]' -- :::: csv)" "$(gnu -k echo '[{1}][{2}][{3}]' -- :::: csv)"
	assert_equal "$(jl map -k --colsep , echo '[{1}][{2}][{3}]' :::: csv)" "$(gnu -k --colsep , echo '[{1}][{2}][{3}]' :::: csv)"
	assert_equal "$(printf 'a\tb\n' | jl map --colsep '\t' echo {2} {1})" "b a"
	assert_equal "$(printf 'a1b22c\n' | jl map --colsep '[0-9]+' echo {2} {3} {1})" "b c a"
	assert_equal "$(jl map -k echo :::: n ::: x y)" "$(gnu -k echo :::: n ::: x y)"
	assert_equal "$(jl map -k echo ::: x y :::: n)" "$(gnu -k echo ::: x y :::: n)"
	assert_equal "$(jl map -k -a n -a csv echo {2}{1})" "$(gnu -k -a n -a csv echo {2}{1})"
	assert_equal "$(jl map -k --header : --colsep , echo {m} {n} {1} :::: head)" "$(gnu -k --header : --colsep , echo {m} {n} {1} :::: head)"
	assert_equal "$(jl map -k --header : echo {f2.} {f1} ::: f1 a b ::: f2 c.d)" $'c a\nc b'
}

@test "-N, -m and -X as GNU parallel" {
	local o
	for o in '-N2 echo pic{}.jpg' '-N3 echo {3} {1}' '-j1 -m echo pic{}.jpg' '-j1 -X echo pic{}.jpg' '-j4 -m echo' '-j4 -X echo x{}' '-j1 -m -N2 echo'; do
		# shellcheck disable=SC2086 # words
		assert_equal "$(seq 7 | jl map -k $o)" "$(seq 7 | gnu -k $o)"
	done
	# Many: several commands, none over what fits, nothing lost.
	assert_equal "$(seq 100000 | jl map -k -j1 -m echo | tr ' ' '\n' | sha256sum)" "$(seq 100000 | sha256sum)"
	local n
	n=$(seq 100000 | jl map -k -j1 -m echo | wc -l)
	((n > 1 && n < 20)) || fail "$n commands"
}

@test "several words never meet a shell; in a script values are quoted, and quotes around them are refused" {
	assert_equal "$(jl map echo '$HOME;id' '*' ::: '`id`')" '$HOME;id * `id`'
	assert_equal "$(jl map 'echo {} > {}.out' ::: "a b'c"; cat "a b'c.out")" "a b'c"
	run_jl map "echo '{}'" ::: a
	assert_status 125
	assert_stderr_has 'drop them'
	assert_equal "$(jl map 'echo "{#}" {}' ::: a)" '1 a'
	run_jl map
	assert_status 125
	run_jl map --tga echo
	assert_status 125
	assert_stderr_has '"--tag"'
	# Options end at the first operand.
	assert_equal "$(jl map echo -k --tag ::: a)" '-k --tag a'
}

@test "output in the order of the input, by group, by line, with tags" {
	# The first ends last.
	write_job() { printf '%s\n' 'if [ $1 = 1 ]; then until [ -s go ] && ! kill -0 $(cat go) 2>/dev/null; do sleep 0.01; done; else echo $$ >go; fi; echo a$1; echo b$1; printf c$1'; }
	write_job >job
	assert_equal "$(jl map -k -j2 sh job ::: 1 2)" $'a1\nb1\nc1a2\nb2\nc2'
	rm go
	assert_equal "$(jl map -j2 --tag sh job ::: 1 2)" $'2\ta2\n2\tb2\n2\tc21\ta1\n1\tb1\n1\tc1'
	assert_equal "$(jl map -k --tag 'echo {}; echo e{} >&2' ::: x y 2>err)" $'x\tx\ny\ty'
	assert_file err $'x\tex\ny\tey'
	# A line is shown when it is whole, while the job still runs.
	rm -f go seen
	mkfifo pipe
	jl map -j1 --line-buffer 'echo first; printf half; until [ -e seen ]; do sleep 0.01; done; echo {}' ::: x >pipe &
	{
		read -r line
		assert_equal "$line" first
		touch seen
		read -r line
		assert_equal "$line" halfx
		cat
	} <pipe >/dev/null
	wait $!
}

@test "output beyond memory goes to a file that has no name, and comes back whole" {
	jl map -k -j2 'seq {} 400000' ::: 1 2 3 >out
	{ seq 1 400000; seq 2 400000; seq 3 400000; } | cmp - out
	assert_equal "$(find "$TMPDIR" -type f)" ""
}

@test "--joblog has GNU parallel's columns; --resume and --resume-failed go on" {
	run_jl map -j1 --joblog log 'exit {}' ::: 0 3 0
	assert_status 1
	gnu -j1 --joblog gnu.log 'exit {}' ::: 0 3 0 || true
	assert_equal "$(cut -f 1,2,5-9 log)" "$(cut -f 1,2,5-9 gnu.log)"
	assert_regex "$(sed -n 2p log | cut -f 3,4)" $'^[0-9]{10}\\.[0-9]{3}\t +[0-9]\\.[0-9]{3}$'
	run_jl map -j1 --resume --joblog log 'tally {}; exit {}' ::: 0 3 0 4
	assert_status 1
	assert_tallies 1
	assert_tallies 1 4
	tally_reset
	run_jl map -j1 --resume-failed --joblog log 'tally {}; exit 0' ::: 0 3 0 4
	assert_status 0
	assert_equal "$(cat "$TALLY")" $'3\n4'
	run_jl map --resume-failed --joblog log 'tally {}' ::: 0 3 0 4
	assert_tallies 2
	run_jl map --resume echo ::: 1
	assert_status 125
}

@test "--results keeps output in GNU parallel's layout, and nothing leaves it" {
	jl map -k --results j 'echo {1}{2}; echo e >&2' ::: a/b 'c d' ::: 1 2 >out 2>&1
	gnu -k --results g 'echo {1}{2}; echo e >&2' ::: a/b 'c d' ::: 1 2 >gout 2>&1
	cmp out gout
	assert_equal "$(cd j && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum)" "$(cd g && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum)"
	jl map --results top/j true ::: .. . ''
	assert_equal "$(find top -name seq | LC_ALL=C sort)" 'top/j/1/\../seq
top/j/1/\./seq
top/j/1/\e/seq'
	jl map --results j --resume 'tally {}' ::: a/b 'c d' ::: 1 2 3
	assert_tallies 2
}

@test "exit status: the number of failed jobs, 101 for more; --retries, --timeout, -q" {
	run_jl map 'exit {}' ::: 0 1 2 0
	assert_status 2
	run_jl map false < <(seq 150)
	assert_status 101
	run_jl map -j1 --retries 2 'tally {}; [ $(wc -l <"'"$TALLY"'") = 3 ]' ::: x
	assert_status 0
	assert_tallies 3
	run_jl map --timeout 100ms sleep ::: 60
	assert_status 1
	assert_stderr_has 'timed out'
	run_jl map -q 'echo {}; exit {}' ::: 0 5
	assert_output 5
	assert_stderr_has 'exit status 5'
	run_jl map /nowhere/program ::: a
	assert_status 1
	assert_stderr_has 'no such program'
}

@test "--retries: the next attempt does not wait for input" {
	input() {
		echo a
		for _ in {1..400}; do
			if [[ $(tallies a) == 2 ]]; then return; fi
			sleep 0.05
		done
		echo late
	}
	run_jl map -j1 --retries 1 'tally {}; false' < <(input)
	assert_status 1
	assert_tallies 2
}

@test "--halt: soon starts no more, now ends what runs" {
	run_jl map -j1 --halt soon,fail=1 'tally {}; exit {}' ::: 0 1 0 0
	assert_status 1
	assert_tallies 2
	tally_reset
	run_jl map -j2 --halt now,fail=1 'tally {}; if [ {} = 1 ]; then until [ -e up ]; do sleep 0.01; done; exit 1; fi; touch up; sleep 300' ::: 1 2 3
	assert_status 1
	run_jl map -j1 --halt soon,fail=50% 'tally {}; false' < <(seq 10)
	assert_status 3
	run_jl map --halt sometimes echo ::: 1
	assert_status 125
}

@test "--dry-run, --delay, --wd, --eta, -v" {
	assert_equal "$(jl map -n echo {} '{#}' ::: a 'b c')" $'echo a 1\necho \'b c\' 2'
	mkdir d
	assert_equal "$(jl map --wd d 'pwd; :' ::: x)" "$PWD/d"
	run_jl map --eta -j1 true ::: 1 2 3
	assert_stderr_has '3 of 3 done'
	run_jl map -v -j1 echo ::: 1
	assert_stderr_has 'jl: echo 1'
	jl_ok map --delay 100ms --joblog log -j4 true ::: 1 2 3
	awk -F '\t' 'NR > 2 && $3 - last < 0.095 { exit 1 } { last = $3 }' log
}

@test "--events tells of each job" {
	jl_ok map --events ev -j1 echo ::: a b
	assert_equal "$(grep -c '"event":"step_finished".*"status":"ran"' ev)" 2
	assert_equal "$(sed -n 's/.*"event":"\([a-z_]*\)","step":"b".*/\1/p' ev | tr '\n' ' ')" 'step_started step_output step_finished '
	assert_regex "$(tail -n 1 ev)" '"run_finished","ran":2,.*"failed":0'
}

@test "S25 head behind it: the run ends quietly by SIGPIPE, jobs and all" {
	run bash -c 'yes | jl map -j2 echo 2>err | head -n 2; echo "${PIPESTATUS[1]}"'
	assert_equal "$output" $'y\ny\n141'
	assert_file err ""
	# Nothing more is printed: the end of the reader itself is seen.
	run bash -c 'jl map -u -j1 "echo a; echo \$\$ >pid; exec sleep 300" ::: 1 2>err | head -n 1; echo "${PIPESTATUS[0]}"'
	assert_equal "$output" $'a\n141'
	if kill -0 "$(cat pid)"; then fail "the job lives"; fi
}

@test "S25 Ctrl-C: jobs are told, jl ends by the signal" {
	start_job jl map -j2 'sh -c "echo \$\$" >pid{}; exec sleep 300' ::: 1 2 3
	wait_until test -s pid1 -a -s pid2
	kill -INT "$JOB"
	end_of_job
	assert_equal "$status" "signal 2"
	assert_no_file pid3
}

@test "input that comes slowly is run as it comes" {
	mkfifo in
	start_job sh -c 'exec jl map -j2 tally <in'
	exec 9>in
	echo one >&9
	wait_until grep -qx one "$TALLY"
	printf two >&9
	exec 9>&-
	end_of_job
	assert_equal "$status" "exit 0"
	assert_tallies 1 two
}

@test "S29 a job that writes without end is ended when the disk for output is nearly full; the others go on" {
	unshare -rm true 2>/dev/null || skip 'no user namespaces'
	mkdir small
	run --separate-stderr unshare -rm sh -c 'mount -t tmpfs -o size=24m none small && export TMPDIR=$PWD/small &&
		jl map --joblog log -j2 "if test {} = loud; then exec yes; fi; seq 300000; echo {}" ::: loud a b
		status=$?; df --output=avail small | tail -n 1 >avail; exit $status'
	assert_status 1
	assert_stderr_has "no room in \$TMPDIR for its output"
	assert_equal "$(grep -c '[ab]' <<<"$output")" 2
	assert_equal "$(grep -c '^[0-9]*$' <<<"$output")" 600000
	assert_equal "$(awk '$7 == 125' log | wc -l)" 1
	(($(cat avail) > 20000)) || fail "space is not given back: $(cat avail) KiB free"
}

@test "S28 memory does not grow with the lines" {
	if has_sanitizer address || has_sanitizer thread; then skip "a sanitizer's memory is not jl's"; fi
	seq 20000 >in
	seq 1000 >few
	peak() { jl map --events "$1.ev" -j1 'jl map -n echo {} < {} >/dev/null' ::: "$1" >/dev/null && sed -n 's/.*"max_rss":\([0-9]*\).*/\1/p' "$1.ev"; }
	local small large
	small=$(peak few)
	large=$(peak in)
	((large < small + 1000000)) || fail "1,000 lines: $small bytes, 20,000 lines: $large"
}

@test "system calls a job are bounded, and none makes a file" {
	if [[ -n ${JL_SAN-} ]]; then skip "sanitizers make calls of their own"; fi
	local own=()
	count_syscalls jl map -j1 /bin/true :::: <(seq 100)
	assert_equal "$(syscalls spawned)" 100
	assert_equal "$(syscalls written)" 0
	# jl's own, without those of its children.
	for n in 100 300; do
		seq $n >in
		strace -c -o "calls" jl map -j1 /bin/true :::: in
		own+=("$(awk '$NF == "total" { print $(NF - 1) ~ /^[0-9]+$/ && NF == 6 ? $4 : $3 }' calls)")
		assert_equal "$(awk '$NF ~ /^clone/ { print $4 }' calls)" $n
	done
	local each=$(((own[1] - own[0]) / 200))
	((each >= 10 && each <= 21)) || fail "$each calls a job"
}
