# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# Nothing is known and nothing is there: 10,000 copies, two at a time; jl stores each result as well.

bench() {
	local tree=$work/tree kinds=(make jl jlforeach)
	if command -v ninja >/dev/null; then kinds+=(ninja); fi
	make_trees "$steps" "${kinds[@]}"
	contender ninja "cold_start ninja" "cd $tree/ninja && exec ninja -j2" "cold_done ninja"
	contender make "cold_start make" "cd $tree/make && exec make -j2" "cold_done make"
	contender jl "cold_start jl" "cd $tree/jl && exec $jl run -j2" "cold_jl jl" -
	compare "cold, $steps copies written out" ninja=0.8 make=0.8
	contender ninja "cold_start ninja" "cd $tree/ninja && exec ninja -j2" "cold_done ninja"
	contender jl "cold_start jlforeach" "cd $tree/jlforeach && exec $jl run -j2" "cold_jl jlforeach" -
	compare "cold, $steps copies by a foreach" ninja=0.8
}

cold_start() { # kind
	rm -rf "$work/tree/$1/out" "$work/tree/$1/.jl" "$work/tree/$1/.ninja_log" "$work/tree/$1/.ninja_deps" "$JL_STORE"
	mkdir "$work/tree/$1/out"
	sync
}
cold_done() { copies_are "$work/tree/$1/out" "$steps"; }
cold_jl() {
	cold_done "$1" && summary_is "$steps steps: $steps ran, 0 fresh, 0 restored, 0 failed" &&
		(($(find "$JL_STORE/ac" -type f | wc -l) == steps))
}
