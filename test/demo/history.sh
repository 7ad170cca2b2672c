#!/bin/sh
# Splits the history into one file for each part of the project: history.sh FOLDER. A part is a folder of lib/, or the
# top folder, or "top" for files of the checkout itself. Lines: day, lines added, lines removed, path. Nobody is named.
# Without a history (a copy that is no checkout) the folder stays empty.
set -eu
git rev-parse --verify -q HEAD >/dev/null 2>&1 || exit 0
git -c core.quotePath=off -c log.showSignature=false log --no-merges --no-renames --numstat --format='day %as' |
	awk -F '\t' -v folder="${1%/}" '
		/^day / { day = substr($0, 5); next }
		NF == 3 && $1 != "-" {
			n = split($3, at, "/")
			part = n > 2 && at[1] == "lib" ? "lib-" at[2] : n > 1 ? at[1] : "top"
			sub(/^\./, "dot-", part)
			gsub(/[^A-Za-z0-9._-]/, "_", part)
			printf "%s\t%d\t%d\t%s\n", day, $1, $2, $3 >(folder "/" part)
		}'
