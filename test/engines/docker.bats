load ../bats/helper
load ../servers/helper

setup() { jl_setup; }

@test "docker: bytes pass unchanged through run -i and exec -i, and the status" {
	docker_start
	local engine
	engine=$(cat "$SERVER/engine.pid")
	perl -e 'print pack("C*", 0..255) x 4096' >sent
	local status=0
	docker run --rm -i --network none "$DOCKER_IMAGE" sh -c 'cat; exit 7' <sent >back || status=$?
	assert_equal "$status" 7
	cmp sent back
	docker run -d --name host --network none "$DOCKER_IMAGE" sleep 1000
	docker exec -i host cat <sent >back
	cmp sent back
	servers_stop
	run pgrep -f "$(servers_folder)"
	assert_failure
	run find /sys/fs/cgroup -maxdepth 2 -name "jl-$engine"
	assert_output ''
}

# The engine's containers as hosts: run -i makes one for the run, exec -i goes into one that is there.
@test "docker: jl brings its agent into containers, and what is made there is a hit here" {
	docker_start
	docker run -d --name web --network none "$DOCKER_IMAGE" sleep 1000
	write_manifest <<EOF2
version: 1
executors:
  fresh: {type: command, launch: [docker, run, --rm, -i, --network, none, "$DOCKER_IMAGE", sh], slots: 2}
  web: {type: command, launch: [docker, exec, -i, web, sh], slots: 2}
defaults: {shell: [sh, -ec], pass_env: [DOCKER_HOST]}
steps:
  upper:
    foreach: {from: 1, to: 8}
    command: "tr a-z A-Z < \${{ input }} > \${{ output }}; test -x /bin/busybox; ! test -e /usr; chmod 750 \${{ output }}"
    inputs: in
    outputs: "u/\${{ item }}"
    executor: fresh
  count: {command: "cat \${{ inputs }} | wc -c > \${{ output }}", inputs: "u/*", outputs: n, executor: web}
EOF2
	head -c 3000000 /dev/zero | tr '\0' x >in
	export DOCKER_HOST
	jl_ok run --events there
	assert_equal "$(tr -d ' ' <n)" 24000000
	assert_equal "$(stat -c %a u/8)" 750
	assert_equal "$(grep -c '"step_finished".*"status":"ran".*"host":"fresh"' there)" 8
	assert_equal "$(grep -c '"step_finished".*"status":"ran".*"host":"web"' there)" 1
	rm -r u n .jl
	jl_ok run --executor local --events here
	assert_equal "$(grep -c '"status":"restored"' here)" 9
	jl_ok hosts
	assert_line --index 0 --regexp '^fresh  fresh  up  2 slots'
	assert_line --index 1 --regexp '^web  web  up  2 slots'
	# No container of ours is left, and nothing of ours in the one that was there before.
	until [[ $(docker ps -q | wc -l) == 1 ]]; do read -rt 0.05 <> <(:) || :; done
	# shellcheck disable=SC2016
	until [[ -z $(docker exec web sh -c 'readlink /proc/[0-9]*/exe | grep jl/agent; ls -A /root/.cache/jl/agent/run') ]]; do
		read -rt 0.05 <> <(:) || :
	done
}

@test "docker: a container that is killed is a lost host, and jl that is killed leaves no container" {
	docker_start
	mkfifo up
	write_manifest <<EOF2
version: 1
executors: {fresh: {type: command, launch: [docker, run, --rm, -i, --network, none, -v, "$PWD:$PWD", "$DOCKER_IMAGE", sh], slots: 1}}
defaults: {shell: [sh, -ec]}
steps:
  once: {command: "if mkdir $PWD/gone 2>/dev/null; then echo up > $PWD/up; sleep 1000; fi; echo done > o", inputs: in, outputs: o, executor: fresh}
EOF2
	touch in
	export DOCKER_HOST
	jl run >out 2>err 3>&- &
	local jl=$!
	read -r _ <up
	docker kill "$(docker ps -q)"
	wait $jl
	assert_equal "$(cat o)" 'done'
	run cat err
	assert_output --partial 'host "fresh" was lost; it runs again'
	rmdir gone
	jl run --force >out 2>err 3>&- &
	jl=$!
	read -r _ <up
	kill -9 $jl
	until [[ -z $(docker ps -q) ]]; do read -rt 0.05 <> <(:) || :; done
}
