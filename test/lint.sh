#!/bin/bash
# What reads the sources without running them: scripts by shellcheck, C by cppcheck and the compiler's own analysis,
# manual pages by mandoc, line lengths. Says nothing when all is well; exit status 1 when something was found.
set -u
cd "$(dirname "$0")/.." || exit 3
status=0
shopt -s nullglob

scripts=(test/*.sh test/bench/*.sh test/servers/*.sh test/servers/common.bash .ci/run .debian/build.sh)
shellcheck -x "${scripts[@]}" || status=1
bats=(test/bats/*.bats test/bats/*.bash test/servers/*.bats test/engines/*.bats test/servers/helper.bash)
if ((${#bats[@]})); then
	# A bats test sees variables of bats and of its helper, in subshells of its own.
	shellcheck -e SC1090,SC1091,SC2030,SC2031,SC2154,SC2317,SC2016 "${bats[@]}" || status=1
fi

sources=(lib/*/*.c cmd/*.c cmd/helper/*.c)
if ((${#sources[@]})); then
	cppcheck -q -j "$(nproc)" --std=c11 --language=c --enable=warning,portability,performance --inline-suppr --library=posix \
		--suppress=missingIncludeSystem --suppress=unknownMacro --suppress=readdirCalled --suppress=normalCheckLevelMaxBranches \
		--error-exitcode=1 -Ilib -D_GNU_SOURCE -DJL_VERSION='""' "${sources[@]}" || status=1
	# The checks of the analyzer that are right nearly always; its memory checks do not follow our containers.
	printf '%s\0' "${sources[@]}" | xargs -0 -P "$(nproc)" -n 8 "${CC:-gcc}" -std=c17 -D_GNU_SOURCE -DJL_VERSION='""' -Ilib \
		-O1 -fanalyzer -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak \
		-Wno-analyzer-null-dereference -Wno-analyzer-possible-null-dereference \
		-Wno-analyzer-possible-null-argument -Wno-analyzer-null-argument -Wno-analyzer-use-of-uninitialized-value \
		-Werror -fsyntax-only || status=1
fi

all=(lib/*/*.[ch] cmd/*.[ch] cmd/*/*.[ch] test/*/*.[ch])
awk 'function width(s) { gsub(/\t/, "        ", s); gsub(/[\200-\277]/, "", s); return length(s) }
	width($0) > 132 { printf "%s:%d: longer than 132 columns\n", FILENAME, FNR; bad = 1 }
	/[ \t]$/ { printf "%s:%d: blanks at the end of the line\n", FILENAME, FNR; bad = 1 }
	END { exit bad }' "${all[@]}" || status=1
wc -l lib/*/*.[ch] cmd/*.[ch] | awk '$2 != "total" && $1 > 600 { print $2 ": " $1 " lines; over 600: does it hold two nouns?"; bad = 1 } END { exit bad }' || status=1

pages=(docs/man/*.[1-8])
if ((${#pages[@]})); then sh test/check-man.sh "${pages[@]}" || status=1; fi
sh test/check-layers.sh || status=1
exit $status
