#!/bin/sh
# After `make coverage` ran the tests: which lines of lib/ and cmd/ they reached, by file, least reached first; also in
# DIR/coverage.txt. coverage.sh DIR
set -eu
find "$1/obj/lib" "$1/obj/cmd" -name '*.gcda' 2>/dev/null | LC_ALL=C sort | while read -r data; do
	gcov -n -o "$(dirname "$data")" "$data" 2>/dev/null
done | awk -F"'" '
	/^File / { file = $2 }
	/^Lines executed:/ && file ~ /^(lib|cmd)\/.*\.c$/ {
		split($0, a, /[:% ]+/)
		n = a[length(a)]
		printf "%6.1f%% of %5d  %s\n", a[3], n, file
		hit += a[3] * n / 100
		all += n
		file = ""
	}
	END { if (all) printf "%6.1f%% of %5d  all\n", 100 * hit / all, all }' | LC_ALL=C sort -n | tee "$1/coverage.txt"
