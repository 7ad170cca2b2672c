# Hosts whose link is cut: silent, refusing, slow; and what `jl hosts` says of each.
# shellcheck disable=SC2154,SC2016 # bats sets stderr; texts for others' shells
load ../bats/helper
load helper

setup() {
	jl_setup
	net_start -n 2
	sshd_start -n 2 --net
	touch in
}

lab() { # more keys of the executor, the steps on stdin
	printf 'version: 1\nexecutors:\n  lab: {type: ssh, hosts: [{host: h1, slots: 1, tags: [one]}, {host: h2, slots: 1, tags: [two]}], %s}\n' \
		"$1" >joblib.yaml
	printf 'defaults: {executor: lab}\nsteps:\n' >>joblib.yaml
	cat >>joblib.yaml
}
nothing_left() { [[ -z $(find "$(ssh_home "$1")/.cache/jl/agent/run" -mindepth 1) ]]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

@test "S35: a host whose link is cut is lost after its silence; its step runs elsewhere, and what it sends late is nobody's" {
	# The step ends on h1 when nobody can hear of it any more.
	lab 'silence: 2s' <<EOF2
  hold: {command: "echo > $PWD/held; until test -e $PWD/cut; do sleep 0.05; done", hosts: [two]}
  free: {command: "until test -e $PWD/held; do sleep 0.05; done", hosts: [one]} # h1 has room now, h2 has none
  late: {command: "case \$HOME in */h1/*) echo > $PWD/began; until test -e $PWD/cut; do sleep 0.05; done; echo late > o; touch $PWD/ended;;
                   *) echo fresh > o;; esac", inputs: in, outputs: o, after: free}
  never: {command: "case \$HOME in */h1/*) echo \$\$ > $PWD/pid; sleep 1000;; esac; echo fresh > p", inputs: in, outputs: p, after: free,
          manual: true}
EOF2
	jl run >out 2>err 3>&- &
	local jl=$!
	wait_until test -s began
	link_cut h1
	touch cut
	wait_until test -e ended
	wait $jl
	assert_equal "$(cat o)" fresh
	run cat err
	assert_output --partial 'host "h1" of "lab": nothing was heard of it for'
	assert_output --partial 'host "h1" was lost; it runs again'
	link_mend h1
	wait_until nothing_left h1
	assert_equal "$(cat o)" fresh

	# One that would never end is ended, too.
	rm cut held
	jl run hold free never >out 2>err 3>&- &
	jl=$!
	wait_until test -s pid
	link_cut h1
	touch cut
	wait $jl
	assert_equal "$(cat p)" fresh
	wait_until gone "$(cat pid)" # though nobody tells it anything
	wait_until nothing_left h1
}

@test "S35: a link that is mended in mid-run: the host is used again" {
	lab 'silence: 2s, connect: 2s' <<EOF2
  hold: {command: "echo >> $PWD/began; until test -e $PWD/go; do sleep 0.05; done", hosts: [one]}
  more: {command: "echo ok > more", outputs: more, hosts: [one], after: hold}
EOF2
	jl run >out 2>err 3>&- &
	local jl=$!
	wait_until test -s began
	link_cut h1
	wait_until grep -q 'was lost; it runs again' err
	link_mend h1
	touch go
	wait $jl
	assert_equal "$(cat more)" ok
	assert_equal "$(wc -l <began)" 2
}

@test "a link that is cut for less than its silence loses nothing" {
	lab 'silence: 60s' <<EOF2
  a: {command: "touch $PWD/began; until test -e $PWD/go; do sleep 0.05; done; echo ok > o", inputs: in, outputs: o, hosts: [one]}
EOF2
	jl run >out 2>err 3>&- &
	local jl=$!
	wait_until test -e began
	link_cut h1
	touch go
	link_mend h1
	wait $jl
	assert_equal "$(cat o)" ok
	run cat err
	refute_output --partial lost
}

@test "jl hosts: silent, refusing, slow, and without an agent for what they are" {
	lab 'connect: 3s' <<'EOF2'
  a: {command: x}
EOF2
	link_rate h2 20mbit
	link_cut h1
	run_jl hosts
	assert_status 1
	assert_line --index 0 'lab  h1  down  no answer for 3 s'
	assert_line --index 1 --regexp '^lab  h2  up  1 slot  '
	link_mend h1
	sshd_kill h1
	run_jl hosts
	assert_status 1
	assert_line --index 0 --regexp '^lab  h1  down  ssh: connect to host .* Connection refused$'
	sshd_revive h1
	mkdir "$(ssh_home h1)/bin"
	printf '#!/bin/sh\necho Linux sparc64\n' >"$(ssh_home h1)/bin/uname"
	chmod +x "$(ssh_home h1)/bin/uname"
	echo "export PATH=$(ssh_home h1)/bin:\$PATH" >"$(ssh_home h1)/.bashrc"
	run_jl hosts
	assert_status 1
	assert_line --index 0 --regexp '^lab  h1  down  .*Linux sparc64'
	rm "$(ssh_home h1)/.bashrc"
	jl_ok hosts
	assert_equal "${#lines[@]}" 2
}
