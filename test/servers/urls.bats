# Inputs by URL from real servers: TLS, HTTP/2, passwords, tokens, ranges, an object store.
load ../bats/helper
load helper

setup() {
	jl_setup
	export no_proxy='*' JL_REMOTE_PATIENCE=2m
}

manifest() { # the input
	write_manifest <<-END
		version: 1
		steps:
		  one: {command: "cat \${{ input }} > out", inputs: [$1], outputs: out}
	END
}

@test "nginx: over https, asked by ETag after that; a certificate that nobody vouches for is refused" {
	nginx_start
	local data=${NGINX_LOG%/*}/data/open
	head -c 3000000 /dev/urandom >"$data/raw.bin"
	manifest "'$NGINX_HTTPS/open/raw.bin'"
	run_jl run
	assert_status 1
	assert_stderr_has "cannot fetch \"$NGINX_HTTPS/open/raw.bin\": "
	assert_stderr_has certificate
	export JL_REMOTE_127_0_0_1_CACERT=$NGINX_CA
	jl_ok run
	cmp out "$data/raw.bin"
	jl_ok run
	assert_counts fresh=1
	[ "$(nginx_count '^GET /open/raw.bin 200 HTTP/2.0 ')" = 1 ]
	[ "$(nginx_count '^GET /open/raw.bin 304 HTTP/2.0 .*\\x22')" = 1 ]
	echo new >"$data/raw.bin"
	jl_ok run
	assert_file out new
}

@test "nginx: a password from a variable or ~/.netrc, a token; nobody else sees them, and without one it is an error" {
	nginx_start
	local data=${NGINX_LOG%/*}/data
	echo private >"$data/private/a"
	echo bearer >"$data/bearer/a"
	manifest "'$NGINX_HTTP/private/a'"
	run_jl run
	assert_status 1
	assert_stderr_has "HTTP 401"
	printf 'machine 127.0.0.1 login writer password sekret\n' >"$HOME/.netrc"
	chmod 600 "$HOME/.netrc"
	jl_ok run --events events
	assert_file out private
	rm "$HOME/.netrc"
	rm -r .jl "$JL_STORE"
	JL_REMOTE_127_0_0_1_USER=writer JL_REMOTE_127_0_0_1_PASSWORD=sekret jl_ok run
	manifest "'$NGINX_HTTP/bearer/a'"
	JL_REMOTE_127_0_0_1_TOKEN=t0ken jl_ok run --events more
	assert_file out bearer
	run ! grep -rlae sekret -e t0ken events more .jl "$JL_STORE"
}

@test "nginx: a password is not sent along to where a redirect leads" {
	nginx_start
	AS=other nginx_start
	local data=${NGINX_LOG%/*}/data/private
	echo private >"$data/a"
	proxy_start --to "$NGINX_HTTP" --http
	proxy_set "redirect=$NGINX_HTTP"
	# The same host, another port: followed, and asked for without the password.
	manifest "'http://127.0.0.1:$PROXY_PORT/private/a'"
	export JL_REMOTE_127_0_0_1_USER=writer JL_REMOTE_127_0_0_1_PASSWORD=sekret
	run_jl run
	assert_status 1
	assert_stderr_has "HTTP 401"
	[ "$(nginx_count '^GET /private/a 401 HTTP/[0-9.]* - ')" = 1 ]
}

@test "nginx: what was cut goes on over TLS, with the ranges of a real server" {
	nginx_start
	local data=${NGINX_LOG%/*}/data/open
	head -c 20000000 /dev/urandom >"$data/raw.bin"
	proxy_start --to "$NGINX_HTTPS"
	manifest "'https://127.0.0.1:$PROXY_PORT/open/raw.bin'"
	export JL_REMOTE_127_0_0_1_CACERT=$NGINX_CA
	proxy_set cut=6000000 times=3
	jl_ok run
	cmp out "$data/raw.bin"
	[ "$(nginx_count '^GET /open/raw.bin 200 ')" = 1 ]
	[ "$(nginx_count '^GET /open/raw.bin 206 .* bytes=[1-9][0-9]*-')" = 3 ]
}

@test "swift: an object of a bucket, signed; a reader who may not" {
	swift_start
	head -c 100000 /dev/urandom >raw.bin
	export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET
	# A colon in a key must not end it.
	curl -sS -f --noproxy '*' --aws-sigv4 "aws:amz:$S3_REGION:s3" -T raw.bin \
		-H "x-amz-content-sha256: $(sha256sum <raw.bin | cut -c 1-64)" \
		"${S3_URL/\/\////${S3_KEY/:/%3A}:$S3_SECRET@}/$S3_BUCKET/raw.bin"
	manifest "'s3://$S3_BUCKET/raw.bin?endpoint=$S3_URL&region=$S3_REGION&style=path'"
	jl_ok run
	cmp out raw.bin
	jl_ok run
	assert_counts fresh=1
	assert_stderr_has "1 fresh"
	AWS_SECRET_ACCESS_KEY=wrong run_jl run
	assert_status 1
	assert_stderr_has "HTTP 403"
	run ! grep -rlae "$S3_SECRET" .jl "$JL_STORE"
}
