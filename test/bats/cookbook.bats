# docs/cookbook.md: every block of it is run here, as it stands there.
load helper
load ../servers/helper

BOOK=$JL_SOURCE/docs/cookbook.md

# The block below "<!-- example: NAME -->".
block() { # name
	awk -v want="<!-- example: $1 -->" '
		$0 == want { found = 1; next }
		found && /^```/ { if (++fences == 2) exit; next }
		found && fences == 1 { print }' "$BOOK"
}
# Run it in this folder: $output, $stderr, $status.
example() { # name
	block "$1" >"$BATS_TEST_TMPDIR/block"
	[[ -s $BATS_TEST_TMPDIR/block ]] || fail "no example \"$1\" in $BOOK"
	run --separate-stderr bash "$BATS_TEST_TMPDIR/block" </dev/null
}
example_ok() {
	example "$1"
	assert_status 0
}

logs() {
	mkdir -p logs
	printf 'a 1\nb 2\na 3\n' >logs/one.txt
	printf 'c 1\n' >'logs/two words.txt'
	for f in logs/*.txt; do gzip -kn "$f"; done
}

@test "each block has a name, and each name a test" {
	[[ $(grep -c '^```[a-z]' "$BOOK") == $(grep -c '^<!-- example: ' "$BOOK") ]]
	run ! grep -qv -e '^```' -e '^<!-- example: ' -e '^--$' <(grep -B1 '^```[a-z]' "$BOOK")
	while read -r name; do
		grep -qE "(example|example_ok|block|same_as|workflow) $name( |\$|\))" "$BATS_TEST_FILENAME" || fail "$name is not run"
	done < <(sed -n 's/^<!-- example: \(.*\) -->$/\1/p' "$BOOK")
	for anchor in $(grep -o '](#[^)]*)' "$BOOK" | tr -d ']()#'); do
		grep '^## ' "$BOOK" | tr 'A-Z ' 'a-z-' | tr -d '`,#' | sed 's/^-//' | grep -qx -- "$anchor" || fail "$anchor"
	done
}

@test "a loop over files and what becomes of it make the same" {
	logs
	example_ok loop-before
	mkdir want
	mv logs/*.counts want/
	example_ok loop-after
	for f in want/*; do cmp "$f" "logs/${f#want/}"; done
	[[ -e want/one.txt.counts && -e 'want/two words.txt.counts' && $(cat want/one.txt.counts) == *'2 a'* ]]
}

@test "a loop over lines and what becomes of it say the same" {
	printf '10.0.0.1 alpha\n10.0.0.2 beta\n' >hosts
	example_ok read-before
	want=$output
	[[ $want == $'alpha is 10.0.0.1\nbeta is 10.0.0.2' ]]
	example_ok read-after
	assert_output "$want"
}

@test "all pairs" {
	example_ok nested
	assert_output $'amd64-debug\namd64-release\narm64-debug\narm64-release'
}

@test "a list that is gone through once" {
	printf 'a\nb\n' >work-list
	example_ok resume
	printf 'c\n' >>work-list
	example_ok resume
	[[ $(sort "$TALLY") == $'a\nb\nc' ]]
}

@test "map --memo runs one job when one file was changed" {
	logs
	example_ok map-memo
	echo 'd 1' >>logs/one.txt
	rm logs/*.counts
	example_ok map-memo
	[[ $(cat logs/one.counts) == *'1 d 1'* && $(cat 'logs/two words.counts') == *'1 c 1' ]]
	example_ok map-memo
}

@test "memo in a loop leaves the loop its list" {
	printf 'one two\n' >x
	printf 'three\n' >y
	printf 'x\ny\n' >list
	example_ok while-memo
	assert_output $'2 x\n1 y'
}

@test "find -print0" {
	mkdir d
	echo 1 >'d/a b.txt'
	echo 2 >$'d/new\nline.txt'
	example_ok find-print0
	[[ ${#lines[@]} == 2 && $output == *'d/a b.txt'* && $output == *'new\nline'* ]]
}

@test "halt" {
	example halt
	assert_status 1
	[[ $stderr == *'test broken != broken'* ]]
}

# Each row of the table, word for word: what the other program prints, jl prints.
same_as() { # the other's command, jl's
	grep -qF "| \`${1//|/\\|}\` | \`${2//|/\\|}\` |" "$BOOK" || fail "not in the table: $1"
	rm -f f
	want=$(bash -c "$1" <list | LC_ALL=C sort)
	rm -f f
	assert_equal "$(bash -c "$2" <list | LC_ALL=C sort)" "$want"
}
@test "the table of commands" {
	printf 'a\nb\n' >list
	echo 1 >a
	echo 2 >b
	same_as 'find . -print0 | xargs -0 -n1 ls -d' 'find . -print0 | jl map -0 ls -d'
	same_as 'xargs cat' 'jl map -m cat'
	same_as 'xargs -I% cp % %.bak' 'jl map cp {} {}.bak'
	cmp a a.bak
	same_as 'parallel -k --tag echo {} ::: a b' 'jl map -k --tag echo {} ::: a b'
	same_as "parallel --colsep ' ' echo {2} {1} ::: 'x y'" "jl map --colsep ' ' echo {2} {1} ::: 'x y'"
	same_as 'parallel --halt now,fail=1 false ::: 1' 'jl map --halt now,fail=1 false ::: 1'
	same_as 'parallel --joblog f --resume-failed echo' 'jl map --joblog f --resume-failed echo'
	bash -c 'jl map -j4 gzip -n' <list
	[[ -e a.gz && -e b.gz ]]
	grep -qF '`xargs -P4 -n1 gzip -n` | `jl map -j4 gzip -n`' "$BOOK"
}

@test "a pipeline, the second time from the store" {
	printf 'b\na\nb\n' >visits.log
	example_ok pipeline
	assert_output $'a\nb'
	jl memo --check -- sort -u <visits.log
	example_ok pipeline
	assert_output $'a\nb'
	printf 's/a/anna/\n' >names.sed
	example_ok pipeline-input
	assert_output $'anna\nb\nb'
	printf 's/a/otto/\n' >names.sed
	example_ok pipeline-input
	assert_output $'b\nb\notto'
	example_ok pipeline-word
	[[ $output =~ ^\ *2\ b$ ]]
}

@test "an answer that is good for an hour" {
	example_ok ttl
	want=$output
	head -c 1000000 /dev/zero >larger
	example_ok ttl
	assert_output "$want"
}

@test "asking first" {
	echo a >visits.log
	example_ok check
	assert_output 'not stored yet'
	jl memo -i visits.log -- sort visits.log >/dev/null
	example_ok check
	assert_output ''
}

@test "pipefail" {
	example_ok no-pipefail
	assert_output 'status 0'
	example_ok pipefail
	assert_output 'status 1'
	[[ $(cat report) == 'half of it' ]]
}

@test "head behind memo, head behind map" {
	example_ok head
	assert_output $'1\n2\n3'
	example_ok map-head
	assert_output $'1\n2'
	assert_equal "$stderr" ''
}

@test "the Makefile of objects: a second build is a restore" {
	block make-objects >Makefile
	printf '#define N 1\n' >n.h
	printf '#include "n.h"\nint n(void) { return N; }\n' >n.c
	printf 'int n(void);\nint main(void) { return n() - 1; }\n' >main.c
	mkdir cc
	printf '#!/bin/sh\ntally cc\nexec gcc "$@"\n' >cc/cc
	chmod +x cc/cc
	run --separate-stderr make -j2 CC="$WS/cc/cc"
	assert_status 0
	./program
	[[ $(tallies cc) == 3 ]]
	make -s clean
	run --separate-stderr make -j2 CC="$WS/cc/cc"
	assert_status 0
	./program
	[[ $(tallies cc) == 3 ]]
	run --separate-stderr make CC="$WS/cc/cc"
	[[ $output == *"up to date"* ]]
	# n.h is in n.o only.
	printf '#define N 1 + 0\n' >n.h
	run --separate-stderr make -j2 CC="$WS/cc/cc"
	assert_status 0
	./program
	[[ $(tallies cc) == 5 || $(tallies cc) == 4 ]]
}

@test "the simple Makefile" {
	block make-simple >Makefile
	printf '1\n2\n' >data.csv
	printf '{ n += $1 } END { print n }\n' >summary.awk
	run make
	assert_status 0
	[[ $(cat report.txt) == 3 ]]
	rm report.txt
	run make
	[[ $(cat report.txt) == 3 ]]
	run make
	[[ $output == *"up to date"* ]]
}

@test "results elsewhere" {
	write_manifest <<-'END'
		version: 1
		steps:
		  report: {command: "tally report; echo done > out", outputs: out}
	END
	jl_ok run
	# The other machine has a store of its own.
	printf '#!/bin/sh\n[ "$1" = host ] && shift\nJL_STORE=%s/there exec sh -c "$*"\n' "$BATS_TEST_TMPDIR" >"$BATS_TEST_TMPDIR/bin/ssh"
	chmod +x "$BATS_TEST_TMPDIR/bin/ssh"
	example_ok dump-ssh
	mkdir ../other
	cp joblib.yaml ../other/
	(cd ../other && JL_STORE=$BATS_TEST_TMPDIR/there jl run 2>&1) | grep '1 restored'
	example_ok dump-file
	tar --zstd -tf report.tar.zst | grep -qx joblib.yaml
	mkdir ../third
	cp report.tar.zst ../third/
	cd ../third
	export JL_STORE=$BATS_TEST_TMPDIR/third-store
	example_ok load-file
	[[ $(cat out) == 'done' ]]
	cmp joblib.yaml ../other/joblib.yaml
	[[ $(tallies report) == 1 ]]
}

@test "the crontab's lines say nothing when all is well, and all that is needed when not" {
	mkdir -p "$HOME/nightly"
	cd "$HOME/nightly"
	write_manifest <<-'END'
		version: 1
		steps:
		  good: {command: cp in out, inputs: in, outputs: out, tags: often}
	END
	echo 1 >in
	n=0
	while read -r _ _ _ _ _ line; do
		run --separate-stderr env -i HOME="$HOME" LOGNAME=root SHELL=/bin/sh JL_STORE="$JL_STORE" \
			PATH="$JL_BUILD:/usr/bin:/bin" /bin/sh -c "$line"
		assert_status 0
		assert_equal "$output$stderr" ''
		n=$((n + 1))
	done < <(block crontab | grep 'jl run')
	[[ $n == 2 && $(cat out) == 1 ]]
	rm in
	printf '  bad: {command: "echo why >&2; exit 3"}\n' >>joblib.yaml
	echo 2 >in
	while read -r _ _ _ _ _ line; do
		run --separate-stderr env -i HOME="$HOME" LOGNAME=root SHELL=/bin/sh JL_STORE="$JL_STORE" \
			PATH="$JL_BUILD:/usr/bin:/bin" /bin/sh -c "$line"
	done < <(block crontab | grep 'jl run.*keep-going')
	assert_status 1
	[[ $stderr$output == *why* && $stderr == *'jl log bad'* && $(cat out) == 2 ]]
}

# The script lines of a workflow's jl, run on a small manifest; the file as a whole must be YAML of the expected shape.
workflow() { # name, python expression over d that gives the script
	write_manifest <<-'END'
		version: 1
		steps:
		  good: {command: echo fine}
	END
	block "$1" >workflow.yml
	python3 -c 'import sys, yaml; d = yaml.safe_load(open("workflow.yml")); print('"$2"')' >script
	grep -q 'jl run' script
	run --separate-stderr bash -e script
	assert_status 0
	python3 -c 'import sys, xml.etree.ElementTree as t; assert t.parse("junit.xml").getroot().tag == "testsuites"'
}

@test "the CI files have the right form, and their lines run" {
	workflow github '"\n".join(s["run"] for s in d["jobs"]["run"]["steps"] if "run" in s)'
	rm junit.xml
	workflow gitlab '"\n".join(d["pipeline"]["script"])'
}

@test "inputs by URL: fetched once, and pinned" {
	files_start
	printf 'b\na\nb\n' >"$FILES_DATA/words.txt"
	printf 'a\n' >"$FILES_DATA/stop.txt"
	block urls | sed "s,https://data.example.org/2026,$FILES_URL," >joblib.yaml
	grep -q "$(sha256sum <"$FILES_DATA/stop.txt" | cut -d ' ' -f 1)" joblib.yaml || fail "$(sha256sum "$FILES_DATA/stop.txt")"
	jl_ok run
	assert_file counts.txt $'      2 b\n      1 a'
	jl_ok run
	assert_counts fresh=1
	[[ $(files_count '/stop.txt ') == 1 && $(files_count '/words.txt ') == 2 ]]
	jl_ok run --offline
}

# A clone of the example's workspace with a store of its own; the store that is shared is a folder.
clone() { # name
	mkdir "$BATS_TEST_TMPDIR/$1"
	cp joblib.yaml visits.log "$BATS_TEST_TMPDIR/$1"
	cd "$BATS_TEST_TMPDIR/$1" || return 1
	export JL_STORE=$BATS_TEST_TMPDIR/$1-store
}
shared() { find "$BATS_TEST_TMPDIR/shared/$1" -type f 2>/dev/null | wc -l; }

@test "main writes, pull requests read" {
	printf 'b\na\n' >visits.log
	block shared-manifest | sed "s|https://cache.example.org/jl|file://$BATS_TEST_TMPDIR/shared|" >joblib.yaml
	block shared-github >workflow.yml
	python3 - <<-'END'
		import yaml
		job = yaml.safe_load(open("workflow.yml"))["jobs"]["run"]
		assert set(job["env"]) == {"JL_KEYS", "JL_REMOTE_CI_MODE", "JL_REMOTE_CI_TOKEN"}, job["env"]
		assert "'readwrite' || 'read'" in job["env"]["JL_REMOTE_CI_MODE"]
		open("script", "w").write(job["steps"][-1]["run"])
	END
	script=$PWD/script
	export JL_REMOTE_PATIENCE=2m JL_KEYS="main 0123456789abcdef0123456789abcdef"
	JL_REMOTE_CI_MODE=readwrite run --separate-stderr bash -e "$script"
	assert_status 0
	assert_stderr_has 'remote ci: 1 miss, 1 sent'
	[[ $(shared ac) == 1 ]]
	clone pr
	export JL_REMOTE_CI_MODE=read
	run --separate-stderr bash -e "$script"
	assert_status 0
	assert_counts restored=1
	echo c >>visits.log
	run --separate-stderr bash -e "$script"
	assert_counts ran=1
	[[ $(shared ac) == 1 ]]
	# A fork has no secrets.
	echo b >visits.log
	echo a >>visits.log
	clone fork
	JL_KEYS='' run --separate-stderr bash -e "$script"
	assert_counts ran=1
	assert_stderr_has 'remote "ci": "sign": the variable "JL_KEYS" is not set; the remote is not used'
}

@test "pull requests share among themselves, which main never asks" {
	printf 'b\na\n' >visits.log
	block shared-manifest | sed '/^store:/,/name: ci/d' >joblib.yaml
	block shared-places | sed "s|https://cache.example.org/jl|file://$BATS_TEST_TMPDIR/shared|" >>joblib.yaml
	export JL_REMOTE_PATIENCE=2m JL_KEYS="main 0123456789abcdef0123456789abcdef"
	as_main() { JL_REMOTE_MAIN_MODE=readwrite JL_REMOTE_PR_MODE=off jl_ok run; }
	jl_ok run
	assert_counts ran=1
	[[ $(shared main) == 0 && $(shared pr) == 1 ]]
	clone one
	as_main
	assert_counts ran=1
	[[ $(shared main) == 1 && $(shared pr) == 1 ]]
	clone two
	jl_ok run -v
	assert_counts restored=1
	assert_stderr_has 'remote main: 1 hit'
	echo c >>visits.log
	jl_ok run
	assert_counts ran=1
	clone three
	jl_ok run -v
	assert_counts restored=1
	assert_stderr_has 'remote main: 1 miss'
	assert_stderr_has 'remote pr: 1 hit'
	[[ $(shared main) == 1 && $(shared pr) == 2 ]]
}

# Its lines are those of a real nginx in test/servers/nginx.sh.
@test "the server's part is there" {
	block shared-nginx | grep -q 'limit_except GET'
}
