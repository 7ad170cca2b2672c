load ../bats/helper
load helper

setup() { jl_setup; }

fetch() { run curl -sS --noproxy '*' --cacert "$NGINX_CA" -o got -w '%{http_code} %{http_version}' "$@"; }

@test "nginx: PUT, GET, HEAD, DELETE over http and https, HTTP/2 there" {
	nginx_start
	head -c 300000 /dev/urandom >sent
	fetch -T sent "$NGINX_HTTP/open/a/b"
	assert_output '201 1.1'
	fetch "$NGINX_HTTPS/open/a/b"
	assert_output '200 2'
	cmp sent got
	fetch -r 299990- "$NGINX_HTTPS/open/a/b"
	assert_output '206 2'
	assert_equal "$(stat -c %s got)" 10
	fetch -I "$NGINX_MTLS/open/a/b" --cert "$NGINX_CERT" --key "$NGINX_KEY"
	assert_output '200 2'
	fetch -X DELETE "$NGINX_HTTP/open/a/b"
	assert_output '204 1.1'
	fetch "$NGINX_HTTP/open/a/b"
	assert_output '404 1.1'
	assert_equal "$(nginx_count '^(PUT|GET|HEAD|DELETE) /open/a/b ')" 6
	assert_equal "$(nginx_count '^GET /open/a/b 206 HTTP/2.0 - bytes=299990- -$')" 1
}

@test "nginx: who may do what" {
	nginx_start
	echo secret >sent
	fetch -T sent "$NGINX_HTTPS/private/x"
	assert_output '401 2'
	fetch -T sent -u writer:wrong "$NGINX_HTTPS/private/x"
	assert_output '401 2'
	fetch -T sent -u writer:sekret "$NGINX_HTTPS/private/x"
	assert_output '201 2'
	fetch -u reader:legible "$NGINX_HTTPS/private/x"
	assert_output '200 2'
	cmp sent got
	fetch -T sent -u reader:legible "$NGINX_HTTPS/ci/x"
	assert_output '401 2'
	fetch -T sent -u writer:sekret "$NGINX_HTTPS/ci/x"
	assert_output '201 2'
	fetch "$NGINX_HTTPS/ci/x"
	assert_output '200 2'
	fetch -T sent -H 'Authorization: Bearer other' "$NGINX_HTTPS/bearer/x"
	assert_output '401 2'
	fetch -T sent -H 'Authorization: Bearer t0ken' "$NGINX_HTTPS/bearer/x"
	assert_output '201 2'
}

@test "nginx: certificates: the wrong authority, none of the client's" {
	nginx_start
	local ca=$NGINX_CA
	run curl -sS --noproxy '*' "$NGINX_HTTPS/open/"
	assert_failure 60
	fetch "$NGINX_MTLS/open/"
	assert_output '400 2'
	AS=second nginx_start
	run curl -sS --noproxy '*' --cacert "$ca" "$NGINX_HTTPS/open/"
	assert_failure 60
}

@test "nginx: an interrupted PUT leaves nothing" {
	nginx_start
	proxy_start --to "$NGINX_HTTP"
	proxy_set cut_up=100000
	head -c 300000 /dev/zero >sent
	run curl -sS --noproxy '*' -T sent "http://127.0.0.1:$PROXY_PORT/open/x"
	assert_failure
	# Its request is in the log when nginx is done with it.
	wait_until grep -q '^PUT /open/x ' "$NGINX_LOG"
	fetch "$NGINX_HTTP/open/x"
	assert_output '404 1.1'
	assert_equal "$(find "$(dirname "$NGINX_LOG")/data" "$(dirname "$NGINX_LOG")/temp" -type f | wc -l)" 0
}
