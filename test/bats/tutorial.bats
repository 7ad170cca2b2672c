# docs/tutorial.md and README.md: all their blocks in their order in one folder, and what they say that these print.
load helper

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

from_beginning_to_end() { # BOOK, number of blocks
	BOOK=$1
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
	assert_equal "$n" "$2"
	assert_no_file .jl/trash
}

@test "the tutorial, from its beginning to its end" {
	from_beginning_to_end "$JL_SOURCE/docs/tutorial.md" 13
}

@test "the first runs of the README" {
	from_beginning_to_end "$JL_SOURCE/README.md" 3
}

@test "each block of both has a name, and their links lead somewhere" {
	for book in docs/tutorial.md README.md; do
		assert_equal "$(grep -cE '^<!-- (example|shows): ' "$JL_SOURCE/$book")" "$(grep -c '^```[a-z]' "$JL_SOURCE/$book")"
		while read -r file; do
			[[ -e $JL_SOURCE/$(dirname "$book")/$file ]] || fail "$book: $file"
		done < <(grep -o '](\([a-z/]*\.md\)' "$JL_SOURCE/$book" | sed 's/.*(//')
	done
}
