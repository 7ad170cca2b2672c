# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# Hits from a shared store: nothing is here, all comes from nginx on loopback, over http and over https with HTTP/2; against
# curl, which fetches the same objects into files. Then from a place that is 50 ms away. Then remotes that do not answer:
# how much longer a run takes than one without them.

bench() {
	local dir=$work/remote n=${HITS:-1000}
	mkdir -p "$dir"/{seed,ws}
	local NGINX_HTTP NGINX_HTTPS NGINX_CA PROXY_PORT PROXY_CONTROL
	bench_stop() {
		"$here/../servers/proxy.py" stop "$work/remote/proxy"
		"$here/../servers/nginx.sh" stop "$work/remote/nginx"
		if [[ ${remote_full_pid-} ]]; then kill "$remote_full_pid"; fi
	}
	export no_proxy='*'
	command -v curl >/dev/null || die "no curl"
	eval "$("$here/../servers/nginx.sh" start "$dir/nginx")"
	eval "$("$here/../servers/proxy.py" start "$dir/proxy" --to "${NGINX_HTTP#http://}")"
	export JL_REMOTE_CI_CACERT=$NGINX_CA
	remote_manifest "$dir/seed" "$NGINX_HTTP" readwrite "$n"
	"$jl" run -C "$dir/seed" >/dev/null 2>&1
	[[ $(find "$dir/nginx/data/open/jl" -type f | wc -l) == "$n" ]] || die "not all is on the server"
	remote_row "$NGINX_HTTP" "remote, $n hits of 100 KiB by http" curl=1.5
	remote_row "$NGINX_HTTPS" "remote, $n hits of 100 KiB by https, HTTP/2" curl=1.5
	remote_set delay=50
	remote_row "http://127.0.0.1:$PROXY_PORT" "remote, 50 ms away each way, $n hits of 100 KiB" 'curl=<3'
	remote_dead
	bench_stop
	unset -f bench_stop
	unset JL_REMOTE_CI_CACERT
	rm -rf "$dir"
}

remote_manifest() { # folder, url, mode, n
	cat >"$1/joblib.yaml" <<-END
		version: 1
		store: {remotes: [{name: ci, url: "$2/open/jl", mode: $3}]}
		steps:
		  make:
		    foreach: [$(seq -s, 1 "$4")]
		    command: head -c 102400 /dev/urandom >\${{ output }}
		    outputs: out/\${{ item }}
	END
}

remote_row() { # url, title, goal
	remote_manifest "$dir/ws" "$1" read "$n"
	(cd "$dir/nginx/data/open" && find jl -type f -path '*/ac/*') | awk -v url="$1" -v dir="$dir" '
		{ print "url = " url "/open/" $1; print "output = " dir "/got/" $1 }' >"$dir/list"
	contender curl remote_folders "exec curl --cacert $NGINX_CA --no-progress-meter --fail --parallel -K $dir/list" \
		"diff -r $dir/got/jl $dir/nginx/data/open/jl"
	contender jl "rm -rf $dir/ws/out $dir/ws/.jl $JL_STORE" "exec $jl run -C $dir/ws" remote_same -
	compare "$2" "$3"
}
remote_folders() { # for what curl brings
	rm -rf "$dir/got"
	mkdir "$dir/got"
	(cd "$dir/nginx/data/open" && find jl -type d) | (cd "$dir/got" && xargs mkdir -p)
}
remote_same() {
	summary_is "$n steps: 0 ran, 0 fresh, $n restored, 0 failed" && diff -r "$dir/ws/out" "$dir/seed/out"
}

# Steps that have to run, since nobody answers: a closed port, one that takes what comes and is silent, one where packets are
# dropped (a queue that is full, on loopback). The peer is jl that asks nobody.
remote_dead() {
	local kind port
	remote_set stall=0
	exec {remote_full}< <(exec python3 -c 'if True:
		import signal, socket
		s = socket.socket()
		s.bind(("127.0.0.1", 0))
		s.listen(0)
		kept = [socket.socket() for _ in range(4)]
		for client in kept:
			client.setblocking(False)
			client.connect_ex(s.getsockname())
		print(s.getsockname()[1], flush=True)
		signal.pause()')
	remote_full_pid=$!
	read -r port <&"$remote_full"
	for kind in "closed 127.0.0.1:1" "silent 127.0.0.1:$PROXY_PORT" "dropping 127.0.0.1:$port"; do
		remote_manifest "$dir/ws" "http://${kind#* }" readwrite 100
		contender none "rm -rf $dir/ws/out $dir/ws/.jl $JL_STORE" "exec $jl run --offline -C $dir/ws" remote_ran -
		contender jl "rm -rf $dir/ws/out $dir/ws/.jl $JL_STORE" "exec $jl run -C $dir/ws" remote_ran -
		compare "remote, ${kind% *}: 100 steps that run" 'none=+2'
	done
	kill "$remote_full_pid"
	remote_full_pid=
	exec {remote_full}<&-
}
remote_ran() { summary_is "100 steps: 100 ran, 0 fresh, 0 restored, 0 failed"; }
remote_set() { # words, for the proxy
	local fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$PROXY_CONTROL"
	printf '%s\n' set "$@" '' >&"$fd"
	cat <&"$fd"
	exec {fd}>&-
}
