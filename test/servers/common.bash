# What the starters of servers share; they source it. A server lives in one folder, which its caller gives: settings, data,
# log and pid files (*.pid). It listens on loopback only, on ports nobody else had.
# shellcheck shell=bash

PATH=$PATH:/usr/sbin:/sbin
# A server outlives its starter: it must not hold open what its caller gave on (the test runner waits for its ends).
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- </dev/null

die() { # message
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

# A server's folder, made, as an absolute path.
folder() { # path
	if [[ -z $1 ]] || ! mkdir -p "$1"; then die "no folder \"$1\""; fi
	(cd "$1" && pwd -P)
}

# Ports that nothing listens on now, below those the kernel gives to clients. Another may take one before the server does:
# then the server does not come up, and its starter tries the next.
free_ports() { # how many
	perl -MSocket -e '
		my $want = shift;
		for (my $try = 0; @ports < $want && $try < 1000; $try++) {
			my $port = 20000 + int rand 12000;
			socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
			setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
			if (bind($s, sockaddr_in($port, INADDR_ANY))) { push @ports, $port; push @kept, $s }
		}
		print join(" ", @ports), "\n"; exit(@ports != $want)' "$@"
}

# Ask until it answers, or its process is gone, or 60 s went by: await_ready PIDFILE COMMAND...
await_ready() {
	local pid i
	for ((i = 0; i < 3000; i++)); do
		if "${@:2}" >/dev/null 2>&1; then return 0; fi
		pid=$(cat "$1" 2>/dev/null)
		# A daemon writes its pid file when it has come up: none yet is no end.
		if [[ -n $pid ]] && ! alive "$pid"; then return 1; fi
		sleep 0.02
	done
	return 1
}

alive() { # pid; a process that ended but was not waited for does not count
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	[[ ${stat##*) } != [ZX]* ]]
}

# A process and all that it started, parents first.
family() { # pid
	local child children
	echo "$1"
	# The list ends without a newline.
	read -ra children < <(cat /proc/"$1"/task/*/children 2>/dev/null) || true
	for child in "${children[@]}"; do family "$child"; done
}

# Ends processes, and returns when they are gone.
kill_hard() { # pids
	local pid
	kill -KILL "$@" 2>/dev/null
	for pid; do
		while alive "$pid"; do sleep 0.01; done
	done
}

# Ends the process of a pid file, and what it started.
stop_pid() { # pid file
	local pid pids i
	pid=$(cat "$1" 2>/dev/null) || return 0
	if [[ -z $pid ]] || ! alive "$pid"; then return 0; fi
	mapfile -t pids < <(family "$pid")
	kill -TERM "$pid" 2>/dev/null
	for ((i = 0; i < 500; i++)); do
		alive "$pid" || break
		sleep 0.01
	done
	# What the server left when it ended: sessions of clients, and itself when it does not listen.
	kill_hard "${pids[@]}"
	rm -f "$1"
}
