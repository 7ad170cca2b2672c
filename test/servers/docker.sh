#!/bin/bash
# A Docker engine of its own: its folders, its network (none), its mounts and its groups of processes are not the machine's.
#
#     docker.sh start FOLDER
#     docker.sh stop FOLDER
#
# Prints DOCKER_HOST (docker reads that variable) and DOCKER_IMAGE: busybox and nothing else. Exit status 77: not allowed here.
# shellcheck source=test/servers/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

make_image() {
	local applet
	mkdir -p "$dir"/tree/{bin,tmp,root,etc}
	for applet in $(busybox --list); do ln -s busybox "$dir/tree/bin/$applet"; done
	rm -f "$dir/tree/bin/busybox"
	cp "$(command -v busybox)" "$dir/tree/bin/busybox" || return 1
	tar -C "$dir/tree" -c . | docker import - jl-busybox
}

start() {
	if ! unshare --net --mount --propagation private true 2>/dev/null; then
		echo 'no namespaces here'
		exit 77
	fi
	export DOCKER_HOST=unix://$dir/docker.sock TMPDIR=$dir
	mkdir -p "$dir"/{data,exec,shims} /run/docker /run/containerd /var/lib/docker
	# Names of sockets must be short: the engine's folders lie where they always do, for it alone.
	# shellcheck disable=SC2016 # the inner shell's own
	setsid unshare --net --mount --propagation private sh -c '
		mount --bind "$1/data" /var/lib/docker && mount --bind "$1/exec" /run/docker &&
			mount --bind "$1/shims" /run/containerd && ip link set lo up &&
			exec dockerd -H "unix://$1/docker.sock" -p "$1/docker.pid" --cgroup-parent "/jl-$$" \
				--exec-opt native.cgroupdriver=cgroupfs --bridge none --iptables=false --ip-forward=false --ip-masq=false \
				--shutdown-timeout 1' sh "$dir" >"$dir/log" 2>&1 &
	echo $! >"$dir/engine.pid"
	if ! { await_ready "$dir/engine.pid" docker version && make_image >"$dir/image"; }; then
		stop
		die "no engine: $(tail -n 20 "$dir/log")"
	fi
	printf '%s\n' "DOCKER_HOST='$DOCKER_HOST'" DOCKER_IMAGE=jl-busybox
}

stop() {
	local pid containers group
	pid=$(cat "$dir/engine.pid" 2>/dev/null) || return 0
	mapfile -t containers < <(docker -H "unix://$dir/docker.sock" ps -q 2>/dev/null)
	if ((${#containers[@]})); then docker -H "unix://$dir/docker.sock" kill "${containers[@]}" >/dev/null; fi
	stop_pid "$dir/engine.pid"
	for group in /sys/fs/cgroup/jl-"$pid" /sys/fs/cgroup/*/jl-"$pid"; do
		if [[ -d $group ]]; then find "$group" -depth -type d -exec rmdir {} +; fi
	done
}

dir=$(folder "${2-}") || exit 1
case $1 in
start | stop) "$1" ;;
*) die 'start FOLDER or stop FOLDER' ;;
esac
