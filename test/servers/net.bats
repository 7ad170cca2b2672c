load ../bats/helper
load helper

setup() { jl_setup; }

@test "net: hosts and the client reach each other, and nobody else" {
	net_start -n 2
	sshd_start -n 2 --net
	local host
	for host in h1 h2; do
		run ssh "$host" 'echo "${SSH_CONNECTION% *}"'
		assert_status 0
		assert_output --regexp "^10\.77\.0\.254 [0-9]+ 10\.77\.0\.${host#h}$"
	done
	run ip -o link show type veth
	assert_output ''
	run in_net ip -o route show
	assert_equal "${#lines[@]}" 1
}

@test "net: a link that is cut is silent, to who is connected and to who comes; mended it goes on" {
	net_start -n 2
	sshd_start -n 2 --net
	mkfifo to
	timeout 100 ssh h1 cat <to >from 3>&- &
	local client=$!
	exec 5>to
	echo before >&5
	wait_until grep -qs before from
	link_cut h1
	echo after >&5
	run ssh -o ConnectTimeout=1 h1 true
	assert_failure 255
	assert_output --partial 'timed out'
	ssh h2 true
	run cat from
	assert_output before
	kill -0 "$client"
	link_mend h1
	wait_until grep -qs after from
	exec 5>&-
	wait "$client"
	ssh -o ConnectTimeout=20 h1 true
}

@test "net: a slow link" {
	net_start -n 1
	sshd_start --net
	link_rate h1 1mbit
	local start=${EPOCHREALTIME/./}
	head -c 125000 /dev/zero | ssh h1 'cat >/dev/null'
	# A megabit in less than a second: but for what goes in one burst.
	assert_equal "$(((${EPOCHREALTIME/./} - start) > 700000))" 1
}

@test "net: several at once, and nothing is left" {
	net_start -n 1
	local first=$NET_BIN
	server_start net.sh second -n 1
	[[ $("$first/in_net" readlink /proc/self/ns/net) != "$("$NET_BIN/in_net" readlink /proc/self/ns/net)" ]]
	local folder
	folder=$(servers_folder)
	servers_stop
	run pgrep -f "$folder"
	assert_failure
	run cat "$folder"/*/*.pid
	assert_failure
}
