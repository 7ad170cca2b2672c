load ../bats/helper
load ../servers/helper

setup() { jl_setup; }

@test "docker: bytes pass unchanged through run -i and exec -i, and the status" {
	docker_start
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
	run find /sys/fs/cgroup -maxdepth 2 -name 'jl-*'
	assert_output ''
}
