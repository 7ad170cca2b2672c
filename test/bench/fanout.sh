# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# 10,000 times /bin/true, two at a time.

bench() {
	# All with one word behind the command, as the others append a value: true does more with one than without.
	contender spawnloop : "exec $B/test/bench/spawnloop $steps 2 /bin/true 1" : -
	contender xargs : "seq $steps | exec xargs -P2 -n1 /bin/true" :
	contender parallel : "seq $steps | exec parallel -j2 /bin/true" :
	contender jl : "seq $steps | exec $jl map -j2 /bin/true" : -
	compare "fanout, $steps x true" spawnloop=1.15 xargs=1.0 parallel=0.2
}
