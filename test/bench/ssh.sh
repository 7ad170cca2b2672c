# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# 1,000 times true on a host, two at a time, connecting included; the floor is one ssh and a bare loop of spawns there.
# And how long one step takes there and back when the connection is up.

bench_stop() { stop_host; }
bench() {
	local n=$((steps / 10)) dir=$work/ssh loop=$B/test/bench/spawnloop
	start_host || return 0
	mkdir -p "$dir"
	ssh_manifest "$dir" "$n"
	"$jl" run -C "$dir" one >/dev/null 2>&1 || die "no step runs on the host"
	contender parallel forget_connections "seq $n | exec parallel -j2 --controlmaster -S 2/h1 true" ssh_shared
	contender floor : "exec ssh h1 $loop $n 2 /bin/true 1" : ssh
	contender jl "rm -rf $dir/.jl" "exec $jl run -C $dir many" ssh_all_ran -
	compare "ssh, $n x true on one host" parallel=0.02 floor=-
	round_trip "$dir" "$((n / 5))"
	stop_host
}

ssh_manifest() { # folder, n
	cat >"$1/joblib.yaml" <<-END
		version: 1
		executors: {far: {type: ssh, hosts: [h1]}}
		defaults: {executor: far}
		steps:
		  many: {foreach: {from: 1, to: $2}, command: ["true", "\${{ item }}"]}
		  one: {command: ["true"]}
	END
}
ssh_all_ran() { summary_is "$n steps: $n ran, 0 fresh, 0 restored, 0 failed"; }
# Did the peer keep its connection? Without that it takes three times as long.
ssh_shared() { (($(connections) < 20)); }

# A chain of steps, from the end of the first to that of the last: nothing can be sent ahead.
round_trip() { # folder, n
	local i turn chain=$1/chain
	mkdir -p "$chain"
	{
		printf 'version: 1\nexecutors: {far: {type: ssh, hosts: [h1]}}\ndefaults: {executor: far}\nsteps:\n'
		echo '  s0: {command: ["true"]}'
		for ((i = 1; i <= $2; i++)); do printf '  s%d: {command: ["true"], after: s%d}\n' "$i" $((i - 1)); done
	} >"$chain/joblib.yaml"
	: >"$work/trips"
	for ((turn = 1; turn <= turns; turn++)); do
		rm -rf "$chain/.jl"
		"$jl" run -C "$chain" --events "$work/events" >/dev/null 2>"$work/log.err" ||
			die "the chain: $(tail -n 3 "$work/log.err")"
		sed -n 's/^{"v":1,"t":\([0-9.]*\),"event":"step_finished".*/\1/p' "$work/events" |
			awk -v n="$2" 'NR == 1 { from = $1 } END { if (NR != n + 1) exit 1; print ($1 - from) / n }' >>"$work/trips" ||
			die "not all of the chain ran"
	done
	{
		printf '\n| ssh, round trip | jl | goal |\n|---|---|---|\n| one step after the other, 1 of %s | %s\n' "$2" \
			"$(median <"$work/trips" | awk '{ printf "%.2f ms | ≤ 2 ms, %s |", $1 * 1000, $1 <= 0.002 ? "met" : "not met" }')"
	} | tee -a "$out"
}
