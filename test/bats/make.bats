# jl and GNU make in one another: one number of jobs for both, whoever was there first.
load helper

# A program that says when it starts and when it ends, and ends once $1 have started in all.
setup() {
	jl_setup
	EVENTS=$BATS_TEST_TMPDIR/job-events
	cat >"$BATS_TEST_TMPDIR/bin/job" <<EOF
#!/bin/sh
echo start >>"$EVENTS"
turns=0
until test "\$(grep -c start "$EVENTS")" -ge "\$1"; do
	turns=\$((turns + 1))
	test \$turns -lt 500 || exit 1
	sleep 0.02
done
echo end >>"$EVENTS"
EOF
	chmod +x "$BATS_TEST_TMPDIR/bin/job"
	: >"$EVENTS"
}
# How many ran at once, at most: assert_jobs ALL AT_ONCE
assert_jobs() {
	assert_equal "$(awk '$1 == "start" { n++; all++ } $1 == "end" { n-- } n > most { most = n }
		END { print all " jobs, at most " most " at once" }' "$EVENTS")" "$1 jobs, at most $2 at once"
	: >"$EVENTS"
}
run_make() { run --separate-stderr make "$@"; }
make_ok() {
	run_make "$@"
	assert_status 0
}
write_makefile() { sed 's/^        /\t/' >"${1:-Makefile}"; }

# A folder with a Makefile of four jobs.
make_sub() { # jobs that must have started
	mkdir -p sub
	write_makefile sub/Makefile <<EOF
all: a b c d
a b c d:
        @job $1
EOF
}

# A pool of jobs as a make of before has it: on descriptor 8, and as a fifo. make itself is not there.
open_pool() { # bytes
	mkfifo pool
	exec 8<>pool
	printf %s "$1" >&8
}
assert_pool() { # bytes, in order of the alphabet
	assert_equal "$(dd bs=64 count=1 iflag=nonblock status=none <&8 2>/dev/null | fold -w1 | sort | tr -d '\n')" "$1"
}

@test "in a recipe with +, map and run share make's jobs and give them all back" {
	write_makefile <<'EOF'
all: a b
a:
        +@jl map job 3 ::: 1 2 3 4
b:
        +@jl run -q
EOF
	write_manifest <<'EOF'
version: 1
steps:
  s: {foreach: {from: 1, to: 4}, command: "job 3 ${{ item }}"}
EOF
	make_ok -j3 -O
	# make itself says it when not all came back.
	assert_equal "$stderr" "$(grep '^8 steps\|^4 steps' <<<"$stderr")"
	assert_jobs 8 3
	# As many as make has, not as many as there are processors.
	write_makefile <<<$'all:\n\t+@jl map job 5 ::: 1 2 3 4 5 6'
	make_ok -j5
	assert_equal "$stderr" ""
	assert_jobs 6 5
}

@test "in a recipe without + one job at a time, and a hint at the +" {
	write_makefile <<'EOF'
all:
        @jl map job 1 ::: 1 2 3
own:
        @jl map -j2 job 2 ::: 1 2
look:
        @jl map -n job ::: 1 >/dev/null
        @jl memo -n true
EOF
	make_ok -j3
	assert_equal "${#stderr_lines[@]}" 1
	assert_stderr_has 'begin the recipe'\''s line with "+"'
	assert_jobs 3 1
	# Who gives a number, or runs one command, was not to share.
	make_ok -j3 own
	assert_equal "$stderr" ""
	assert_jobs 2 2
	make_ok -j3 look
	assert_equal "$stderr" ""
	write_manifest <<'EOF'
version: 1
steps:
  s: {command: "job 1"}
EOF
	write_makefile <<<$'run:\n\t@jl run\nplan:\n\t@jl plan >/dev/null; jl run -n >/dev/null'
	make_ok -j3 run
	assert_stderr_has 'begin the recipe'\''s line with "+"'
	make_ok -j3 plan
	refute_stderr_has 'recipe'
	# Without -j there is nothing to share.
	make_ok run
	refute_stderr_has 'recipe'
}

@test "make's jobs are passed on: a make below jl shares them" {
	make_sub 3
	write_manifest <<'EOF'
version: 1
steps:
  s: {command: "make -s -C sub"}
EOF
	write_makefile <<'EOF'
memo:
        +@jl memo -n -- $(MAKE) -s -C sub
map:
        +@jl map --wd sub make -s ::: all
one:
        +@jl map -j1 --wd sub make -s ::: all
run:
        +@jl run -q
EOF
	local target
	for target in memo map one run; do
		make_ok -j3 "$target"
		refute_stderr_has make
		assert_jobs 4 3
	done
}

@test "what jl starts shares jl's jobs" {
	make_sub 3
	cp -r sub sub2
	write_manifest <<'EOF'
version: 1
steps:
  s: {foreach: [sub, sub2], command: "make -s -C ${{ item }}"}
  t: {command: "job 3"}
EOF
	jl_ok run -j3
	refute_stderr_has jobserver
	assert_jobs 9 3
	jl_ok map -j3 make -s -C ::: sub sub2
	assert_equal "$stderr" ""
	assert_jobs 8 3
	# One job: nothing to share.
	make_sub 1
	jl_ok map -j1 make -s -C ::: sub
	assert_equal "$stderr" ""
	assert_jobs 4 1
}

@test "steps on hosts take none of make's jobs, nor wait for one" {
	write_manifest <<EOF
version: 1
executors: {box: {type: command, launch: ["$JL_BUILD/libexec/jl/jl-agent-$(uname -m)"], slots: 4}}
steps:
  here: {foreach: [1, 2], command: "job 5"}
  far: {foreach: [1, 2, 3, 4], command: "job 5; echo [\$MAKEFLAGS]", pass_env: [MAKEFLAGS], executor: box}
EOF
	# Others have them all: one runs here, by jl's own, and the other one after it; all of the host's run meanwhile.
	open_pool ''
	MAKEFLAGS="-j4 --jobserver-auth=8,8" jl_ok run
	assert_jobs 6 5
	assert_equal "$output" "$(printf '[]\n%.0s' 1 2 3 4)"
	assert_pool ''
	printf x >&8
	sed -i 's/job 5/job 6/' joblib.yaml
	MAKEFLAGS="-j4 --jobserver-auth=8,8" jl_ok run
	assert_jobs 6 6
	assert_pool x
}

@test "an explicit -j inside make has jobs of its own" {
	make_sub 2
	write_makefile <<<$'all:\n\t+@jl map -j2 make -s -C ::: sub'
	make_ok -j4
	assert_equal "$stderr" ""
	assert_jobs 4 2
}

@test "of MAKEFLAGS only the jobserver reaches a step, and nothing of it its key" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: 'echo "[$MAKEFLAGS][$MAKELEVEL]" >> ../told; echo 1 > ${{ output }}', outputs: a}
  b: {command: 'echo "[$MAKEFLAGS]" >> ../told; echo 1 > ${{ output }}', outputs: b, env: {MAKEFLAGS: k}}
  c: {command: 'echo "[$MAKEFLAGS]" >> ../told; echo 1 > ${{ output }}', outputs: c, pass_env: ["*"]}
EOF
	write_makefile <<<$'all:\n\t+@jl run -q $(ARGS)'
	make_ok -k -j3 X=1
	run sed 's/[0-9]*,[0-9]*/R,W/' ../told
	assert_line '[ -j3 --jobserver-auth=R,W][]'
	assert_line '[k -j3 --jobserver-auth=R,W]'
	assert_line '[k -j3 --jobserver-auth=R,W -- X=1]'
	# From the store, and untouched, whatever the number.
	rm -rf .jl a b c
	jl_ok run -j2
	assert_counts restored=3
	jl_ok run -j1
	assert_counts fresh=3
	MAKEFLAGS='s -j9' jl_ok run -j2 --force
	run tail -n 3 ../told
	refute_output --partial j9
	assert_output --partial '[s -j2 --jobserver-auth='
}

@test "no pool is made while nothing runs" {
	write_manifest <<'EOF'
version: 1
steps:
  a: {command: "echo 1 > ${{ output }}", outputs: a}
EOF
	jl_ok run -j3
	count_syscalls jl run -j3
	assert_equal "$(syscalls pipe pipe2 spawned)" 0
}

@test "S25 a signal, or a closed stdout, gives every job back" {
	local sig form
	four_started() { [[ $(grep -c start "$EVENTS") == 4 ]]; }
	open_pool xyz
	for form in "8,8" "fifo:$PWD/pool"; do
		for sig in INT TERM HUP QUIT; do
			MAKEFLAGS="-j4 --jobserver-auth=$form" start_job jl map job 99 ::: 1 2 3 4 5
			wait_until four_started
			kill -$sig "$JOB"
			end_of_job
			assert_equal "$status" "signal $(kill -l $sig)"
			assert_pool xyz
			printf xyz >&8
			: >"$EVENTS"
		done
	done
	write_manifest <<'EOF'
version: 1
steps:
  s: {foreach: {from: 1, to: 30}, command: "seq 20000"}
EOF
	export MAKEFLAGS="-j4 --jobserver-auth=8,8"
	run bash -c 'jl run 2>err | head -n 1; echo "${PIPESTATUS[0]}"'
	assert_line 141
	assert_pool xyz
}

# ---- objects of C ----

# N sources that each include one of ten headers, and a compiler that says what it compiles.
write_sources() { # N
	local i compiler
	compiler=$(command -v cc) || skip "no C compiler"
	printf '#!/bin/sh\nfor last; do :; done\necho "$last" >>"%s"\nexec "%s" "$@"\n' "$TALLY" "$compiler" \
		>"$BATS_TEST_TMPDIR/bin/counting-cc"
	chmod +x "$BATS_TEST_TMPDIR/bin/counting-cc"
	for ((i = 0; i < 10; i++)); do echo "#define N$i $i" >"h$i.h"; done
	for ((i = 0; i < $1; i++)); do printf '#include "h%d.h"\nint f%d(void) { return N%d; }\n' $((i % 10)) "$i" $((i % 10)) >"f$i.c"; done
	write_makefile <<'EOF'
OBJECTS := $(patsubst %.c,%.o,$(wildcard *.c))
CC = counting-cc
all: $(OBJECTS)
%.o: %.c
        +@jl memo --depfile $*.d -i $< -o $@ -- $(CC) -MD -c -o $@ $<
clean:
        @rm -f *.o *.d
-include $(wildcard *.d)
EOF
}
compiled() { LC_ALL=C sort "$TALLY" | tr '\n' ' '; }

@test "500 objects: a build from clean compiles nothing, a header edit compiles who includes it" {
	local includers
	write_sources 500
	make_ok -j2
	assert_equal "$stderr" ""
	assert_tallies 500
	sha256sum ./*.o >../objects
	# make is content with what was compiled,
	make_ok -j2
	assert_output "make: Nothing to be done for 'all'."
	# and with what was put back.
	make_ok clean
	tally_reset
	make_ok -j2
	assert_equal "$stderr" ""
	assert_tallies 0
	sha256sum --quiet -c ../objects
	make_ok -j2
	assert_output "make: Nothing to be done for 'all'."
	# make notices a header by what was put back beside the object; where that is gone, jl does.
	echo '#define N3 33' >h3.h
	includers=$(printf 'f%s3.c\n' '' {1..49} | LC_ALL=C sort | tr '\n' ' ')
	make_ok -j2
	assert_equal "$(compiled)" "$includers"
	make_ok -j2
	assert_output "make: Nothing to be done for 'all'."
	echo '#define N3 333' >h3.h
	rm f4*.[do]
	tally_reset
	make_ok -j2
	assert_equal "$(compiled)" "$includers"
	# The header as it was: nothing to compile.
	echo '#define N3 3' >h3.h
	tally_reset
	make_ok -j2
	assert_tallies 0
	sha256sum --quiet -c ../objects
	make_ok -j2
	assert_output "make: Nothing to be done for 'all'."
}
