# Many processes on one small store.
load helper


blocks() { find "$JL_STORE" -type f -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) } END { print n * 4096 }'; }

@test "S09 S10: 64 processes with equal and distinct keys on 2 MB: right bytes, no error, within the cap" {
	local n sum
	export JL_MAX_SIZE=2MiB
	cat >one <<'END'
# one N: the same result again and again, by memory or anew, while others make room for theirs.
for i in 1 2 3; do
	k=$(($1 % 24 + i * 24))
	rm -f "out.$1"
	jl memo -o "out.$1" -- sh -c 'head -c 60000 "$0" >"$1"' "$PWD/data.$k" "out.$1" 2>"err.$1.$i" || echo "$1.$i: status $?"
	cmp -s "out.$1" "data.$k" || echo "$1.$i: wrong bytes"
	jl memo -- cat "$PWD/data.$((k % 8))" 2>>"err.$1.$i" | cmp -s - "data.$((k % 8))" || echo "$1.$i: wrong output"
done
END
	for ((n = 0; n < 100; n++)); do head -c 60000 /dev/urandom >"data.$n"; done
	for ((n = 0; n < 64; n++)); do sh one "$n" >"told.$n" 2>&1 & done
	wait
	assert_equal "$(cat told.* err.*)" ''
	jl_ok cache verify
	sum=$(blocks)
	[[ $sum -gt 1000000 && $sum -le 2202009 ]] || fail "$sum bytes"
	assert_equal "$(find "$JL_STORE/tmp" -type f | wc -l)" 0
}
