#!/bin/bash
# nginx as a store of files: PUT, GET, HEAD and DELETE by WebDAV, over http, https with HTTP/2, and https with client
# certificates; an authority, certificates and passwords of its own.
#
#     nginx.sh start FOLDER
#     nginx.sh stop FOLDER
#
# Prints NGINX_HTTP, NGINX_HTTPS, NGINX_MTLS (URLs), NGINX_CA, NGINX_PEM (the server's certificate and key in one),
# NGINX_CERT and NGINX_KEY (a client's), NGINX_LOG. Every URL has six folders: /open/ for all; /private/ for user writer,
# password sekret, or reader, legible; /ci/ that all read and writer alone writes; /team/ that writer and reader
# read, and where reader is told 403 when he writes; /jl/ as the cookbook has it; /bearer/ for the token t0ken. The log has a
# line a request: METHOD URI STATUS PROTOCOL USER RANGE IF_NONE_MATCH, "-" for what was not said.
# shellcheck source=test/servers/common.bash
. "$(dirname "${BASH_SOURCE[0]}")/common.bash"

certificates() {
	local name names
	cd "$dir" || exit 1
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=Test authority' \
		-addext basicConstraints=critical,CA:true -keyout ca.key -out ca.pem || return 1
	for name in server client; do
		names=DNS:client
		if [[ $name == server ]]; then names=IP:127.0.0.1,IP:127.0.0.2,DNS:localhost; fi
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout $name.key -out $name.csr &&
			openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
				-extfile <(echo "subjectAltName=$names") -out $name.pem || return 1
	done
	cat server.pem server.key >server.both
	printf 'writer:%s\n' "$(openssl passwd -apr1 sekret)" >writers
	printf 'reader:%s\n' "$(openssl passwd -apr1 legible)" | cat writers - >users
	cp users readers
}

write_config() { # ports
	cat >"$dir/nginx.conf" <<-CONFIG
		$(if [[ $(id -u) == 0 ]]; then echo 'user root;'; fi)
		# One process, whose command names this folder: a worker would outlive a master that was killed.
		master_process off;
		pid $dir/nginx.pid;
		error_log $dir/error.log;
		events { worker_connections 1000; }
		http {
			log_format short '\$request_method \$request_uri \$status \$server_protocol '
				'\$remote_user \$http_range \$http_if_none_match';
			map \$http_authorization \$bearer { default 0; "Bearer t0ken" 1; }
			map "\$request_method \$remote_user" \$forbidden { default 0; "PUT reader" 1; }
			access_log $dir/access.log short;
			client_body_temp_path $dir/temp/body;
			proxy_temp_path $dir/temp/proxy;
			fastcgi_temp_path $dir/temp/fastcgi;
			uwsgi_temp_path $dir/temp/uwsgi;
			scgi_temp_path $dir/temp/scgi;
			client_max_body_size 0;
			keepalive_requests 100000;
			root $dir/data;
			default_type application/octet-stream;
			ssl_certificate $dir/server.pem;
			ssl_certificate_key $dir/server.key;
			ssl_client_certificate $dir/ca.pem;
			server { listen 127.0.0.1:$1; include $dir/folders; }
			server { listen 127.0.0.1:$2 ssl http2; include $dir/folders; }
			server { listen 127.0.0.1:$3 ssl http2; ssl_verify_client on; include $dir/folders; }
		}
	CONFIG
	cat >"$dir/folders" <<-CONFIG
		dav_methods PUT DELETE;
		create_full_put_path on;
		location /open/ { }
		location /private/ { auth_basic store; auth_basic_user_file $dir/users; }
		location /ci/ { limit_except GET { auth_basic store; auth_basic_user_file $dir/writers; } }
		location /team/ { auth_basic store; auth_basic_user_file $dir/users; if (\$forbidden) { return 403; } }
		$(awk '$0 == "<!-- example: shared-nginx -->" { found = 1; next }
			found && /^```/ { if (++fences == 2) exit; next }
			found && fences == 1' "$(dirname "${BASH_SOURCE[0]}")/../../docs/cookbook.md")
		location /bearer/ { if (\$bearer = 0) { return 401; } }
	CONFIG
}

start() {
	local ports try
	mkdir -p "$dir/temp" "$dir"/data/{open,private,ci,team,bearer}
	(certificates) >"$dir/openssl.log" 2>&1 || die "no certificates: $(cat "$dir/openssl.log")"
	for try in 1 2 3 4 5; do
		read -ra ports < <(free_ports 3)
		write_config "${ports[@]}"
		if nginx -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" 2>>"$dir/start.log" &&
			await_ready "$dir/nginx.pid" curl -sf --noproxy '*' --cacert "$dir/ca.pem" --cert "$dir/client.pem" \
				--key "$dir/client.key" -X PUT -d ready "https://127.0.0.1:${ports[2]}/open/ready"; then
			break
		fi
		stop
		if ((try == 5)); then die "nginx does not come up: $(tail -n 20 "$dir/start.log" "$dir/error.log")"; fi
	done
	rm -f "$dir/data/open/ready"
	: >"$dir/access.log"
	printf '%s\n' "NGINX_HTTP=http://127.0.0.1:${ports[0]}" "NGINX_HTTPS=https://127.0.0.1:${ports[1]}" \
		"NGINX_MTLS=https://127.0.0.1:${ports[2]}" "NGINX_CA='$dir/ca.pem'" "NGINX_PEM='$dir/server.both'" \
		"NGINX_CERT='$dir/client.pem'" "NGINX_KEY='$dir/client.key'" "NGINX_LOG='$dir/access.log'"
}

stop() { stop_pid "$dir/nginx.pid"; }

dir=$(folder "${2-}") || exit 1
case $1 in
start | stop) "$1" ;;
*) die 'start FOLDER or stop FOLDER' ;;
esac
