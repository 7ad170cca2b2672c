#!/usr/bin/env bats
# Shared stores: what one user made another gets back, byte for byte; a remote that fails or lies costs a run nothing but its result.
load helper

setup() {
	jl_setup
	SHARED=$BATS_TEST_TMPDIR/shared
	export JL_REMOTE_PATIENCE=2m # a busy machine is not a dead remote
	echo "b a" >in.txt
	manifest readwrite
}

manifest() { # mode, further keys
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "file://$SHARED", mode: $1${2+, $2}}]}
		steps:
		  one: {command: "tally one; tr ' ' '\n' < in.txt | sort > out.txt; head -c 400000 /dev/urandom > big; echo said", inputs: in.txt, outputs: [out.txt, big]}
		  two: {command: "tally two; cat out.txt big | wc -c > n.txt; chmod 755 n.txt", inputs: [out.txt, big], outputs: n.txt}
	END
}

# As another user with nothing of his own: a fresh workspace, store and home.
another_user() {
	mkdir -p "$BATS_TEST_TMPDIR/$1/home"
	cp joblib.yaml in.txt "$BATS_TEST_TMPDIR/$1"
	cd "$BATS_TEST_TMPDIR/$1" || return 1
	export HOME=$PWD/home JL_STORE=$PWD/store
	: >"$TALLY"
}

@test "a result of one user is restored by another, byte for byte, nothing run" {
	jl_ok run
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
	another_user bob
	jl_ok run
	assert_summary "2 steps: 0 ran, 0 fresh, 2 restored, 0 failed"
	[ ! -s "$TALLY" ]
	[ "$output" = said ]
	cmp "$WS/big" big
	cmp "$WS/n.txt" n.txt
	[ "$(stat -c %a n.txt)" = 755 ]
	jl_ok run
	assert_summary "2 steps: 0 ran, 2 fresh, 0 restored, 0 failed"
	# It is in the own store by now.
	rm -r "$SHARED" big n.txt .jl
	jl_ok run
	[ ! -s "$TALLY" ]
}

@test "what comes from a remote is put in place from memory: its file in the store is not read" {
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "file://$SHARED", mode: readwrite}]}
		steps:
		  a: {foreach: {from: 1, to: 20}, command: "head -c 100000 /dev/urandom >\${{ output }}", outputs: "out/\${{ item }}"}
	END
	jl_ok run
	another_user bob
	local trace=$BATS_TEST_TMPDIR/trace
	strace -f -qq -o "$trace" true 2>/dev/null || skip "no tracing of processes here"
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 strace -f -qq -y -e trace=open,openat -o "$trace" jl run
	diff -r "$WS/out" out
	[ "$(grep -c "$JL_STORE/tmp>" "$trace")" -ge 40 ]
	if grep "$JL_STORE/cas>.*O_RDONLY" "$trace"; then fail "it is read"; fi
}

@test "main writes, pull requests read" {
	jl_ok run
	another_user reader
	manifest read
	jl_ok run
	[ ! -s "$TALLY" ]
	find "$SHARED" -type f | sort >"$BATS_TEST_TMPDIR/before"
	echo "d c" >in.txt
	jl_ok run
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
	find "$SHARED" -type f | sort | cmp - "$BATS_TEST_TMPDIR/before"
}

@test "the mode of a remote can come from the environment: the job that may fill it says so" {
	manifest read
	JL_REMOTE_CI_MODE=readwrite jl_ok run
	[ "$(find "$SHARED/ac" -type f | wc -l)" = 2 ]
	another_user reader
	manifest readwrite
	echo "d c" >in.txt
	JL_REMOTE_CI_MODE="read" jl_ok run
	[ "$(find "$SHARED/ac" -type f | wc -l)" = 2 ]
	echo "f e" >in.txt
	JL_REMOTE_CI_MODE=rw jl_ok run
	assert_stderr_has 'remote "ci": $JL_REMOTE_CI_MODE is to be read, write, readwrite or off; the remote is not used'
	[ "$(find "$SHARED/ac" -type f | wc -l)" = 2 ]
}

@test "what a remote was good for: told by -v and events, and summed up in the store" {
	jl_ok run -v --events "$BATS_TEST_TMPDIR/events"
	assert_stderr_has 'remote ci: 2 misses, 2 sent, '
	python3 - "$BATS_TEST_TMPDIR/events" <<-'END'
		import json, sys
		e = [json.loads(l) for l in open(sys.argv[1])]
		r = [x for x in e if x["event"] == "remote"]
		assert len(r) == 1 and r[0]["remote"] == "ci" and r[0]["misses"] == r[0]["sent"] == 2 and r[0]["hits"] == 0, r
		assert r[0]["bytes_out"] > 400000 and e[-1]["event"] == "run_finished", r
	END
	jl_ok run
	refute_stderr_has 'remote ci'
	rm -r .jl "$JL_STORE"/ac "$JL_STORE"/cas "$JL_STORE"/index
	jl_ok run
	rm -r .jl "$JL_STORE"/ac "$JL_STORE"/cas "$JL_STORE"/index
	find "$SHARED/cas" -type f -exec truncate -s 1000 {} \;
	jl_ok run
	rm -r "$SHARED" && echo >"$SHARED"
	echo "x y" >in.txt
	jl_ok run
	jl_ok cache stats
	[[ $output == *'remote   ci: 2 hits, 3 misses, 1 refused, 2 without an answer, 4 sent, 2 not sent, '*' in, '*' out, waited '* ]]
	jl_ok cache stats --json
	python3 - "$output" <<-'END'
		import json, sys
		r = json.loads(sys.argv[1])["remotes"]
		assert len(r) == 1 and r[0]["refused"] == 1 and r[0]["no_answer"] == 2, r
		assert r[0]["bytes_out"] > 400000 and r[0]["waited_s"] > 0, r
	END
}

@test "a remote that is only written to is not asked" {
	jl_ok run
	another_user writer
	manifest write
	jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
}

@test "--offline asks nobody and sends nothing" {
	jl_ok run --offline
	[ ! -e "$SHARED" ]
	rm -r .jl "$JL_STORE"
	jl_ok run
	another_user bob
	jl_ok run --offline
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
}

@test "plan and why ask nobody, and say where a run would" {
	jl_ok run
	another_user bob
	printf '#!/bin/sh\ntally helper\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/jl-store-other"
	chmod +x "$BATS_TEST_TMPDIR/bin/jl-store-other"
	sed -i "s|file://$SHARED|other://x|" joblib.yaml
	jl_ok plan
	[[ $output == *"would run  one  not run before; the remotes are asked first"* ]]
	[[ $output == *"maybe  two  "* ]]
	jl_ok why one
	[[ $output == *"the remotes are asked for it first"* ]]
	jl_ok plan --offline
	[[ $output != *remotes* ]]
	JL_REMOTE_CI_MODE="write" jl_ok plan
	[[ $output != *remotes* ]]
	[ ! -s "$TALLY" ]
	[ ! -e "$JL_STORE" ]
	sed -i "s|other://x|file://$SHARED|" joblib.yaml
	jl_ok run
	jl_ok plan
	[[ $output != *remotes* ]]
}

@test "the user's settings name a remote for every workspace" {
	write_manifest <<-END
		version: 1
		steps:
		  one: {command: tally one; cp in.txt out.txt, inputs: in.txt, outputs: out.txt}
	END
	mkdir -p "$XDG_CONFIG_HOME/jl"
	echo "store: {remotes: [{name: ci, url: \"file://$SHARED\", mode: readwrite}]}" >"$XDG_CONFIG_HOME/jl/config.yaml"
	jl_ok run
	another_user bob
	jl_ok run
	assert_summary "1 step: 0 ran, 0 fresh, 1 restored, 0 failed"
}

@test "a step with a depfile is found by what it used" {
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "file://$SHARED", mode: readwrite}]}
		steps:
		  one:
		    command: "tally one; cat in.txt extra.h > out.txt; echo 'out.txt: extra.h' > out.d"
		    inputs: in.txt
		    outputs: out.txt
		    depfile: out.d
	END
	echo used >extra.h
	jl_ok run
	another_user bob
	cp "$WS/extra.h" .
	jl_ok run
	[ ! -s "$TALLY" ]
	cmp "$WS/out.txt" out.txt
	another_user carol
	echo differs >extra.h
	jl_ok run
	[ "$(cat "$TALLY")" = one ]
}

@test "users who ran a step with different headers find each other's results" {
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "file://$SHARED", mode: readwrite}]}
		steps:
		  one:
		    command: "tally one; cat in.txt extra.h > out.txt; echo 'out.txt: extra.h' > out.d"
		    inputs: in.txt
		    outputs: out.txt
		    depfile: out.d
	END
	echo A >extra.h
	jl_ok run
	another_user bob
	echo B >extra.h
	jl_ok run
	another_user carol
	echo A >extra.h
	jl_ok run
	assert_counts restored=1
	another_user dave
	echo B >extra.h
	jl_ok run
	assert_counts restored=1
	assert_equal "$(cat out.txt)" $'b a\nB'
	# Who has a list of his own asks for what it lacks, and adds to it.
	echo C >extra.h
	jl_ok run
	assert_counts ran=1
	cd "$WS"
	export HOME=$BATS_TEST_TMPDIR/home JL_STORE=$BATS_TEST_TMPDIR/store
	: >"$TALLY"
	for header in C B A; do
		echo $header >extra.h
		jl_ok run
		assert_counts restored=1
		assert_equal "$(cat out.txt)" "b a"$'\n'"$header"
	done
	[ ! -s "$TALLY" ]
}

@test "S41 what is not signed by a known key, or was altered, is a miss" {
	echo "ci 0123456789abcdef0123456789" >"$BATS_TEST_TMPDIR/keys"
	jl_ok run # not signed
	another_user bob
	manifest readwrite "sign: \"$BATS_TEST_TMPDIR/keys\""
	jl_ok run
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
	[[ $stderr == *'remote "ci": a result was not taken: it is not signed'* ]]
	[ "$(grep -c "not taken" <<<"$stderr")" = 1 ]
	# Signed by now; by another key in a variable it is refused, and by this one taken.
	another_user carol
	manifest read 'sign: $CI_KEYS'
	CI_KEYS="ci another-key-that-is-long" jl_ok run
	[[ $stderr == *"its signature is wrong"* ]]
	another_user dave
	CI_KEYS=$(cat "$BATS_TEST_TMPDIR/keys") jl_ok run
	[ ! -s "$TALLY" ]
	another_user eve
	find "$SHARED/ac" -type f -exec sh -c 'printf X | dd of="$1" bs=1 seek=200 conv=notrunc status=none' - {} \;
	CI_KEYS=$(cat "$BATS_TEST_TMPDIR/keys") jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
}

@test "S38 an object that is cut, or is a page of somebody else's, is a miss" {
	jl_ok run
	find "$SHARED/cas" -type f -exec truncate -s 1000 {} \;
	another_user bob
	jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
	another_user carol
	find "$SHARED/ac" -type f -exec sh -c 'echo "<html>sorry</html>" >"$1"' - {} \;
	jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
	[[ $stderr == *"it is no result of jl"* ]]
	# Sent again, what was damaged is right again.
	another_user dave
	jl_ok run
	[ ! -s "$TALLY" ]
}

@test "S39 a remote that does not answer is told once, and the run goes on without it" {
	printf '#!/bin/sh\nexec sleep 1000\n' >"$BATS_TEST_TMPDIR/bin/jl-store-mute"
	chmod +x "$BATS_TEST_TMPDIR/bin/jl-store-mute"
	sed -i "s|file://$SHARED|mute://x|" joblib.yaml
	JL_REMOTE_PATIENCE=100ms jl_ok run
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
	[ "$(grep -c 'remote "ci": no answer' <<<"$stderr")" = 1 ]
	sed -i "s|mute://x|nobody://x|" joblib.yaml
	rm -r .jl "$JL_STORE"
	jl_ok run
	[ "$(grep -c 'helper "jl-store-nobody"' <<<"$stderr")" = 1 ]
	# One that ends at once with a word.
	printf '#!/bin/sh\necho "the place is closed" >&2\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/jl-store-nobody"
	chmod +x "$BATS_TEST_TMPDIR/bin/jl-store-nobody"
	rm -r .jl "$JL_STORE"
	jl_ok run
	[[ $stderr == *'remote "ci": the place is closed'* ]]
}

@test "S39 a full or forbidden remote loses nothing but the sending" {
	mkdir "$SHARED"
	echo "in the way" >"$SHARED/ac"
	jl_ok run
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
	[[ $stderr == *"not sent to the remotes"* ]]
	jl_ok run
	assert_summary "2 steps: 0 ran, 2 fresh, 0 restored, 0 failed"
}

@test "results that others may write are named by SHA-256 unless it is allowed otherwise" {
	jl_ok run
	[ "$(find "$SHARED/ac" -type f -printf '%f\n' | awk '{print length}' | sort -u)" = 64 ]
	rm -r .jl "$JL_STORE" "$SHARED"
	manifest readwrite "allow_insecure_hash: true"
	jl_ok run
	[ "$(find "$SHARED/ac" -type f -printf '%f\n' | awk '{print length}' | sort -u)" = 32 ]
}

@test "turning a remote on makes no output somebody else's" {
	sed -i /store:/d joblib.yaml
	jl_ok run
	manifest readwrite
	jl_ok run
	[ ! -e .jl/trash ]
	jl_ok run
	assert_summary "2 steps: 0 ran, 2 fresh, 0 restored, 0 failed"
}

@test "namespaces are apart" {
	manifest readwrite "namespace: team/a"
	jl_ok run
	[ -d "$SHARED/team/a/ac" ]
	another_user bob
	manifest read "namespace: team/b"
	jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
}

@test "a remote's mistakes in the manifest are told with their place" {
	local remote
	for remote in '{name: x, url: "/tmp/x"}' '{name: x, url: "https://me:secret@host/"}' '{url: "file:///x"}' '{name: x}' \
		'{name: x, url: "file:///x", mode: rw}' '{name: x, url: "file:///x", namespace: ../x}' '{name: x, url: "file:///x y"}'; do
		write_manifest <<-END
			version: 1
			store: {remotes: [$remote]}
			steps: {a: {command: echo}}
		END
		run_jl run
		assert_status 2
		[[ $stderr == "joblib.yaml:2:"* ]]
		[[ $stderr != *secret* ]]
	done
}

@test "keys that cannot be read leave the remote out" {
	manifest readwrite "sign: nowhere"
	jl_ok run
	[[ $stderr == *'remote "ci": "sign": cannot read'*"the remote is not used"* ]]
	[ ! -e "$SHARED" ]
}

@test "jl cache push sends what was made without a remote at hand, pull gets what went away" {
	jl_ok run --offline
	jl_ok cache push
	[[ $stderr == *"ci: 2 results sent"* ]]
	another_user bob
	jl_ok run
	[ ! -s "$TALLY" ]
	rm -r "$JL_STORE"
	jl_ok cache pull one
	assert_equal "$stderr" "jl: fetched 1 result"
	jl_ok cache pull
	assert_equal "$stderr" "jl: fetched 1 result; 1 here already"
	rm -r .jl
	jl_ok run --offline
	[ ! -s "$TALLY" ]
	sed -i /store:/d joblib.yaml
	run_jl cache push
	assert_status 2
	[[ $stderr == *"there are no remotes"* ]]
}

# A chain with a folder, a depfile, a late step, one that is never stored and one that nobody made.
long_chain() {
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "file://$SHARED", mode: readwrite}]}
		steps:
		  split: {command: "tally split; mkdir -p parts/deep; cp in.txt parts/a; echo 2 > parts/deep/b; chmod 755 parts/a", inputs: in.txt, outputs: parts/}
		  sum: {command: "tally sum; cat parts/a parts/deep/b > sum.txt", inputs: parts/, outputs: sum.txt}
		  dep: {command: "tally dep; cat sum.txt extra.h > dep.txt; echo 'dep.txt: extra.h' > dep.d", inputs: sum.txt, outputs: dep.txt, depfile: dep.d}
		  pieces: {command: "tally pieces; mkdir -p p; for i in 1 2 3; do echo \$i > p/\$i; done", inputs: dep.txt, outputs: "p/*"}
		  each: {foreach: "p/*", command: "tally each; sed s/^/x/ \${{ item }} > \${{ output }}", inputs: "\${{ item }}", outputs: "e/\${{ item.name }}"}
		  last: {command: "tally last; cat e/* > last.txt", inputs: "e/*", outputs: last.txt}
		  never: {command: "cat last.txt > never.txt", inputs: last.txt, outputs: never.txt, cache: false}
		  after: {command: "cat never.txt > after.txt", inputs: never.txt, outputs: after.txt}
	END
	echo header >extra.h
}

@test "in a fresh clone, pull works out the keys level by level and puts nothing in place" {
	long_chain
	jl_ok run
	[ "$(wc -l <"$TALLY")" = 8 ]
	another_user bob
	cp "$WS/extra.h" .
	find . -path ./store -prune -o -print | sort >"$BATS_TEST_TMPDIR/before"
	jl_ok cache pull
	assert_equal "$stderr" "jl: fetched 8 results; 1 not known before others are made"
	find . -path ./store -prune -o -print | sort | cmp - "$BATS_TEST_TMPDIR/before"
	jl_ok cache pull
	assert_equal "$stderr" "jl: fetched 0 results; 8 here already; 1 not known before others are made"
	jl_ok run --offline
	[ ! -s "$TALLY" ]
	assert_summary "10 steps: 2 ran, 0 fresh, 8 restored, 0 failed"
	cmp last.txt "$WS/last.txt"
	[ -x parts/a ]
	# What lies there as somebody left it is not what the step would give.
	rm -r "$JL_STORE" .jl
	echo mine >sum.txt
	echo more >>parts/a
	jl_ok cache pull last
	assert_equal "$stderr" "jl: fetched 8 results"
	assert_equal "$(cat sum.txt)" mine
}

@test "pull says what nobody has, and goes on with what it has" {
	long_chain
	jl_ok run dep
	another_user bob
	cp "$WS/extra.h" .
	echo other >extra.h
	jl_ok cache pull
	assert_equal "$stderr" "jl: fetched 2 results; 1 nowhere; 5 not known before others are made"
}

@test "push sends what the local store has, without a state" {
	long_chain
	jl_ok run --offline
	[ ! -e "$SHARED" ]
	rm -r .jl parts sum.txt dep.txt dep.d p e last.txt
	: >"$TALLY"
	jl_ok cache push
	[[ $stderr == "jl: ci: "*" results sent" ]]
	[ ! -e .jl ]
	[ ! -e sum.txt ]
	another_user bob
	cp "$WS/extra.h" .
	jl_ok run
	[ ! -s "$TALLY" ]
}

# Folders of the test may be entered by all; other users have no more rights there than in real life.
let_in() {
	local dir=$BATS_TEST_TMPDIR
	while [[ $dir == */jl-test.* || $dir == */bats-run-* ]]; do
		chmod o+x "$dir"
		dir=${dir%/*}
	done
}
as() { # uid, command...: as that user, in his own folder
	local folder=$BATS_TEST_TMPDIR/$1
	cd "$folder" || return 1
	HOME=$folder/home JL_STORE=$folder/store TMPDIR=$folder/tmp XDG_CACHE_HOME='' XDG_CONFIG_HOME='' \
		setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
}
new_user() { # uid
	mkdir -p "$BATS_TEST_TMPDIR/$1"/{home,tmp}
	cp "$WS/joblib.yaml" "$WS/in.txt" "$BATS_TEST_TMPDIR/$1"
	chown -R "$1:$1" "$BATS_TEST_TMPDIR/$1"
	chmod 700 "$BATS_TEST_TMPDIR/$1"
}

@test "two users of one machine: the other gets it byte for byte, may not write, and believes nothing altered" {
	setpriv --reuid 4001 --regid 4001 --clear-groups true 2>/dev/null || skip "nobody here becomes somebody else"
	cp "$JL_BUILD/jl" "$JL_BUILD/libexec/jl/jl-store-file" "$BATS_TEST_TMPDIR/bin"
	let_in
	chmod 666 "$TALLY"
	export CI_KEYS="ci 0123456789abcdef0123456789"
	manifest read 'sign: $CI_KEYS'
	new_user 4001
	new_user 4002
	install -d -o 4001 -g 4001 -m 755 "$SHARED"
	as 4001 true || skip "other users cannot get here"
	JL_REMOTE_CI_MODE=readwrite run --separate-stderr as 4001 jl run
	assert_status 0
	assert_counts ran=2
	: >"$TALLY"
	run --separate-stderr as 4002 jl run
	assert_status 0
	assert_counts restored=2
	[ ! -s "$TALLY" ]
	cmp "$BATS_TEST_TMPDIR/4001/big" "$BATS_TEST_TMPDIR/4002/big"
	[ "$(stat -c %u "$BATS_TEST_TMPDIR/4002/big")" = 4002 ]
	# He may not write there, though he says so.
	echo "d c" >"$BATS_TEST_TMPDIR/4002/in.txt"
	find "$SHARED" -type f | sort >"$BATS_TEST_TMPDIR/before"
	JL_REMOTE_CI_MODE=readwrite run --separate-stderr as 4002 jl run
	assert_counts ran=2
	assert_stderr_has "nothing more is sent to it"
	find "$SHARED" -type f | sort | cmp - "$BATS_TEST_TMPDIR/before"
	# Somebody with the rights alters what lies there.
	find "$SHARED/ac" -type f -exec sh -c 'printf X | dd of="$1" bs=1 seek=200 conv=notrunc status=none' - {} \;
	new_user 4003
	: >"$TALLY"
	run --separate-stderr as 4003 jl run
	assert_counts ran=2
	assert_stderr_has 'a result was not taken: its signature is wrong'
}

@test "jl itself loads no library for what its helpers do" {
	[[ -z ${JL_SAN-} ]] || skip "sanitizers load their own"
	run ldd "$JL_BUILD/jl"
	for library in curl ssl crypto gnutls nghttp2 archive krb5 ldap xml2; do
		refute_output --partial "lib$library"
	done
	# What is linked in where there is an archive of it, else loaded: yaml, zstd, z, nettle, jansson.
	[ "$(readelf -d "$JL_BUILD/jl" | grep -c '(NEEDED)')" -le 6 ]
	run ! grep -q 'dlopen' <(nm -D --undefined-only "$JL_BUILD/jl")
	ldd "$JL_BUILD/libexec/jl/jl-store-http" | grep -q libcurl
}
