#!/bin/bash
# A network of its own whose links a test cuts: hosts h1, h2 ... at 10.77.0.1, .2 ... and a client at 10.77.0.254, each in
# a network namespace, joined by a bridge in one more. What is cut is silent: packets are dropped, nobody is told.
#
#     net.sh start FOLDER [-n HOSTS]
#     net.sh stop FOLDER
#     net.sh cut FOLDER HOST; net.sh mend FOLDER HOST
#     net.sh rate FOLDER HOST RATE     as tc says it: 1mbit
#
# Prints NET_BIN, a folder with `in_net COMMAND...`, which runs a command as the client. A namespace lives as long as its one
# process (FOLDER/NAME.pid): nothing is left when they end, however that comes. Exit status 77: not allowed here.
# shellcheck source=test/servers/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

inside() { # name, command...
	nsenter "--net=/proc/$(cat "$dir/$1.pid")/ns/net" "${@:2}"
}

make_namespace() { # name
	local pid own
	# The folder is in its command, so that who looks for what a test left finds it.
	setsid unshare --net tail -f "$dir/hold" >/dev/null 2>&1 &
	pid=$!
	echo "$pid" >"$dir/$1.pid"
	own=$(readlink /proc/self/ns/net)
	until [[ $(readlink "/proc/$pid/ns/net") != "$own" ]]; do
		if ! alive "$pid"; then return 1; fi
		sleep 0.01
	done
	inside "$1" ip link set lo up
}

join() { # name, number; a cable to the switch
	inside switch ip link add "$1" type veth peer name eth0 netns "$(cat "$dir/$1.pid")" &&
		inside switch ip link set "$1" master bridge up &&
		inside "$1" ip -batch - <<-BATCH
			link set eth0 address 02:00:0a:4d:00:$(printf %02x "$2") up
			address add 10.77.0.$2/24 dev eth0
		BATCH
}

# Who is asked for after a cut must not be known to be away: addresses are looked up once and for all.
introduce() { # name, numbers
	local i
	for i in "${@:2}"; do
		echo "neighbour replace 10.77.0.$i lladdr 02:00:0a:4d:00:$(printf %02x "$i") dev eth0 nud permanent"
	done | inside "$1" ip -batch -
}

start() {
	local hosts=2 name names=(client) numbers=(254) i said
	if [[ ${1-} == -n ]]; then hosts=$2; fi
	for ((i = 1; i <= hosts; i++)); do names+=("h$i") numbers+=("$i"); done
	: >"$dir/hold"
	for name in switch "${names[@]}"; do
		if ! make_namespace "$name"; then
			stop
			echo 'no network namespaces here'
			exit 77
		fi
	done
	if ! said=$(inside switch ip link add bridge type bridge 2>&1 && inside switch ip link set bridge up 2>&1 &&
		join client 254 2>&1); then
		stop
		echo "no bridge of namespaces here: $said"
		exit 77
	fi
	for ((i = 1; i <= hosts; i++)); do join "h$i" "$i" || failed; done
	for name in "${names[@]}"; do introduce "$name" "${numbers[@]}" || failed; done
	mkdir -p "$dir/bin"
	printf '#!/bin/sh\nexec nsenter --net=/proc/%s/ns/net "$@"\n' "$(cat "$dir/client.pid")" >"$dir/bin/in_net"
	chmod +x "$dir/bin/in_net"
	# The bridge forwards when its ports have come up.
	for ((i = 1; i <= hosts; i++)); do
		await_ready "$dir/h$i.pid" reachable "h$i" "10.77.0.$i" || failed
	done
	echo "NET_BIN='$dir/bin'"
}

# Nobody listens there: whoever refuses is there.
reachable() { # name, address
	# shellcheck disable=SC2016 # perl's own variables
	inside client perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => "$ARGV[0]:9", Timeout => 1);
		exit(!($s || $!{ECONNREFUSED}))' "$2"
}

failed() {
	stop
	die 'no network'
}

rate() { # host, rate
	inside switch tc qdisc replace dev "$1" root tbf rate "$2" burst 16kb latency 1s &&
		inside "$1" tc qdisc replace dev eth0 root tbf rate "$2" burst 16kb latency 1s
}

stop() {
	local file
	for file in "$dir"/*.pid; do stop_pid "$file"; done
}

dir=$(folder "${2-}") || exit 1
case $1 in
start) start "${@:3}" ;;
stop) stop ;;
cut) inside switch ip link set "$3" down ;;
mend) inside switch ip link set "$3" up ;;
rate) rate "$3" "$4" ;;
*) die 'start FOLDER, stop FOLDER, cut FOLDER HOST, mend FOLDER HOST or rate FOLDER HOST RATE' ;;
esac
