# What is said of commands and options, in the program, its help, its manual, its completion and the documents, is the same.
load helper

agree() { # [JL [SOURCE]]
	run python3 "$JL_SOURCE/test/options.py" "${1:-$JL_BUILD/jl}" "${2:-$JL_SOURCE}"
}

@test "help, manual, completion and documents name the same commands and options" {
	agree
	assert_output ''
	assert_success
}

@test "a command or option that is missing, too much or different anywhere is found" {
	mkdir -p source/cmd
	cp -r "$JL_SOURCE/docs" "$JL_SOURCE/README.md" "$JL_SOURCE/joblib.yaml.example" source/
	cp "$JL_SOURCE/cmd/init.c" source/cmd/
	sed -i '/^\.It Fl k , Fl -keep-going/d' source/docs/man/jl-run.1
	sed -i 's/^\.It Fl -no-wait$/.It Fl -no-waiting/; s/^\.It Fl n , Fl -dry-run/.It Fl y , Fl -dry-run/' source/docs/man/jl-clean.1
	sed -i 's/^\.It Fl o Ar FILE , /.It /; s/^\.It Fl -output Ar FILE$/.It Fl -output/; s/^\.Cm lzma ,//' source/docs/man/jl-dump.1
	rm source/docs/man/jl-hash.1
	sed -i '/valid_if/d' source/docs/man/joblib.yaml.5
	sed -i '/^\.It Cm plan$/d; /Xr jl-why 1 ,/d' source/docs/man/jl.1
	echo 'Say `jl run --all` or `jl memo -x -- cat -n`.' >>source/README.md
	cp source/docs/man/jl-init.1 source/docs/man/jl-other.1
	# And one whose help or completion keeps something to itself.
	cat >jl <<-'END'
		#!/bin/sh
		jl "$@" | sed -e '/--shuffle/d' -e '/^word\t--retries\t/d' -e '/^word\t--color=always\t/d'
	END
	chmod +x jl
	agree "$PWD/jl" source
	assert_failure 1
	for fault in 'jl-run.1 lacks --keep-going of jl run' 'jl-clean.1 lacks --no-wait of jl clean' \
		'jl-clean.1 has --no-waiting, which jl clean does not take' \
		'jl-clean.1: the letter of --dry-run is "y"; jl has "n"' 'jl-dump.1: the letter of --output is ""; jl has "o"' \
		'jl-dump.1: --output with an argument or without: jl has it the other way' \
		'jl-dump.1: --compress may be lzma; its item does not say so' \
		'joblib.yaml.5 lacks valid_if' 'jl hash has no manual page docs/man/jl-hash.1' 'jl(1) lacks plan of jl ' 'jl(1): SEE ALSO lacks jl-why' \
		'source/docs/man/jl-other.1: there is no command jl other' 'jl run takes no --all' 'jl memo takes no -x' \
		'jl-run.1 has --shuffle, which jl run does not take' 'completion lacks --retries of jl run' \
		'completion of --color= lacks always of jl run'; do
		[[ $output == *"$fault"* ]] || fail "not found: $fault"
	done
}
