#!/bin/sh
# Every header compiles alone: check-headers.sh HEADER..., with $CC and $CFLAGS.
set -u
status=0
# shellcheck disable=SC2034 # used inside eval
for header; do
	eval "${CC:-gcc} ${CFLAGS--std=c17 -D_GNU_SOURCE -Ilib -Wall -Wextra}" -fsyntax-only -x c '"$header"' ||
		status=1
done
exit $status
