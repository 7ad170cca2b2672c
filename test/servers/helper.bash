# Real servers for bats tests. Say `load ../bats/helper` and then `load ../servers/helper`: each test's servers are stopped
# when it ends. What setup_file starts lives as long as the file, and is stopped by `teardown_file() { servers_stop; }`.
#
# NAME_start [OPTIONS] waits until the server is ready and sets the variables which its starter under test/servers prints;
# AS=NAME before it (AS=second nginx_start) names one of several of a kind. A test is skipped where the machine does not
# allow what a server needs.
# shellcheck shell=bash disable=SC2154 # bats sets status, output, stderr

SERVERS=$BATS_TEST_DIRNAME/../servers

# Their folders: of the test, or of the file.
servers_folder() { echo "${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/servers"; }

# Start one: server_start PROGRAM NAME [OPTIONS]; its folder is in $SERVER.
server_start() {
	local said status=0
	SERVER=$(servers_folder)/$2
	mkdir -p "$SERVER"
	echo "$SERVERS/$1 $2" >>"$(servers_folder)/started"
	said=$("$SERVERS/$1" start "$SERVER" "${@:3}" 2>"$SERVER/start.err") || status=$?
	case $status in
	0) eval "$said" ;;
	77) skip "$said" ;;
	*) fail "$1 $2 does not start: $said $(cat "$SERVER/start.err")" ;;
	esac
}

# Stop one before the test ends: server_stop PROGRAM NAME
server_stop() { "$SERVERS/$1" stop "$(servers_folder)/$2"; }

# Stop all that this test, or this file, started, the last one first.
servers_stop() {
	local folder program name
	folder=$(servers_folder)
	[[ -e $folder/started ]] || return 0
	tac "$folder/started" | while read -r program name; do "$program" stop "$folder/$name"; done
	rm -f "$folder/started"
}
teardown() { servers_stop; }

# Hosts h1, h2 ... with Debian's sshd: sshd_start [-n HOSTS] [--noisy] [--banner] [--shell PROGRAM] [--net].
# Puts an `ssh` that knows them first on the PATH; sets SSH_CONFIG, SSH_PORT, SSH_HOSTS, SSH_BIN. The home folder of h1 is
# "$(ssh_home h1)". --net: in the hosts of net_start, reached from its client.
sshd_start() {
	local options=() option
	for option; do
		options+=("$option")
		if [[ $option == --net ]]; then options+=("$(servers_folder)/net"); fi
	done
	server_start sshd.sh "${AS:-sshd}" "${options[@]}"
	PATH=$SSH_BIN:$PATH
}
ssh_home() { echo "${SSH_BIN%/bin}/$1/home"; } # host
# Take a host away at once: nobody listens there, its connections end, what it ran is killed. sshd_kill h1
sshd_kill() { "$SERVERS/sshd.sh" kill "${SSH_BIN%/bin}" "$1"; }
# And back, on the same port with the same key and home: sshd_revive h1
sshd_revive() { "$SERVERS/sshd.sh" revive "${SSH_BIN%/bin}" "$1"; }

# A store of files by WebDAV: nginx_start; sets NGINX_HTTP, NGINX_HTTPS, NGINX_MTLS, NGINX_CA, NGINX_PEM, NGINX_CERT,
# NGINX_KEY, NGINX_LOG. Users and folders: nginx.sh.
nginx_start() { server_start nginx.sh "${AS:-nginx}"; }
# How many requests its log has that match: nginx_count '^PUT .* 201 '
nginx_count() { grep -cE -- "${1-}" "$NGINX_LOG" || true; }

# Files over HTTP, quick to start: files_start [--no-etag] [--no-range]; sets FILES_URL, FILES_DATA (what is served) and
# FILES_REQUESTS, its log.
files_start() {
	server_start files.py "${AS:-files}" "$@"
	export FILES_REQUESTS=$SERVER/requests
}
# How many requests its log has that match: files_count '^GET .* 206 '
files_count() { grep -cE -- "${1-}" "$FILES_REQUESTS" || true; }

# A proxy in front of a server on loopback: proxy_start --to HOST:PORT or URL [--http] [--cert PEM]; sets PROXY_PORT,
# PROXY_CONTROL, PROXY_REQUESTS (its log). It passes all on unchanged until proxy_set.
proxy_start() {
	local options=() option
	for option; do
		option=${option#http*://}
		options+=("${option%%/}")
	done
	server_start proxy.py "${AS:-proxy}" "${options[@]}"
	export PROXY_REQUESTS=$SERVER/requests
}
# From now on this is wrong, and nothing else; nothing at all without words: proxy_set delay=50, proxy_set status=503 times=2
# 'only=^GET /x'. The faults: proxy.py.
proxy_set() {
	local said
	said=$(proxy_ask set "$@")
	if [[ -n $said ]]; then fail "$said"; fi
}
# One of its counts: connections, requests, faults, up, down.
proxy_count() { proxy_ask stats | sed -n "s/^$1 //p"; }
proxy_ask() { # words
	local fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$PROXY_CONTROL"
	printf '%s\n' "$@" '' >&"$fd"
	cat <&"$fd"
	exec {fd}>&-
}

# Hosts h1, h2 ... whose links can be cut, and the client in_net: net_start [-n HOSTS]. Then sshd_start --net [-n HOSTS]
# starts sshd in them; the `ssh` on the PATH is the client's already.
net_start() {
	server_start net.sh net "$@"
	PATH=$NET_BIN:$PATH
}
# From now on nothing passes to and from a host, and nobody is told: link_cut h1; until link_mend h1.
link_cut() { "$SERVERS/net.sh" cut "$(servers_folder)/net" "$1"; }
link_mend() { "$SERVERS/net.sh" mend "$(servers_folder)/net" "$1"; }
# A slow link: link_rate h1 1mbit
link_rate() { "$SERVERS/net.sh" rate "$(servers_folder)/net" "$1" "$2"; }

# An object store that verifies signatures: swift_start; sets S3_URL, S3_HOST, S3_REGION, S3_BUCKET and keys with secrets:
# S3_KEY, S3_READER, S3_OTHER (each with _SECRET behind it). It takes seconds: one for a file of tests, in setup_file.
swift_start() { server_start swift.sh "${AS:-swift}"; }

# The endpoint that gives a container credentials: credentials_start OPTIONS; sets CREDENTIALS_URL, CREDENTIALS_LOG. Its
# options: credentials.py.
credentials_start() { server_start credentials.py "${AS:-credentials}" "$@"; }

# Remotes for rclone: rclone_start; sets RCLONE_CONFIG, which rclone reads, RCLONE_REMOTE (a remote on this disk) and
# RCLONE_FOLDER (where that is); after swift_start also RCLONE_S3, its bucket.
rclone_start() {
	server_start rclone.sh "${AS:-rclone}" ${S3_URL+"$S3_URL" "$S3_BUCKET" "$S3_KEY" "$S3_SECRET"}
	export RCLONE_CONFIG
}

# A Docker engine: docker_start; sets DOCKER_HOST, which docker reads, and DOCKER_IMAGE: busybox.
docker_start() {
	server_start docker.sh "${AS:-docker}"
	export DOCKER_HOST DOCKER_CONFIG=$SERVER/client
}
