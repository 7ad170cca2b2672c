# shellcheck shell=bash disable=SC2154 # read by run.sh, whose variables these are
# The host that ssh and sshdata measure with: Debian's sshd on loopback, as test/servers/sshd.sh starts it. Peers and jl
# use the same ssh with the same settings; what jl brings along lies in the host's own home folder.

start_host() { # false: there is no sshd here, which is said as an absent peer's is
	local status=0
	if [[ ! -x /usr/sbin/sshd ]] || ! command -v ssh >/dev/null; then
		absent+=(sshd)
		return 1
	fi
	"$here/../servers/sshd.sh" start "$work/sshd" >"$work/sshd.env" || status=$?
	((status == 0)) || die "sshd does not start ($status)"
	# shellcheck source=/dev/null
	. "$work/sshd.env"
	far=$work/sshd/h1
	own_path=$PATH
	PATH=$SSH_BIN:$PATH
}
stop_host() {
	if [[ -d $work/sshd ]]; then "$here/../servers/sshd.sh" stop "$work/sshd"; fi
	if [[ -n ${own_path-} ]]; then PATH=$own_path; fi
	rm -rf "$work/sshd"
}
# How many connections it has taken since they were forgotten.
connections() { grep -c 'Accepted publickey' "$far/log" || true; }
forget_connections() { : >"$far/log"; }
