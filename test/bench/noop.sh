# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# Nothing has changed since the last run: 10,000 and 100,000 steps of one input and one output. tup takes 25 ms for each
# step of its first run, so it is looked at with 1,000.

bench() {
	noop $((steps / 10))
	noop "$steps"
	noop $((steps * 10))
}

noop() { # n
	local n=$1 tree=$work/tree kinds=(make jl jlforeach) kind goals=(ninja=0.5 make=0.02)
	rm -rf "$tree" "$JL_STORE"
	if command -v ninja >/dev/null; then kinds+=(ninja); fi
	if ((n < steps)); then
		if tup_works; then kinds+=(tup); else absent+=("tup (no FUSE here)"); fi
	fi
	make_trees "$n" "${kinds[@]}"
	for kind in "${kinds[@]}"; do
		echo "  first run of $n steps: $kind" >&2
		# Each tool wants to have made its outputs itself.
		(cd "$tree/$kind" && "first_$kind" >/dev/null 2>"$work/log.first") || { tail -n 5 "$work/log.first" >&2; die "first run of $kind"; }
		copies_are "$tree/$kind/out" "$n" || die "first run of $kind made no copies"
	done
	contender ninja : "cd $tree/ninja && exec ninja" quiet_ninja
	contender make : "cd $tree/make && exec make" quiet_make
	if [[ -d $tree/tup ]]; then contender tup : "cd $tree/tup && exec tup" quiet_tup; fi
	contender jl : "cd $tree/jl && exec $jl run -j2" "quiet_jl $n" -
	if ((n < steps)); then goals+=(tup=-); fi
	compare "noop, $n steps written out" "${goals[@]}"
	contender ninja : "cd $tree/ninja && exec ninja" quiet_ninja
	contender jl : "cd $tree/jlforeach && exec $jl run -j2" "quiet_jl $n" -
	compare "noop, $n steps by a foreach" ninja=0.5
}

# tup watches its commands through a file system of its own, which not every machine lets it have.
tup_works() {
	local works=0
	command -v tup >/dev/null && [[ -c /dev/fuse ]] || return 1
	make_trees 1 tup
	(cd "$work/tree/tup" && tup) >/dev/null 2>&1 && works=1
	rm -rf "$work/tree/tup"
	((works))
}
first_ninja() { ninja -j2; }
first_make() { make -j2; }
first_tup() { tup -j2; }
first_jl() { "$jl" run -j2; }
first_jlforeach() { "$jl" run -j2; }
quiet_ninja() { grep -q 'no work to do' "$work/log.out"; }
quiet_make() { grep -q 'Nothing to be done' "$work/log.out"; }
quiet_tup() { grep -q 'Nothing to do\|No commands to execute' "$work/log.out"; }
quiet_jl() { summary_is "$1 steps: 0 ran, $1 fresh, 0 restored, 0 failed"; }
