# docs/tutorial.md: all its blocks in their order in one folder, and what it says that they print.
load helper

BOOK=$JL_SOURCE/docs/tutorial.md

block() { # what ("example", "shows"), name
	awk -v want="<!-- $1: $2 -->" '
		$0 == want { found = 1; next }
		found && /^```/ { if (++fences == 2) exit; next }
		found && fences == 1 { print }' "$BOOK"
}
# What differs from run to run.
plain() {
	sed -E -e 's/[0-9.]+(ns|us|µs|ms|s)\b|[0-9]+m[0-9]+s/TIME/g' -e 's/xxh3:[0-9a-f]+…?/KEY/g' \
		-e 's/, made (TIME ago|just now).*/, made TIME ago/'
}

@test "the tutorial, from its beginning to its end" {
	# The work is over at once; the shell that reads a block sees both streams as one.
	printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/bin/sleep"
	chmod +x "$BATS_TEST_TMPDIR/bin/sleep"
	n=0
	while read -r name; do
		block example "$name" >"$BATS_TEST_TMPDIR/block"
		run bash "$BATS_TEST_TMPDIR/block" </dev/null
		assert_equal "$name: $status" "$name: $([[ $name == fail ]] && echo 1 || echo 0)"
		shown=$(block shows "$name")
		if [[ $shown ]]; then assert_equal "$(plain <<<"$output")" "$shown"; else assert_output ''; fi
		n=$((n + 1))
	done < <(sed -n 's/^<!-- example: \(.*\) -->$/\1/p' "$BOOK")
	((n >= 12))
	assert_no_file .jl/trash
}

@test "each block of the tutorial has a name" {
	assert_equal "$(grep -cE '^<!-- (example|shows): ' "$BOOK")" "$(grep -c '^```[a-z]' "$BOOK")"
}
