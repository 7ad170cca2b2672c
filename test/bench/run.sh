#!/bin/bash
# Measures jl against its peers on this machine: run.sh [NAME,NAME...], all benches by default. `make bench` calls it.
#
# Each bench is a file test/bench/NAME.sh that is read by this shell and defines bench(): it makes its files below $work,
# then calls compare for each table row group. Peers and jl take turns in one run, and medians are compared. A run whose
# result is wrong stops everything: a wrong run must not look fast. The tables go to build/bench.md.
#
#     N=5          turns            JL=PATH  the program (default $B/jl)
#     STEPS=10000  a smaller size, for trying things out; GIB=BYTES likewise for what is large
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD/test/bench
B=$(realpath "${B:-build}")
jl=$(realpath "${JL:-$B/jl}")
turns=${N:-5}
# shellcheck disable=SC2034 # the benches use it
steps=${STEPS:-10000}
# shellcheck disable=SC2034
GIB=${GIB:-1073741824}
out=$PWD/build/bench.md
measure=$B/test/bench/measure
work=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/jl-bench.XXXXXX")
# tup, when it is stopped, leaves its own file system mounted.
clean_up() {
	local mount=$work/tree/tup/.tup/mnt
	if mountpoint -q "$mount"; then umount -l "$mount"; fi
	# What a bench has running while it is at it.
	if declare -F bench_stop >/dev/null; then bench_stop; fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
export HOME=$work/home LC_ALL=C.UTF-8 JL_STORE=$work/store XDG_CACHE_HOME=$work/home/.cache
unset MAKEFLAGS MFLAGS MAKELEVEL JL_MAX_SIZE NINJA_STATUS
mkdir -p "$HOME"
# parallel asks for its citation once.
mkdir -p "$HOME/.parallel" && touch "$HOME/.parallel/will-cite"

die() {
	echo "bench $name: $*" >&2
	exit 1
}

# --- what a bench calls ----------------------------------------------------------------------------------------------

# Who takes part in the next compare: contender NAME PREPARE RUN CHECK [PROGRAM]. PREPARE and CHECK are commands of this
# shell, called before and after each turn; RUN is a line for sh that ends in exec, and is what is measured. jl comes last.
# A peer whose PROGRAM (default NAME) is not there is named as absent; "-" asks for none.
contenders=()
declare -A prepare_of run_of check_of
contender() {
	local program=${5-$1}
	if [[ $program != - ]] && ! command -v "$program" >/dev/null; then
		absent+=("$1")
		return 0
	fi
	contenders+=("$1")
	prepare_of[$1]=$2 run_of[$1]=$3 check_of[$1]=$4
}

median() { sort -n | awk '{ a[NR] = $1 } END { print NR % 2 ? a[(NR + 1) / 2] : (a[NR / 2] + a[NR / 2 + 1]) / 2 }'; }

# Measure the contenders by turns and write a table: compare WORK PEER=GOAL...; a goal is the ratio jl / peer wished for,
# "+S": jl takes S seconds more at most, "<S": jl takes S seconds at most, "-": none.
compare() {
	local title=$1 turn who goal pair log=$work/log status jl_wall jl_rss peer_wall peer_rss ratio met
	shift
	rm -rf "$work/times"
	mkdir "$work/times"
	for ((turn = 1; turn <= turns; turn++)); do
		for who in "${contenders[@]}"; do
			${prepare_of[$who]}
			status=0
			"$measure" "$work/one" sh -c "${run_of[$who]}" >"$log.out" 2>"$log.err" </dev/null || status=$?
			if ((status != 0)); then
				tail -n 20 "$log.err" "$log.out" >&2
				die "$who ended with status $status ($title)"
			fi
			${check_of[$who]} || die "$who did not do its work ($title): $(tail -n 3 "$log.err")"
			cat "$work/one" >>"$work/times/$who"
		done
		printf '  %s: turn %d of %d\n' "$title" "$turn" "$turns" >&2
	done
	jl_wall=$(cut -d' ' -f1 "$work/times/jl" | median)
	jl_rss=$(cut -d' ' -f4 "$work/times/jl" | median)
	{
		printf '\n| %s | peer | jl | jl / peer | goal | peak memory peer, jl |\n|---|---|---|---|---|---|\n' "$title"
		for pair; do
			who=${pair%=*} goal=${pair##*=}
			if [[ ! -e $work/times/$who ]]; then
				printf '| %s | absent | | | %s | |\n' "$who" "$goal"
				continue
			fi
			peer_wall=$(cut -d' ' -f1 "$work/times/$who" | median)
			peer_rss=$(cut -d' ' -f4 "$work/times/$who" | median)
			ratio=$(awk -v a="$jl_wall" -v b="$peer_wall" 'BEGIN { printf "%.3f", a / b }')
			met=
			if [[ $goal != - ]]; then
				met=$(awk -v r="$ratio" -v a="$jl_wall" -v b="$peer_wall" -v g="$goal" 'BEGIN {
					n = g; kind = sub(/^[+<]/, "", n) ? substr(g, 1, 1) : "ratio"
					has = kind == "+" ? a - b : kind == "<" ? a : r
					print has <= n ? ", met" : ", not met" }')
				case $goal in
				+*) goal="≤ ${goal#+} s more" ;;
				\<*) goal="≤ ${goal#<} s" ;;
				*) goal="≤ $goal" ;;
				esac
			fi
			printf '| %s | %s | %s | %s | %s%s | %s, %s |\n' "$who" "$(in_ms "$peer_wall")" "$(in_ms "$jl_wall")" "$ratio" \
				"$goal" "$met" "$(in_mb "$peer_rss")" "$(in_mb "$jl_rss")"
		done
	} | tee -a "$out"
	contenders=()
}
in_ms() { awk -v s="$1" 'BEGIN { printf s < 10 ? "%.1f ms" : "%.0f ms", s * 1000 }'; }
in_mb() { awk -v k="$1" 'BEGIN { printf "%.1f MB", k / 1000 }'; }

# The last line that jl wrote: summary_is "10000 steps: 0 ran, 10000 fresh, 0 restored, 0 failed"
summary_is() { [[ $(tail -n 1 "$work/log.err") == "$1 in "* ]]; }
# N numbered names: s00001 ...
names() { seq -f 's%06g' 1 "$1"; }
# Has a folder exactly N files, each with its own name as its content?
copies_are() { # folder, n
	[[ $(find "$1" -type f | wc -l) == "$2" ]] && find "$1" -type f -print0 | xargs -0 grep -c '' /dev/null | awk -F: -v n="$2" '
		$2 == 1 { good++ } END { exit good != n }'
}

# --- the benches -----------------------------------------------------------------------------------------------------

[[ -x $jl ]] || { echo "bench: no program at $jl" >&2; exit 2; }
[[ -x $measure ]] || { echo "bench: make bench builds $measure first" >&2; exit 2; }
if (($# == 0)) || [[ -z $1 ]]; then
	list=noop,cold,oneof,restore,fanout,memohit,hash,dump,scale,remote,ssh,sshdata
else
	list=$1
fi
absent=()
# shellcheck source=/dev/null
. "$here/tree.sh"
# shellcheck source=/dev/null
. "$here/host.sh"
{
	echo "# Benches, $(date -u +%Y-%m-%d)"
	echo
	echo "$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)," \
		"$(awk '/^MemTotal/ { printf "%.0f", $2 / 1048576 }' /proc/meminfo) GiB, $(stat -f -c %T "$work") below ${work%/*};" \
		"medians of $turns turns. Peers: $(for p in ninja make tup parallel xargs rsync; do
			printf '%s ' "$p"; { $p --version 2>/dev/null || echo absent; } | head -n 1 | grep -oE '[0-9]+(\.[0-9]+)+|[0-9]{6,}|absent' | head -n 1; done | paste -sd, | sed 's/,/, /g')."
} | tee "$out"
for name in ${list//,/ }; do
	[[ -e $here/$name.sh ]] || die "there is no $name.sh"
	echo "bench $name" >&2
	printf '\n## %s\n' "$name" | tee -a "$out"
	# shellcheck source=/dev/null
	. "$here/$name.sh"
	bench
	rm -rf "$work/tree" "$JL_STORE"
	contenders=()
done
if ((${#absent[@]})); then printf '\nAbsent: %s.\n' "$(printf '%s\n' "${absent[@]}" | sort -u | paste -sd' ')" | tee -a "$out"; fi
echo "written to $out" >&2
