# Signals, locks, pipes that close.
load helper

records() { find "$JL_STORE" -path '*/ac/*' -type f 2>/dev/null | wc -l; }
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
state_of() { sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null; }
is_state() { [[ $(state_of "$1") == "$2" ]]; }

# Two steps that never end, with children of their own, one in a session of its own; pids holds all six.
endless() { # [:] to ignore TERM
	write_manifest <<'EOF'
version: 1
steps:
  done: {command: "echo 1 > ready", outputs: ready}
  a: {foreach: [1, 2], command: "bash endless.sh ${{ output }}", inputs: [ready, endless.sh], outputs: "o${{ item }}"}
  later: {command: "tally later", after: a}
EOF
	cat >endless.sh <<EOF
${1:+trap 'echo t >>termed' TERM}
echo half >\$1
sleep 300 &
echo \$! >>pids
setsid sleep 300 &
echo \$! >>pids
echo \$\$ >>shells
echo \$\$ >>pids
wait
${1:+while :; do sleep 300; done}
EOF
}
teardown() {
	local pid
	if [[ -n ${JOB-} ]]; then kill -9 "$JOB" 2>/dev/null || true; fi
	if [[ -e $WS/pids ]]; then while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done <"$WS/pids"; fi
}
four_pids() { [[ -e pids && $(wc -l <pids) -ge 6 ]]; }
all_gone() {
	local pid
	while read -r pid; do wait_until gone "$pid"; done <pids
}

assert_nothing_recorded() {
	assert_equal "$(records)" 1
	assert_no_file o1 o2
	assert_tallies 0 later
}

@test "S25 one INT, TERM, HUP or QUIT: children gone, nothing half recorded, jl dies by that signal" {
	local sig
	for sig in INT TERM HUP QUIT; do
		rm -rf .jl "$JL_STORE" pids ready o1 o2
		endless
		start_job jl run -j2
		wait_until four_pids
		kill -$sig "$JOB"
		end_of_job
		assert_equal "$status" "signal $(kill -l $sig)"
		all_gone
		assert_nothing_recorded
		assert_regex "${stderr##*$'\n'}" '^4 steps: 1 ran, 0 fresh, 0 restored, 0 failed, 3 skipped'
	done
	# And the next run does the work.
	echo 'echo 1 >$1' >endless.sh
	jl_ok run
	assert_counts ran=3 fresh=1
	assert_equal "$(trashed)" ""
}

@test "S25 children that ignore TERM: the second INT kills them" {
	endless :
	start_job jl run -j2 --kill-after 1h
	wait_until four_pids
	kill -INT "$JOB"
	# It waits: the job is still there when the steps have seen the first signal.
	wait_until test -e termed
	kill -0 "$JOB"
	kill -INT "$JOB"
	end_of_job
	assert_equal "$status" "signal 2"
	all_gone
	assert_nothing_recorded
}

@test "S25 children that ignore TERM are killed after --kill-after" {
	endless :
	start_job jl run -j2 --kill-after 100ms
	wait_until four_pids
	kill -TERM "$JOB"
	end_of_job
	assert_equal "$status" "signal 15"
	all_gone
	assert_nothing_recorded
}

@test "S25 Ctrl-C at a terminal ends the run, its steps, and the script that started it" {
	endless
	printf '%s\n' 'jl run -j2' 'echo "after $?" >after' >script
	mkfifo keys
	script -qefc 'exec env --default-signal bash script' /dev/null <keys >typescript 2>&1 3>&- &
	local script=$!
	exec 9>keys
	wait_until four_pids
	printf '\003' >&9
	run wait "$script"
	exec 9>&-
	all_gone
	assert_nothing_recorded
	# A shell goes on after a command that exits with 130, and ends with one that died of SIGINT.
	assert_no_file after
}

@test "S25 Ctrl-Z stops jl and its steps, CONT goes on" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo $$ > pid; until test -e go; do sleep 0.01; done; echo 1 > ${{ output }}", outputs: o}
EOF
	start_job jl run
	wait_until test -s pid
	kill -TSTP "$JOB"
	wait_until is_state "$JOB" T
	wait_until is_state "$(cat pid)" T
	touch go
	kill -CONT "$JOB"
	end_of_job
	assert_equal "$status" "exit 0"
	assert_file o 1
}

@test "S25 a signal that was ignored on purpose stays ignored (nohup)" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "touch started; until test -e go; do sleep 0.01; done; echo 1 > ${{ output }}", outputs: o}
EOF
	start_job sh -c 'trap "" HUP; exec jl run'
	wait_until test -e started
	kill -HUP "$JOB"
	touch go
	end_of_job
	assert_equal "$status" "exit 0"
}

@test "S25 jl … | head: the run does not hang, and says so by its end" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: {from: 1, to: 30}, command: "seq 10000; echo 1 > ${{ output }}", outputs: "o${{ item }}"}
EOF
	run bash -c 'jl run 2>err | head -n 1; echo "${PIPESTATUS[0]}"'
	assert_equal "${lines[0]}" 1
	# By SIGPIPE, or with an error; whatever was recorded is whole.
	[[ ${lines[1]} == 141 || ${lines[1]} == 3 || ${lines[1]} == 0 ]] || fail "ended with ${lines[1]}"
	jl_ok run -q
	[[ $(cat o* | wc -l) == 30 ]]
}

@test "S24 what a killed run was about to put in place goes, also below what a glob names" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "mkdir -p gen/a/b; echo 1 > gen/a/b/x.o; touch started; sleep 60", outputs: gen/**/*.o}
END
	start_job jl run
	wait_until test -e started
	local temp
	temp=.tmp-$(hostname | tr -c 'a-zA-Z0-9\n' _ | cut -c 1-32)-$JOB-0123
	kill -9 "$JOB"
	end_of_job
	touch gen/"$temp" gen/a/b/"$temp" gen/a/b/.tmp-elsewhere-1-0 "$temp"
	sed -i 's/; touch.*60"/"/' joblib.yaml
	jl_ok run
	assert_no_file gen/"$temp" gen/a/b/"$temp"
	[[ -e gen/a/b/.tmp-elsewhere-1-0 && -e $temp ]] # not where it makes anything
}

@test "S24 jl killed with -9: its steps end, the next run ends what they left, tells it, and cleans up" {
	endless
	start_job jl run -j2
	wait_until four_pids
	[[ -s .jl/running ]]
	local temp
	temp=.tmp-$(hostname | tr -c 'a-zA-Z0-9\n' _ | cut -c 1-32)-$JOB-0123
	kill -9 "$JOB"
	end_of_job
	assert_equal "$status" "signal 9"
	# Not that run's, though its name looks alike; and what the run was about to put in place.
	touch "$temp" .tmp-elsewhere-1-0
	# Of all that was started the commands themselves end with jl. The others are ended by the next run, before it starts
	# anything.
	local pid
	while read -r pid; do wait_until gone "$pid"; done <shells
	echo 'echo 1 >$1' >endless.sh
	jl_ok run
	assert_stderr_has "the run before was killed: ended 4 processes that it left (sleep 300, sleep 300, sleep 300, ...)"
	while read -r pid; do gone "$pid" || fail "$pid lives"; done <pids
	assert_file o1 1
	assert_file o2 1
	assert_no_file "$temp" .jl/running
	[[ -e .tmp-elsewhere-1-0 ]]
	jl_ok run
	refute_stderr_has killed
}

@test "S24 what ignores TERM is killed; another run, its processes and a copy's are let alone" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "setsid bash deaf.sh & exec sleep 300"}
EOF
	cat >deaf.sh <<'EOF'
trap '' TERM
echo $$ >>pids
echo $$ >pid.new
mv pid.new pid
exec sleep 300
EOF
	cp -r . ../other
	jl run -C ../other 3>&- &
	local other=$!
	wait_until test -s ../other/pid
	cat ../other/pid >>pids
	# A copy of a workspace in which a run is under way.
	cp -a ../other ../copy
	printf '%s\n' 'version: 1' 'steps: {a: {command: "true"}}' >../copy/joblib.yaml
	jl_ok run -C ../copy
	refute_stderr_has killed
	run ! gone "$(cat ../other/pid)"
	start_job jl run
	wait_until test -s pid
	kill -9 "$JOB"
	end_of_job
	local left
	left=$(cat pid)
	run ! gone "$left"
	cp ../copy/joblib.yaml .
	jl_ok run
	assert_stderr_has "the run before was killed: ended"
	gone "$left"
	run ! gone "$(cat ../other/pid)"
	# From within what was left: that is let live.
	sed -n 's/ .*//p' ../other/.jl/running >id
	kill -9 "$other"
	wait "$other" || true
	cp ../copy/joblib.yaml ../other
	JL_RUN=$(cat id) jl_ok run -C ../other
	assert_stderr_has "what it left is let live"
	run ! gone "$(cat ../other/pid)"
}

@test "S24 a run that ended by a signal, and one that ended by itself, leave nothing to tell" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "touch started; exec sleep 300", outputs: o}
EOF
	start_job jl run
	wait_until test -e started
	[[ -e .jl/running ]]
	kill -TERM "$JOB"
	end_of_job
	assert_no_file .jl/running
	sed -i 's/command: .*/command: "echo $JL_RUN > o; exit 1", outputs: o}/' joblib.yaml
	run_jl run
	assert_status 1
	refute_stderr_has killed
	assert_no_file .jl/running
	# The variable differs from run to run, and joins no key.
	sed -i 's/exit 1/true/' joblib.yaml
	jl_ok run
	jl_ok run
	assert_counts fresh=1
}

@test "S08 two runs in one workspace: the second waits and names the first; --no-wait fails at once" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "tally a; touch started; until test -e go; do sleep 0.01; done; echo 1 > ${{ output }}", outputs: o}
EOF
	start_job jl run
	wait_until test -e started
	local first=$JOB
	run_jl run --no-wait
	[[ $status != 0 ]]
	assert_stderr_has "$first"
	run_jl clean --no-wait
	[[ $status != 0 ]]
	# What only looks does not wait.
	run_jl plan
	assert_status 0
	run_jl list
	assert_status 0
	jl run 2>second &
	local second=$!
	wait_until grep -qs "$first" second
	touch go
	end_of_job
	assert_equal "$status" "exit 0"
	wait "$second"
	grep -q ' 1 fresh' second
	assert_tallies 1
}

@test "S08 a lock is the kernel's: left-over files hold nobody up" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "touch started; until test -e go; do sleep 0.01; done; echo 1 > ${{ output }}", outputs: o}
EOF
	start_job jl run
	wait_until test -e started
	kill -9 "$JOB"
	end_of_job
	touch go
	jl_ok run --no-wait
	assert_counts ran=1
}

@test "S09 many runs of one manifest in many folders with one store at once: identical results" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: {from: 1, to: 5}, command: "seq ${{ item }}000 > ${{ output }}", outputs: "o${{ item }}"}
EOF
	local i pids=()
	for i in 1 2 3 4 5 6; do
		mkdir ../w$i
		cp joblib.yaml ../w$i
		jl run -q -C ../w$i -j2 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	for i in 1 2 3 4 5 6; do cmp ../w$i/o5 <(seq 5000); done
	rm -rf ../w1/o*
	jl_ok run -C ../w1
	assert_counts restored=5
	assert_equal "$(find "$JL_STORE" -name '*tmp*' -type f)" ""
}
