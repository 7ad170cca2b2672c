# S31: file names with spaces, quotes, newlines, a leading dash, invalid UTF-8: right everywhere, in shell strings too.
load helper

# One name with everything, and some with one thing each.
odd_names() {
	NAMES=('two words' "it's" 'a"b' '-n' '--help' '$HOME' '`id`' 'a;b' 'a*b?[c]' 'back\slash' '~' '#x' $'new\nline' $'tab\there'
		$'\xff\xfe' 'ünï' '%s%n' '{}' '${{ x }}' 'a=b' '!x' '&' '(' ' ' 'end ' $'\x1b[31m' '@tag' 'x,y')
}

@test "S31 a foreach over files with odd names: copied by a shell string" {
	odd_names
	mkdir in
	local name
	for name in "${NAMES[@]}"; do printf '%s' "$name" >"in/$name"; done
	write_manifest <<'EOF'
version: 1
steps:
  sh: {foreach: in/*, command: "cat < ${{ item }} > ${{ output }}; echo ${{ item.name }}", inputs: "${{ item }}", outputs: "sh/${{ item.name }}"}
  direct: {foreach: in/*, command: [cp, --, "${{ item }}", "${{ output }}"], inputs: "${{ item }}", outputs: "direct/${{ item.name }}"}
  split: {foreach: in/*, command: "cp -- ${{ item }} ${{ output }}", inputs: "${{ item }}", outputs: "split/${{ item.name }}"}
  join: {command: "cat ${{ inputs }} > ${{ output }}", inputs: [sh/*], outputs: all}
EOF
	jl_ok run
	assert_counts ran=$((3 * ${#NAMES[@]} + 1))
	local dir
	for dir in sh direct split; do
		diff -r in $dir
		assert_equal "$(find $dir -type f | wc -l)" "$(find in -type f | wc -l)"
	done
	jl_ok run
	assert_counts fresh=$((3 * ${#NAMES[@]} + 1))
	rm -r sh direct split
	jl_ok run
	assert_counts restored=$((3 * ${#NAMES[@]})) fresh=1
	diff -r in sh
	rm -rf .jl
	jl_ok run
	assert_counts fresh=$((3 * ${#NAMES[@]} + 1))
	assert_equal "$(trashed)" ""
}

@test "S31 odd names as items that leave, as strays and in the trash" {
	odd_names
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: in/*, command: "cat < ${{ item }} > ${{ output }}", inputs: "${{ item }}", outputs: "out/${{ item.name }}"}
  d: {command: "true", outputs: own/}
EOF
	mkdir in
	local name
	for name in "${NAMES[@]}"; do : >"in/$name"; done
	jl_ok run
	for name in "${NAMES[@]}"; do echo mine >"own/$name"; done
	echo edit >$'out/new\nline'
	rm in/*
	jl_ok run
	assert_equal "$(find out own -type f | wc -l)" 0
	assert_equal "$(find .jl/trash -type f -print0 | tr -cd '\0' | wc -c)" $((${#NAMES[@]} + 1))
	# No raw control bytes on the way to a terminal.
	[[ $stderr != *$'\x1b'* ]]
}

@test "S31 an owned folder and a folder input with odd names in it" {
	odd_names
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "sh make-names ${{ output }}", inputs: make-names, outputs: "an 'own' folder/"}
  b: {command: "cp -r ${{ input }} ${{ output }}", inputs: "an 'own' folder/", outputs: "-b/"}
EOF
	sed -i 's|cp -r ${{ input }} ${{ output }}|cp -r -- ${{ input }}/. ./${{ output }}|' joblib.yaml
	{
		echo 'cd -- "$1"'
		local name
		for name in "${NAMES[@]}"; do printf "echo x >./%q\n" "$name"; done
	} >make-names
	sed -i 's/sh make-names/bash make-names/' joblib.yaml
	jl_ok run
	local before
	before=$(find "an 'own' folder" -- ./-b -type f | sort)
	assert_equal "$(find ./-b -type f -print0 | tr -cd '\0' | wc -c)" ${#NAMES[@]}
	rm -r "an 'own' folder" ./-b
	jl_ok run
	assert_counts restored=2
	assert_equal "$(find "an 'own' folder" -- ./-b -type f | sort)" "$before"
	jl_ok run
	assert_counts fresh=2
}

@test "S31 events stay one JSON object a line whatever the names" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: in/*, command: "echo ${{ item }}; echo ${{ item }} >&2; printf '\\377\\0'", inputs: "${{ item }}"}
EOF
	mkdir in
	: >$'in/new\nline "q" \\ \xff \x01'
	jl_ok run --events ev
	perl -ne '/^\{"v":1,"t":[0-9.e+-]+,"event":"[a-z_]+"(,"[a-z_]+":("([^"\\\x00-\x1f]|\\["\\\/bfnrt]|\\u[0-9a-f]{4})*"|-?[0-9.e+-]+|true|false))*\}$/i or die "line $.: $_"' ev
	perl -e 'local $/; open F, "<:raw", "ev"; my $t = <F>; utf8::decode($t) or die "not UTF-8"'
}

@test "S31 a very long item: its log and its failure have a place" {
	local long
	long=$(printf 'x%.0s' {1..240})
	mkdir -p "in/$long"
	echo 1 >"in/$long/$long"
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: "in/*/*", command: "echo said; echo half > ${{ output }}; test -e ok", inputs: "${{ item }}", outputs: "out/${{ item.name }}"}
EOF
	run_jl run
	assert_status 1
	assert_output said
	assert_no_file "out/$long"
	[[ $(find .jl/failed -type f | wc -l) == 1 ]] || fail "$(find .jl)"
	[[ $(find .jl/logs -type f | wc -l) == 1 ]] || fail "$(find .jl)"
	: >ok
	jl_ok run
	assert_file "out/$long" half
}

@test "S31 names of targets: with a leading dash behind --, with spaces and brackets" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {foreach: ["-x", "y z", "[w]"], command: "echo 1 > ${{ output }}", outputs: "out ${{ item }}"}
  b: {command: "echo 1 > ./-b", outputs: "-b"}
EOF
	jl_ok run 'a[y z]' 'out -x'
	assert_counts ran=2
	jl_ok run -- -b
	assert_counts ran=1
	jl_ok run 'a[[w]]'
	assert_counts ran=1
	jl_ok run
	assert_counts fresh=4
}
