#!/bin/bash
# Debian's sshd, one for each host, on 127.0.0.1, 127.0.0.2 ... as the hosts h1, h2 ...: own host keys, own home folders.
#
#     sshd.sh start FOLDER [-n HOSTS] [--noisy] [--banner] [--shell PROGRAM] [--net FOLDER]
#     sshd.sh stop FOLDER
#     sshd.sh kill FOLDER HOST; sshd.sh revive FOLDER HOST
#
# --noisy: rc files that print to both streams; --banner: a login banner; --shell: the login shell (root only: sshd sees
# another /etc/passwd); --net: in the hosts of a network that net.bash made. Prints SSH_CONFIG (for ssh -F), SSH_PORT,
# SSH_HOSTS (names in that settings file), SSH_BIN (a folder with an ssh that uses it: jl runs the user's own ssh); the
# home of h1 is FOLDER/h1/home. Exit status 77: this machine does not allow it.
# shellcheck source=test/servers/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

write_host() { # name, address
	local host=$dir/$1
	mkdir -p "$host/home/.ssh"
	chmod 700 "$host" "$host/home" "$host/home/.ssh"
	ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$host/key" || die 'no host key'
	cat >"$host/sshd_config" <<-CONFIG
		ListenAddress $2
		Port $port
		HostKey $host/key
		PidFile $host/sshd.pid
		AuthorizedKeysFile $dir/client.pub
		StrictModes no
		UsePAM $pam
		UseDNS no
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		MaxStartups 200:30:400
		MaxSessions 100
		PrintMotd no
		PermitUserRC $([[ -n $shell ]] && echo yes || echo no)
		Subsystem sftp internal-sftp
		# A caller's own rc files must not matter, and what a test leaves must not be in its home.
		SetEnv HOME=$host/home
		${banner:+Banner $dir/banner}
	CONFIG
	if [[ -n $noisy ]]; then
		for rc in .bashrc .bash_profile .profile .zshenv .cshrc; do
			printf 'echo "noise on stdout from %s"\necho "noise on stderr from %s" >&2\n' $rc $rc >"$host/home/$rc"
		done
		sed -i '2s/.*/sh -c '\''echo noise on stderr from .cshrc >\&2'\''/' "$host/home/.cshrc"
		mkdir -p "$host/home/.config/fish"
		sed 's/\.bashrc/config.fish/' "$host/home/.bashrc" >"$host/home/.config/fish/config.fish"
	fi
	if [[ -n $shell ]]; then
		awk -F: -v OFS=: -v home="$host/home" -v shell="$shell" '$3 == 0 { $6 = home; $7 = shell } 1' \
			/etc/passwd >"$host/passwd"
	fi
	cat >>"$dir/config" <<-CONFIG
		Host $1
			HostName $2
			HostKeyAlias $1
	CONFIG
	echo "$1 $(cut -d ' ' -f 1,2 "$host/key.pub")" >>"$dir/known_hosts"
}

run_host() { # name
	local host=$dir/$1 in=()
	if [[ -n $net ]]; then in=(nsenter "--net=/proc/$(cat "$net/$1.pid")/ns/net"); fi
	if [[ -n $shell ]]; then
		# shellcheck disable=SC2016 # the inner shell's own
		in+=(unshare --mount --propagation private sh -c 'mount --bind "$0" /etc/passwd && exec "$@"' "$host/passwd")
	fi
	"${in[@]}" /usr/sbin/sshd -f "$host/sshd_config" -E "$host/log" 2>>"$dir/log"
}

# Only who has our host key is ours.
await_host() { # name
	await_ready "$dir/$1/sshd.pid" "${client[@]}" -F "$dir/config" "$1" exit || failed "nobody gets into $1"
}

try_port() {
	local i address net_address=10.77.0.
	rm -rf "$dir"/h[0-9]* "$dir/known_hosts"
	cat >"$dir/config" <<-CONFIG
		Host *
			Port $port
			User $(id -un)
			IdentityFile $dir/client
			IdentitiesOnly yes
			UserKnownHostsFile $dir/known_hosts
			GlobalKnownHostsFile /dev/null
			StrictHostKeyChecking yes
			BatchMode yes
	CONFIG
	for ((i = 1; i <= hosts; i++)); do
		address=127.0.0.$i
		if [[ -n $net ]]; then address=$net_address$i; fi
		write_host "h$i" "$address"
		if ! run_host "h$i"; then return 1; fi
		await_host "h$i"
	done
}

start() {
	hosts=1 noisy='' banner='' shell='' net=''
	while (($#)); do
		case $1 in
		-n) hosts=$2 && shift ;;
		--noisy) noisy=1 ;;
		--banner) banner=1 ;;
		--shell) shell=$2 && shift ;;
		--net) net=$2 && shift ;;
		*) die "unknown option $1" ;;
		esac
		shift
	done
	if [[ -n $shell ]]; then
		unshare --mount --propagation private true 2>/dev/null || { echo 'no mount namespaces here' && exit 77; }
	fi
	# An account without a password that is locked: only PAM lets it in by key.
	pam=no
	if [[ $(getent shadow "$(id -un)" | cut -d : -f 2) == '!'* ]]; then pam=yes; fi
	client=("$(command -v ssh)")
	if [[ -n $net ]]; then client=(nsenter "--net=/proc/$(cat "$net/client.pid")/ns/net" "${client[@]}"); fi
	declare -p net shell client | sed 's/^declare/declare -g/' >"$dir/started"
	mkdir -p "$dir/bin"
	# sshd gives up its rights in this folder; its service makes it otherwise.
	if [[ $(id -u) == 0 ]]; then mkdir -p /run/sshd; fi
	ssh-keygen -q -t ed25519 -N '' -C client -f "$dir/client" || die 'no client key'
	echo 'Authorized users only.' >"$dir/banner"
	local try
	for try in 1 2 3 4 5; do
		port=$(free_ports 1) || die 'no free port'
		if try_port; then break; fi
		stop
		if ((try == 5)); then failed 'sshd does not come up'; fi
	done
	printf '#!/bin/sh\nexec %s -F "%s" "$@"\n' "${client[*]}" "$dir/config" >"$dir/bin/ssh"
	chmod +x "$dir/bin/ssh"
	local names
	names=$(seq -f h%g -s ' ' "$hosts")
	printf '%s\n' "SSH_CONFIG='$dir/config'" "SSH_PORT=$port" "SSH_HOSTS='$names'" "SSH_BIN='$dir/bin'"
}

failed() { # why
	cat "$dir"/log "$dir"/h*/log >&2
	stop
	die "$1"
}

stop() {
	local file
	for file in "$dir"/h*/sshd.pid; do stop_pid "$file"; done
}

# A host's end without a word: its sessions and what they run go with it.
kill_host() { # name
	local pids
	mapfile -t pids < <(family "$(cat "$dir/$1/sshd.pid")")
	kill_hard "${pids[@]}"
}

# The same host on the same port again.
revive_host() { # name
	# shellcheck source=/dev/null
	. "$dir/started"
	rm -f "$dir/$1/sshd.pid"
	run_host "$1" || failed "$1 does not come up"
	await_host "$1"
}

dir=$(folder "${2-}") || exit 1
case $1 in
start) start "${@:3}" ;;
stop) stop ;;
kill) kill_host "$3" ;;
revive) revive_host "$3" ;;
*) die 'start FOLDER, stop FOLDER, kill FOLDER HOST or revive FOLDER HOST' ;;
esac
