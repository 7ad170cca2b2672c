# Costs that do not depend on the machine: system calls, bytes written, programs started.
load helper

many() { # N
	write_manifest <<EOF
version: 1
steps:
  a: {foreach: {from: 1, to: $1}, command: "cp \${{ input }} \${{ output }}", inputs: "in/\${{ item }}", outputs: "out/\${{ item }}"}
EOF
	mkdir in
	local i
	for ((i = 1; i <= $1; i++)); do echo $i >in/$i; done
}
# A no-op whose stamps are all old enough to be trusted: runs until one leaves the state as it found it.
settled() {
	local before='' now=none i
	for ((i = 0; i < 50; i++)); do
		jl_ok run
		now=$(stat -c '%n %i %s %y' .jl/state .jl/journal 2>/dev/null || true)
		[[ $now == "$before" ]] && return 0
		before=$now
	done
	fail "the state is written again and again"
}

@test "system calls of a no-op: a constant plus about one stat a path" {
	local n calls=() stats=()
	for n in 200 400; do
		mkdir ../ws$n
		cd ../ws$n
		many $n
		settled
		assert_counts fresh=$n
		count_syscalls jl run
		assert_counts fresh=$n
		calls+=("$(syscalls total)")
		stats+=("$(syscalls newfstatat statx stat lstat)")
	done
	# 200 steps more have 400 paths more.
	local more=$((calls[1] - calls[0])) more_stats=$((stats[1] - stats[0]))
	((more_stats >= 400 && more_stats <= 410)) || fail "stats: ${stats[*]}"
	((more <= 440)) || fail "calls: ${calls[*]}"
	# What every program costs, with a sanitizer much more, is not counted.
	count_syscalls jl --version
	local rest=$((calls[0] - stats[0] - $(syscalls total)))
	((rest < 150)) || fail "besides stats: $rest"
}

@test "system calls of a no-op with temp outputs: no more than with those that stay" {
	local n calls=()
	for n in 100 200; do
		mkdir ../ws$n
		cd ../ws$n
		write_manifest <<EOF
version: 1
steps:
  t: {foreach: {from: 1, to: $n}, command: "cp src \${{ output }}", inputs: src, outputs: "tmp/\${{ item }}", temp: true}
  u: {foreach: {from: 1, to: $n}, command: "cat tmp/\${{ item }}", inputs: "tmp/\${{ item }}"}
EOF
		echo 1 >src
		settled
		assert_counts fresh=$((2 * n))
		assert_equal "$(ls tmp)" ''
		count_syscalls jl run
		assert_counts fresh=$((2 * n))
		calls+=("$(syscalls total)")
	done
	# 100 instances more have 100 paths more.
	local more=$((calls[1] - calls[0]))
	((more >= 100 && more <= 120)) || fail "calls: ${calls[*]}"
}

@test "a no-op writes 4 KiB at most, state and store together, from the first on" {
	many 300
	jl_ok run
	local round
	for round in 1 2 3; do
		count_syscalls jl run
		assert_counts fresh=300
		(($(syscalls written) <= 4096)) || fail "round $round: $(syscalls written)"
	done
	rm out/*
	jl_ok run
	for round in 1 2; do
		count_syscalls jl run
		assert_counts fresh=300
		(($(syscalls written) <= 4096)) || fail "after restoring, round $round: $(syscalls written)"
	done
}

@test "a no-op looks at nothing of the store but the index's head, and starts no program" {
	many 20
	settled
	local trace=$BATS_TEST_TMPDIR/trace
	count_syscalls true
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -o "$trace" jl run 2>/dev/null
	# The store's folder is named once; in it the index's head is read, one set of keys gets a time stamp, one line is added.
	assert_equal "$(grep -cF "$JL_STORE" "$trace")" 1
	assert_equal "$(grep -cF '"index"' "$trace")" 1
	assert_equal "$(grep -c 'utimensat(.*"uses/' "$trace")" 1
	assert_equal "$(grep -cF '"days"' "$trace")" 1
	run grep -E '"(ac|cas|tmp|version|live)["/]' "$trace"
	assert_output ""
	assert_equal "$(grep -c execve "$trace")" 1
	# The manifest is not parsed again: nobody reads it.
	run grep -E 'open(at)?2?\(.*joblib\.yaml' "$trace"
	assert_output ""
}

@test "direct commands cost one program each, shell commands one more" {
	many 30
	count_syscalls jl run
	assert_counts ran=30
	assert_equal "$(syscalls spawned)" 30
	assert_equal "$(syscalls fork)" 0
	sed -i 's/command: "/command: "true; /' joblib.yaml
	count_syscalls jl run
	assert_counts ran=30
	(($(syscalls spawned) <= 60)) || fail "$(syscalls spawned)"
}

@test "nothing of a run is left behind but what belongs there" {
	many 5
	jl_ok run
	rm out/*
	jl_ok run
	assert_equal "$(find .jl -mindepth 1 ! -name state ! -name journal ! -name lock ! -name last-run)" ""
	assert_equal "$(find .jl "$JL_STORE" out -name '*tmp*' -type f)" ""
	assert_equal "$(find "$TMPDIR" -mindepth 1)" ""
	[[ $(stat -c %a "$JL_STORE") == 700 ]]
}

@test "S14 what is restored is written and not read again; what changes it a moment later is noticed" {
	local trace=$BATS_TEST_TMPDIR/trace
	write_manifest <<-'END'
		version: 1
		steps:
		  a: {foreach: {from: 1, to: 30}, command: "seq 10000 >${{ output }}", outputs: "out/${{ item }}"}
	END
	jl_ok run
	rm -r out
	strace -f -qq -o "$trace" true 2>/dev/null || skip "no tracing of processes here"
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -e trace=open,openat -o "$trace" jl run 2>/dev/null
	assert_equal "$(find out -type f | wc -l)" 30
	if grep '"out/[0-9]*", O_RDONLY' "$trace"; then fail "read again"; fi
	# In the same file, with the same size.
	printf X | dd of=out/30 conv=notrunc status=none
	jl_ok run
	assert_counts fresh=29 restored=1
	assert_equal "$(head -n 1 out/30)" 1
}
