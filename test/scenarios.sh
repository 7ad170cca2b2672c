#!/bin/sh
# Which of the numbered faults S01 to S42 have a test: a test of such a fault has its number in its name.
set -eu
cd "$(dirname "$0")/.."
grep -HonE '(@test .*|[a-z_]*)[sS][0-9][0-9][^A-Za-z0-9].*' test/bats/*.bats test/unit/*.c 2>/dev/null | awk -F: '
{
	file = $1
	text = $0
	sub(/^[^:]*:[0-9]*:/, "", text)
	while (match(text, /[sS][0-9][0-9]/)) {
		number = "S" substr(text, RSTART + 1, 2)
		text = substr(text, RSTART + 3)
		if (!seen[number, file]++) where[number] = where[number] " " file
	}
}
END {
	for (i = 1; i <= 42; i++) {
		number = sprintf("S%02d", i)
		if (number in where) {
			print number where[number]
			have++
		} else missing = missing " " number
	}
	printf "%d of 42 have a test%s%s\n", have, missing ? "; without:" : "", missing
}'
