# jl memo: one command, run or replayed.
load helper
setup() {
	jl_setup
	memo() { run --separate-stderr jl memo "$@"; }
}

# A command that counts its runs and does what the rest says.
counted() { printf 'tally ran\n%s\n' "$1" >"$BATS_TEST_TMPDIR/cmd"; echo "$BATS_TEST_TMPDIR/cmd"; }

@test "a hit replays both streams in their order, byte for byte" {
	script=$(counted 'printf "a\0\377b"; sleep 0.05; printf "\033[1mE\n" >&2; sleep 0.05; printf "no newline"')
	for i in 1 2 3; do
		jl memo -- sh "$script" >"out$i" 2>"err$i"
		jl memo -- sh "$script" >"both$i" 2>&1
	done
	[[ $(tallies ran) == 1 ]]
	printf 'a\0\377bno newline' >want
	cmp out1 want && cmp out2 want && cmp out3 want
	printf '\033[1mE\n' >want
	cmp err1 want && cmp err3 want
	printf 'a\0\377b\033[1mE\nno newline' >want
	cmp both1 want && cmp both3 want
}

@test "the streams pass while the command runs" {
	mkfifo go
	(jl memo -- sh -c 'echo first; read x <go; echo second') >out &
	until [[ -s out ]]; do sleep 0.01; done
	[[ $(cat out) == first ]]
	echo >go
	wait
	[[ $(cat out) == $'first\nsecond' ]]
}

@test "an output beyond memory is stored whole" {
	jl memo -- seq 400000 | cmp - <(seq 400000)
	memo --check -- seq 400000
	assert_status 0
	jl memo -- seq 400000 | cmp - <(seq 400000)
}

@test "the exit status is the command's; a failure is not stored" {
	script=$(counted 'echo out; exit 7')
	memo -- sh "$script"
	assert_status 7
	assert_output out
	memo -- sh "$script"
	assert_status 7
	[[ $(tallies ran) == 2 ]]
	memo --check -- sh "$script"
	assert_status 1
}

@test "125, 126, 127" {
	memo --no-such-option true
	assert_status 125
	memo
	assert_status 125
	memo -i absent -- true
	assert_status 125
	assert_stderr_has 'input "absent" is missing: there is no such file'
	: >plain
	memo ./plain
	assert_status 126
	run -127 --separate-stderr jl memo no-such-program
}

@test "a signal that ends the command ends jl" {
	memo -- sh -c 'kill -USR1 $$'
	assert_status 138
	memo --check -- sh -c 'kill -USR1 $$'
	assert_status 1
}

@test "a signal to jl ends the command, and jl by the same" {
	jl memo -- sh -c 'echo $$ >pid; exec sleep 60' &
	pid=$!
	until [[ -s pid ]]; do sleep 0.01; done
	kill -TERM "$pid"
	wait "$pid" || status=$?
	[[ $status == 143 ]]
	run ! kill -0 "$(cat pid)"
}

@test "--timeout ends the command and stores nothing" {
	memo --timeout 100ms -- sleep 60
	assert_status 124
	memo --check -- sleep 60
	assert_status 1
}

@test "-i: another content runs it again, the old one is still known" {
	script=$(counted 'cat in')
	echo 1 >in
	memo -i in -- sh "$script"
	assert_output 1
	echo 2 >in
	memo -i in -- sh "$script"
	assert_output 2
	echo 1 >in
	memo -i in -- sh "$script"
	assert_output 1
	[[ $(tallies ran) == 2 ]]
}

@test "-i: folders and globs" {
	script=$(counted 'cat d/*')
	mkdir d
	echo 1 >d/a
	memo -i d -- sh "$script"
	memo -i d -- sh "$script"
	[[ $(tallies ran) == 1 ]]
	echo 2 >d/b
	memo -i d -- sh "$script"
	assert_output $'1\n2'
	memo -i 'd/*' -- sh "$script"
	[[ $(tallies ran) == 3 ]]
	echo 3 >d/c
	memo -i 'd/*' -- sh "$script"
	assert_output $'1\n2\n3'
	memo -i 'd/*' -- sh "$script"
	[[ $(tallies ran) == 4 ]]
}

@test "-o: restored when missing or edited, as new as if made now" {
	script=$(counted 'cat in >out; chmod 755 out')
	echo 1 >in
	memo -i in -o out -- sh "$script"
	rm out
	memo -i in -o out -- sh "$script"
	[[ $(cat out) == 1 && -x out ]]
	echo edited >out
	memo -i in -o out -- sh "$script"
	[[ $(cat out) == 1 ]]
	touch -d '2001-01-01' out
	memo -i in -o out -- sh "$script"
	[[ $(tallies ran) == 1 && out -nt in ]]
	[[ ! -e .jl ]]
}

@test "-o: a folder comes back, and what is not of it stays" {
	script=$(counted 'mkdir -p d/e/empty; echo 1 >d/f; ln -sf f d/l; echo 2 >d/e/g')
	memo -o d -- sh "$script"
	rm -r d
	memo -o d -- sh "$script"
	assert_status 0
	[[ $(tallies ran) == 1 && $(cat d/f d/l d/e/g) == $'1\n1\n2' && -d d/e/empty && -L d/l ]]
	echo mine >d/mine
	echo edited >d/f
	memo -o d -- sh "$script"
	[[ $(tallies ran) == 1 && $(cat d/mine d/f) == $'mine\n1' ]]
}

@test "-o: what the command did not write is an error" {
	memo -o out -- true
	assert_status 125
	assert_stderr_has 'output "out" was not made'
	echo old >out
	memo -o out -- true
	assert_status 125
	assert_stderr_has 'output "out" was not written'
	[[ $(cat out) == old ]]
	memo -o out -- sh -c 'echo old >out'
	assert_status 0
}

@test "nothing is taken away before the command" {
	echo 1 >out
	memo -o out -- sh -c 'cat out; echo 2 >>out'
	assert_output 1
	[[ $(cat out) == $'1\n2' ]]
}

@test "an input that holds the output is fine; one that is rewritten is not stored" {
	mkdir d
	echo 1 >d/in
	script=$(counted 'cp d/in d/out')
	memo -i d -o d/out -- sh "$script"
	memo -i d -o d/out -- sh "$script"
	[[ $(tallies ran) == 1 ]]
	memo -i d/in -- sh -c 'echo more >>d/in'
	assert_status 0
	assert_stderr_has 'not stored: input "d/in" changed while it ran'
	memo -q -i d/in -- sh -c 'echo more >>d/in'
	[[ -z $stderr ]]
}

@test "-e: a variable joins the key; others do not, and all are seen" {
	script=$(counted 'echo $A $B')
	A=1 B=1 memo -e A -- sh "$script"
	assert_output '1 1'
	A=1 B=2 memo -e A -- sh "$script"
	assert_output '1 1'
	A=2 B=2 memo -e A -- sh "$script"
	assert_output '2 2'
	memo -e A -- sh "$script"
	[[ $(tallies ran) == 3 ]]
}

@test "another program, another --tool: it runs again" {
	cat >prog <<-'END'
		#!/bin/sh
		tally ran
	END
	chmod +x prog
	memo ./prog
	memo ./prog
	[[ $(tallies ran) == 1 ]]
	echo '# changed' >>prog
	memo ./prog
	[[ $(tallies ran) == 2 ]]
	cp prog tool
	memo --tool ./tool -- ./prog
	memo --tool ./tool -- ./prog
	[[ $(tallies ran) == 3 ]]
	echo '# changed' >>tool
	memo --tool ./tool -- ./prog
	[[ $(tallies ran) == 4 ]]
	memo --tool ./absent -- ./prog
	assert_status 125
}

@test "a large program's digest is kept in the store and noticed to be old" {
	{ printf '#!/bin/sh\ntally ran\nexit\n'; head -c 200000 /dev/zero | tr '\0' '#'; } >prog
	chmod +x prog
	touch -d '2001-01-01' prog # the stamp that counts is ctime
	memo ./prog
	memo ./prog
	[[ $(tallies ran) == 1 ]]
	echo >>prog
	memo ./prog
	[[ $(tallies ran) == 2 ]]
	memo bash -c 'tally other'
	[[ -n $(find "$JL_STORE/prog" -type f) ]]
	for f in "$JL_STORE"/prog/*/*; do printf x >"$f"; done
	memo bash -c 'tally other'
	[[ $(tallies other) == 1 ]]
}

@test "standard input: a pipe" {
	script=$(counted 'cat')
	printf 'b\0a' | jl memo -- sh "$script" | cmp - <(printf 'b\0a')
	printf 'b\0a' | jl memo -- sh "$script" | cmp - <(printf 'b\0a')
	[[ $(tallies ran) == 1 ]]
	echo other | jl memo -- sh "$script" >out
	[[ $(cat out) == other && $(tallies ran) == 2 ]]
	: | jl memo -- sh "$script"
	jl memo -- sh "$script" </dev/null # nothing read is the same as none
	[[ $(tallies ran) == 3 ]]
}

@test "standard input: larger than memory" {
	seq 50000 | jl memo -- tac | cmp - <(seq 50000 | tac)
	seq 50000 | jl memo -v -- tac 2>err | cmp - <(seq 50000 | tac)
	grep -q 'from the store' err
}

@test "standard input: a file at its start, and in its middle" {
	script=$(counted 'cat')
	printf 'one\ntwo\n' >f
	jl memo -- sh "$script" <f >out
	cmp f out
	{ jl memo -- sh "$script" >out; cat >rest; } <f
	cmp f out
	[[ ! -s rest && $(tallies ran) == 1 ]] # a hit has read it, too
	{ read -r x; jl memo -- sh "$script" >out; cat >rest; } <f
	[[ ! -s out && $(cat rest) == two ]]
}

@test "standard input: --stdin no, yes, -n, and a while loop" {
	echo in >f
	jl memo --stdin no -- cat <f >out
	[[ ! -s out ]]
	{ read -r -n1 x; jl memo --stdin yes -- cat >out; } <f
	[[ $(cat out) == n ]]
	printf 'a\nb\nc\n' | while read -r x; do jl memo -n -- echo "$x"; done >out
	[[ $(cat out) == $'a\nb\nc' ]]
}

@test "standard input: that it is waited for is told" {
	mkfifo in
	jl memo -- cat <in >out 2>err &
	exec 9>in
	until [[ -s err ]]; do sleep 0.05; done
	grep -q 'waiting for standard input' err
	echo text >&9
	exec 9>&-
	wait
	[[ $(cat out) == text && $(wc -l <err) == 1 ]]
}

@test "standard input: a terminal is not read" {
	command -v script >/dev/null || skip 'no script(1)'
	run timeout 20 script -qec 'jl memo -- cat; echo done' /dev/null </dev/null
	assert_output --partial "done"
}

@test "--check tells, runs nothing" {
	script=$(counted 'echo x')
	memo --check -- sh "$script"
	assert_status 1
	assert_output ''
	[[ $(tallies ran) == 0 && ! -e $JL_STORE ]]
	memo -- sh "$script"
	memo --check -- sh "$script"
	assert_status 0
	assert_output ''
	[[ $(tallies ran) == 1 ]]
}

@test "--force runs and stores; --cache" {
	script=$(counted 'echo x')
	memo -- sh "$script"
	memo --force -- sh "$script"
	[[ $(tallies ran) == 2 ]]
	memo --cache wo -- sh "$script"
	memo --cache off -- sh "$script"
	[[ $(tallies ran) == 4 ]]
	memo --cache ro -- sh "$script"
	[[ $(tallies ran) == 4 ]]
	memo --cache ro -- sh "$script" new
	memo --cache off -- sh "$script" new
	memo --check -- sh "$script" new
	assert_status 1
}

@test "--shelve prints the key for jl cat" {
	script=$(counted 'echo result; cp in out; echo note >&2')
	echo 1 >in
	memo --shelve -i in -o out -- sh "$script"
	[[ $output =~ ^xxh3:[0-9a-f]{32}$ && $stderr == note ]]
	key=$output
	memo --shelve -i in -o out -- sh "$script"
	[[ $output == "$key" && $(tallies ran) == 1 ]]
	run jl cat "$key" out
	assert_output 1
	run jl cat "$(jl memo --shelve -- echo result)"
	assert_output result
}

@test "--ttl and --cache-failures" {
	script=$(counted 'exit 3')
	memo --cache-failures 1h -- sh "$script"
	assert_status 3
	memo --cache-failures 1h -- sh "$script"
	assert_status 3
	[[ $(tallies ran) == 1 ]]
	memo --check --cache-failures 1h -- sh "$script"
	assert_status 0
	memo --check -- sh "$script" # who did not ask for failures has none
	assert_status 1
	memo --cache-failures 0 -- sh "$script"
	[[ $(tallies ran) == 2 ]]
	memo -- true
	memo --ttl 1h --check -- true
	assert_status 0
	memo --ttl 0 --check -- true
	assert_status 1
	memo --ttl soon -- true
	assert_status 125
}

@test "a failure does not take the place of a success" {
	script=$(counted '! [ -e "$FAIL" ]')
	memo -- sh "$script"
	assert_status 0
	: >flag
	FAIL=flag memo --force --cache-failures 1h -- sh "$script"
	assert_status 1
	memo --cache-failures 1h -- sh "$script"
	assert_status 0
}

@test "--ignore and --name" {
	script=$(counted 'echo x')
	memo --ignore -j4 --name mine -- sh "$script" -j4
	memo --ignore -j8 -- sh "$script" -j8
	[[ $(tallies ran) == 1 ]]
	memo --name mine -i x -o x -- true
	memo --name mine -- sh -c 'sleep 60 & echo $! >pid'
	kill "$(cat pid)"
	assert_stderr_has 'mine: not stored: a background process still held its output'
}

@test "the current folder counts, unless -i or -o is given; another checkout shares" {
	mkdir -p one/src two/src
	script=$(counted 'pwd; [ ! -e in ] || cp in ../out')
	for d in one two; do
		(cd $d/src && jl memo -- sh "$script") >"out.$d"
	done
	[[ $(tallies ran) == 2 ]]
	run ! cmp -s out.one out.two
	echo same >one/src/in
	echo same >two/src/in
	tally_reset
	for d in one two; do
		(cd $d/src && jl memo -i in -o ../out -- sh "$script") >/dev/null
	done
	[[ $(tallies ran) == 1 && $(cat two/out) == same ]]
}

@test "one word follows make's rule; the shell has pipefail" {
	memo 'echo a b'
	assert_output 'a b'
	memo 'echo "a  b" | tr a-z A-Z'
	assert_output 'A  B'
	memo 'false | cat'
	assert_status 1
	memo echo '$HOME'
	assert_output '$HOME'
}

@test "S09: 16 and 64 processes with one key compute once" {
	for n in 16 64; do
		script=$(counted "sleep 0.3; echo result $n")
		tally_reset
		for ((i = 0; i < n; i++)); do jl memo -- sh "$script" "$n" >"out.$i" 2>&1 & done
		wait
		[[ $(tallies ran) == 1 ]]
		for ((i = 0; i < n; i++)); do [[ $(cat "out.$i") == "result $n" ]]; done
	done
}

@test "those who wait take a failure, too; later ones do not" {
	mkfifo go
	script=$(counted 'read x <go; echo bad; exit 5')
	for i in 1 2 3; do
		{ s=0; jl memo -n -- sh "$script" >"out.$i" || s=$?; echo $s >"status.$i"; } &
	done
	# Two hold a shared lock on their place behind the first.
	until [[ -e $JL_STORE/flight ]]; do sleep 0.01; done
	until (($(grep -c "OFDLCK.* READ .*:$(stat -c %i "$JL_STORE/flight") " /proc/locks) >= 2)); do sleep 0.01; done
	echo >go
	wait
	[[ $(cat status.1 status.2 status.3) == $'5\n5\n5' && $(cat out.1 out.2 out.3) == $'bad\nbad\nbad' ]]
	[[ $(tallies ran) == 1 ]]
	memo --check -- sh "$script"
	assert_status 1
}

@test "a killed leader is replaced" {
	mkfifo go
	script=$(counted 'read x <go; echo done')
	jl memo -n -- sh "$script" >out.1 &
	leader=$!
	until [[ $(tallies ran) == 1 ]]; do sleep 0.01; done
	jl memo -n -- sh "$script" >out.2 &
	kill -9 "$leader"
	until [[ $(tallies ran) == 2 ]]; do sleep 0.01; done
	echo >go
	wait %2
	[[ $(cat out.2) == "done" && ! -s out.1 ]]
}

@test "in a Makefile: make is content after a hit" {
	echo "out: in; @jl memo -i in -o out -- sh -c 'tally ran; cat in >out'" >Makefile
	echo 1 >in
	make -s
	rm out
	make -s
	touch in
	make -s # fresh: only its time moves
	run make
	assert_output --partial 'up to date'
	[[ $(tallies ran) == 1 ]]
}

@test "set -o pipefail, and head behind it" {
	run bash -c 'set -o pipefail; jl memo -- sh -c "echo x; exit 4" | cat'
	assert_status 4
	run bash -c 'set -o pipefail; jl memo -- yes | head -n1'
	assert_output y
	assert_status 141
	memo --check -- yes
	assert_status 1
	jl memo -- seq 100000 >/dev/null
	run bash -c 'set -o pipefail; jl memo -- seq 100000 | head -n1'
	assert_output 1
	assert_status 141
}

@test "stored control characters are harmless on a terminal" {
	command -v script >/dev/null || skip 'no script(1)'
	jl memo -n -- printf '\033]0;title\007x\n' >/dev/null
	run script -qec 'jl memo -n -- printf "\033]0;title\007x\n"' /dev/null </dev/null
	refute_output --partial $'\033]0'
}

@test "--events" {
	jl memo --events ev -- echo hi
	jl memo --events ev2 -- echo hi
	grep -q '"event":"step_finished".*"status":"ran".*"stored":true' ev
	grep -q '"event":"step_finished".*"status":"fresh"' ev2
	run jl memo --events - -- echo hi
	assert_output --partial '"event":"run_finished"'
}

@test "a store that cannot be made or is another's: the command runs" {
	: >file
	memo --store file -- echo hi
	assert_status 0
	assert_output hi
	assert_stderr_has store
}

@test "a damaged record, a lost blob: it runs again" {
	script=$(counted 'seq 5000; seq 5000 >out')
	memo -o out -- sh "$script"
	rm out
	rm -r "$JL_STORE"/cas/*
	memo -o out -- sh "$script"
	assert_status 0
	cmp out <(seq 5000)
	for f in "$JL_STORE"/ac/*/*; do printf x | dd of="$f" bs=1 seek=100 conv=notrunc status=none; done
	memo -o out -- sh "$script"
	assert_status 0
	[[ $(tallies ran) == 3 ]]
}

@test "what a hit asks of the kernel is bounded" {
	[[ $JL_BUILD != */san-thread* ]] || skip 'this sanitizer makes calls of its own'
	hit=(jl memo -i in -o out -n -- /bin/sh -c 'cp in out; seq 200')
	echo 1 >in
	"${hit[@]}" >/dev/null
	"${hit[@]}" >/dev/null # notes what /bin/sh is
	sh "$JL_SOURCE/test/syscalls.sh" -o counts "${hit[@]}" >/dev/null || skip 'no tracing here'
	sh "$JL_SOURCE/test/syscalls.sh" -o start jl version >/dev/null
	calls=$(awk '$1 == "total" {print $2}' counts) start=$(awk '$1 == "total" {print $2}' start)
	echo "a hit: $calls calls, of which $start start the program"
	case $JL_BUILD in */san-*) limit=90 ;; *) limit=60 ;; esac
	((calls - start <= limit))
	[[ $(awk '$1 == "spawned" {print $2}' counts) == 0 && $(awk '$1 == "written" {print $2}' counts) == 24 ]]
}

@test "what is kept of programs does not grow with each that comes and goes" {
	local entry folder i
	jl_ok memo -- true # by which there is a store
	jl_ok memo -- bash -c 'echo 1'
	entry=$(find "$JL_STORE" -path '*/prog/*' -type f)
	[[ -n $entry ]] || skip 'bash is small, or was just installed'
	folder=${entry%/*}
	rm "$entry"
	for i in 1 2 3 4 5 6 7 8; do touch -d "2001-01-0$i" "$folder/old$i"; done
	jl_ok memo -- bash -c 'echo 2'
	[[ -e $entry ]] || fail 'no entry'
	assert_equal "$(find "$folder" -type f | wc -l)" 8
	assert_no_file "$folder/old1"
}
