#!/bin/bash
# Runs fuzz targets with a real engine, one after the other, one process each:
#
#     MAKE=make test/fuzz.sh ENGINE MINUTES [TARGET...]    all targets of test/fuzz without a name
#
# libfuzzer (clang) and afl (AFL++) are guided by coverage; gcc is the blind mutator of test/fuzz/replay.c under gcc's
# sanitizers, for machines without clang. "any" is the first of libfuzzer and gcc that is there. All start from
# test/fuzz/corpus/TARGET and from what an earlier run left in build/fuzz/ENGINE/TARGET. A finding is a file that is
# named, and status 1: made small and mended, it belongs into the corpus, which `make test` replays.
set -u
cd "$(dirname "$0")/.." || exit 3
engine=$1 seconds=$(($2 * 60)) make=${MAKE:-make} status=0
shift 2

case $engine in
any) if sh test/deps.sh fuzz >&2; then engine=libfuzzer; else engine=gcc; fi ;;
libfuzzer) sh test/deps.sh fuzz >&2 || exit 2 ;;
afl) sh test/deps.sh fuzz afl >&2 || exit 2 ;;
gcc) ;;
*)
	echo "fuzz: no engine is called \"$engine\"; libfuzzer, afl or gcc" >&2
	exit 2
	;;
esac
if (($# == 0)); then
	for source in test/fuzz/*.c; do
		name=$(basename "$source" .c)
		if [[ $name != replay ]]; then set -- "$@" "$name"; fi
	done
fi
export ASAN_OPTIONS=abort_on_error=1:symbolize=0:detect_leaks=1:detect_stack_use_after_return=1

build() { # target: $program
	local dir=build/fuzz/$engine libs
	program=$dir/$1.fuzz
	case $engine in
	gcc)
		program=build/san-address-undefined/test/fuzz/$1
		$make -s --no-print-directory SAN=address,undefined "$program"
		return
		;;
	libfuzzer) compiler=clang ;;
	afl) compiler=afl-clang-fast ;;
	esac
	$make -s --no-print-directory CC="$compiler" B="$dir" SAN=address,undefined CFLAGS='-O1 -fsanitize=fuzzer-no-link' \
		"$dir/libjl.a" "$dir/obj/test/fuzz/$1.o" || return
	libs=$(pkg-config --libs yaml-0.1 libxxhash libzstd zlib)
	# shellcheck disable=SC2086 # a list of flags
	$compiler -pthread -fsanitize=fuzzer,address,undefined -o "$program" "$dir/obj/test/fuzz/$1.o" "$dir/libjl.a" $libs
}

fuzz() { # target
	local kept=build/fuzz/$engine/$1 corpus=test/fuzz/corpus/$1 found=0 end=$((SECONDS + seconds)) seed=0
	mkdir -p "$kept"
	case $engine in
	libfuzzer)
		ASAN_OPTIONS=$ASAN_OPTIONS:symbolize=1 "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
			-print_final_stats=1 -verbosity=0 -artifact_prefix="$kept-" "$kept" "$corpus" || found=1
		;;
	afl)
		# Nothing of the machine is set up for it: neither cores nor core files.
		AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_AUTORESUME=1 \
			afl-fuzz -i "$corpus" -o "$kept" -V "$seconds" -t 10000 -m none -- "$program" >"$kept.log" 2>&1 || found=1
		if ((found)); then tail -n 20 "$kept.log"; fi
		grep -E '^(execs_done|execs_per_sec|corpus_count|saved_(crashes|hangs)) ' "$kept/default/fuzzer_stats"
		if compgen -G "$kept/default/crashes/id*" || compgen -G "$kept/default/hangs/id*"; then found=1; fi
		;;
	gcc)
		while ((SECONDS < end && !found)); do
			seed=$((seed + 1))
			"$program" -runs=2000 -seed=$seed "$corpus" >"$kept.log" 2>&1 || found=1
		done
		if ((found)); then
			cat "$kept.log"
			echo "again: $program -runs=2000 -seed=$seed $corpus"
		fi
		;;
	esac
	return $found
}

for name; do
	if [[ ! -e test/fuzz/$name.c ]]; then
		echo "fuzz: there is no test/fuzz/$name.c" >&2
		exit 2
	fi
	echo "fuzz $name: $engine, $seconds s"
	build "$name" || exit 2
	fuzz "$name" || status=1
done
exit $status
