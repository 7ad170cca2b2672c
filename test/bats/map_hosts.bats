# jl map on other hosts, by ssh with Debian's sshd and by executors of the manifest; jl memo --executor.
# shellcheck disable=SC2154,SC2016,SC1083 # bats sets stderr; texts for others' shells; replacement strings
load helper
load ../servers/helper
setup() { jl_setup; }

agent() { echo "$JL_BUILD/libexec/jl/jl-agent-$(uname -m)"; }

box() { # slots: an executor that needs no ssh
	printf 'version: 1\nexecutors:\n  box: {type: command, launch: ["%s"], slots: %s}\nsteps: {a: {command: x, manual: true}}\n' \
		"$(agent)" "$1" >joblib.yaml
}

# Nothing of any agent lies about in these cache folders.
all_gone() {
	local cache
	for cache; do
		assert_equal "$(find "$cache/jl/agent/run" -mindepth 1 2>/dev/null)" ''
	done
}

@test "jobs run on two hosts; order, tags, failures and the job log are as here" {
	sshd_start -n 2
	seq 1 40 >in
	# Nothing ends before both hosts have something.
	local both="touch $PWD/at.\$(basename \"\${HOME%/home}\"); until test -e $PWD/at.h1 && test -e $PWD/at.h2; do sleep 0.05; done"
	run_jl map --hosts h1,h2*2 -j1 -k --tag --joblog log "$both; echo out {}; echo err {} >&2; test {} != 7" <in
	assert_status 1
	assert_equal "$output" "$(seq 1 40 | sed 's/.*/&\tout &/')"
	assert_equal "$(grep -v ^jl: <<<"$stderr")" "$(seq 1 40 | sed 's/.*/&\terr &/')"
	assert_stderr_has 'exit status 1; on "h'
	assert_equal "$(cut -f2 log | sort -u | paste -sd' ')" 'Host h1 h2'
	assert_equal "$(cut -f7 log | sort | uniq -c | sed 's/^ *//' | paste -sd,)" '39 0,1 1,1 Exitval'
	jl_ok map -S h1 -S h2 --line-buffer 'echo {}; echo {}' <in
	assert_equal "$(sort -n <<<"$output" | uniq -c | grep -c '^ *2 ')" 40
	jl_ok map -S h1 -u --dry-run echo ::: a
	assert_output 'echo a'
	# What was done is left out, wherever it was.
	jl_ok map -S h1 --joblog log --resume-failed 'echo {} >&2' <in
	assert_equal "$stderr" 7
	all_gone "$(ssh_home h1)/.cache" "$(ssh_home h2)/.cache"
}

@test "a job has an empty folder there, the host's own PATH and HOME, locale and what --env names" {
	sshd_start
	export SECRET=s OTHER=o LC_TIME=C.UTF-8
	jl_ok map -S h1 --env OTHER 'ls -A; echo $HOME $SECRET $OTHER $LC_TIME # {}' ::: x
	assert_output "$(ssh_home h1) o C.UTF-8"
	jl_ok map -S : 'ls -A; echo $HOME $SECRET $OTHER # {}' ::: x
	assert_output "$HOME s o"
}

@test "-i goes along and -o comes back, with or without a folder, a link, an own name for the slot" {
	sshd_start
	mkdir sub
	echo text >sub/a.txt
	head -c 300000 /dev/urandom >sub/b.txt
	ln -s a.txt sub/c.txt
	jl_ok map -S h1 -i {} -o out/{/.}.up 'tr a-z A-Z <{} >out/{/.}.up; echo {%} | grep -c .' ::: sub/a.txt sub/b.txt sub/c.txt
	assert_file out/a.up TEXT
	assert_file out/c.up TEXT
	cmp <(tr '[:lower:]' '[:upper:]' <sub/b.txt) out/b.up
	# A folder as it is made there, beside what is here already; again over what is there.
	mkdir d
	echo mine >d/mine
	jl_ok map -S h1 -i sub -o d 'mkdir -p d/e; cp sub/{}.txt d/e; ln -s e/{}.txt d/l' ::: a
	jl_ok map -S h1 -i sub -o d 'mkdir -p d/e; cp sub/{}.txt d/e; ln -s e/{}.txt d/l' ::: a
	assert_file d/l text
	assert_file d/mine mine
	assert_equal "$(readlink d/l)" e/a.txt
	# What is not named is not there; what is not made is a failure, here as there.
	run_jl map -S h1 'cat {}' ::: sub/a.txt
	assert_status 1
	assert_stderr_has 'on "h1" there is only what -i names'
	for host in h1 :; do
		run_jl map -S $host -o {}.o true ::: x
		assert_status 1
		assert_stderr_has 'output "x.o" was not made'
		run_jl map -S $host -i {} true ::: absent
		assert_status 1
		assert_stderr_has absent
	done
	all_gone "$(ssh_home h1)/.cache"
}

@test "a program that is a path of this folder goes along, by itself and at the head of a script" {
	sshd_start
	mkdir bin
	printf '#!/bin/sh\necho "<$1>"\n' >bin/show
	chmod +x bin/show
	jl_ok map -S h1 -k ./bin/show ::: 1 2
	assert_output $'<1>\n<2>'
	jl_ok map -S h1 -k 'bin/show {} | tr 12 ab' ::: 1 2
	assert_output $'<a>\n<b>'
	jl_ok map -S h1 -C bin ./show ::: 3
	assert_output '<3>'
	jl_ok map -S h1 --wd bin ./show ::: 3
	assert_output '<3>'
}

@test "--memo: the same keys there and here, and hits need no host" {
	sshd_start
	echo one >1.txt
	echo two >2.txt
	jl_ok map --memo -S h1 -i {} -o {.}.up 'tr a-z A-Z <{} >{.}.up; echo {.}; date +%N >>'"$PWD"'/runs' ::: 1.txt
	jl_ok memo -n -i 1.txt -o 1.up 'tr a-z A-Z <1.txt >1.up; echo 1; date +%N >>'"$PWD"'/runs' # found here
	jl_ok map --memo -i {} -o {.}.up 'tr a-z A-Z <{} >{.}.up; echo {.}; date +%N >>'"$PWD"'/runs' ::: 2.txt
	assert_equal "$(wc -l <runs)" 2
	rm ./*.up
	sshd_kill h1
	jl_ok map --memo -k -S h1 -i {} -o {.}.up 'tr a-z A-Z <{} >{.}.up; echo {.}; date +%N >>'"$PWD"'/runs' ::: 1.txt 2.txt
	assert_output $'1\n2'
	assert_file 1.up ONE
	assert_file 2.up TWO
	assert_equal "$(wc -l <runs)" 2
}

@test "S42 names of hosts that ssh or a shell would take for something else are refused" {
	local name
	for name in -oProxyCommand=x 'a b' 'a;b' 'a$(b)' "a'b" '' 'a,' 'a/b' '`x`'; do
		run_jl map "--hosts=$name" echo ::: a
		assert_status 125
		assert_stderr_has 'is no name of a host'
		assert_equal "${#stderr_lines[@]}" 1
	done
	for name in 'a*' 'a*0' 'a*x' 'a*-1' 'a*99999'; do
		run_jl map -S "$name" echo ::: a
		assert_status 125
		assert_stderr_has "\"$name\" wants a number of slots"
	done
	run_jl map -S 4/a echo ::: a
	assert_stderr_has 'slots come behind it: host*4'
	run_jl map -S a --executor b echo ::: a
	assert_status 125
	assert_stderr_has 'exclude each other'
}

@test "S36 hosts that cannot be had: told, and left alone; without any the run ends with one line" {
	sshd_start
	sshd_kill h1
	run_jl map -S h1,nowhere.invalid echo ::: a b c
	assert_status 125
	assert_output ''
	assert_equal "${#stderr_lines[@]}" 1
	assert_stderr_has 'no host of "hosts" can be had; h1: '
	assert_stderr_has '; nowhere.invalid: '
	jl_ok map -k -S h1,: echo ::: a b c
	assert_output $'a\nb\nc'
	sshd_revive h1
	jl_ok map -k -S h1,nowhere.invalid echo ::: a b c
	assert_output $'a\nb\nc'
}

@test "S34 a host that goes down in mid-run: its jobs run on the other one" {
	sshd_start -n 2
	mkfifo up
	exec 9<>up
	jl map -S h1*2,h2*2 --joblog log "basename \${HOME%/home} >$PWD/up; while ! test -e $PWD/go; do sleep 0.05; done; echo {}" \
		::: 1 2 3 4 >out 2>err 3>&- 9>&- &
	local jl=$! host count=0
	for _ in 1 2 3 4; do
		read -r host <&9
		if [[ $host == h1 ]]; then count=$((count + 1)); fi
	done
	assert_equal $count 2
	sshd_kill h1
	touch go
	wait $jl
	exec 9>&-
	assert_equal "$(sort out | paste -sd' ')" '1 2 3 4'
	assert_equal "$(cut -f2 log | sort | uniq -c | sed 's/^ *//' | paste -sd,)" '1 Host,4 h2'
	run cat err
	assert_output --partial 'jl: host "h1": '
}

@test "a job that fails where its host may be to blame is tried once on another" {
	sshd_start -n 2
	touch "$(ssh_home h2)/able"
	# Each waits for the other, so both hosts have one.
	local both="touch $PWD/at{}; while ! test -e $PWD/at1 || ! test -e $PWD/at2; do sleep 0.05; done"
	jl_ok map -S h1*1,h2*1 -k --joblog log "$both; echo {}; test -e \$HOME/able || exit 127" ::: 1 2
	assert_output $'1\n2'
	assert_stderr_has ': exit 127 on "h1"; it is tried on another host'
	assert_equal "$(cut -f2,7 log | sort -u | paste -sd,)" $'Host\tExitval,h2\t0'
	rm "$(ssh_home h2)/able"
	run_jl map -S h1*1,h2*1 -k "$both; echo {}; exit 127" ::: 1 2
	assert_status 2
	assert_output $'1\n2'
}

@test "a job that takes its hosts down fails the third time" {
	box 1
	run_jl map --executor box 'echo {}; kill -9 $PPID; sleep 1000' ::: a
	assert_status 1
	assert_stderr_has '3 hosts were lost while it ran'
	run_jl map --executor box -k --retries 2 'echo {}; exit 4' ::: a b
	assert_status 2
	assert_output $'a\nb'
}

@test "--halt, --timeout and signals end what runs there" {
	sshd_start
	mkfifo up
	run_jl map -S h1*2 --halt now,fail=1 'if test {} = 2; then exit 3; fi; sleep 1000' ::: 1 2 3
	assert_status 1
	run_jl map -S h1 --timeout 0.2 'sleep 1000 & wait; : {}' ::: 1
	assert_status 1
	assert_stderr_has 'timed out after'
	for sig in INT TERM; do
		env --default-signal=INT jl map -S h1 "trap 'echo trapped >$PWD/up; exit' TERM; echo \$\$ >$PWD/up; while :; do sleep 0.1; done; : {}" ::: 1 2>/dev/null 3>&- &
		local jl=$! said
		exec 9<>up
		read -r _ <&9
		kill -$sig $jl
		read -r said <&9
		assert_equal "$said" trapped
		wait $jl || status=$?
		assert_equal "$status" $((128 + $(kill -l $sig)))
		exec 9>&-
	done
	all_gone "$(ssh_home h1)/.cache"
}

@test "killed with -9, jl map leaves no process and no folder there" {
	sshd_start -n 2
	mkfifo up
	jl map -S h1*1,h2*1 "sleep 1000 & echo \$! >$PWD/up; wait; : {}" ::: 1 2 >/dev/null 2>&1 3>&- &
	local jl=$! one two host
	exec 9<>up
	read -r one <&9
	read -r two <&9
	exec 9>&-
	kill -9 $jl
	for host in h1 h2; do
		while kill -0 "$one" 2>/dev/null || kill -0 "$two" 2>/dev/null ||
			[[ -n $(find "$(ssh_home $host)/.cache/jl/agent/run" -mindepth 1) ]]; do read -rt 0.05 <> <(:) || :; done
	done
}

@test "memory does not grow with the number of lines" {
	if [[ -n ${JL_SAN-} ]]; then skip "sanitizers take memory of their own"; fi
	box 2
	mkfifo in out
	jl map --executor box -k echo <in >out 3>&- &
	local jl=$! few many i line
	exec 8>in 9<out
	for i in {1..3000}; do
		echo "$i" >&8
		# So many are always under way.
		if ((i > 100)); then read -r line <&9; fi
		if ((i == 600)); then few=$(awk '/VmHWM/ { print $2 }' /proc/$jl/status); fi
	done
	many=$(awk '/VmHWM/ { print $2 }' /proc/$jl/status)
	exec 8>&-
	assert_equal "$line" 2900
	assert_equal "$(cat <&9)" "$(seq 2901 3000)"
	exec 9>&-
	wait $jl
	((many <= few + 128)) || fail "$few KiB after 600 lines, $many KiB after 3000"
}

@test "slots: what is said of a host, -j of the others; this machine has its own" {
	box 3
	jl_ok map --executor box --events - 'echo {}' ::: a b
	assert_output --partial '"executor":"box","host":"box"'
	jl_ok map -S :*2 --joblog log 'echo {}' ::: a b c
	assert_equal "$(cut -f2 log | sort -u | paste -sd' ')" ': Host'
	# No more than one at once where there is one slot, whatever is ahead.
	box 1
	jl_ok map --executor box "mkdir $PWD/lock; rmdir $PWD/lock; : {}" < <(seq 40)
	assert_equal "$stderr" ''
	printf 'version: 1\nexecutors:\n  box: {type: command, launch: ["%s"]}\nsteps: {a: {command: x, manual: true}}\n' "$(agent)" >joblib.yaml
	jl_ok map --executor box -j1 "mkdir $PWD/lock; rmdir $PWD/lock; : {}" < <(seq 40)
	assert_equal "$stderr" ''
}

@test "executors are those of the manifest; local is this machine" {
	run_jl map --executor box echo ::: a
	assert_status 125
	assert_stderr_has 'option "--executor": no joblib.yaml'
	box 1
	mkdir sub
	jl_ok map -C sub --executor box pwd ::: a
	refute_output "$PWD/sub"
	jl_ok map --executor local 'pwd #' ::: a
	assert_output "$PWD"
	run_jl map --executor bix echo ::: a
	assert_status 125
	assert_stderr_has 'has no executor "bix"; did you mean "box"?'
	echo 'steps: {' >>joblib.yaml
	run_jl memo --executor box echo a
	assert_status 125
	assert_stderr_has 'joblib.yaml:'
}

@test "jl memo --executor: run there, the same key, a hit here; stdin, outputs and a program go along" {
	box 2
	echo in >in
	printf '#!/bin/sh\ntally x\ncat; cat in >out\nls -A >&2\n' >prog
	chmod +x prog
	PATH=$BATS_TEST_TMPDIR/bin:$PATH
	head -c 100 /dev/urandom | base64 >small
	head -c 9000000 /dev/urandom | base64 >large
	local of
	for of in small large; do
		rm -f out
		jl memo --executor box -i in -o out ./prog <$of >there 2>err
		cmp $of there
		assert_file out in
		assert_file err $'in\nout\nprog'
		rm out
		: >err
		jl memo -v -i in -o out ./prog <$of >here 2>err
		cmp $of here
		assert_file out in
		assert_equal "$(grep -c 'from the store' err)" 1
		cat $of | jl memo --executor box -i in -o out ./prog | cmp - $of
	done
	assert_tallies 2
	run_jl memo --executor box -n sh -c 'echo said; exit 5'
	assert_status 5
	assert_output said
	# What was passed on cannot be taken back.
	jl memo --executor box -n sh -c "echo once; while ! test -e $PWD/go; do sleep 0.05; done; kill -9 \$PPID; sleep 1000" 2>err |
		{ read -r said; touch go; echo "$said"; cat; } >out || true
	assert_equal "${PIPESTATUS[0]}" 125
	assert_file out once
	run_jl memo --executor box -n sh -c "mkdir $PWD/gone && kill -9 \$PPID; echo again"
	assert_status 0
	assert_output again
}

@test "jl memo: no host can be had" {
	write_manifest <<'END'
version: 1
executors: {off: {type: command, launch: [sh, -c, "echo no way >&2; exit 1"]}}
steps: {a: {command: x, manual: true}}
END
	run_jl memo --executor off -n echo a
	assert_status 125
	assert_stderr_has 'no host of "off" can be had; off: no way'
	jl_ok memo -n echo a
	jl_ok memo --executor off -n echo a
	assert_output a
}
