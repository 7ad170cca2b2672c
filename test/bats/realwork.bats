# Real work: the project builds itself by a manifest with depfiles; a pipeline gives the same bytes in any order. Here in short,
# in full by `make realwork` (REALWORK=1): 2,000 steps under 20 seeds.
load helper

@test "real work: the project builds itself, and a header edit compiles its includers and nobody else" {
	command -v gcc >/dev/null || skip "no C compiler"
	local vars pkgs
	pkgs=$(sed -n 's/^PKGS := //p' "$JL_SOURCE/Makefile")
	# shellcheck disable=SC2086 # several names
	vars=(-f build.yaml --var cflags="$(pkg-config --cflags $pkgs)" --var libs="$(pkg-config --libs $pkgs)"
		--var archive_libs="$(pkg-config --libs libarchive libcurl)")
	cp -r "$JL_SOURCE/lib" "$JL_SOURCE/cmd" "$JL_SOURCE/test/realwork/build.yaml" .
	local sources=(lib/*/*.c cmd/*.c cmd/helper/*.c)
	jl_ok run "${vars[@]}"
	assert_counts ran=$((${#sources[@]} + 2))
	# What was built is the program, and builds as well.
	local built=$PWD/out/jl
	run "$built" run "${vars[@]}"
	assert_success
	run --separate-stderr "$built" run "${vars[@]}"
	assert_counts fresh=$((${#sources[@]} + 2))

	# Who includes it, as the compiler alone says.
	gcc -std=c17 -D_GNU_SOURCE -DJL_VERSION='""' -Ilib -MM "${sources[@]}" | sed -e ':a' -e '/\\$/{N;s/\\\n//;ba}' >includes
	includers() { awk -v header="$1" '{ for (i = 3; i <= NF; i++) if ($i == header) print $2 }' includes | LC_ALL=C sort; }
	compiled() { event_statuses "$BATS_TEST_TMPDIR/events" | sed -n 's/^[a-z]*\[\(.*\)\] ran$/\1/p' | LC_ALL=C sort; }
	local header
	for header in lib/base/near.h lib/run/engine.h; do
		local want
		want=$(includers $header)
		[[ -n $want ]]
		echo '/* a comment */' >>$header
		statuses "${vars[@]}" >all
		assert_equal "$(compiled)" "$want"
		# The objects are the same bytes: nothing is linked.
		assert_equal "$(grep -E '^(archive|jl) ' all)" $'archive fresh\njl fresh'
	done
	# The edit undone, in another checkout: all from the store.
	cp "$JL_SOURCE/lib/run/engine.h" lib/run/
	mkdir ../other
	cp -r lib cmd build.yaml ../other
	cd ../other
	jl_ok run "${vars[@]}"
	assert_counts restored=$((${#sources[@]} + 2))
	cmp out/jl "$built"
	# What changes an object is linked.
	echo 'int jl_realwork(void); int jl_realwork(void) { return 1; }' >>lib/base/near.c
	statuses "${vars[@]}" >all
	assert_equal "$(compiled | grep -v helper/)" lib/base/near.c
	assert_equal "$(grep -E '^(archive|jl) ' all)" $'archive ran\njl ran'
}

# What the pipeline made: kinds and modes, then contents; thousands of files in a few processes.
made() {
	find items sum stats total.txt -printf '%p %y %m %l\n' | LC_ALL=C sort
	find items sum stats total.txt -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}

@test "real work: a pipeline gives the same bytes in whatever order its steps run" {
	local items=200 seeds=3 seed first='' steps
	if [[ -n ${REALWORK-} ]]; then items=650 seeds=20; fi
	steps=$((3 * items + 50))
	export MARKS=$BATS_TEST_TMPDIR/marks
	for ((seed = 1; seed <= seeds; seed++)); do
		mkdir "../seed$seed" "$MARKS"
		cd "../seed$seed"
		cp "$JL_SOURCE/test/realwork/pipeline.yaml" joblib.yaml
		cp "$JL_SOURCE/test/realwork/add.sh" .
		export JL_STORE=$BATS_TEST_TMPDIR/store$seed
		run --separate-stderr jl run -k --shuffle "$seed" -j "$((seed % 4 + 1))" --var items=$items --events ../events
		assert_status 1
		assert_summary "$steps steps: $((steps - 8)) ran, 0 fresh, 0 restored, 1 failed, 7 skipped"
		assert_equal "$(grep -c 'attempt 2 follows' <<<"$stderr")" $(((1000 + items) / 7 - 142))
		{
			made
			event_statuses ../events
			event_keys ../events
		} >../got
		assert_no_file broken.txt behind
		assert_equal "$(find split group ! -type d)" '' # temp
		if [[ -z $first ]]; then
			first=$PWD
			mv ../got ../want
		else
			cmp ../got ../want || diff ../want ../got | head -20 | fail
			[[ $seed == "$seeds" ]] || rm -rf "$PWD" "$JL_STORE"
		fi
		rm -rf "$MARKS"
	done
	# Once more: only what failed is tried again; and from the store of one what another made.
	mkdir "$MARKS"
	run --separate-stderr jl run -k --var items=$items
	assert_status 1
	rm -rf items split sum stats group total.txt
	run --separate-stderr jl run -k --var items=$items --shuffle again
	assert_status 1
	made >../got
	head -n "$(grep -c '' ../got)" ../want | cmp - ../got || fail "$stderr"
	[[ $stderr != *"attempt 2 follows"* ]]
	assert_no_file split group
	# What is temp comes back for whom it is needed, and only that.
	sed -i 's/sort \${{ inputs }}/& -r/' joblib.yaml
	run --separate-stderr jl run -k --var items=$items
	assert_status 1
	assert_stderr_has " ran, $((steps - 8 - 1 - 30 - 10)) fresh, 10 restored"
	assert_equal "$(find split group ! -type d 2>/dev/null)" ''
}
