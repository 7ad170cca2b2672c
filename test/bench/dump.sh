# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# Mixed data out to an archive and back in, against tar and zstd, and against Python's joblib where it is installed.

bench() {
	local dir=$work/dump i
	mkdir -p "$dir/data" "$dir/tar" "$dir/jl"
	for i in 1 2 3 4; do
		head -c $((GIB / 8)) /dev/urandom >"$dir/data/noise$i"
		seq "$i" 1000000000 | head -c $((GIB / 8)) >"$dir/data/text$i" || true
	done
	cat >"$dir/joblib.py" <<-END
		import joblib, os, sys
		d = sys.argv[1]
		names = sorted(os.listdir(d + "/data"))
		joblib.dump([open(d + "/data/" + n, "rb").read() for n in names], d + "/j.z", compress=("zlib", 3))
		assert len(joblib.load(d + "/j.z")) == len(names)
	END
	contender tar "dump_clear $dir/tar" "cd $dir && tar -cf - data | zstd -T0 -q >tar/a && zstd -dcq tar/a | tar -C tar -xf -" \
		"dump_same $dir/tar"
	if python3 -c 'import joblib' 2>/dev/null; then
		contender joblib : "mv $dir/joblib.py $dir/j.py 2>/dev/null; exec python3 $dir/j.py $dir" : python3
	else
		absent+=(joblib)
	fi
	contender jl "dump_clear $dir/jl" "cd $dir && $jl dump ./data -o jl/a.tar.zst && cd jl && exec $jl load -qx a.tar.zst" \
		"dump_same $dir/jl" -
	compare "dump, $((GIB >> 20)) MiB out and in" tar=1.1 joblib=0.1
	rm -rf "$dir"
}

dump_clear() { rm -rf "${1:?}"/*; }
dump_same() { diff -r "$1/data" "$work/dump/data" >/dev/null; }
