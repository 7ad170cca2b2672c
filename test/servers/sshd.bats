load ../bats/helper
load helper

setup() { jl_setup; }

@test "sshd: several hosts, each with its own key and home" {
	sshd_start -n 3
	for host in $SSH_HOSTS; do
		run --separate-stderr ssh "$host" 'echo "$HOME"'
		assert_status 0
		assert_output "$(ssh_home "$host")"
		assert_equal "$stderr" ''
	done
	assert_equal "$(cut -d ' ' -f 3 "$(dirname "$SSH_CONFIG")/known_hosts" | sort -u | wc -l)" 3
}

@test "sshd: bytes pass unchanged both ways, and the status" {
	sshd_start
	perl -e 'print pack("C*", 0..255) x 4096' >sent
	local status=0
	ssh h1 'cat; exit 7' <sent >back || status=$?
	assert_equal "$status" 7
	cmp sent back
}

@test "sshd: a host key that is not the known one is refused" {
	sshd_start -n 2
	sed -i 's/^h1 /h0 /; s/^h2 /h1 /' "$(dirname "$SSH_CONFIG")/known_hosts"
	run ssh h1 true
	assert_failure 255
	assert_output --partial 'Host key verification failed'
}

@test "sshd: a login banner and rc files that print" {
	sshd_start --noisy --banner
	run --separate-stderr ssh h1 'echo said'
	assert_status 0
	# Which files they are is the shell's.
	assert_output --regexp '^noise on stdout from .*said$'
	[[ $stderr == 'Authorized users only.'*'noise on stderr from '* ]]
}

@test "sshd: a login shell that is not sh" {
	sshd_start --noisy --shell "$(command -v tcsh)"
	run --separate-stderr ssh h1 'echo $0 $home'
	assert_status 0
	assert_output $'noise on stdout from .cshrc\n'"tcsh $(ssh_home h1)"
}

@test "sshd: two at once; one that is killed ends its connections, the other stays" {
	AS=first sshd_start
	local first=$SSH_BIN
	AS=second sshd_start
	timeout 60 "$first/ssh" h1 'echo up; exec sleep 1000' </dev/null >said 3>&- &
	local client=$! status=0
	wait_until grep -qs up said
	SSH_BIN=$first sshd_kill h1
	wait "$client" || status=$?
	assert_equal "$status" 255
	run "$first/ssh" h1 true
	assert_failure 255
	assert_output --partial 'Connection refused'
	"$SSH_BIN/ssh" h1 true
	SSH_BIN=$first sshd_revive h1
	"$first/ssh" h1 true
}

@test "sshd: a host with another shell comes back as it was" {
	sshd_start --shell "$(command -v tcsh)"
	sshd_kill h1
	sshd_revive h1
	run ssh h1 'echo $0'
	assert_output tcsh
}

@test "sshd: nothing of it is left when it is stopped, whatever runs there" {
	sshd_start
	timeout 60 ssh h1 'echo up; exec sleep 1000' </dev/null >said 3>&- &
	wait_until grep -qs up said
	servers_stop
	wait "$!" || true
	run pgrep -f "$(ssh_home h1)"
	assert_failure
	run grep -lsaF "$(ssh_home h1)" /proc/[0-9]*/environ
	assert_output ''
}
