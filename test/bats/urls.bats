#!/usr/bin/env bats
# Inputs by URL: fetched once, asked for again only as a question, gone on with where they were cut, and never other bytes than
# those that are promised.
load helper
load ../servers/helper

setup() {
	jl_setup
	export no_proxy='*' JL_REMOTE_PATIENCE=2m # a busy machine is no dead server
}

# One step that copies what it fetched: manifest URL-OR-MAPPING [further lines]
manifest() {
	write_manifest <<-END
		version: 1
		steps:
		  one: {command: "tally one; cat \${{ inputs.raw }} > out", inputs: {raw: $1}, outputs: out}
	END
}

sha() { sha256sum <"$1" | cut -c 1-64; }
copy_of() { echo .jl/inputs/*/"$1"; }

# The file served next as NAME, of so many bytes.
serve() { head -c "${2-1000}" /dev/urandom >"$FILES_DATA/$1"; }

@test "an input by URL is fetched once; after that the server is asked only whether it changed" {
	files_start
	serve raw.bin 300000
	manifest "'$FILES_URL/raw.bin'"
	jl_ok run
	assert_counts ran=1
	assert_stderr_has "fetched  $FILES_URL/raw.bin  (300.0 kB in "
	cmp out "$FILES_DATA/raw.bin"
	[ "$(stat -c %a "$(copy_of raw.bin)")" = 444 ]
	jl_ok run
	assert_counts fresh=1
	refute_stderr_has fetched
	[ "$(files_count ' 200 ')" = 1 ]
	[ "$(files_count ' 304 ')" = 1 ]
	serve raw.bin 200000
	jl_ok run
	assert_counts ran=1
	cmp out "$FILES_DATA/raw.bin"
	assert_tallies 2
	# Back as it was before: its result is in the store.
	[ "$(files_count ' 200 ')" = 2 ]
}

@test "a URL as a plain text, in a list, under a name, from a variable, as standard input; in an included folder" {
	files_start
	echo data >"$FILES_DATA/a.txt"
	mkdir sub
	write_manifest sub/joblib.yaml <<-END
		version: 1
		steps:
		  three: {command: "cd .. && cat sub/\${{ input }} > sub/\${{ output }}", inputs: '$FILES_URL/a.txt', outputs: out}
	END
	write_manifest <<-END
		version: 1
		vars: {base: "$FILES_URL", sum: "sha256:$(sha "$FILES_DATA/a.txt")"}
		include: [{file: sub/joblib.yaml, as: sub}]
		steps:
		  one: {command: "cat \${{ inputs }} > \${{ output }}", inputs: ['$FILES_URL/a.txt', '\${{ vars.base }}/a.txt?v=2'], outputs: one}
		  two:
		    foreach: [a]
		    command: [tr, a-z, A-Z]
		    stdin: '\${{ vars.base }}/\${{ item }}.txt'
		    stdout: two
		  four: {command: "cat \${{ inputs.x }} > four", inputs: {x: {url: '\${{ vars.base }}/a.txt', digest: '\${{ vars.sum }}'}}, outputs: four}
	END
	jl_ok run
	assert_counts ran=4
	assert_file one $'data\ndata'
	assert_file two DATA
	assert_file four data
	assert_file sub/out data
	jl_ok run
	assert_counts fresh=4
}

@test "two steps with one URL fetch it once; many are fetched at once" {
	files_start
	local i
	for i in $(seq 40); do serve "f$i" 2000; done
	write_manifest <<-END
		version: 1
		steps:
		  each: {foreach: {from: 1, to: 40}, command: "cat \${{ inputs }} > \${{ output }}", inputs: ['$FILES_URL/f\${{ item }}', '$FILES_URL/f1'], outputs: 'o/\${{ item }}'}
	END
	jl_ok run
	[ "$(files_count '^GET .* 200 ')" = 40 ]
	[ "$(files_count '^GET /f1 ')" = 1 ]
	for i in $(seq 40); do cat "$FILES_DATA/f$i" "$FILES_DATA/f1" | cmp - "o/$i"; done
}

@test "with a digest nobody is asked as long as the content is here, wherever it came from" {
	files_start
	serve raw.bin 50000
	manifest "{url: '$FILES_URL/raw.bin', digest: 'sha256:$(sha "$FILES_DATA/raw.bin")'}"
	jl_ok run
	: >"$FILES_REQUESTS"
	jl_ok run
	assert_counts fresh=1
	# Another checkout, another place with the same: it comes from the store.
	mkdir ../other
	sed "s,$FILES_URL/raw.bin,https://mirror.invalid/pub/raw.bin," joblib.yaml >../other/joblib.yaml
	cd ../other
	jl_ok run
	assert_counts restored=1
	cmp out "$FILES_DATA/raw.bin"
	rm -r .jl
	jl_ok run --offline --force
	cmp out "$FILES_DATA/raw.bin"
	[ ! -s "$FILES_REQUESTS" ]
}

@test "another checkout takes an undigested input from the store and asks whether it changed" {
	files_start
	serve raw.bin 50000
	manifest "'$FILES_URL/raw.bin'"
	jl_ok run
	mkdir ../other
	cp joblib.yaml ../other
	cd ../other
	jl_ok run
	assert_counts restored=1
	[ "$(files_count ' 200 ')" = 1 ]
	[ "$(files_count ' 304 ')" = 1 ]
}

@test "S38 what is not of its digest is refused with both digests, a page in place of data too; without one it is taken" {
	files_start
	serve raw.bin
	local want
	want=$(sha "$FILES_DATA/raw.bin")
	echo '<html>Please sign in</html>' >"$FILES_DATA/raw.bin"
	manifest "{url: '$FILES_URL/raw.bin', digest: 'sha256:$want'}"
	run_jl run
	assert_status 1
	assert_stderr_has "cannot fetch \"$FILES_URL/raw.bin\": its content is sha256:$(sha "$FILES_DATA/raw.bin"), not sha256:$want"
	assert_tallies 0
	assert_no_file "$(copy_of raw.bin)" "$(copy_of .part)"
	manifest "'$FILES_URL/raw.bin'"
	jl_ok run
	assert_file out '<html>Please sign in</html>'
}

@test "S38 a download that is cut goes on where it was" {
	files_start
	serve raw.bin 9000000
	proxy_start --to "$FILES_URL" --http
	manifest "'http://127.0.0.1:$PROXY_PORT/raw.bin'"
	proxy_set body=4000000 times=2
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
	# Once from the start, then twice from where it had come to.
	[ "$(files_count '^GET /raw.bin 200 9000000 - ')" = 1 ]
	[ "$(files_count '^GET /raw.bin 206 [0-9]+ bytes=[1-9][0-9]*-')" = 2 ]
	[ "$(awk '{ n += $4 } END { print n }' "$FILES_REQUESTS")" -lt 20000000 ]
}

# Begin a run whose download stands still in the middle, and kill it and its helper: killed_in_the_middle
killed_in_the_middle() {
	proxy_set stall=3000000
	jl run &
	local pid=$! helper
	# shellcheck disable=SC2016
	wait_until bash -c '[ "$(stat -c %s .jl/inputs/*/.part 2>/dev/null || echo 0)" -ge 2000000 ]'
	helper=$(pgrep -P "$pid" -f jl-store-http)
	kill -KILL "$pid" "$helper"
	wait "$pid" 2>/dev/null || true
	proxy_set
	: >"$FILES_REQUESTS"
}

@test "after kill -9 in mid-download the next run goes on from there" {
	files_start
	serve raw.bin 9000000
	proxy_start --to "$FILES_URL" --http
	manifest "'http://127.0.0.1:$PROXY_PORT/raw.bin'"
	killed_in_the_middle
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
	[ "$(files_count ' 206 ')" = 1 ]
	[ "$(files_count ' 200 ')" = 0 ]
	assert_no_file "$(copy_of .part)" "$(copy_of .part-of)"
}

@test "what changed since a download was cut is fetched from its start" {
	files_start
	serve raw.bin 9000000
	proxy_start --to "$FILES_URL" --http
	manifest "'http://127.0.0.1:$PROXY_PORT/raw.bin'"
	killed_in_the_middle
	serve raw.bin 9000000
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
	[ "$(files_count ' 206 ')" = 0 ]
	# Shorter than what is there of it.
	rm -r .jl "$JL_STORE" out
	serve raw.bin 9000000
	killed_in_the_middle
	serve raw.bin 1000
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
}

@test "a server without names for its contents: from the start, or by the digest; one without ranges: from the start" {
	AS=plain files_start --no-etag --no-range
	serve raw.bin 9000000
	proxy_start --to "$FILES_URL" --http
	manifest "'http://127.0.0.1:$PROXY_PORT/raw.bin'"
	killed_in_the_middle
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
	[ "$(files_count ' 200 ')" = 1 ]
	jl_ok run
	assert_counts fresh=1
	[ "$(files_count ' 304 ')" = 1 ]
}

@test "a part that is damaged is not taken for the beginning: the digest tells, and all comes anew" {
	files_start
	serve raw.bin 9000000
	proxy_start --to "$FILES_URL" --http
	manifest "{url: 'http://127.0.0.1:$PROXY_PORT/raw.bin', digest: 'sha256:$(sha "$FILES_DATA/raw.bin")'}"
	killed_in_the_middle
	printf x | dd of="$(copy_of .part)" bs=1 seek=1000 conv=notrunc status=none
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
	[ "$(files_count ' 206 ')" = 1 ]
	[ "$(files_count ' 200 ')" = 1 ]
}

@test "--offline takes what is there and asks nobody; what is not there is one clear failure" {
	files_start
	serve raw.bin
	manifest "'$FILES_URL/raw.bin'"
	run_jl run --offline
	assert_status 1
	assert_stderr_has "cannot fetch \"$FILES_URL/raw.bin\": it was not fetched before, and --offline asks nobody"
	jl_ok run
	: >"$FILES_REQUESTS"
	serve raw.bin
	jl_ok run --offline
	assert_counts fresh=1
	[ ! -s "$FILES_REQUESTS" ]
}

@test "S39 a server that does not answer: a copy is used, which is told; without one the step fails and others run" {
	files_start
	serve raw.bin
	serve new.bin
	manifest "'$FILES_URL/raw.bin'"
	jl_ok run
	server_stop files.py files
	jl_ok run
	assert_counts fresh=1
	assert_stderr_has "cannot ask whether \"$FILES_URL/raw.bin\" changed: "
	assert_stderr_has "the copy of "
	cat >>joblib.yaml <<-END
		  two: {command: [cat, '\${{ input }}'], inputs: '$FILES_URL/new.bin'}
		  three: {command: "echo > three", outputs: three}
	END
	run_jl run -k
	assert_status 1
	assert_stderr_has "jl: two failed: cannot fetch \"$FILES_URL/new.bin\": "
	assert_summary "3 steps: 1 ran, 1 fresh, 0 restored, 1 failed"
}

@test "an answer that says no is a failure, also with a copy" {
	files_start
	serve raw.bin
	manifest "'$FILES_URL/raw.bin'"
	jl_ok run
	rm "$FILES_DATA/raw.bin"
	run_jl run
	assert_status 1
	assert_stderr_has "cannot fetch \"$FILES_URL/raw.bin\": HTTP 404"
	jl_ok run --offline
	assert_counts fresh=1
}

@test "max_age: for so long the server is not asked" {
	files_start
	serve raw.bin
	manifest "{url: '$FILES_URL/raw.bin', max_age: 1d}"
	jl_ok run
	: >"$FILES_REQUESTS"
	serve raw.bin
	jl_ok run
	assert_counts fresh=1
	[ ! -s "$FILES_REQUESTS" ]
	sed -i 's/^asked .*/asked 1000/' "$(copy_of .about)"
	jl_ok run
	assert_counts ran=1
	# Confirmed counts as well as fetched.
	sed -i 's/^asked .*/asked 1000/' "$(copy_of .about)"
	jl_ok run
	jl_ok run
	[ "$(files_count ' 304 ')" = 1 ]
}

@test "plan and why ask nobody and write nothing; why names the URL with both digests" {
	files_start
	serve raw.bin
	manifest "'$FILES_URL/raw.bin?token=sekret'"
	jl_ok plan
	assert_output "maybe  one  an input by URL is not here; it is fetched when it runs"
	jl_ok why one
	[ ! -s "$FILES_REQUESTS" ]
	assert_no_file .jl "$JL_STORE"
	jl_ok run --events events
	local old
	old=$(jl hash "$(copy_of raw.bin)" | cut -d ' ' -f 1)
	serve raw.bin
	jl_ok plan
	assert_stderr_has "1 fresh"
	[ "$(files_count)" = 1 ]
	# Brought, but not used: the step fails.
	sed -i 's/tally one; cat/false; cat/' joblib.yaml
	run_jl run
	assert_status 1
	jl_ok why one
	assert_output --partial "input $FILES_URL/raw.bin?... changed: "
	assert_output --partial "${old:0:17}"
	assert_output --partial "$(jl hash "$(copy_of raw.bin)" | cut -c 1-17)"
	# What stands behind the question mark may be a secret.
	run ! grep -rlsae sekret events .jl/logs .jl/last-run .jl/inputs "$JL_STORE"
}

@test "a copy that was edited, or is gone with the store, is brought anew" {
	files_start
	serve raw.bin
	manifest "'$FILES_URL/raw.bin'"
	jl_ok run
	chmod u+w "$(copy_of raw.bin)"
	echo edited >>"$(copy_of raw.bin)"
	jl_ok run
	assert_counts fresh=1
	cmp "$(copy_of raw.bin)" "$FILES_DATA/raw.bin"
	[ "$(files_count ' 200 ')" = 1 ]
	jl_ok cache verify
	jl_ok cache clear --yes
	rm -r .jl/inputs
	jl_ok run
	cmp "$(copy_of raw.bin)" "$FILES_DATA/raw.bin"
	[ "$(files_count ' 200 ')" = 2 ]
}

@test "without a store, or one that is too small, or read only, inputs are fetched all the same" {
	files_start
	serve raw.bin 100000
	manifest "'$FILES_URL/raw.bin'"
	jl_ok run --cache off
	assert_no_file "$JL_STORE"
	jl_ok run --max-size 20000
	jl_ok cache stats
	rm -rf .jl out
	jl_ok run --cache ro
	cmp out "$FILES_DATA/raw.bin"
}

@test "two runs in one workspace: the second waits and fetches nothing" {
	files_start
	serve raw.bin 9000000
	proxy_start --to "$FILES_URL" --http
	manifest "'http://127.0.0.1:$PROXY_PORT/raw.bin'"
	proxy_set stall=3000000
	jl run &
	local first=$!
	# shellcheck disable=SC2016
	wait_until bash -c '[ "$(stat -c %s .jl/inputs/*/.part 2>/dev/null || echo 0)" -ge 2000000 ]'
	jl run 2>second &
	local second=$!
	wait_until grep -q waiting second
	proxy_set
	wait "$first"
	wait "$second"
	[ "$(files_count ' 200 ')" = 1 ]
	cmp out "$FILES_DATA/raw.bin"
}

@test "a download tells how far it is, in events and in lines" {
	files_start
	serve raw.bin 9000000
	proxy_start --to "$FILES_URL" --http
	manifest "'http://127.0.0.1:$PROXY_PORT/raw.bin'"
	proxy_set stall=3000000
	jl run --events events &
	local pid=$!
	wait_until grep -q '"event":"fetch",.*"status":"fetching","bytes":[1-9][0-9]*,"size":9000000' events
	proxy_set
	wait "$pid"
	grep -q '"event":"fetch",.*"status":"fetched","bytes":9000000,"size":9000000' events
}

@test "a redirect is followed on its own host, elsewhere only with a digest, and never to plain http" {
	files_start
	serve raw.bin
	proxy_start --to "$FILES_URL" --http
	manifest "'http://localhost:$PROXY_PORT/raw.bin'"
	proxy_set "redirect=$FILES_URL" times=1
	run_jl run
	assert_status 1
	assert_stderr_has "HTTP 302 to 127.0.0.1, a place that is not allowed"
	proxy_set "redirect=$FILES_URL" times=1
	JL_REMOTE_LOCALHOST_HOSTS=127.0.0.1 jl_ok run
	cmp out "$FILES_DATA/raw.bin"
	rm -r .jl "$JL_STORE"
	manifest "{url: 'http://localhost:$PROXY_PORT/raw.bin', digest: 'sha256:$(sha "$FILES_DATA/raw.bin")'}"
	proxy_set "redirect=$FILES_URL" times=1
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
}

@test "URLs that may not be used are refused with their place, and a password is not repeated" {
	local bad place text
	while IFS='|' read -r bad place text; do
		manifest "$bad"
		run_jl run
		assert_status 2
		assert_stderr_has "joblib.yaml:3:$place $text"
		refute_stderr_has sekret
	done <<-'END'
		'https://me:sekret@example.org/a'|74:|the URL holds a user or password; they come from variables or ~/.netrc
		http://example.org/a|74:|the URL "http://example.org/a" comes over plain http, where anybody on the way can change it; give it a "digest", or use https
		'https://example.org/a b'|74:|the URL "https://example.org/a b" holds a blank
		{url: data.csv}|80:|the URL "data.csv" does not begin with http://, https:// or s3://
		{url: 'https://example.org/a', digest: 'md5:12'}|113:|"digest" wants sha256: and 64 hexadecimal digits, not "md5:12"
		{url: 'https://example.org/a', optional: true}|74:|a URL cannot be "optional"
		{path: a, digest: 'sha256:12'}|74:|"digest" and "max_age" are of a "url"
		'https:///a'|74:|the URL "https:///a" names no host
	END
	write_manifest <<-'END'
		version: 1
		vars: {place: "https://me:sekret@example.org"}
		steps:
		  one: {command: [cat, "${{ input }}"], inputs: "${{ vars.place }}/a"}
		  two: {command: x, outputs: "https://example.org/a"}
	END
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:5:30: "outputs" wants a path, not a URL'
	refute_stderr_has sekret
	sed -i '/two:/d' joblib.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:4:49: the URL holds a user or password'
	refute_stderr_has sekret
}

@test "adopt fetches what its step needs" {
	files_start
	serve raw.bin
	manifest "'$FILES_URL/raw.bin'"
	cp "$FILES_DATA/raw.bin" out
	jl_ok adopt one
	jl_ok run
	assert_counts fresh=1
	assert_tallies 0
}

@test "on another host an input by URL lies where it lies here, and the key is the same" {
	files_start
	serve raw.bin 100000
	write_manifest <<-END
		version: 1
		executors: {lab: {type: command, launch: [sh]}}
		steps:
		  one: {command: "cat \${{ input }} > out; tally one", inputs: '$FILES_URL/raw.bin', outputs: out, executor: lab}
	END
	jl_ok run
	cmp out "$FILES_DATA/raw.bin"
	rm -r .jl out
	jl_ok run --executor local
	assert_counts restored=1
	[ "$(files_count ' 200 ')" = 1 ]
}
