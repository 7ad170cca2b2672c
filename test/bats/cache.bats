# jl cache.
load helper

three() {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: seq 20000 > a, outputs: a, inputs: in}
  b: {command: echo b > b, outputs: b, inputs: in}
  c: {command: echo c > c, outputs: c, inputs: in}
EOF
	touch in
	jl_ok run -j1
}
results() { jl cache ls --json | grep -o '"step"' | wc -l; }
json() { jl cache stats --json | sed -n 's/.*"'"$1"'":\([0-9.]*\).*/\1/p'; }

@test "stats: entries, bytes, hits by day, time saved" {
	three
	jl_ok run
	jl_ok cache stats
	[[ $output == *'3 results, 1 blobs'* && $output == *'3 hits, 3 run'* ]] || fail "$output"
	assert_equal "$(json entries)" 3
	assert_equal "$(json hits)" 3
	local sum
	sum=$(find "$JL_STORE" -type f -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) * 4096 } END { print n }')
	assert_equal "$(json disk_bytes)" "$sum"
	jl_ok memo -- echo x
	jl_ok memo -- echo x
	assert_equal "$(json hits)" 4
}

@test "ls: the longest unused first; a look is no use, --check neither" {
	three
	local step
	for step in a c b; do jl_ok run $step; done
	run_jl memo --name late -- echo x
	rm b
	jl_ok run b
	assert_counts restored=1
	jl_ok cache ls
	assert_equal "$(awk '{ print $NF }' <<<"$output" | paste -sd' ')" 'a c late b'
	jl_ok memo --check --name late -- echo x
	jl_ok cache ls
	assert_equal "$(awk '{ print $NF }' <<<"$output" | paste -sd' ')" 'a c late b'
}

@test "rm: by step, by key, by age; asked for or said with --yes" {
	three
	run_jl cache rm a
	assert_status 2
	assert_stderr_has --yes
	assert_equal "$(results)" 3
	jl_ok cache rm -n a
	assert_equal "$(results)" 3
	jl_ok cache rm -y a
	assert_equal "$(results)" 2
	assert_equal "$(find "$JL_STORE/cas" -type f | wc -l)" 0
	jl_ok cache rm -y "$(jl cache ls | awk '{ print substr($1, 1, 10); exit }')"
	assert_equal "$(results)" 1
	jl_ok cache rm -y --older-than 1h
	assert_equal "$(results)" 1
	touch -d '2 hours ago' "$JL_STORE"/ac/*/* "$JL_STORE"/uses/*
	jl_ok cache rm -y --older-than 1h
	assert_equal "$(results)" 0
	run_jl cache rm -y nothing
	assert_status 2
}

@test "pin keeps a result through clear and caps; unpin lets it go" {
	three
	jl_ok cache pin a
	jl_ok cache clear -y
	assert_stderr_has '1 pinned'
	assert_equal "$(results)" 1
	jl_ok cache gc --max-size 20kB
	assert_equal "$(results)" 1
	rm a
	jl_ok run a
	assert_counts restored=1
	jl_ok cache unpin a
	jl_ok cache clear -y
	assert_equal "$(results)" 0
	assert_equal "$(find "$JL_STORE/ac" "$JL_STORE/cas" -mindepth 1 | wc -l)" 0
}

@test "gc: down to the cap, the index is right again" {
	three
	jl_ok cache gc -n --max-size 45kB
	assert_equal "$(results)" 3
	jl_ok cache gc --max-size 45kB
	(($(results) < 3))
	(($(json disk_bytes) <= 53000)) || fail "$(json disk_bytes)"
	rm -f "$JL_STORE"/index
	jl_ok cache gc
	assert_equal "$(json index_bytes | sed 's/0$/0/')" "$(json index_bytes)"
	jl_ok cache verify
}

@test "S04 S17 verify: flipped and cut files of every kind are found, repaired, and made good by the next run" {
	three
	run_jl memo -- seq 3000
	jl_ok cache verify
	local file
	for file in "$JL_STORE"/ac/*/* "$JL_STORE"/cas/*/*; do
		cp -p "$file" kept
		printf X | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
		run_jl cache verify
		assert_status 1
		assert_stderr_has "${file##*/}"
		cp -p kept "$file"
		truncate -s -1 "$file"
		run_jl cache verify
		assert_status 1
		: >"$file"
		run_jl cache verify
		assert_status 1
		cp -p kept "$file"
		jl_ok cache verify
	done
	for file in "$JL_STORE"/ac/*/* "$JL_STORE"/cas/*/*; do printf X >"$file"; done
	run_jl cache verify --repair
	assert_status 1
	jl_ok cache verify
	assert_equal "$(results)" 0
	rm a b c
	jl_ok run
	assert_counts ran=3
	jl_ok cache verify
	rm a b c
	jl_ok run
	assert_counts restored=3
}

@test "S04 the bookkeeping flipped, cut or gone: results are as ever" {
	three
	jl_ok run
	local file how
	for file in index days uses; do
		for how in flip cut empty gone; do
			local path="$JL_STORE/$file"
			[[ $file != uses ]] || path=$(find "$JL_STORE/uses" -type f | head -n 1)
			[[ -e $path ]] || continue
			case $how in
			flip) printf XXXX | dd of="$path" bs=1 seek=9 conv=notrunc status=none ;;
			cut) truncate -s -3 "$path" ;;
			empty) : >"$path" ;;
			gone) rm "$path" ;;
			esac
			rm -f a b c
			echo "$file$how" >in
			jl_ok run
			assert_counts ran=3
			rm a
			jl_ok run
			assert_counts restored=1 fresh=2
			jl_ok cache stats
			jl_ok cache verify
		done
	done
}

@test "usage: what does not belong together is said" {
	run_jl cache
	assert_status 2
	run_jl cache purge
	assert_status 2
	assert_stderr_has 'verify'
	run_jl cache stats --yes
	assert_status 2
	run_jl cache rm
	assert_status 2
	run_jl cache clear x
	assert_status 2
}

@test "a store that is not there: empty, and not made" {
	jl_ok cache stats
	jl_ok cache ls
	assert_output ''
	jl_ok cache verify
	assert_no_file "$JL_STORE"
}
