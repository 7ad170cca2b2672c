# The store within its caps, and the settings that say what they are.
load helper

# Files of 100 kB that do not pack.
big() { # N
	write_manifest <<EOF
version: 1
steps:
  a: {foreach: {from: 1, to: $1}, command: "head -c 100000 \${{ input }} > \${{ output }}", inputs: "in/\${{ item }}", outputs: "out/\${{ item }}"}
EOF
	mkdir -p in
	local i
	for ((i = 1; i <= $1; i++)); do head -c 100000 /dev/urandom >"in/$i"; done
}
blobs() { find "${1:-$JL_STORE}/cas" -type f | wc -l; }
# What counts: each file rounded up to 4 KiB.
blocks() {
	find "${1:-$JL_STORE}" -type f -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) } END { print n + 0 }'
}

@test "--max-size: the store stays below it, the run is right" {
	big 30
	jl_ok run -j1 --max-size 1MB
	assert_counts ran=30
	(($(blocks) * 4096 <= 1050000)) || fail "$(blocks) blocks"
	(($(blobs) >= 8)) || fail "$(blobs) blobs"
	# What was used last is there, what was used first is not.
	rm -r out
	jl_ok run -j1 --max-size 1MB 'a[30]'
	assert_counts restored=1
	jl_ok run -j1 --max-size 1MB 'a[1]'
	assert_counts ran=1
}

@test "JL_MAX_SIZE, and the option over it" {
	big 15
	JL_MAX_SIZE=500kB run_jl run -j1
	assert_status 0
	(($(blocks) * 4096 <= 525000)) || fail "$(blocks)"
	rm -r out "$JL_STORE" .jl
	JL_MAX_SIZE=500kB run_jl run -j1 --max-size 1GB
	assert_status 0
	assert_equal "$(blobs)" 15
	JL_MAX_SIZE=500k run_jl run
	assert_status 2
	assert_stderr_has 'JL_MAX_SIZE'
	run_jl run --max-size much
	assert_status 2
	assert_stderr_has '--max-size'
}

@test "config.yaml: caps and folder; the manifest's caps only for its own folder" {
	unset JL_STORE
	big 15
	mkdir -p "$XDG_CONFIG_HOME/jl"
	echo "store: {dir: $HOME/mine, max_size: 500kB}" >"$XDG_CONFIG_HOME/jl/config.yaml"
	jl_ok run -j1
	(($(blocks "$HOME/mine") * 4096 <= 525000)) || fail "$(blocks "$HOME/mine")"
	# A manifest may not shrink a store of all.
	echo "store: {max_size: 100kB}" >>joblib.yaml
	rm -rf out .jl "$HOME/mine"
	jl_ok run -j1
	(($(blobs "$HOME/mine") >= 3)) || fail "$(blobs "$HOME/mine")"
	# Its own it may size as it likes.
	sed -i '$d' joblib.yaml
	echo "store: {dir: cache, max_size: 300kB}" >>joblib.yaml
	rm -rf out .jl
	jl_ok run -j1
	(($(blocks cache) * 4096 <= 315000)) || fail "$(blocks cache)"
	(($(blobs cache) > 0))
	rm -rf out
	jl_ok run -j1 # by the stored plan
	(($(blocks cache) * 4096 <= 315000)) || fail "$(blocks cache)"
}

@test "config.yaml: one clear line for what is wrong in it" {
	big 1
	mkdir -p "$XDG_CONFIG_HOME/jl"
	local file=$XDG_CONFIG_HOME/jl/config.yaml
	printf 'store:\n  max_siz: 1GB\n' >"$file"
	run_jl run
	assert_status 2
	assert_stderr_has "$file:2:3: "
	assert_stderr_has max_siz
	printf 'steps: {}\n' >"$file"
	run_jl run
	assert_status 2
	assert_stderr_has "$file:1:1: "
	printf 'store: {compress: lz4}\n' >"$file"
	run_jl run
	assert_status 2
	assert_stderr_has 'auto or none'
	: >"$file"
	jl_ok run
}

@test "compress: none stores bare bytes" {
	write_manifest <<'EOF'
version: 1
store: {compress: none}
steps:
  a: {command: seq 20000 > out, outputs: out, inputs: in}
EOF
	touch in
	jl_ok run
	assert_equal "$(find "$JL_STORE/cas" -name '*.zst' | wc -l)" 0
	assert_equal "$(blobs)" 1
}

@test "S12 a cap smaller than one output: the run succeeds, one warning, nothing else goes for it" {
	write_manifest <<'EOF'
version: 1
steps:
  small: {command: head -c 50000 /dev/urandom > small, outputs: small, inputs: in}
  a: {foreach: {from: 1, to: 4}, command: "head -c 900000 /dev/urandom > ${{ output }}", inputs: in, outputs: "out/${{ item }}"}
EOF
	touch in
	jl_ok run --max-size 500kB small
	jl_ok run --max-size 500kB
	assert_counts ran=4 fresh=1
	assert_equal "$(grep -c 'not stored' <<<"$stderr")" 1
	rm small
	jl_ok run --max-size 500kB small
	assert_counts restored=1
	jl_ok run --max-size 500kB
	assert_counts fresh=5
}

@test "max_items" {
	unset JL_STORE
	write_manifest <<'EOF'
version: 1
store: {dir: cache, max_items: 5}
steps:
  a: {foreach: {from: 1, to: 12}, command: "echo ${{ item }} > ${{ output }}", inputs: in, outputs: "out/${{ item }}"}
EOF
	touch in
	jl_ok run -j1
	assert_equal "$(find cache/ac -type f | wc -l)" 5
}

@test "S20 a store that cannot be written: it is read, one notice" {
	unshare -rm true 2>/dev/null || skip 'no user namespaces'
	big 2
	jl_ok run
	rm -r out
	head -c 100000 /dev/urandom >in/1
	run --separate-stderr unshare -rm sh -c 'mount --bind "$JL_STORE" "$JL_STORE" && mount -o remount,bind,ro "$JL_STORE" && jl run'
	assert_status 0
	assert_counts ran=1 restored=1
	assert_equal "$(grep -c 'not writable' <<<"$stderr")" 1
}

@test "S05 S07 a full disk below the store: results stand, what is older goes once" {
	unshare -rm true 2>/dev/null || skip 'no user namespaces'
	big 12
	mkdir small
	run --separate-stderr unshare -rm sh -c "mount -t tmpfs -o size=600k none small && cd '$WS' &&
		JL_STORE=\$PWD/small/store jl run -j1 && cmp in/12 out/12 && rm out/12 &&
		JL_STORE=\$PWD/small/store jl run -j1 --events ev && ls small/store/tmp"
	assert_status 0
	assert_equal "$output" ""
	assert_equal "$(grep -c '"status":"restored"' ev)" 1
}
