#!/usr/bin/env bats
# What every store helper must do, over all of them: one list. Here (make test) it is run over a folder; as
# test/servers/conform.bats (make test-servers), the same file, over a folder, http, https with HTTP/2, S3 that verifies
# signatures, and rclone, with faults put in by a proxy.
load ../bats/helper
load ../servers/helper

servers() { [[ $BATS_TEST_DIRNAME == */servers ]]; }
backends() { if servers; then echo file http https s3 rclone; else echo file; fi; }

setup_file() {
	if servers; then
		set -a
		nginx_start
		swift_start
		rclone_start
		set +a
	fi
}
teardown_file() { servers_stop; }

setup() {
	jl_setup
	export no_proxy='*'
	unset http_proxy https_proxy
	head -c 4096 /dev/urandom >small
	head -c 102400 /dev/urandom >medium
}
teardown() { servers_stop; }

# Where a test has its objects, and who may write there; to be reached at another port instead (VIA).
use() { # backend
	local id=t$BATS_TEST_NUMBER via=${VIA-}
	BACKEND=$1
	echo "backend: $1"
	unset "${!AWS_@}" "${!JL_REMOTE_CI_@}"
	case $1 in
	file) URL=file://$BATS_TEST_TMPDIR/shared ;;
	http) URL=${via:-$NGINX_HTTP}/open/$id ;;
	https)
		URL=${via:-$NGINX_HTTPS}/private/$id
		export JL_REMOTE_CI_CACERT=$NGINX_CA JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret
		;;
	s3)
		URL="s3://$S3_BUCKET/$id?endpoint=${via:-$S3_URL}&region=$S3_REGION"
		export AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET
		;;
	rclone)
		URL=rclone:cloud:$S3_BUCKET/r$id
		export RCLONE_CONFIG_CLOUD_TYPE=s3 RCLONE_CONFIG_CLOUD_PROVIDER=Other RCLONE_CONFIG_CLOUD_ENDPOINT=${via:-$S3_URL}
		export RCLONE_CONFIG_CLOUD_ACCESS_KEY_ID=$S3_KEY RCLONE_CONFIG_CLOUD_SECRET_ACCESS_KEY=$S3_SECRET
		export RCLONE_CONFIG_CLOUD_REGION=$S3_REGION RCLONE_CONFIG_CLOUD_NO_CHECK_BUCKET=true
		;;
	esac
}
# The same place, by another's name.
use_as() { # reader or nobody
	case $BACKEND-$1 in
	http-reader) URL=${URL/open/ci} ;;
	https-reader) URL=${URL/private/ci} JL_REMOTE_CI_USER=reader JL_REMOTE_CI_PASSWORD=legible ;;
	https-nobody) JL_REMOTE_CI_PASSWORD=wrong ;;
	s3-reader) AWS_ACCESS_KEY_ID=$S3_READER AWS_SECRET_ACCESS_KEY=$S3_READER_SECRET ;;
	s3-nobody) AWS_SECRET_ACCESS_KEY=wrong ;;
	rclone-reader) RCLONE_CONFIG_CLOUD_ACCESS_KEY_ID=$S3_READER RCLONE_CONFIG_CLOUD_SECRET_ACCESS_KEY=$S3_READER_SECRET ;;
	rclone-nobody) RCLONE_CONFIG_CLOUD_SECRET_ACCESS_KEY=wrong ;;
	esac
}

each() { # function
	local backend
	for backend in $(backends); do
		use "$backend"
		"$1"
	done
}
# Over all that go through a network, with a proxy between.
each_by_proxy() { # function
	local backend tls to
	servers || return 0 # a folder has no network
	for backend in http https s3 rclone; do
		tls=() to=$NGINX_HTTP
		if [[ $backend == https ]]; then tls=(--cert "$NGINX_PEM"); fi
		if [[ $backend == s3 || $backend == rclone ]]; then to=$S3_URL; fi
		AS=proxy-$backend proxy_start --to "$to" --http "${tls[@]}"
		VIA=http${tls:+s}://127.0.0.1:$PROXY_PORT use "$backend"
		"$1"
		proxy_set
	done
}

# Nothing takes that long: it would be a fault.
ask() { timeout 120 "$SERVERS/ask.py" name=ci write=1 "$URL" "$@"; }
sum_of() { sha256sum <"$1" | cut -c 1-64; }
got() { echo "get $1 ok $(stat -c %s "$2") $(sum_of "$2")"; } # what is said of an object that is this file
expect() { assert_equal "$output" "$(printf '%s\n' "$@")"; } # lines
asked() { # arguments of ask; then what is said, behind "--"
	local words=()
	while [[ $1 != -- ]]; do words+=("$1") && shift; done
	run ask "${words[@]}"
	expect "${@:2}"
	[ "$status" = 0 ]
}

sizes() {
	local size
	printf 1 >one
	: >empty
	for size in empty one small medium; do
		asked "put=a/b/$size:$size" -- "put a/b/$size ok"
		asked "head=a/b/$size" "get=a/b/$size" -- "head a/b/$size ok $(stat -c %s $size)" "$(got a/b/$size $size)"
	done
	asked get=a/b/small@4000 -- "get a/b/small ok 96 $(tail -c 96 small | sha256sum | cut -c 1-64)"
}
@test "what was put is there, of whatever size, from any byte on" { each sizes; }

large() {
	asked put=large:large -- "put large ok"
	ASK_RSS=rss asked get=large head=large -- "$(got large large)" "head large ok 73400320"
	(($(<rss) < 40000))
}
@test "an object of 70 MiB, without holding it in memory" {
	head -c 73400320 /dev/urandom >large
	each large
}

absent() {
	run ask get=none/such head=none/such get=none head=none/such/at/all
	assert_output --regexp '^get none/such not_found .*
head none/such not_found .*
get none not_found .*
head none/such/at/all not_found [^
]*$'
}
@test "what is not there is not found" { each absent; }

again() {
	asked put=x:small -- "put x ok"
	asked put=x:small -- "put x ok"
	asked get=x -- "$(got x small)"
	asked put=x:medium -- "put x ok"
	asked get=x -- "$(got x medium)"
}
@test "an object may be put again, and is the last one then" { each again; }

many() {
	local put=() get=() said_put=() said_get=() i
	for i in {1..64}; do
		put+=("put=many/$i:medium") said_put+=("put many/$i ok")
		get+=("get=many/$i") said_get+=("$(got "many/$i" medium)")
	done
	asked "${put[@]}" -- "${said_put[@]}"
	asked "${get[@]}" head=many/1 -- "${said_get[@]}" "head many/1 ok 102400"
}
@test "64 requests at once" { each many; }

held() {
	head -c 6000000 /dev/urandom >some
	asked put=some:some put=x:small -- "put some ok" "put x ok"
	run ask get-hold=some get=x head=some get-hold=some put=y:medium
	assert_output --regexp "^get-hold some permanent .*
$(got x small)
head some ok 6000000
get-hold some permanent .*
put y ok$"
}
@test "who does not take what he asked for holds up nobody" { each held; }

names() {
	local name bad=(../x '')
	if [[ $BACKEND == file ]]; then bad+=(.x a//b /a a/ a/.b a/../b 'a b' a%2fb "$(printf 'a%.0s' {1..513})"); fi
	for name in "${bad[@]}"; do
		run ask "get=$name" "put=$name:small"
		assert_output "get $name nothing
put $name nothing
end 1 what came from jl is no message"
	done
	name=$(printf 'ab/%.0s' {1..60})x
	asked "put=$name:small" -- "put $name ok"
	asked "get=$name" -- "$(got "$name" small)"
}
@test "a name that is none ends it" { each names; }

broken_off() {
	asked put=old:small put=some:some -- "put old ok" "put some ok"
	run ask put-cancel=a:medium put-short=b:medium put-long=c:medium put-cancel=old:medium get-cancel=some head=old
	assert_output --regexp '^put-cancel a permanent .*
put-short b permanent .*
put-long c permanent .*
put-cancel old permanent .*
get-cancel some permanent .*
head old ok 4096$'
	run ask put-leave=d:some
	assert_line --index 0 "put-leave d nothing"
	run ask put-leave=old:some
	assert_line --index 0 "put-leave old nothing"
	run ask head=a head=b head=c head=d get=old
	assert_output --regexp "^head a not_found .*
head b not_found .*
head c not_found .*
head d not_found .*
$(got old small)$"
}
@test "what is broken off leaves no object, and what was there" {
	head -c 9000000 /dev/urandom >some
	each broken_off
}

refused() {
	if [[ $BACKEND == file ]]; then
		asked put=x:small -- "put x ok"
		chmod -R a-w "$BATS_TEST_TMPDIR/shared"
		run unprivileged "$SERVERS/ask.py" name=ci write=1 "$URL" put=x:small get=x
		chmod -R u+w "$BATS_TEST_TMPDIR/shared"
	else
		if [[ $BACKEND == http ]]; then URL=$NGINX_HTTPS/ci/t$BATS_TEST_NUMBER JL_REMOTE_CI_CACERT=$NGINX_CA \
			JL_REMOTE_CI_USER=writer JL_REMOTE_CI_PASSWORD=sekret ask put=x:small; use http; fi
		if [[ $BACKEND == https ]]; then URL=${URL/private/ci} ask put=x:small; fi
		ask put=x:small
		use_as reader
		run ask put=x:small get=x
	fi
	assert_output --regexp "^put x refused .*
$(got x small)$"
}
@test "who may read only is told so" { each refused; }

strangers() {
	asked put=x:small -- "put x ok"
	use_as nobody
	run ask put=x:small get=x head=x
	if [[ $BACKEND != file && $BACKEND != http ]]; then
		assert_output --regexp '^put x refused .*
get x refused .*
head x refused [^
]*$'
	fi
	[[ $output != *sekret* ]]
}
@test "a wrong password or secret is told" { each strangers; }

# ---- faults on the way ----

# No answer but the right bytes may count as them: digests tell, and what the helper cannot know it need not.
not_taken() {
	run ask get=x
	[[ $output == "get x "* && $output != "$(got x medium)" ]]
}

lies() {
	local fault
	asked put=x:medium -- "put x ok"
	for fault in body=5000 length=7 length=-7 page=1 redirect=http://127.0.0.2:1 flip=50 status=503 status=403 status=418; do
		proxy_set "$fault" 'only=^(GET|HEAD) .*/x'
		not_taken
		[ "$(proxy_count faults)" -gt 0 ]
	done
	proxy_set status=503 'only=^GET .*/x'
	run ask get=x
	assert_output --regexp '^get x temporary '
	if [[ $BACKEND != rclone ]]; then
		proxy_set body=5000 'only=^GET .*/x'
		run ask get=x
		assert_output --regexp '^get x temporary '
		proxy_set redirect=http://127.0.0.2:1 'only=^GET .*/x'
		asked get=x -- "get x refused HTTP 302 to 127.0.0.2, a place that is not allowed"
	fi
	proxy_set
	asked get=x -- "$(got x medium)"
}
@test "S38 truncated, wrong length, a page, a redirect elsewhere, another byte, a status: never the object" {
	each_by_proxy lies
}

allowed() {
	[[ $BACKEND == http || $BACKEND == https ]] || return 0
	local to=$NGINX_HTTP
	if [[ $BACKEND == https ]]; then to=$NGINX_HTTPS; fi
	asked put=x:medium -- "put x ok"
	proxy_set "redirect=$to" 'only=^GET'
	if [[ $BACKEND == http ]]; then asked get=x -- "$(got x medium)"; fi
	# Elsewhere without secrets, and only where it is allowed.
	proxy_set "redirect=${to/127.0.0.1/localhost}" 'only=^GET'
	asked get=x -- "get x refused HTTP 302 to localhost, a place that is not allowed"
	export JL_REMOTE_CI_HOSTS=example.org,localhost
	run ask get=x
	if [[ $BACKEND == http ]]; then assert_output "$(got x medium)"; else assert_output "get x refused HTTP 401"; fi
}
@test "a redirect is followed within the host and those that are allowed" { each_by_proxy allowed; }

resumed() {
	[[ $BACKEND != rclone ]] || return 0 # rclone has ways of its own
	local down
	asked put=x:some -- "put x ok"
	down=$(proxy_count down)
	proxy_set body=2000000 times=1 'only=^GET .*/x'
	asked get=x -- "$(got x some)"
	grep -q '^GET .*/x 206 bytes=2000000-$' "$PROXY_REQUESTS"
	# Nothing of it came twice, and not for ever is it tried.
	(($(proxy_count down) - down < 3000000 + 20000))
	proxy_set body=2000000 'only=^GET .*/x'
	run ask get=x
	assert_output "$(got x some)"
	proxy_set body=100 'only=^GET .*/x'
	run ask get=x
	assert_output --regexp '^get x temporary '
}
@test "a download that is cut goes on where it was" {
	head -c 3000000 /dev/urandom >some
	each_by_proxy resumed
}

slow() {
	proxy_set delay=30
	asked put=x:medium put=y:small -- "put x ok" "put y ok"
	asked get=x get=y head=x -- "$(got x medium)" "$(got y small)" "head x ok 102400"
}
@test "a long way changes nothing" { each_by_proxy slow; }

dead() {
	asked put=x:small -- "put x ok"
	proxy_set refuse=1
	run ask get=x put=x:small head=x
	assert_output --regexp '^get x temporary .*
put x temporary .*
head x temporary [^
]*$'
	proxy_set
	asked get=x -- "$(got x small)"
}
@test "S39 nobody there: it may be tried again" { each_by_proxy dead; }

cut_up() {
	head -c 3000000 /dev/urandom >some
	proxy_set cut_up=1000000
	run ask put=z:some
	assert_output --regexp '^put z temporary '
	proxy_set
	run ask head=z
	assert_output --regexp '^head z not_found '
}
@test "what is cut while it is put leaves no object" { each_by_proxy cut_up; }
