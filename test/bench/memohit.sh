# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# A stored result of 1 KiB replayed, one process each, against a process that does nothing and a hit of ccache.

bench() {
	local n=$((steps / 50)) dir=$work/memohit
	mkdir -p "$dir"
	echo 'int answer(void) { return 42; }' >"$dir/a.c"
	local memo="$jl memo -n -- /bin/sh -c \"head -c 1024 /dev/zero | tr '\\\\0' x\""
	local cc="ccache cc -c -o $dir/a.o $dir/a.c"
	contender true : "for i in \$(seq $n); do /bin/true; done" :
	contender ccache "memohit_warm CCACHE_DIR=$dir/cache $cc" \
		"export CCACHE_DIR=$dir/cache; for i in \$(seq $n); do $cc; done" :
	contender jl "memohit_warm $memo" "for i in \$(seq $n); do $memo; done" "memohit_whole $n" -
	compare "memohit, $n stored results" true=2.0 ccache=0.5
}

# Twice: the second notes what the program is.
memohit_warm() {
	sh -c "$*" >/dev/null
	sh -c "$*" >/dev/null
}
memohit_whole() { [[ $(stat -c %s "$work/log.out") == $(($1 * 1024)) ]]; }
