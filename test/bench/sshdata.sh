# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# One large input to a host, and again, against rsync over the same ssh: by time, and by the bytes that ssh says it
# sent.

bench_stop() { stop_host; }
bench() {
	local dir=$work/sshdata size=$((GIB / 4)) mib cold=sshdata_cold_
	start_host || return 0
	mib=$((size >> 20))
	mkdir -p "$dir"
	cat >"$dir/joblib.yaml" <<-END
		version: 1
		executors: {far: {type: ssh, hosts: [h1]}}
		defaults: {executor: far}
		steps:
		  agent: {command: ["true"]}
		  data: {command: [test, -s, big], inputs: big}
	END
	head -c "$size" /dev/urandom >"$dir/big"
	# Both have been there once: jl with its agent, and rsync with its list of nothing.
	"$jl" run -C "$dir" agent >/dev/null 2>&1 || die "no step runs on the host"
	local send="exec rsync -t $dir/big h1:$far/home/copy/"
	contender rsync "${cold}rsync" "$send" "cmp -s $dir/big $far/home/copy/big"
	contender jl "${cold}jl" "exec $jl run --force -C $dir data" sshdata_one_ran -
	compare "sshdata, $mib MiB to a host" rsync=1.1
	contender rsync : "$send" :
	contender jl : "exec $jl run --force -C $dir data" sshdata_one_ran -
	compare "sshdata, $mib MiB again" rsync=-
	sshdata_bytes
	stop_host
	rm -rf "$dir"
}
sshdata_cold_rsync() { rm -rf "$far/home/copy"; }
sshdata_cold_jl() { rm -rf "$far/home/.cache/jl/agent/store" "$far/home/.cache/jl/agent/partial" "$dir/.jl"; }
sshdata_one_ran() { summary_is '1 step: 1 ran, 0 fresh, 0 restored, 0 failed'; }

# What went over the connection, its own beginning included: each cold, then again.
sshdata_bytes() {
	local when goal peer own
	printf '\n| sshdata, bytes sent to the host | rsync | jl | goal |\n|---|---|---|---|\n' | tee -a "$out"
	for when in cold again; do
		peer=absent goal=
		if command -v rsync >/dev/null; then
			if [[ $when == cold ]]; then sshdata_cold_rsync; fi
			peer=$(sshdata_sent rsync -t -e "ssh -v -E $work/ssh.log" "$dir/big" "h1:$far/home/copy/")
		fi
		if [[ $when == cold ]]; then sshdata_cold_jl; fi
		own=$(JL_SSH="ssh -v -E $work/ssh.log" sshdata_sent "$jl" run --force -C "$dir" data)
		if [[ $when == again ]]; then
			goal="≤ 16384 (nothing but the step), $( ((own <= 16384)) && echo met || echo not met)"
		fi
		printf '| %s | %s | %s | %s |\n' "$when" "$peer" "$own" "$goal" | tee -a "$out"
	done
}
sshdata_sent() { # command...
	rm -f "$work/ssh.log"
	"$@" >/dev/null 2>&1 || die "$1 fails when its bytes are counted"
	sed -n 's/^Transferred: sent \([0-9]*\),.*/\1/p' "$work/ssh.log" | tail -n 1
}
