# shellcheck shell=bash disable=SC2154,SC2016 # read by run.sh, whose variables these are
# The tree that noop, cold and oneof work on: N inputs in/sNNNNNN, each to be copied to out/sNNNNNN, described for every
# contender. Each contender has a folder of its own, so that none sees another's state.

make_trees() { # n, kinds...
	local n=$1 kind tree
	shift
	for kind; do
		tree=$work/tree/$kind
		mkdir -p "$tree/in" "$tree/out"
		# One file of one line each: its own name.
		names "$n" | (cd "$tree/in" && awk '{ print $1 >$1; close($1) }')
		"describe_$kind" "$n" "$tree"
	done
	# A stamp as new as now is not to be trusted by anybody; and pages are written before anything is measured.
	sync
	sleep 0.1
}
describe_ninja() {
	{
		printf 'rule cp\n  command = cp $in $out\n'
		names "$1" | sed 's#.*#build out/&: cp in/&#'
	} >"$2/build.ninja"
}
describe_make() { # as people write it, with make's own rules in force
	{
		printf 'all:'
		names "$1" | sed 's#^# out/#' | tr -d '\n'
		echo
		names "$1" | sed 's#.*#out/&: in/&\n\tcp in/& out/&#'
	} >"$2/Makefile"
}
describe_tup() { # tup wants its outputs not to be there beforehand
	names "$1" | sed 's#.*#: in/& |> cp %f %o |> out/&#' >"$2/Tupfile"
	(cd "$2" && tup init . >/dev/null)
}
describe_jl() {
	{
		printf 'version: 1\nsteps:\n'
		names "$1" | sed 's#.*#  &: {command: cp in/& out/&, inputs: in/&, outputs: out/&}#'
	} >"$2/joblib.yaml"
}
describe_jlforeach() {
	cat >"$2/joblib.yaml" <<-'END'
		version: 1
		steps:
		  copy:
		    foreach: in/*
		    command: cp ${{ item }} ${{ output }}
		    inputs: ${{ item }}
		    outputs: out/${{ item.name }}
	END
}
