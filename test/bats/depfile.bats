# Depfiles: what a command says it read besides joins its key, in `jl run` and `jl memo`.
load helper
setup() {
	jl_setup
	command -v gcc >/dev/null || skip "no C compiler"
}

# Three sources; a.h is of a, b.h of a and b, all.h of all. $SYS stands for a folder of the system's headers.
c_project() {
	SYS=$BATS_TEST_TMPDIR/sys
	mkdir -p src include "$SYS"
	echo '#define LIMIT 7' >"$SYS/limit.h"
	echo '#define ALL 1' >include/all.h
	printf '#include "all.h"\n#define A 1\n' >include/a.h
	printf '#define B 1\n' >include/b.h
	printf '#include "a.h"\n#include "b.h"\nint a(void) { return A + B + ALL; }\n' >src/a.c
	printf '#include "b.h"\n#include "all.h"\nint b(void) { return B + ALL; }\n' >src/b.c
	printf '#include <limit.h>\n#include "all.h"\nint c(void) { return LIMIT + ALL; }\n' >src/c.c
	# Says what was compiled, to the tally.
	printf '#!/bin/sh\nfor w; do case $w in *.c) tally "${w##*/}" ;; esac; done\nexec gcc -isystem "%s" "$@"\n' "$SYS" \
		>"$BATS_TEST_TMPDIR/bin/tcc"
	chmod +x "$BATS_TEST_TMPDIR/bin/tcc"
}
c_manifest() {
	write_manifest <<'END'
version: 1
steps:
  cc:
    foreach: src/*.c
    command: tcc -Iinclude -MD -MP -c -o ${{ output }} ${{ item }}
    inputs: ${{ item }}
    outputs: obj/${{ item.stem }}.o
    depfile: obj/${{ item.stem }}.d
END
}
ran() { LC_ALL=C sort "$TALLY" | tr '\n' ' '; }

@test "run: a header edit compiles its includers and nobody else" {
	c_project
	c_manifest
	jl_ok run
	assert_counts ran=3
	jl_ok run
	assert_counts fresh=3
	tally_reset
	touch include/*.h src/*.c
	jl_ok run
	assert_counts fresh=3
	echo '#define A 2' >include/a.h
	echo '#define ALL 1' >>include/a.h
	jl_ok plan
	assert_equal "$(grep -c 'would run' <<<"$output")" 1
	[[ $output == *'"include/a.h", which it used, changed'* ]]
	jl_ok run
	assert_equal "$(ran)" "a.c "
	tally_reset
	echo '#define B 3' >include/b.h
	jl_ok run
	assert_equal "$(ran)" "a.c b.c "
	jl_ok run
	assert_counts fresh=3
}

@test "run: a header edited back is not compiled again" {
	c_project
	c_manifest
	jl_ok run
	cp -r obj first
	cp include/b.h b.h
	echo '#define B 3' >include/b.h
	jl_ok run
	tally_reset
	cp b.h include/b.h
	jl_ok run
	assert_counts restored=2 fresh=1
	assert_tallies 0
	diff -r obj first
	echo '#define B 3' >include/b.h
	jl_ok run
	assert_counts restored=2 fresh=1
}

@test "run: a header outside of the workspace counts, one that is gone is no error" {
	c_project
	c_manifest
	jl_ok run
	tally_reset
	echo '#define LIMIT 8' >"$SYS/limit.h"
	jl_ok run
	assert_equal "$(ran)" "c.c "
	tally_reset
	rm include/a.h
	printf '#include "b.h"\n#include "all.h"\nint a(void) { return B + ALL; }\n' >src/a.c
	jl_ok run
	assert_equal "$(ran)" "a.c "
	tally_reset
	rm include/b.h
	run_jl run -k
	assert_status 1
	assert_equal "$(ran)" "a.c b.c "
	assert_stderr_has "b.h: No such file"
}

@test "run: what was found outlives .jl and comes along to another checkout" {
	c_project
	c_manifest
	jl_ok run
	tally_reset
	rm -r .jl
	jl_ok run
	assert_counts fresh=3
	mkdir "$BATS_TEST_TMPDIR/other"
	cp -r src include joblib.yaml "$BATS_TEST_TMPDIR/other"
	cd "$BATS_TEST_TMPDIR/other"
	jl_ok run
	assert_counts restored=3
	echo '#define B 4' >include/b.h
	jl_ok run
	assert_equal "$(ran)" "a.c b.c "
}

@test "run: the depfile is an output: put back, taken away, no word of a template" {
	c_project
	c_manifest
	jl_ok run
	rm obj/a.d
	echo "x: y" >obj/b.d
	jl_ok run
	assert_counts restored=2 fresh=1
	assert_trashed obj/b.d
	grep -q include/all.h obj/a.d
	jl_ok cat 'cc[src/a.c]' obj/a.d
	[[ $output == *include/b.h* ]]
	jl cat 'cc[src/a.c]' | cmp - obj/a.o
	jl_ok log 'cc[src/a.c]'
	rm src/b.c
	jl_ok run
	assert_no_file obj/b.o obj/b.d
	assert_file obj/a.d "$(cat obj/a.d)"
}

@test "run: declared as an output as well" {
	c_project
	write_manifest <<'END'
version: 1
steps:
  cc:
    command: tcc -Iinclude -MD -MF ${{ outputs.dep }} -c -o ${{ outputs.obj }} src/a.c
    inputs: src/a.c
    outputs: {obj: a.o, dep: a.dep}
    depfile: ${{ outputs.dep }}
END
	jl_ok run
	assert_counts ran=1
	jl_ok run
	assert_counts fresh=1
	echo '#define B 5' >include/b.h
	jl_ok run
	assert_counts ran=1
}

@test "run: without a depfile, or with one that is none, nothing is kept" {
	echo x >in
	write_manifest <<'END'
version: 1
steps:
  none: {command: "cp in ${{ output }}", inputs: in, outputs: a, depfile: a.d}
  odd: {command: "cp in ${{ output }}; echo no rule >b.d", inputs: in, outputs: b, depfile: b.d}
END
	for _ in 1 2; do
		jl_ok run
		assert_counts ran=2
		assert_stderr_has 'not stored: its depfile "a.d" was not written'
		assert_stderr_has 'not stored: its depfile "b.d" cannot be used: line 1: no ":" behind the target'
	done
}

@test "run: a file that changes while it is used is not believed" {
	echo 1 >h
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cat h >a; echo 2 >h; echo a: h >a.d", outputs: a, depfile: a.d}
END
	jl_ok run
	assert_counts ran=1
	assert_stderr_has 'not stored: "h", which it used, changed while it ran'
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cat h >a; echo a: h >a.d", outputs: a, depfile: a.d}
END
	jl_ok run
	refute_stderr_has "not stored"
	assert_file a 2
	jl_ok run
	assert_counts fresh=1
}

@test "run: a file that another step makes is asked for" {
	write_manifest <<'END'
version: 1
steps:
  gen: {command: "echo 1 >gen.h", outputs: gen.h}
  between: {command: "cp gen.h b", inputs: gen.h, outputs: b}
  waits: {command: "cp gen.h c; echo c: gen.h >c.d", after: between, outputs: c, depfile: c.d}
END
	jl_ok run
	refute_stderr_has "gen.h"
	cat >>joblib.yaml <<'END'
  not: {command: "cp gen.h d; echo d: gen.h >d.d", outputs: d, depfile: d.d}
END
	jl_ok run
	assert_stderr_has 'it used "gen.h", which step "gen" makes, without waiting for that; name it in "inputs" or the step in "after"'
}

@test "run: paths are those of the step's folder, absolute ones too; two checkouts share" {
	mkdir -p sub/in "$BATS_TEST_TMPDIR/ws2"
	echo 1 >sub/in/x
	echo 2 >"b c"
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cat in/x ../b* >a; printf 'a: in/x ../b\\ c %s/in/x ./a\n' $PWD >a.d", workdir: sub, outputs: sub/a, depfile: sub/a.d}
END
	cp -r . "$BATS_TEST_TMPDIR/ws2/"
	jl_ok run
	jl_ok run
	assert_counts fresh=1
	cd "$BATS_TEST_TMPDIR/ws2"
	jl_ok run
	assert_counts restored=1
	echo 3 >"b c"
	jl_ok run
	assert_counts ran=1
	echo 3 >sub/in/x
	jl_ok run
	assert_counts ran=1
}

@test "run: in an included file its path is that file's" {
	mkdir -p lib/inc
	echo 1 >lib/inc/x
	write_manifest lib/joblib.yaml <<'END'
version: 1
steps:
  a: {command: "cat lib/inc/x >${{ output }}; echo a: lib/inc/x >${{ output }}.d", workdir: .., outputs: out/a, depfile: "${{ output }}.d"}
END
	write_manifest <<'END'
version: 1
include: {file: lib/joblib.yaml, as: lib}
END
	jl_ok run
	refute_stderr_has "not stored"
	[[ -e lib/out/a.d ]]
	jl_ok run
	assert_counts fresh=1
	echo 2 >lib/inc/x
	jl_ok run
	assert_counts ran=1
}

@test "a no-op stats each header once and reads none" {
	mkdir -p h in
	for i in $(seq 20); do echo "$i" >"h/$i"; done
	for i in $(seq 100); do echo "$i" >"in/$i"; done
	write_manifest <<'END'
version: 1
steps:
  a:
    foreach: in/*
    command: "cp ${{ item }} ${{ output }}; echo x: h/* >${{ output }}.d"
    inputs: ${{ item }}
    outputs: out/${{ item.name }}
    depfile: ${{ output }}.d
END
	jl_ok run
	assert_counts ran=100
	jl_ok run
	count_syscalls jl run
	assert_counts fresh=100
	# 100 inputs, 200 outputs, 20 headers, folders and jl's own.
	(($(syscalls newfstatat stat lstat statx) < 380))
	(($(syscalls openat open) < 60))
	(($(syscalls written) <= 4096))
	echo new >h/7
	jl_ok run
	assert_counts ran=100
}

# ---- memo ----

c_makefile() {
	cat >Makefile <<'END'
OBJ := a.o b.o c.o
all: $(OBJ)
%.o: src/%.c
	+@jl memo --depfile $*.d -i $< -o $@ -- tcc -Iinclude -MD -c -o $@ $<
-include *.d
END
}

@test "memo: make -j, a build from clean hits, a header edit compiles its includers" {
	c_project
	c_makefile
	make -s -j2
	assert_tallies 3
	make -s
	assert_tallies 3
	cp a.o first
	rm -f ./*.o ./*.d
	make -s -j2
	assert_tallies 3
	cmp a.o first
	[[ -e a.d && -e b.d && -e c.d ]]
	tally_reset
	echo '#define B 3' >include/b.h
	make -s
	assert_equal "$(ran)" "a.c b.c "
	make -s
	assert_tallies 2
	tally_reset
	echo '#define B 1' >include/b.h # as it was
	make -s
	assert_tallies 0
	cmp a.o first
}

@test "memo: another checkout hits; a header outside counts" {
	c_project
	c_makefile
	make -s
	tally_reset
	mkdir -p "$BATS_TEST_TMPDIR/deep/other"
	cp -r src include Makefile "$BATS_TEST_TMPDIR/deep/other"
	cd "$BATS_TEST_TMPDIR/deep/other"
	make -s
	assert_tallies 0
	echo '#define LIMIT 9' >"$SYS/limit.h"
	rm -f ./*.o
	make -s
	assert_equal "$(ran)" "c.c "
}

@test "memo: headers beside the folder it is called in are found in another checkout, too" {
	c_project
	cd src
	one() { jl memo --depfile a.d -i a.c -o a.o -- tcc -I../include -MD -c -o a.o a.c; }
	one
	cp -r "$WS" "$BATS_TEST_TMPDIR/other"
	cd "$BATS_TEST_TMPDIR/other/src"
	rm a.o a.d
	tally_reset
	one
	assert_tallies 0
	[[ -e a.d ]]
	echo '#define B 9' >../include/b.h
	one
	assert_tallies 1
}

@test "memo: a hit does not read the system's headers" {
	mkdir sys
	for i in $(seq 50); do echo "// $i" >"sys/$i.h"; done
	mkdir ws
	cd ws
	one() { "$@" jl memo --depfile d -o o -- sh -c 'echo "o:" ../sys/none "$0"/sys/*.h >d; echo >o' "$(dirname "$PWD")"; }
	# Their stamps must have come of age.
	wait_until eval "((\$(date +%s%N) > $(date +%s%N) + 60000000))"
	one
	one count_syscalls
	(($(syscalls openat open) < 60))
	rm "$JL_STORE/stamps"
	one count_syscalls
	(($(syscalls openat open) > 60))
	echo changed >../sys/7.h
	run jl memo --check --depfile d -o o -- sh -c 'echo "o:" ../sys/none "$0"/sys/*.h >d; echo >o' "$(dirname "$PWD")"
	assert_status 1
}

@test "memo: an old depfile, none, one that is none: the result is used and not stored" {
	echo "o: x" >d
	for _ in 1 2; do
		run_jl memo --depfile d -o o -- sh -c 'tally ran; echo >o'
		assert_status 0
		assert_stderr_has 'not stored: its depfile "d" was not written'
	done
	assert_tallies 2
	run_jl memo --depfile d -o o -- sh -c 'tally ran; echo >o; echo >d'
	assert_status 0
	assert_stderr_has 'not stored: its depfile "d" cannot be used: it holds no rule'
	run_jl memo --depfile d --cache-failures 1h -o o -- true
	assert_status 125
	assert_stderr_has '--depfile and --cache-failures exclude each other'
	run_jl memo --depfile d/ -o o -- true
	assert_status 125
}

@test "memo: a failure is not stored, and the key is the result's" {
	echo 1 >h
	run_jl memo --depfile d -o o -- sh -c 'tally ran; echo o: h >d; exit 3'
	assert_status 3
	run_jl memo --depfile d -o o -- sh -c 'tally ran; echo o: h >d; exit 3'
	assert_tallies 2
	run_jl memo --shelve --depfile d -o o -- sh -c 'cat h >o; echo o: h >d'
	assert_status 0
	key=$output
	run_jl memo --shelve --depfile d -o o -- sh -c 'cat h >o; echo o: h >d'
	assert_equal "$output" "$key"
	jl_ok cat "${key#xxh3:}"
	assert_equal "$output" 1
	echo 2 >h
	run_jl memo --shelve --depfile d -o o -- sh -c 'cat h >o; echo o: h >d'
	[[ $output != "$key" ]]
}

@test "a damaged list of variants is a miss" {
	echo 1 >h
	one() { run_jl memo --depfile d -o o -- sh -c 'tally ran; cat h >o; echo o: h >d'; }
	one
	list=$(grep -l jlvar -r "$JL_STORE/ac")
	printf x | dd of="$list" bs=1 seek=20 conv=notrunc status=none
	one
	assert_status 0
	assert_tallies 2
	one
	assert_tallies 2
}

# What is used by fresh runs alone is in use all the same: also the record that says which files a step was found to use.
@test "run: a result of a depfile that is fresh each day is not evicted with what nobody uses" {
	c_project
	c_manifest
	export JL_MAX_SIZE=400KiB
	jl_ok run
	for i in 1 2 3 4 5 6 7 8; do
		jl_ok memo -o "junk.$i" -- sh -c 'head -c 60000 /dev/urandom >"$1"' x "junk.$i"
		jl_ok run
		assert_counts fresh=3
	done
	rm -rf .jl obj
	tally_reset
	jl_ok run
	assert_counts restored=3
	assert_equal "$(ran)" ''
}
