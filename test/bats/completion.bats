# jl completion: what it answers, and what the real shells make of it.
load helper

# A workspace with everything that can be completed.
workspace() {
	write_manifest <<-'END'
		version: 1
		vars: {level: 3, title: x}
		include: [{file: etl/joblib.yaml, as: etl}]
		steps:
		  names: {command: "echo a > names.txt", outputs: names.txt, tags: [fast, nightly], description: Make names}
		  greet:
		    foreach: [ann, "bob cy"]
		    command: echo ${{ item }} > ${{ output }}
		    outputs: greetings/${{ item }}.txt
		    tags: nightly
		  grind: {command: "false", manual: true}
	END
	mkdir -p etl sub
	write_manifest etl/joblib.yaml <<-'END'
		version: 1
		steps: {load: {command: "true"}}
	END
	jl_ok run -q
}

# The first fields and the texts of what can come: candidates WORD...
candidates() {
	run_jl completion bash -- "$@"
	assert_status 0
	assert_equal "$stderr" ''
	cut -f 1,2 <<<"$output" | tr '\t' ' '
}
assert_candidates() { # expected, WORD...
	assert_equal "$(candidates "${@:2}")" "$1"
}

@test "commands, options and their values come from the tables" {
	assert_candidates 'word run' ru
	assert_candidates 'word memo' mem
	assert_candidates $'word --help\nword --version' --
	assert_candidates 'word --keep-going' run --keep
	assert_candidates $'word --progress=plain' run --progress=p
	assert_candidates $'word auto\nword always' run --color a
	assert_candidates $'word --fail-fast=soon\nword --fail-fast=now' run --fail-fast=
	assert_candidates $'word xz' dump --compress x
	assert_candidates $'word none' dump --compress n
	assert_candidates $'word rm' cache r
	assert_candidates $'word completion' help comp
	assert_candidates $'file 0' run --events ''
	assert_candidates $'file 9' run --events=x
	assert_candidates $'file 2' run -fx
	assert_candidates $'file 0' run -kf ''
	assert_candidates $'folder 0' run -C ''
	assert_candidates $'folder 0' run --store ''
	assert_candidates $'program 0' memo --tool ''
	assert_candidates $'file 0' load ''
	assert_candidates '' load x ''
	assert_candidates '' list ''
	assert_candidates '' run --jobs ''
	assert_candidates '' nonsense ''
	FOO_BAR=1 assert_candidates 'word FOO_BAR' memo -e FOO_
	[[ $(candidates run -) == *$'word -k\nword --keep-going\n'* ]]
	# What an option tells is told along.
	run_jl completion fish -- run --keep
	assert_output $'word\t--keep-going\tafter a failure run all that does not need it'
}

@test "steps, instances, tags and variables come from the manifest" {
	workspace
	assert_candidates $'word names\nword greet\nword grind\nword etl:load' log ''
	assert_candidates $'word greet\nword grind' why gr
	assert_candidates $'word greet[ann]\nword greet[bob cy]' log 'greet['
	assert_candidates '' log 'names['
	assert_candidates $'word names\nfile 0' run na
	assert_candidates $'file 0\nword @fast\nword @nightly' run @
	assert_candidates $'word --from=names' run --from=na
	assert_candidates $'word --force=names' run --force=na
	assert_candidates $'word level=' run --var l
	assert_candidates $'word --var=title=' run --var=t
	cd sub
	assert_candidates $'word names' log na
	cd ../..
	assert_candidates $'word names' log -C "$WS" na
	assert_candidates $'word names' log -f "$WS/joblib.yaml" na
}

@test "keys come from the store" {
	workspace
	key=$(find "$JL_STORE/ac" -type f -printf '%f\n' | head -n 1)
	[[ ${#key} == 32 ]]
	assert_candidates "word $key" cat "${key:0:9}"
	assert_candidates "word $key" cache rm "${key:0:9}"
	assert_candidates "word $key" log "${key:0:9}"
	# Not all there are, but those of two digits at least.
	[[ $(candidates log '') != *"$key"* && $(candidates log "${key:0:2}") == *"$key"* ]]
	cd "$BATS_TEST_TMPDIR"
	assert_candidates "word $key" log "${key:0:9}"
}

@test "without a manifest, with a broken one, without a store: silent, and nothing is written" {
	mkdir empty
	(cd empty && assert_candidates '' log '')
	(cd empty && assert_candidates 'word run' ru)
	assert_candidates '' log -C nowhere ''
	printf 'version: 1\nsteps: [\n' >joblib.yaml
	assert_candidates '' log ''
	assert_candidates 'file 0' run ''
	write_manifest <<-'END'
		version: 1
		steps: {one: {command: echo}}
	END
	assert_candidates 'word one' log ''
	JL_STORE=/dev/null/x assert_candidates '' log abcdef01
	assert_no_file .jl "$JL_STORE"
}

@test "only what needs the manifest waits for it" {
	mkfifo joblib.yaml
	for words in 'ru' 'run --pro' 'run --progress=' 'memo -i' 'help r' 'cache '; do
		# shellcheck disable=SC2086 # words
		timeout 60 jl completion bash -- $words >/dev/null || fail "$words"
	done
}

@test "the rest of map and memo is another command's" {
	assert_candidates 'command 1' map ''
	assert_candidates 'command 1' map gr
	assert_candidates 'command 2' map -k gr
	assert_candidates 'command 3' map -j 4 grep -
	assert_candidates 'command 4' memo -i x -- ''
	assert_candidates 'command 2' memo -q grep --color=
	assert_candidates 'word --keep-order' map --keep-o
	assert_candidates 'file 0' map gzip ::: ''
	assert_candidates 'file 0' map gzip -k {} :::: x y
}

@test "a shell that there is no script for" {
	run_jl completion tcsh
	assert_status 2
	assert_equal "$stderr" 'jl: completion: there is none for "tcsh"; there are bash, zsh, fish'
}

# --- the shells themselves -----------------------------------------------------------------------------------------------

# What jl is called with is shown instead of done; the script asks the program all the same.
shell_function() { echo "jl() { printf 'GOT'; printf '<%s>' \"\$@\"; echo; }"; }
# Type each line of standard input; the arguments jl would get: type_at SHELL [ARG ...]
type_at() {
	python3 "$JL_SOURCE/test/type.py" "$@" >typed || fail "$(cat typed)"
	grep -ao 'GOT<.*' typed || fail "$(cat typed)"
}
lines_of_all_shells() {
	cat <<-'END'
		jl comple\tzs\t
		jl run --keep\tgrin\t
		jl run --progr\tpl\t
		jl run --progress=pl\t
		jl run --color=ne\t
		jl run @ni\t
		jl log greet\\[b\t
		jl log etl:l\t
		jl run --var le\t9
		jl run --var=le\t9
		jl hash nam\t
		jl run --events=nam\t
		jl run -fjobl\t
		jl init -C greeti\t -h
		jl memo -i nam\tsed --expr\t 3
		jl map -k --memo cat nam\t
		jl map -k cat ::: nam\t
		jl memo --tool trunca\tx
	END
}
# What the lines come to; where the shells differ: a folder, and the option of another command.
got_of_all_shells() {
	cat <<-END
		GOT<completion><zsh>
		GOT<run><--keep-going><grind>
		GOT<run><--progress><plain>
		GOT<run><--progress=plain>
		GOT<run><--color=never>
		GOT<run><@nightly>
		GOT<log><greet[bob cy]>
		GOT<log><etl:load>
		GOT<run><--var><level=9>
		GOT<run><--var=level=9>
		GOT<hash><names.txt>
		GOT<run><--events=names.txt>
		GOT<run><-fjoblib.yaml>
		GOT<init><-C><$1><-h>
		GOT<memo><-i><names.txt><sed><$2><3>
		GOT<map><-k><--memo><cat><names.txt>
		GOT<map><-k><cat><:::><names.txt>
		GOT<memo><--tool><truncate><x>
	END
}

@test "bash without bash-completion" {
	workspace
	jl completion bash >jl.bash
	bash -n jl.bash
	{
		# Whatever the shell's options are.
		printf "PS1='READY> '\nset -u -o pipefail\nshopt -s nullglob\nIFS=:\n"
		cat jl.bash
		shell_function
	} >rc
	lines_of_all_shells | type_at bash --noprofile --rcfile rc -i >got
	assert_equal "$(cat got)" "$(got_of_all_shells greetings/ --expr)"
}

@test "bash with bash-completion" {
	workspace
	{
		printf "PS1='READY> '\n. /usr/share/bash-completion/bash_completion\n"
		jl completion bash
		shell_function
	} >rc
	lines_of_all_shells | type_at bash --noprofile --rcfile rc -i >got
	assert_equal "$(cat got)" "$(got_of_all_shells greetings/ --expression)"
}

@test "bash: several candidates, and the jl that stands on the line" {
	workspace
	cat >ask.sh <<-'END'
		source <(jl completion bash)
		compopt() { echo "compopt $*"; }
		COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2))
		_jl
		printf '%s\n' "${COMPREPLY[@]}"
	END
	run bash ask.sh 'jl run --progress=' jl run --progress = ''
	assert_output $'auto\nbar\nplain\nnone'
	run bash ask.sh 'jl run --progress=' jl run --progress =
	assert_output $'auto\nbar\nplain\nnone'
	run bash ask.sh 'jl log ' jl log ''
	assert_output $'names\ngreet\ngrind\netl:load'
	run bash ask.sh 'jl log etl:' jl log etl :
	assert_output load
	run bash ask.sh '  jl   log   greet\[' jl log 'greet\['
	assert_output $'greet\\[ann\\]\ngreet\\[bob\\ cy\\]'
	run bash ask.sh 'jl list ' jl list ''
	assert_output "compopt +o default"
	run bash ask.sh 'jl run -C ' jl run -C ''
	assert_output "compopt +o default -o dirnames"
	printf '#!/bin/sh\nprintf "word\\tother\\t\\n"\n' >other
	chmod +x other
	run bash ask.sh './other ' ./other ''
	assert_output other
}

@test "zsh" {
	workspace
	jl completion zsh >_jl
	zsh -n _jl
	{
		printf "PROMPT='READY> '\nunsetopt prompt_sp prompt_cr\nunset zle_bracketed_paste\n"
		printf 'autoload -Uz compinit\ncompinit -u -D\n'
		echo "source '$WS/_jl'"
		shell_function
	} >.zshrc
	lines_of_all_shells | ZDOTDIR=$WS type_at zsh -d -i >got
	assert_equal "$(cat got)" "$(got_of_all_shells greetings --expression)"
	# Found by its name in the folders of the shell, as an installed one is.
	mkdir found
	mv _jl found/
	sed -i "s,^source.*,," .zshrc
	sed -i "1i fpath=('$WS/found' \$fpath)" .zshrc
	printf '%s\n' 'jl comple\tzs\t' | ZDOTDIR=$WS type_at zsh -d -i >got
	assert_equal "$(cat got)" 'GOT<completion><zsh>'
}

# The candidates of fish for a line, without what it tells of them.
fish_candidates() { fish -c 'jl completion fish | source; complete -C$argv[1]' -- "$1" | cut -f 1; }
@test "fish" {
	workspace
	jl completion fish >jl.fish
	fish --no-execute jl.fish
	assert_equal "$(fish_candidates 'jl comple')" completion
	assert_equal "$(fish_candidates 'jl run --keep')" --keep-going
	assert_equal "$(fish_candidates 'jl run --progress=')" "$(printf -- '--progress=%s\n' auto bar plain none)"
	assert_equal "$(fish_candidates 'jl run --color a')" $'auto\nalways'
	assert_equal "$(fish_candidates 'jl log greet[')" $'greet[ann]\ngreet[bob cy]'
	assert_equal "$(fish_candidates 'jl log etl:')" etl:load
	assert_equal "$(fish_candidates 'jl run @n')" @nightly
	assert_equal "$(fish_candidates 'jl run --var=l')" --var=level=
	assert_equal "$(fish_candidates 'jl hash nam')" names.txt
	assert_equal "$(fish_candidates 'jl run --events=nam')" --events=names.txt
	assert_equal "$(fish_candidates 'jl run -fjobl')" -fjoblib.yaml
	assert_equal "$(fish_candidates 'jl init -C greet')" greetings/
	assert_equal "$(fish_candidates 'jl memo -i names.txt sed --expr')" --expression
	assert_equal "$(fish_candidates 'jl memo trunca')" truncate
	assert_equal "$(fish_candidates 'jl map -k cat ::: nam')" names.txt
	assert_equal "$(fish_candidates 'jl list foo')" ''
	# What an option does stands beside it.
	run fish -c 'jl completion fish | source; complete -C"jl run --keep"'
	assert_output $'--keep-going\tafter a failure run all that does not need it'
}
