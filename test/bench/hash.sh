# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# Content digests of one large file and of many small ones, all in the page cache, against xxhsum.

bench() {
	local dir=$work/hash
	mkdir -p "$dir/many"
	head -c "$GIB" /dev/urandom >"$dir/big"
	seq -f "$dir/many/f%06g" "$steps" | while read -r f; do printf '%04096d' 1 >"$f"; done
	cat "$dir/big" >/dev/null
	contender xxhsum : "exec xxhsum -H2 $dir/big" :
	contender jl : "exec $jl hash $dir/big" hash_agrees -
	compare "hash, one file of $((GIB >> 20)) MiB" xxhsum=1.05
	contender xxhsum : "find $dir/many -type f -print0 | xargs -0 xxhsum -H2" :
	contender jl : "exec $jl hash $dir/many" : -
	compare "hash, $steps files of 4 KiB" xxhsum=0.7
	rm -rf "$dir"
}

# The same 32 digits.
hash_agrees() { [[ $(grep -oE '[0-9a-f]{32}' "$work/log.out") == $(xxhsum -H2 "$work/hash/big" 2>/dev/null | grep -oE '^[0-9a-f]{32}') ]]; }
