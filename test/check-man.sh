#!/bin/sh
# The manual pages are right in mandoc's eyes, and each names itself: check-man.sh PAGE...
set -u
status=0
for page; do
	mandoc -Tlint -W warning "$page" || status=1
	name=$(basename "$page")
	grep -q "^\.Nm ${name%.*}\$" "$page" || { echo "$page: no \".Nm ${name%.*}\""; status=1; }
done
exit $status
