# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# One input of 10,000 was edited: one copy is made.

bench() {
	local tree=$work/tree kinds=(jl jlforeach) kind
	if command -v ninja >/dev/null; then kinds+=(ninja); fi
	make_trees "$steps" "${kinds[@]}"
	edits=0
	for kind in "${kinds[@]}"; do
		if [[ $kind == ninja ]]; then
			(cd "$tree/ninja" && ninja -j2 >/dev/null)
		else
			(cd "$tree/$kind" && "$jl" run -j2 >/dev/null 2>"$work/log.first") || die "first run of $kind"
		fi
		copies_are "$tree/$kind/out" "$steps" || die "first run of $kind made no copies"
	done
	contender ninja "edit_one ninja" "cd $tree/ninja && exec ninja -j2" "one_done ninja"
	contender jl "edit_one jl" "cd $tree/jl && exec $jl run -j2" "one_jl jl" -
	compare "oneof, 1 of $steps written out" ninja=0.5
	contender ninja "edit_one ninja" "cd $tree/ninja && exec ninja -j2" "one_done ninja"
	contender jl "edit_one jlforeach" "cd $tree/jlforeach && exec $jl run -j2" "one_jl jlforeach" -
	compare "oneof, 1 of $steps by a foreach" ninja=0.5
}

# Another input and another content each time, so that no stored result helps.
edit_one() {
	edits=$((edits + 1))
	edited=$(printf 's%06d' $((edits * 7 % steps + 1)))
	echo "edit $edits of $1" >"$work/tree/$1/in/$edited"
	sleep 0.05
}
one_done() {
	cmp -s "$work/tree/$1/in/$edited" "$work/tree/$1/out/$edited" && copies_are "$work/tree/$1/out" "$steps" &&
		{ [[ $1 != ninja ]] || grep -q '\[1/1\]' "$work/log.out"; }
}
one_jl() { one_done "$1" && summary_is "$steps steps: 1 ran, $((steps - 1)) fresh, 0 restored, 0 failed"; }
