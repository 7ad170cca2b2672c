#!/usr/bin/env bats
# Shared stores of the user's settings serve memoized commands, too: jl memo, jl map --memo.
load helper

setup() {
	jl_setup
	SHARED=$BATS_TEST_TMPDIR/shared
	export JL_REMOTE_PATIENCE=2m # a busy machine is not a dead remote
	echo "b a" >in.txt
	settings readwrite
}

settings() { # mode, further keys
	mkdir -p "$XDG_CONFIG_HOME/jl"
	echo "store: {remotes: [{name: ci, url: \"file://$SHARED\", mode: $1${2+, $2}}]}" >"$XDG_CONFIG_HOME/jl/config.yaml"
}

# As another user: a store of his own, and the folder as somebody else checked it out.
another_user() {
	mkdir -p "$BATS_TEST_TMPDIR/$1"
	cp in.txt "$BATS_TEST_TMPDIR/$1"
	cd "$BATS_TEST_TMPDIR/$1" || return 1
	export JL_STORE=$BATS_TEST_TMPDIR/$1-store
	: >"$TALLY"
}

count() { find "$SHARED/$1" -type f 2>/dev/null | wc -l; }

memo() { jl_ok memo "$@" -i in.txt -o out.txt -- sh -c 'tally ran; cp in.txt out.txt; head -c 300000 /dev/zero; echo said >&2'; }

@test "memo: a result of one user is another's, byte for byte, nothing run" {
	memo
	assert_tallies 1
	another_user bob
	memo -v
	assert_tallies 0
	assert_equal "${#output}" 0 # zeros
	assert_stderr_has said
	assert_stderr_has "memo: from the store, sha256:"
	assert_stderr_has "memo: remote ci: 1 hit, "
	cmp out.txt "$WS/out.txt"
	# From here on it is in the own store.
	rm -r "$SHARED" out.txt
	memo
	assert_tallies 0
	cmp out.txt "$WS/out.txt"
	jl_ok cache stats
	[[ $output == *"remote   ci: 1 hit, "* ]]
}

@test "memo: standard input and a long output are named by SHA-256, as all of it" {
	head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/bytes"
	jl memo -- sh -c 'tally ran; cat; echo end' <"$BATS_TEST_TMPDIR/bytes" >"$BATS_TEST_TMPDIR/first"
	[ "$(count cas)" = 1 ]
	[ "$(find "$SHARED" -type f -printf '%f\n' | awk '{print length}' | sort -u)" = 64 ]
	cd "$WS"
	export JL_STORE=$BATS_TEST_TMPDIR/other
	: >"$TALLY"
	jl memo -- sh -c 'tally ran; cat; echo end' < <(cat "$BATS_TEST_TMPDIR/bytes") >"$BATS_TEST_TMPDIR/second"
	assert_tallies 0
	cmp "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
}

@test "memo: a local hit starts no helper, a miss asks once" {
	memo
	printf '#!/bin/sh\ntally helper\nexec "%s/libexec/jl/jl-store-file"\n' "$JL_BUILD" >"$BATS_TEST_TMPDIR/bin/jl-store-other"
	chmod +x "$BATS_TEST_TMPDIR/bin/jl-store-other"
	echo "store: {remotes: [{name: ci, url: \"other://x\"}]}" >"$XDG_CONFIG_HOME/jl/config.yaml"
	: >"$TALLY"
	memo
	assert_tallies 0
	jl_ok memo --check -i in.txt -o out.txt -- sh -c 'tally ran; cp in.txt out.txt; head -c 300000 /dev/zero; echo said >&2'
	run_jl memo --check -- echo other
	assert_status 1
	jl_ok memo --offline -- echo other
	jl_ok memo --cache ro -- echo another
	jl_ok memo --cache off -- echo another
	assert_tallies 0
	jl_ok memo -- echo another
	assert_tallies 1 helper
	settings read
	jl_ok memo -v -- echo a third
	assert_stderr_has "memo: remote ci: 1 miss"
	[ "$(count ac)" = 1 ]
}

@test "memo: what failed is nobody else's, and an altered result is not used" {
	run_jl memo --cache-failures 1h -- sh -c 'tally ran; exit 3'
	assert_status 3
	[ "$(count ac)" = 0 ]
	settings readwrite "sign: \$CI_KEYS"
	export CI_KEYS="ci 0123456789abcdef"
	memo
	find "$SHARED/ac" -type f -exec sh -c 'printf X | dd of="$1" bs=1 seek=200 conv=notrunc status=none' - {} \;
	another_user bob
	memo
	assert_tallies 1
	assert_stderr_has 'remote "ci": a result was not taken: its signature is wrong'
}

@test "memo: with a depfile, by what it used" {
	used() { jl_ok memo -i in.txt -o out.txt --depfile out.d -- sh -c 'tally ran; cat in.txt extra.h >out.txt; echo "out.txt: extra.h" >out.d'; }
	echo A >extra.h
	used
	another_user bob
	echo B >extra.h
	used
	assert_tallies 1
	another_user carol
	echo A >extra.h
	used
	echo B >extra.h
	used
	assert_tallies 0
	assert_equal "$(cat out.txt)" $'b a\nB'
}

@test "memo: a dead remote is told, and costs nothing but its result" {
	echo "store: {remotes: [{name: ci, url: \"nobody://x\", mode: readwrite}]}" >"$XDG_CONFIG_HOME/jl/config.yaml"
	memo
	assert_tallies 1
	[ "$(grep -c 'remote "ci"\|not sent' <<<"$stderr")" = 2 ]
	memo
	assert_tallies 1
	assert_equal "$stderr" said
}

@test "map --memo: many results are asked for at once, and filled" {
	local i
	for ((i = 0; i < 150; i++)); do echo $i >$i.in; done
	jl_ok map --memo -k -i '{}' -o '{.}.out' -j2 'tally ran; sed s/^/x/ {} >{.}.out; cat {.}.out' ::: *.in
	local said=$output
	assert_tallies 150
	[ "$(count ac)" = 150 ]
	another_user bob
	cp "$WS"/*.in .
	jl_ok map --memo -k -i '{}' -o '{.}.out' -j2 -v --events events 'tally ran; sed s/^/x/ {} >{.}.out; cat {.}.out' ::: *.in
	assert_tallies 0
	assert_equal "$output" "$said"
	assert_stderr_has "remote ci: 150 hits, "
	grep -q '"event":"remote","remote":"ci","hits":150' events
	assert_equal "$(event_statuses events | awk '{print $NF}' | sort | uniq -c | tr -s ' ')" " 150 restored"
	for ((i = 0; i < 150; i++)); do cmp $i.out "$WS/$i.out"; done
	rm ./*.out "$WS"/*.out
	rm -r "$SHARED"
	jl_ok map --memo -k -i '{}' -o '{.}.out' -j2 'tally ran; sed s/^/x/ {} >{.}.out; cat {.}.out' ::: *.in
	assert_tallies 0
	assert_equal "$output" "$said"
}

@test "map --memo: what stands in the way of a remote's answer does not hold up the others" {
	# The helper never answers; the jobs run once it is given up.
	printf '#!/bin/sh\nexec sleep 1000\n' >"$BATS_TEST_TMPDIR/bin/jl-store-mute"
	chmod +x "$BATS_TEST_TMPDIR/bin/jl-store-mute"
	echo "store: {remotes: [{name: ci, url: \"mute://x\"}]}" >"$XDG_CONFIG_HOME/jl/config.yaml"
	JL_REMOTE_PATIENCE=100ms jl_ok map --memo -j2 'tally ran; echo {}' ::: a b c d
	assert_tallies 4
	assert_equal "$(grep -c 'no answer' <<<"$stderr")" 1
	# Ended while they wait: nothing is left behind.
	start_job env JL_REMOTE_PATIENCE=10m jl map --memo -j2 'tally ran; echo {}' ::: e f g
	wait_until pgrep -f "$BATS_TEST_TMPDIR/bin/jl-store-mute|sleep 1000" -s "$JOB"
	kill -INT "$JOB"
	end_of_job
	assert_equal "$status" "signal 2"
	assert_tallies 4
}
