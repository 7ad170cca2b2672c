# docs/compared.md: each row of its tables is run, on both sides.
load helper

BOOK=$JL_SOURCE/docs/compared.md

fixtures() {
	printf '1\n2\n3\n' >numbers
	printf 'one' >a.txt
	printf 'three' >'b c.txt'
	printf '#!/bin/sh\necho $(($1 * $1))\n' >square
	printf 'def square(n, log=None):\n    return n * n\n' >square.py
	chmod +x square
}
# The rows of the table that begins with this word: "LEFT<tab>RIGHT".
rows() {
	awk -v head="| $1 | \`jl\` |" '$0 == head { on = 1; next } on && !/^\|/ { exit } on && /^\| `/' "$BOOK" |
		sed -E -e 's/\\\|/\x01/g' -e 's/^\| `(.*)` \| `(.*)` \|$/\1\t\2/' -e 's/\x01/|/g'
}

@test "joblib's expressions and what they are in jl" {
	fixtures
	cat >expression.py <<-'END'
		import sys
		from joblib import *
		from square import square
		value = eval(sys.argv[1])
		print(*value if isinstance(value, list) else [value], sep="\n")
	END
	n=0
	while IFS=$'\t' read -r theirs ours; do
		run --separate-stderr /usr/bin/python3 expression.py "$theirs" </dev/null
		assert_status 0
		their_last=$output
		run --separate-stderr bash -c "$ours" </dev/null
		assert_status 0
		case $theirs in
		Parallel*) assert_equal "$output" "$their_last" ;;
		*cache\(square*) [[ ${their_last##*$'\n'} == "${output:-True}" ]] || fail "$ours: $output; $theirs: $their_last" ;;
		hash*) [[ $output == xxh3:*numbers ]] ;;
		esac
		n=$((n + 1))
	done < <(rows joblib)
	assert_equal "$n" 10
	[[ -s nine.gz && -s nine.tar.gz ]]
	# What was loaded is a hit, after the store was emptied.
	jl_ok cache clear --yes
	jl_ok load -q nine.tar.gz
	jl_ok memo --check -- ./square 3
}

@test "lines of xargs and parallel and what they are in jl print the same" {
	n=0
	for tool in xargs parallel; do
		while IFS=$'\t' read -r theirs ours; do
			rm -rf ./*
			fixtures
			want=$(bash -c "$theirs" | LC_ALL=C sort)
			rm -rf out
			assert_equal "$ours: $(bash -c "$ours" | LC_ALL=C sort)" "$ours: $want"
			[[ $want ]]
			n=$((n + 1))
		done < <(rows $tool)
	done
	assert_equal "$n" 9
}

@test "every row of those tables is one that is run" {
	sed -n '/^## You write this there/,$p' "$BOOK" >part
	assert_equal "$(grep -c '^| `' part)" 19
	while read -r file; do
		[[ -e $JL_SOURCE/docs/$file ]] || fail "$file"
	done < <(sed -n 's/.*](\([a-z]*\.md\).*/\1/p' "$JL_SOURCE/docs/compared.md" "$JL_SOURCE/docs/tutorial.md")
}
