#!/bin/bash
# OpenStack Swift with its S3 interface, which verifies signatures: four servers, one copy of everything.
#
#     swift.sh start FOLDER
#     swift.sh stop FOLDER
#
# Prints S3_URL (path style; S3_HOST is HOST:PORT for BUCKET.HOST:PORT), S3_REGION, S3_BUCKET, and keys with their secrets:
# S3_KEY S3_SECRET may do all, S3_READER S3_READER_SECRET read the bucket, S3_OTHER S3_OTHER_SECRET nothing in it.
# shellcheck source=test/servers/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

# The settings of a server that keeps things: kind, port.
write_store() {
	cat >"$dir/$1.conf" <<-CONFIG
		[DEFAULT]
		bind_ip = 127.0.0.1
		bind_port = $2
		bind_timeout = 1
		user = $(id -un)
		workers = 0
		swift_dir = $dir
		devices = $dir/data
		mount_check = false
		disable_fallocate = true
		fallocate_reserve = 0
		[pipeline:main]
		pipeline = $1-server
		[app:$1-server]
		use = egg:swift#$1
		recon_cache_path = $dir/recon
	CONFIG
}

write_proxy() { # port, port of memcached
	cat >"$dir/proxy.conf" <<-CONFIG
		[DEFAULT]
		bind_ip = 127.0.0.1
		bind_port = $1
		bind_timeout = 1
		user = $(id -un)
		workers = 0
		swift_dir = $dir
		[pipeline:main]
		pipeline = catch_errors cache listing_formats s3api tempauth bulk slo dlo versioned_writes proxy-server
		[app:proxy-server]
		use = egg:swift#proxy
		account_autocreate = true
		# A server that is not up yet must not be left alone for a minute.
		error_suppression_limit = 1000000
		[filter:catch_errors]
		use = egg:swift#catch_errors
		[filter:cache]
		use = egg:swift#memcache
		memcache_servers = 127.0.0.1:$2
		[filter:listing_formats]
		use = egg:swift#listing_formats
		[filter:s3api]
		use = egg:swift#s3api
		location = us-east-1
		storage_domain = localhost
		[filter:tempauth]
		use = egg:swift#tempauth
		user_jl_tester = sekret .admin
		user_jl_reader = legible
		user_other_other = strange .admin
		[filter:bulk]
		use = egg:swift#bulk
		[filter:slo]
		use = egg:swift#slo
		[filter:dlo]
		use = egg:swift#dlo
		[filter:versioned_writes]
		use = egg:swift#versioned_writes
		allow_versioned_writes = true
	CONFIG
}

# Where what is: one disk on each of three ports.
write_rings() { # ports
	printf '[swift-hash]\nswift_hash_path_suffix = jl\n' >"$dir/swift.conf"
	/usr/bin/python3 - "$dir" "$@" <<-'PROGRAM'
		import sys
		from swift.common.ring import RingBuilder
		for kind, port in zip(("object", "container", "account"), sys.argv[2:]):
		    builder = RingBuilder(4, 1, 1)
		    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": int(port), "device": "disk", "weight": 1,
		                     "replication_ip": "127.0.0.1", "replication_port": int(port), "meta": ""})
		    builder.rebalance()
		    builder.get_ring().save(f"{sys.argv[1]}/{kind}.ring.gz")
	PROGRAM
}

# The library alone is installed, and settings of the machine's must not matter: what swift-KIND-server does, in this folder.
server_program='
import sys
from swift.common import utils
from swift.common.wsgi import run_wsgi
folder, kind = sys.argv[1:]
utils.set_swift_dir(folder)
more = {}
if kind == "object":
    from swift.obj import server
    more["global_conf_callback"] = server.global_conf_callback
sys.exit(run_wsgi(f"{folder}/{kind}.conf", f"{kind}-server", verbose=True, **more))
'
run_server() { # kind
	local command=(/usr/bin/python3 -c "$server_program" "$dir" "$1")
	if [[ $1 == cache ]]; then command=(memcached -u "$(id -un)" -l 127.0.0.1 -p "${ports[4]}" -m 16); fi
	# The folder's name in it tells whose this process is.
	TMPDIR=$dir setsid "${command[@]}" >"$dir/$1.log" 2>&1 &
	echo $! >"$dir/$1.pid"
}

ask() { # path at the proxy, options of curl
	curl -sSf --noproxy '*' --max-time 60 "http://127.0.0.1:${ports[3]}$1" "${@:2}"
}

# A bucket that another may read; there when all four servers answer.
make_bucket() {
	local token
	token=$(ask /auth/v1.0 -i -H 'X-Auth-User: jl:tester' -H 'X-Auth-Key: sekret' |
		sed -n 's/^x-auth-token: *\([^\r]*\).*/\1/ip') &&
		ask /v1/AUTH_jl/cache -X PUT -H "X-Auth-Token: $token" -H 'X-Container-Read: jl:reader,.rlistings' \
			-H 'Content-Length: 0' &&
		ask /v1/AUTH_jl/cache/ready -X PUT -H "X-Auth-Token: $token" -d ready &&
		ask /v1/AUTH_jl/cache/ready -X DELETE -H "X-Auth-Token: $token"
}

start() {
	local kind try
	ports=()
	mkdir -p "$dir/data/disk" "$dir/recon"
	for try in 1 2 3; do
		read -ra ports < <(free_ports 5)
		write_store object "${ports[0]}"
		write_store container "${ports[1]}"
		write_store account "${ports[2]}"
		write_proxy "${ports[3]}" "${ports[4]}"
		write_rings "${ports[@]:0:3}" 2>"$dir/rings.log" || die "no rings: $(cat "$dir/rings.log")"
		for kind in object container account cache proxy; do run_server $kind; done
		if await_ready "$dir/proxy.pid" make_bucket; then break; fi
		stop
		if ((try == 3)); then die "swift does not come up: $(tail -n 5 "$dir"/*.log)"; fi
	done
	printf '%s\n' "S3_URL=http://127.0.0.1:${ports[3]}" "S3_HOST=localhost:${ports[3]}" S3_REGION=us-east-1 S3_BUCKET=cache \
		S3_KEY=jl:tester S3_SECRET=sekret S3_READER=jl:reader S3_READER_SECRET=legible \
		S3_OTHER=other:other S3_OTHER_SECRET=strange
}

stop() {
	local file
	for file in "$dir"/*.pid; do stop_pid "$file"; done
}

dir=$(folder "${2-}") || exit 1
case $1 in
start | stop) "$1" ;;
*) die 'start FOLDER or stop FOLDER' ;;
esac
