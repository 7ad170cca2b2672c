# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# Outputs that were deleted put back from the store: many small ones against cp -r of the same tree, a large one against cp.

bench() {
	local dir=$work/restore
	mkdir -p "$dir/ws"
	cd "$dir/ws" || return
	cat >joblib.yaml <<-END
		version: 1
		steps:
		  many: {command: "seq -f 'out/f%06g' $steps | xargs -n 1000 sh -c 'for f; do echo \$f >\$f; done' -", outputs: out/}
		  big: {command: "head -c $GIB /dev/urandom >big", outputs: big}
	END
	"$jl" run >/dev/null 2>&1
	cp -r out "$dir/kept"
	cp big "$dir/kept.big"
	contender cp "rm -rf $dir/copy" "exec cp -r $dir/kept $dir/copy" "restore_same $dir/copy $dir/kept"
	contender jl "rm -rf $dir/ws/out" "exec $jl run -C $dir/ws many" "restore_same $dir/ws/out $dir/kept" -
	compare "restore, $steps small outputs" cp=1.3
	contender cp "rm -f $dir/copy.big" "exec cp $dir/kept.big $dir/copy.big" "cmp -s $dir/copy.big $dir/kept.big"
	contender jl "rm -f $dir/ws/big" "exec $jl run -C $dir/ws big" "cmp -s $dir/ws/big $dir/kept.big" -
	compare "restore, one output of $((GIB >> 20)) MiB" cp=1.1
	cd "$here/../.." || return
	rm -rf "$dir"
}

restore_same() { diff -r "$1" "$2" >/dev/null; }
