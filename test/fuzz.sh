#!/bin/sh
# Runs the fuzz targets whose name holds $1 under libFuzzer with ASan and UBSan, FUZZ_TIME seconds each. What was worth
# keeping is in build/fuzz/NAME/; a crash is named and ends with status 1: put its file into test/fuzz/corpus/NAME/.
set -eu
status=0
mkdir -p build/fuzz
for source in test/fuzz/*.c; do
	name=$(basename "$source" .c)
	case $name in replay | "*") continue ;; *"${1-}"*) ;; *) continue ;; esac
	# shellcheck disable=SC2046,SC2086 # lists of flags
	clang -std=c17 -D_GNU_SOURCE -DJL_VERSION='"fuzz"' -Ilib -O1 -g -pthread \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined ${CFLAGS-} \
		-o "build/fuzz/$name.bin" "$source" lib/*/*.c $(pkg-config --cflags --libs yaml-0.1 libxxhash libzstd zlib)
	mkdir -p "build/fuzz/$name" "test/fuzz/corpus/$name"
	echo "fuzz $name for ${FUZZ_TIME:-60} s"
	"build/fuzz/$name.bin" -max_total_time="${FUZZ_TIME:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-verbosity=0 -artifact_prefix="build/fuzz/$name-" "build/fuzz/$name" "test/fuzz/corpus/$name" || status=1
done
exit $status
