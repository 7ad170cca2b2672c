# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# 10,000 times /bin/true, two at a time. Until there is `jl map` a foreach with the cache off stands for it.

bench() {
	local tree=$work/tree
	mkdir -p "$tree/jl"
	cat >"$tree/jl/joblib.yaml" <<-END
		version: 1
		steps:
		  each:
		    foreach: {from: 1, to: $steps}
		    command: /bin/true
		    cache: false
	END
	contender spawnloop : "exec $B/test/bench/spawnloop $steps 2 /bin/true" : -
	# xargs and parallel append a value, which true does not look at.
	contender xargs : "seq $steps | exec xargs -P2 -n1 /bin/true" :
	contender parallel : "seq $steps | exec parallel -j2 /bin/true" :
	contender jl "rm -rf $tree/jl/.jl $JL_STORE" "cd $tree/jl && exec $jl run -j2" fanout_jl -
	compare "fanout, $steps x true (jl: a foreach, uncached, in place of jl map)" spawnloop=1.15 xargs=1.0 parallel=0.2
}

fanout_jl() { summary_is "$steps steps: $steps ran, 0 fresh, 0 restored, 0 failed"; }
