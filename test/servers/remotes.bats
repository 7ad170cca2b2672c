# Shared stores behind real servers, and behind a proxy that cuts, delays and lies: each is as good as a folder, or costs nothing.
load ../bats/helper
load helper

setup() {
	jl_setup
	export JL_REMOTE_PATIENCE=2m # a busy machine is not a dead remote
	export no_proxy='*'
	echo "b a" >in.txt
}

manifest() { # url, mode, further keys
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "$1", mode: ${2-readwrite}${3+, $3}}]}
		steps:
		  one: {command: "tally one; tr ' ' '\n' < in.txt | sort > out.txt; head -c 400000 /dev/urandom > big; echo said", inputs: in.txt, outputs: [out.txt, big]}
		  two: {command: "tally two; cat out.txt big | wc -c > n.txt", inputs: [out.txt, big], outputs: n.txt}
	END
}

another_user() {
	mkdir -p "$BATS_TEST_TMPDIR/$1/home"
	cp joblib.yaml in.txt "$BATS_TEST_TMPDIR/$1"
	cd "$BATS_TEST_TMPDIR/$1" || return 1
	export HOME=$PWD/home JL_STORE=$PWD/store
	: >"$TALLY"
}

# What one user made, another gets, byte for byte, and nothing runs.
assert_shared() {
	jl_ok run
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
	[[ $stderr != *remote* ]]
	another_user "${1-bob}"
	jl_ok run
	assert_summary "2 steps: 0 ran, 0 fresh, 2 restored, 0 failed"
	[ ! -s "$TALLY" ]
	cmp "$WS/big" big
	cmp "$WS/n.txt" n.txt
}

# A second user has to run all, and is told why in one line.
assert_refused() { # what is said
	: >"$TALLY"
	jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
	[[ $stderr == *'remote "ci": '*"$1"* ]]
	[ "$(grep -c 'remote "ci"' <<<"$stderr")" = 1 ]
}

@test "nginx: a result is shared over http" {
	nginx_start
	manifest "$NGINX_HTTP/open/jl"
	assert_shared
}

@test "nginx: a result is shared over https with a password, which nobody sees" {
	nginx_start
	manifest "$NGINX_HTTPS/private/jl"
	export JL_REMOTE_CI_CACERT=$NGINX_CA JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret
	jl_ok run -v --events events
	if grep -rs sekret events .jl "$JL_STORE"; then fail "the password is told"; fi
	[[ $stderr$output != *sekret* ]]
	another_user bob
	jl_ok run
	[ ! -s "$TALLY" ]
	[ "$(nginx_count ' HTTP/2.0 writer ')" -gt 3 ]
}

@test "nginx: bearer token, client certificate, netrc" {
	nginx_start
	export JL_REMOTE_CI_CACERT=$NGINX_CA
	manifest "$NGINX_HTTPS/bearer/jl"
	JL_REMOTE_CI_TOKEN=t0ken assert_shared
	cd "$WS" && rm -r .jl && export JL_STORE=$BATS_TEST_TMPDIR/second
	manifest "$NGINX_MTLS/open/jl"
	JL_REMOTE_CI_CERT=$NGINX_CERT JL_REMOTE_CI_KEY=$NGINX_KEY assert_shared carol
	cd "$WS" && rm -r .jl && export JL_STORE=$BATS_TEST_TMPDIR/third HOME=$BATS_TEST_TMPDIR/home
	manifest "$NGINX_HTTPS/private/netrc"
	(umask 077 && echo "machine 127.0.0.1 login writer password sekret" >"$HOME/.netrc")
	jl_ok run
	[[ $stderr != *remote* ]]
	[ "$(nginx_count '^PUT /private/netrc/ac/.* 201 ')" = 2 ]
}

@test "nginx: a wrong password, a certificate of nobody: told once, the run goes on" {
	nginx_start
	manifest "$NGINX_HTTPS/private/jl" read
	JL_REMOTE_CI_CACERT=$NGINX_CA JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=wrong assert_refused "HTTP 401"
	rm -r .jl "$JL_STORE"
	assert_refused "certificate"
}

@test "nginx: main writes, pull requests read" {
	nginx_start
	export JL_REMOTE_CI_CACERT=$NGINX_CA
	manifest "$NGINX_HTTPS/ci/jl"
	JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret assert_shared
	# Who may not write but tries loses nothing.
	echo "d c" >in.txt
	jl_ok run
	assert_summary "2 steps: 2 ran, 0 fresh, 0 restored, 0 failed"
	[[ $stderr == *"was not stored there: HTTP 40"* ]]
}

@test "nginx: two identities: one fills it, the other reads and never tries to write" {
	nginx_start
	export JL_REMOTE_CI_CACERT=$NGINX_CA CI_KEYS="main 0123456789abcdef0123456789"
	manifest "$NGINX_HTTPS/team/jl" read 'sign: $CI_KEYS, namespace: main'
	JL_REMOTE_CI_MODE=readwrite JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret jl_ok run
	assert_counts ran=2
	refute_stderr_has remote
	[ "$(nginx_count '^PUT /team/jl/main/ac/.* 201 HTTP/2.0 writer ')" = 2 ]
	another_user reader
	export JL_REMOTE_CI_USER=reader JL_REMOTE_CI_PASSWORD=legible
	jl_ok run
	assert_counts restored=2
	refute_stderr_has remote
	cmp "$WS/big" big
	echo "d c" >in.txt
	jl_ok run
	assert_counts ran=2
	refute_stderr_has remote
	[ "$(nginx_count ' reader ')" -gt 0 ]
	[ "$(nginx_count '^GET .* reader ')" = "$(nginx_count ' reader ')" ]
	# Without the keys nothing of it is believed.
	echo "b a" >in.txt
	another_user outsider
	CI_KEYS=others\ 0123456789abcdef assert_refused "it is signed by a key that is not known"
	another_user keyless
	unset CI_KEYS
	assert_refused '"sign": the variable "CI_KEYS" is not set; the remote is not used'
}

@test "nginx: main writes, pull requests read, as the cookbook has it" {
	nginx_start
	export JL_REMOTE_CI_CACERT=$NGINX_CA JL_KEYS="main 0123456789abcdef0123456789"
	manifest "$NGINX_HTTPS/jl" read 'sign: $JL_KEYS'
	JL_REMOTE_CI_MODE=readwrite JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret jl_ok run
	refute_stderr_has remote
	another_user reader
	export JL_REMOTE_CI_USER=reader JL_REMOTE_CI_PASSWORD=legible
	jl_ok run
	assert_counts restored=2
	refute_stderr_has remote
	echo "d c" >in.txt
	JL_REMOTE_CI_MODE=readwrite jl_ok run
	assert_counts ran=2
	assert_stderr_has 'was not stored there: HTTP 401; nothing more is sent to it'
	[ "$(nginx_count '^PUT .* 201 .* reader ')" = 0 ]
	another_user nobody
	JL_REMOTE_CI_PASSWORD=wrong assert_refused "HTTP 401"
}

@test "nginx: who says that he writes and may not is told once, and tries no more" {
	nginx_start
	export JL_REMOTE_CI_CACERT=$NGINX_CA JL_REMOTE_CI_USER=reader JL_REMOTE_CI_PASSWORD=legible
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "$NGINX_HTTPS/team/jl", mode: readwrite}]}
		steps:
		  many: {foreach: {from: 1, to: 60}, command: "echo \${{ item }} > \${{ output }}", outputs: "\${{ item }}.txt"}
	END
	jl_ok run --offline
	# All are offered at once, and 16 of them are on their way when the first answer comes.
	run_jl cache push
	assert_status 3
	assert_stderr_has 'remote "ci": a result was not stored there: HTTP 403; nothing more is sent to it'
	[ "$(grep -c 'remote "ci"' <<<"$stderr")" = 1 ]
	[ "$(nginx_count '^PUT .* 403 ')" -le 16 ]
	[ "$(nginx_count '^PUT .* 201 ')" = 0 ]
	rm -r .jl "$JL_STORE" ./*.txt
	jl_ok run
	assert_counts ran=60
	refute_stderr_has "not sent"
}

@test "S39 what cannot be sent in time is given up, and said" {
	nginx_start
	proxy_start --to "$NGINX_HTTP" --http
	proxy_set stall=0
	manifest "http://127.0.0.1:$PROXY_PORT/open/jl" write
	JL_REMOTE_FINISH=300ms jl_ok run
	assert_counts ran=2
	assert_stderr_has "2 results were not sent to the remotes"
	jl_ok run
	assert_counts fresh=2
	proxy_set
	jl_ok cache push
	assert_stderr_has "ci: 2 results sent"
}

@test "S38 truncated, wrong length, a page with status 200, a redirect elsewhere, another byte: each is a miss" {
	nginx_start
	proxy_start --to "$NGINX_HTTP" --http
	manifest "http://127.0.0.1:$PROXY_PORT/open/jl"
	jl_ok run
	manifest "http://127.0.0.1:$PROXY_PORT/open/jl" read
	local fault n=0
	for fault in body=100 length=-7 page=1 redirect=http://127.0.0.2:1 flip=50; do
		proxy_set "$fault"
		another_user "user$((n++))"
		jl_ok run
		[ "$(wc -l <"$TALLY")" = 2 ]
		[[ $stderr == *'remote "ci"'* ]]
		[ "$(proxy_count faults)" -gt 0 ]
	done
	# Once only, it is tried again.
	proxy_set body=100 times=1
	another_user last
	jl_ok run
	assert_summary "2 steps: 0 ran, 0 fresh, 2 restored, 0 failed"
}

many() { # url, mode
	write_manifest <<-END
		version: 1
		store: {remotes: [{name: ci, url: "$1", mode: $2}]}
		steps:
		  a: {foreach: {from: 1, to: 100}, command: "seq \${{ item }} 3000 >\${{ output }}", outputs: "out/\${{ item }}"}
	END
}
connections_are() { [ "$(proxy_count connections)" = "$1" ]; }

@test "far away: 64 requests are under way at once, each result is one, and connections are kept" {
	nginx_start
	many "$NGINX_HTTP/open/jl" write
	jl_ok run
	[ "$(nginx_count '^PUT /open/jl/ac/.* 201 ')" = 100 ]
	proxy_start --to "$NGINX_HTTP"
	proxy_set stall=0
	many "http://127.0.0.1:$PROXY_PORT/open/jl" read
	another_user bob
	start_job jl run
	wait_until connections_are 64
	proxy_set
	end_of_job
	assert_equal "$status" "exit 0"
	[[ $stderr == *"100 steps: 0 ran, 0 fresh, 100 restored, 0 failed"* ]]
	diff -r "$WS/out" out
	connections_are 64
	assert_equal "$(nginx_count '^GET ')" 100
}

@test "far away: over HTTP/2 all requests share one connection" {
	nginx_start
	many "$NGINX_HTTP/open/jl" readwrite
	jl_ok run
	proxy_start --to "$NGINX_HTTPS"
	many "https://127.0.0.1:$PROXY_PORT/open/jl" read
	another_user bob
	JL_REMOTE_CI_CACERT=$NGINX_CA jl_ok run
	assert_counts restored=100
	assert_equal "$(nginx_count '^GET .* HTTP/2')" 100
	connections_are 1
}

@test "S39 who is silent is asked by as many requests as are under way at once, then never again" {
	nginx_start
	proxy_start --to "$NGINX_HTTP"
	proxy_set stall=0
	many "http://127.0.0.1:$PROXY_PORT/open/jl" readwrite
	JL_REMOTE_PATIENCE=500ms jl_ok run
	assert_counts ran=100
	assert_equal "$(grep -c 'remote "ci"' <<<"$stderr")" 1
	(($(proxy_count connections) <= 64)) || fail "$(proxy_count connections) connections"
	# The same of one that is only written to: what waits to be sent at the end ends with it.
	local before
	before=$(proxy_count connections)
	rm -r .jl out "$JL_STORE"
	many "http://127.0.0.1:$PROXY_PORT/open/jl" write
	JL_REMOTE_PATIENCE=500ms jl_ok run
	assert_counts ran=100
	assert_equal "$(grep -c 'remote "ci"' <<<"$stderr")" 1
	assert_stderr_has "100 results were not sent"
	(($(proxy_count connections) - before <= 16)) || fail "$(($(proxy_count connections) - before)) connections"
}

@test "S39 down, refusing, stalling: one line, then local only" {
	nginx_start
	proxy_start --to "$NGINX_HTTP" --http
	manifest "http://127.0.0.1:$PROXY_PORT/open/jl"
	jl_ok run
	manifest "http://127.0.0.1:$PROXY_PORT/open/jl" read
	proxy_set status=503
	another_user a
	assert_refused "HTTP 503"
	proxy_set refuse=1
	another_user b
	assert_refused ""
	proxy_set stall=0
	another_user c
	JL_REMOTE_PATIENCE=300ms assert_refused "no answer"
	proxy_set status=503 times=1 # busy for a moment
	another_user d
	jl_ok run
	assert_summary "2 steps: 0 ran, 0 fresh, 2 restored, 0 failed"
}

@test "a redirect is followed within its host and those that are allowed, without secrets to another" {
	nginx_start
	manifest "$NGINX_HTTP/open/jl"
	jl_ok run
	proxy_start --to "$NGINX_HTTP" --http
	proxy_set "redirect=$NGINX_HTTP"
	manifest "http://127.0.0.1:$PROXY_PORT/open/jl" read
	another_user bob
	JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret jl_ok run
	assert_summary "2 steps: 0 ran, 0 fresh, 2 restored, 0 failed"
	[ "$(nginx_count ' writer ')" = 0 ]
}

@test "S41 what was altered on its way is a miss where results are signed" {
	nginx_start
	echo "ci 0123456789abcdef0123456789" >"$BATS_TEST_TMPDIR/keys"
	proxy_start --to "$NGINX_HTTP" --http
	manifest "http://127.0.0.1:$PROXY_PORT/open/jl" readwrite "sign: \"$BATS_TEST_TMPDIR/keys\""
	jl_ok run
	proxy_set flip=120
	another_user bob
	assert_refused "was not taken"
}

@test "swift: a result is shared through s3, signed; a wrong secret is refused" {
	swift_start
	export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET
	manifest "s3://$S3_BUCKET/jl?endpoint=$S3_URL&region=$S3_REGION"
	assert_shared
	mkdir -p "$HOME/.aws"
	printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$S3_KEY" "$S3_SECRET" >"$HOME/.aws/credentials"
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
	rm -r .jl "$JL_STORE" big
	jl_ok run
	[ ! -s "$TALLY" ]
	another_user carol
	AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=wrong jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
	[[ $stderr == *"HTTP 403"* ]]
	another_user dave
	run_jl run
	[[ $stderr == *"no credentials"* ]]
}

@test "swift: credentials of a container are asked for, asked for again, and signed with their token" {
	swift_start
	proxy_start --to "$S3_URL" --http
	credentials_start --key "$S3_KEY" --secret "$S3_SECRET" --session "to/ken" --authorization "Basic w0rd"
	manifest "s3://$S3_BUCKET/jl?endpoint=http://127.0.0.1:$PROXY_PORT&region=$S3_REGION"
	export AWS_CONTAINER_CREDENTIALS_FULL_URI=$CREDENTIALS_URL
	echo "Basic w0rd" >"$BATS_TEST_TMPDIR/word"
	export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=$BATS_TEST_TMPDIR/word
	assert_shared
	# Each helper was given some that had expired at first, or found good ones.
	[ "$(grep -c '^/role 200$' "$CREDENTIALS_LOG")" = 3 ]
	grep -q '^PUT .* session:to/ken$' "$PROXY_REQUESTS"
	grep -q '^GET .* 200 session:to/ken$' "$PROXY_REQUESTS"
	if grep -v 'session:to/ken$' "$PROXY_REQUESTS"; then fail "asked without the token"; fi
	another_user carol
	AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE='' jl_ok run
	[ "$(wc -l <"$TALLY")" = 2 ]
	[[ $stderr == *"credentials of the container: HTTP 403"* ]]
	another_user dave
	AWS_CONTAINER_CREDENTIALS_FULL_URI=http://example.org/role run_jl run
	[[ $stderr == *"AWS_CONTAINER_CREDENTIALS_FULL_URI over http is for this machine alone"* ]]
}

uploads() { # parts that wait for the rest
	curl -sSf --aws-sigv4 "aws:amz:$S3_REGION:s3" --user "$S3_KEY:$S3_SECRET" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
		"$S3_URL/$S3_BUCKET?uploads=" | grep -c '<Upload>' || true
}

@test "swift: an object above 64 MiB is put in parts; one that is cut is sent again, and what fails leaves none" {
	swift_start
	proxy_start --to "$S3_URL" --http
	export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET JL_BUILD
	local url="s3://$S3_BUCKET/jl?endpoint=http://127.0.0.1:$PROXY_PORT&region=$S3_REGION" sum
	head -c 73400321 /dev/urandom >large
	sum=$(sha256sum <large | cut -c 1-64)
	proxy_set cut_up=20000000 times=1
	ASK_RSS=rss run "$SERVERS/ask.py" "$url" put=large:large
	[ "$output" = "put large ok" ]
	(($(<rss) < 60000))
	[ "$(grep -c '^PUT .*partNumber=[0-9]*&uploadId=[^ ]* 200' "$PROXY_REQUESTS")" = 9 ]
	[ "$(proxy_count faults)" = 1 ]
	[ "$(uploads)" = 0 ]
	run "$SERVERS/ask.py" "$url" get=large head=large
	[ "$output" = "get large ok 73400321 $sum
head large ok 73400321" ]
	# A part that is refused, a store that is out of order, jl that goes away: nothing stays.
	proxy_set status=403 'only=partNumber=3&'
	run "$SERVERS/ask.py" "$url" put=a:large
	[ "$output" = "put a refused HTTP 403" ]
	proxy_set status=503 'only=partNumber=2&'
	run "$SERVERS/ask.py" "$url" put=a:large
	[ "$output" = "put a temporary HTTP 503" ]
	proxy_set status=503 times=2 'only=uploads=|partNumber=1&|POST .*uploadId'
	run "$SERVERS/ask.py" "$url" put=b:large
	[ "$output" = "put b ok" ]
	proxy_set
	run "$SERVERS/ask.py" "$url" put-cancel=a:large put-short=a:large
	run "$SERVERS/ask.py" "$url" put-leave=a:large
	run "$SERVERS/ask.py" "$url" head=a
	[[ $output == "head a not_found"* ]]
	[ "$(uploads)" = 0 ]
}

@test "rclone: a result is shared; what is not there, not installed or not meant is told in a line" {
	swift_start
	rclone_start
	manifest "rclone:$RCLONE_S3/jl"
	assert_shared
	cd "$WS" && rm -r .jl && export JL_STORE=$BATS_TEST_TMPDIR/second
	manifest "rclone:${RCLONE_REMOTE}jl"
	assert_shared carol
	local url said
	while read -r url said; do
		manifest "$url" read
		rm -rf .jl "$JL_STORE"
		jl_ok run
		[[ $stderr == *'remote "ci": '*"$said"* ]]
		[ "$(grep -c 'remote "ci"' <<<"$stderr")" = 1 ]
	done <<-'END'
		rclone:nobody:x didn't find section in config file
		rclone::s3,secret_access_key=x:y REMOTE being a name of rclone's settings
		rclone:nothing REMOTE being a name of rclone's settings
	END
	# Without rclone, but with all else.
	local dir
	mkdir "$BATS_TEST_TMPDIR/path"
	for dir in /usr/bin /bin; do ln -sf "$dir"/* "$BATS_TEST_TMPDIR/path"; done
	rm "$BATS_TEST_TMPDIR/path/rclone"
	manifest "rclone:disk:x" read
	rm -rf .jl "$JL_STORE"
	PATH=$BATS_TEST_TMPDIR/bin:$JL_BUILD:$BATS_TEST_TMPDIR/path jl_ok run
	[[ $stderr == *'the program "rclone" is not installed'* ]]
}

@test "no secret is in a command line, an event, a log, a record or the store" {
	nginx_start
	swift_start
	rclone_start
	export JL_REMOTE_CI_CACERT=$NGINX_CA
	cat >look.sh <<-'END'
		for p in /proc/[0-9]*; do
			case $(cat $p/comm 2>/dev/null) in jl* | rclone) tr '\0' ' ' <$p/cmdline && echo ;; esac
		done >seen 2>/dev/null
		true
	END
	local name url
	for name in basic bearer s3 rclone; do
		unset JL_REMOTE_CI_USER JL_REMOTE_CI_PASSWORD JL_REMOTE_CI_TOKEN_FILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
		echo t0ken >"$BATS_TEST_TMPDIR/token"
		case $name in
		basic) export JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret && url=$NGINX_HTTPS/private/jl ;;
		bearer) export JL_REMOTE_CI_TOKEN_FILE=$BATS_TEST_TMPDIR/token && url=$NGINX_HTTPS/bearer/jl ;;
		s3) export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET && url="s3://$S3_BUCKET/jl?endpoint=$S3_URL" ;;
		rclone) url=rclone:$RCLONE_S3/x ;;
		esac
		write_manifest <<-END
			version: 1
			store: {remotes: [{name: ci, url: "$url", mode: readwrite}]}
			steps:
			  look: {command: sh look.sh, outputs: seen}
		END
		rm -rf .jl "$JL_STORE"
		jl_ok run -v --events events
		[[ $stderr != *"left alone"* && $stderr != *"not sent"* ]]
		grep -q jl-store- seen
		if grep -rsE 'sekret|t0ken' seen events .jl "$JL_STORE" || [[ $stderr$output =~ sekret|t0ken ]]; then
			fail "a secret of $name is told"
		fi
	done
}
