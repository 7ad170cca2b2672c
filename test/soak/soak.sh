#!/bin/bash
# Everything at once on one small store: processes that store and restore, some killed with -9, files flipped and cut,
# gc and verify in between. Afterwards nothing may be wrong, and nothing need be mended by hand.
#
#     test/soak/soak.sh JL SEED SECONDS
#
# The seed decides what is done; the order in which processes come to it is the machine's.
set -u
jl=$(realpath "$1") seed=$2 seconds=$3
cap=2000000 workers=8 pool=60
place=$(mktemp -d "${TMPDIR:-/tmp}/jl-soak.XXXXXX") || exit 3
cd "$place" || exit 3
trap 'wait; chmod -R u+rwx "$place"; rm -rf "$place"' EXIT
export JL_STORE=$place/store JL_MAX_SIZE=$cap HOME=$place XDG_CONFIG_HOME=$place/config
unset JL_SECRET_KEY MAKEFLAGS

# Files that do not pack, of 1 to 100 kB, the same for the same seed.
mkdir pool
perl -e '
	my ($seed, $n) = @ARGV;
	srand $seed;
	for my $i (1 .. $n) {
		open my $f, ">", "pool/$i" or die;
		print $f join "", map { chr int rand 256 } 1 .. 1000 + int rand 99000;
	}' "$seed" "$pool" || exit 3

fault() { echo "$*" >>"$place/faults"; }
end=$((SECONDS + seconds))

# One result after the other, by one command each; every eighth one is killed at some moment.
calls() {
	local i pid status
	RANDOM=$((seed + $1))
	while ((SECONDS < end)); do
		i=$((RANDOM % pool + 1))
		if ((RANDOM % 8 == 0)); then
			"$jl" memo -i "pool/$i" -- cat "pool/$i" >/dev/null 2>&1 &
			pid=$!
			sleep "0.0$((RANDOM % 5))$((RANDOM % 10))"
			kill -KILL "$pid" 2>/dev/null
			wait "$pid" 2>/dev/null
			continue
		fi
		"$jl" memo -i "pool/$i" -- cat "pool/$i" >"out.$1" 2>"err.$1"
		status=$?
		((status == 0)) || fault "memo of $i: exit status $status: $(cat "err.$1")"
		cmp -s "pool/$i" "out.$1" || fault "memo of $i: wrong bytes"
	done
}
# A workspace whose outputs are taken away again and again.
runs() {
	local i
	RANDOM=$((seed + 100))
	mkdir ws && cd ws || return
	ln -s ../pool pool
	cp -r ../pool in
	cat >joblib.yaml <<-'EOF'
		version: 1
		steps:
		  a: {foreach: {from: 1, to: 20}, command: "cp ${{ input }} ${{ output }}", inputs: "in/${{ item }}", outputs: "out/${{ item }}"}
	EOF
	while ((SECONDS < end)); do
		for i in 1 2 3 4 5; do rm -f "out/$((RANDOM % 20 + 1))"; done
		"$jl" run >/dev/null 2>err || fault "run: $(cat err)"
		for i in {1..20}; do cmp -s "in/$i" "out/$i" || fault "run: wrong bytes in $i"; done
	done
}
damage() {
	local file
	RANDOM=$((seed + 200))
	while ((SECONDS < end)); do
		sleep 0.2
		file=$(find store/ac store/cas store/uses store/index -type f 2>/dev/null | sort | awk -v n=$RANDOM '{ f[NR] = $0 } END { if (NR) print f[n % NR + 1] }')
		[[ -n $file ]] || continue
		if ((RANDOM % 2)); then
			printf '\125' | dd of="$file" bs=1 seek=$((RANDOM % 100)) conv=notrunc,nocreat status=none 2>/dev/null
		else
			truncate -c -s $((RANDOM % 200)) "$file" 2>/dev/null
		fi
	done
}
# In 4 KiB of all files. What is on its way comes on top: each process at most one object, and its temporary.
sum() { find store -type f -printf '%s\n' 2>/dev/null | awk '{ n += int(($1 + 4095) / 4096) * 4096 } END { print n + 0 }'; }
tend() {
	local most=$((cap + cap / 20 + (workers + 2) * 2 * 102400)) now
	while ((SECONDS < end)); do
		sleep 1
		now=$(sum)
		((now <= most)) || fault "the store takes $now bytes of $cap"
		"$jl" cache gc >/dev/null 2>err.gc || fault "gc: $(cat err.gc)"
		"$jl" cache stats --json >/dev/null 2>err.stats || fault "stats: $(cat err.stats)"
	done
}

for ((w = 1; w <= workers; w++)); do calls $w & done
(runs) &
damage &
tend &
wait

# What was damaged last may not have been found yet; then all is as it should be.
"$jl" cache verify --repair >/dev/null 2>&1
"$jl" cache verify >/dev/null 2>err || fault "verify: $(cat err)"
"$jl" cache gc >/dev/null 2>err || fault "gc at the end: $(cat err)"
[[ -z $(find store/tmp store/live -type f 2>/dev/null) ]] || fault "left: $(find store/tmp store/live -type f)"
json=$("$jl" cache stats --json)
field() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$json"; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; if (d < 0) d = -d; exit d > a / 100 + '"$3"' }'; }
near "$(sum)" "$(field disk_bytes)" 0 || fault "stats tells $(field disk_bytes), the files are $(sum)"
# The index counts neither itself whole nor the few small files beside.
near "$(sum)" "$(field index_bytes)" 65536 || fault "the index tells $(field index_bytes), the files are $(sum)"
((($(sum)) <= cap + cap / 20)) || fault "the store takes $(sum) bytes of $cap at the end"
if [[ -s faults ]]; then
	sort faults | uniq -c | head -n 20
	exit 1
fi
echo "seed $seed, $seconds s: $(field entries) results, $(field hits) hits, $(find store/quarantine -type f 2>/dev/null | wc -l) in quarantine"
