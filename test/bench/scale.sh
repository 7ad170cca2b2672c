# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# A no-op over more and more instances of one foreach, against ninja over as many edges: time and peak memory. SCALE=N
# ends at N (default 100000; a million takes ninja minutes to make ready).

bench() {
	local n
	for ((n = 1000; n <= ${SCALE:-100000}; n *= 10)); do
		local dir=$work/scale
		mkdir -p "$dir/in" "$dir/out"
		(cd "$dir/in" && names "$n" | xargs -n 5000 touch)
		cat >"$dir/joblib.yaml" <<-'END'
			version: 1
			steps:
			  copy: {foreach: in/*, command: "cp ${{ item }} ${{ output }}", inputs: "${{ item }}", outputs: "out/${{ item.name }}"}
		END
		{
			printf 'rule cp\n  command = cp $in $out\n'
			names "$n" | sed 's,.*,build out/&: cp in/&,'
		} >"$dir/build.ninja"
		cp -r "$dir/in/." "$dir/out/"
		# What is there is taken for what would be made: running a million commands is not what is measured.
		(cd "$dir" && "$jl" adopt copy >/dev/null 2>&1 && "$jl" run >/dev/null 2>&1)
		if command -v ninja >/dev/null; then (cd "$dir" && ninja >/dev/null 2>&1); fi
		contender ninja : "cd $dir && exec ninja" :
		contender jl : "cd $dir && exec $jl run" "scale_fresh $n" -
		compare "scale, $n steps" ninja=-
		rm -rf "$dir"
	done
}

scale_fresh() { summary_is "$1 steps: 0 ran, $1 fresh, 0 restored, 0 failed"; }
