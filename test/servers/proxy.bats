load ../bats/helper
load helper

# One nginx serves the file; each test has its own proxies, as tests run side by side.
setup_file() {
	nginx_start
	head -c 300000 /dev/urandom >"$(dirname "$NGINX_LOG")/data/open/blob"
	export NGINX_HTTP NGINX_HTTPS NGINX_CA NGINX_PEM NGINX_LOG
}
teardown_file() { servers_stop; }
setup() {
	jl_setup
	BLOB=$(dirname "$NGINX_LOG")/data/open/blob
	AS=bytes proxy_start --to "$NGINX_HTTP"
	BYTES=$PROXY_PORT BYTES_CONTROL=$PROXY_CONTROL
	AS=http proxy_start --to "$NGINX_HTTP" --http
	PORT=$PROXY_PORT
}

fetch() { # options and path, to the proxy of HTTP, or of bytes
	run curl -sS --noproxy '*' --max-time 60 -o got -w '%{http_code} %{size_download}' "${@:2}" "http://127.0.0.1:$1/open/blob"
}
bytes_set() { PROXY_CONTROL=$BYTES_CONTROL proxy_set "$@"; }
bytes_count() { PROXY_CONTROL=$BYTES_CONTROL proxy_count "$@"; }

@test "proxy: passes all on unchanged, counts, takes a PUT" {
	for port in "$BYTES" "$PORT"; do
		fetch "$port"
		assert_output '200 300000'
		cmp got "$BLOB"
		run curl -sS --noproxy '*' -T got -w '%{http_code}' "http://127.0.0.1:$port/open/$BATS_TEST_NUMBER"
		assert_output 201
		cmp got "${BLOB%blob}$BATS_TEST_NUMBER"
		run curl -sS --noproxy '*' -X DELETE -w '%{http_code}' "http://127.0.0.1:$port/open/$BATS_TEST_NUMBER"
		assert_output 204
	done
	assert_equal "$(proxy_count requests)" 3
	assert_equal "$(cat "$PROXY_REQUESTS")" "GET /open/blob 200
PUT /open/$BATS_TEST_NUMBER 201
DELETE /open/$BATS_TEST_NUMBER 204"
	run proxy_set nonsense=1
	assert_failure
	assert_output --partial 'no fault is called nonsense'
}

@test "proxy: several requests on one connection" {
	run curl -sS --noproxy '*' -o one -o two -o three -w '%{http_code} ' "http://127.0.0.1:$PORT/open/"{blob,none,blob}
	assert_output '200 404 200 '
	cmp three "$BLOB"
	assert_equal "$(proxy_count connections)" 1
}

@test "proxy: delay each way, whatever the number of bytes" {
	for port in "$BYTES" "$PORT"; do
		proxy_set delay=100
		bytes_set delay=100
		run curl -sS --noproxy '*' -o got -w '%{time_starttransfer} %{time_total}' "http://127.0.0.1:$port/open/blob"
		# Never less than the delays; how much more is the machine's.
		awk -v said="$output" 'BEGIN { split(said, t); exit !(t[1] >= 0.2) }'
		cmp got "$BLOB"
	done
}

@test "proxy: cut after some bytes: reset; truncated: an end in order" {
	bytes_set cut=100000
	fetch "$BYTES"
	assert_failure 56
	bytes_set truncate=100000
	fetch "$BYTES"
	assert_failure 18
	assert_output --partial 'transfer closed'
	head -c "$(stat -c %s got)" "$BLOB" | cmp - got
	bytes_set cut=0 times=1
	fetch "$BYTES"
	assert_failure
	fetch "$BYTES"
	assert_output '200 300000'
}

@test "proxy: stalls with the connection open, and goes on" {
	bytes_set stall=100000
	curl -sS --noproxy '*' -N -o got "http://127.0.0.1:$BYTES/open/blob" 3>&- &
	local client=$!
	# Headers and body together are 100,000 bytes.
	wait_until eval '(($(stat -c %s got 2>/dev/null || echo 0) > 99000))'
	run stat -c %s got
	assert_equal "$((output < 100000))" 1
	kill -0 "$client"
	bytes_set
	wait "$client"
	cmp got "$BLOB"
}

@test "proxy: refuses, resets who was there, and comes back on its port" {
	bytes_set stall=0
	curl -sS --noproxy '*' "http://127.0.0.1:$BYTES/open/blob" 3>&- 2>said &
	local client=$! status=0
	wait_until eval '(($(bytes_count connections) > 0))'
	bytes_set refuse=1
	wait "$client" || status=$?
	assert_equal "$((status == 56 || status == 7))" 1
	fetch "$BYTES"
	assert_failure 7
	bytes_set
	fetch "$BYTES"
	assert_output '200 300000'
}

@test "proxy: slow" {
	bytes_set rate=1000000
	run curl -sS --noproxy '*' -o got -w '%{time_total}' "http://127.0.0.1:$BYTES/open/blob"
	awk -v total="$output" 'BEGIN { exit !(total >= 0.25) }'
	cmp got "$BLOB"
}

@test "proxy: errors a number of times, then well; only where it matches" {
	proxy_set status=503 retry_after=1 times=2
	fetch "$PORT" -D head
	assert_output --regexp '^503 '
	grep -q '^Retry-After: 1' head
	fetch "$PORT"
	assert_output --regexp '^503 '
	fetch "$PORT"
	assert_output '200 300000'
	proxy_set status=500 'only=^PUT /open/'
	fetch "$PORT"
	assert_output '200 300000'
	run curl -sS --noproxy '*' -T "$BLOB" -w ' %{http_code}' "http://127.0.0.1:$PORT/open/$BATS_TEST_NUMBER"
	assert_output --regexp ' 500$'
	assert_no_file "${BLOB%blob}$BATS_TEST_NUMBER"
}

@test "proxy: a page with status 200, a redirect to another host" {
	proxy_set page=1
	fetch "$PORT"
	assert_output --regexp '^200 '
	grep -q '<html>' got
	proxy_set redirect="${NGINX_HTTPS/127.0.0.1/127.0.0.2}"
	run curl -sS --noproxy '*' -o got -w '%{http_code} %{redirect_url}' "http://127.0.0.1:$PORT/open/blob"
	assert_output "302 ${NGINX_HTTPS/127.0.0.1/127.0.0.2}/open/blob"
}

@test "proxy: a wrong length, a cut body, another byte" {
	proxy_set length=-10
	fetch "$PORT"
	assert_output --partial '200 299990'
	proxy_set length=10
	fetch "$PORT"
	assert_failure 18
	proxy_set body=12345
	fetch "$PORT"
	assert_failure 18
	assert_equal "$(stat -c %s got)" 12345
	proxy_set flip=250000
	fetch "$PORT"
	assert_output '200 300000'
	assert_equal "$(cmp -l got "$BLOB" | awk '{ print $1 }')" 250001
}

@test "proxy: speaks TLS to its clients; passes HTTP/2 on" {
	AS=tls proxy_start --to "$NGINX_HTTP" --http --cert "$NGINX_PEM"
	run curl -sS --noproxy '*' --cacert "$NGINX_CA" -o got -w '%{http_code} %{http_version}' \
		"https://127.0.0.1:$PROXY_PORT/open/blob"
	assert_output '200 1.1'
	cmp got "$BLOB"
	AS=h2 proxy_start --to "$NGINX_HTTPS"
	run curl -sS --noproxy '*' --cacert "$NGINX_CA" -o got -w '%{http_code} %{http_version}' \
		"https://127.0.0.1:$PROXY_PORT/open/blob"
	assert_output '200 2'
	cmp got "$BLOB"
}
