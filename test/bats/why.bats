# why: which piece of a step's key changed, or why there is nothing to run; the same in a few words from plan and run -v.
load helper

pipeline() {
	write_manifest <<'END'
version: 1
vars: {level: 3}
steps:
  split: {command: "mkdir -p parts; for i in 0 1 2; do echo $i$(cat raw) > parts/p.0$i; done", inputs: raw, outputs: parts/}
  clean:
    foreach: parts/p.*
    command: ./clean.sh ${{ vars.level }} ${{ item }} > ${{ output }}
    env: {LEVEL: "${{ vars.level }}"}
    inputs: [clean.sh, "${{ item }}"]
    outputs: clean/${{ item.name }}.csv
  report: {command: "cat ${{ inputs }} > ${{ output }}", inputs: "clean/*.csv", outputs: report}
END
	printf '#!/bin/sh\necho $1; cat $2\n' >clean.sh
	chmod +x clean.sh
	echo a >raw
	jl_ok run
	assert_counts ran=5
}
digest() { jl hash "$1" | cut -c 1-17; } # as lines show it

@test "why: file with both digests, variable, words of the command" {
	pipeline
	local was
	was=$(digest clean.sh)
	echo "# more" >>clean.sh
	jl_ok why 'clean[parts/p.00]' --var level=9
	assert_line --index 0 'clean[parts/p.00]: would run'
	assert_line --index 1 "  input clean.sh changed: $was… → $(digest clean.sh)…"
	assert_line --index 2 '  command: ./clean.sh [-3-]{+9+} parts/p.00 > clean/p.00.csv'
	assert_line --index 3 '  variable LEVEL changed: "3" → "9"'
	assert_line --index 4 --regexp '^  compared with key xxh3:[0-9a-f]{32}, made .* on .+$'
	assert_equal "${#lines[@]}" 5
	# A key is one that other commands take.
	[[ ${lines[4]} =~ key\ (xxh3:[0-9a-f]+) ]]
	jl_ok cat "${BASH_REMATCH[1]}" clean/p.00.csv
	assert_output $'3\n0a'
}

@test "why changes nothing, not even a time, and takes no lock" {
	pipeline
	echo "# more" >>clean.sh
	find . "$JL_STORE" -type f -exec cat {} + >/dev/null
	local before
	before=$(tree_stamps . "$JL_STORE" "$HOME" "$TMPDIR")
	jl_ok why clean
	assert_equal "$(tree_stamps . "$JL_STORE" "$HOME" "$TMPDIR")" "$before"
	write_manifest <<'END'
version: 1
steps:
  a: {command: "touch started; until test -e go; do sleep 0.01; done", inputs: i}
END
	: >i
	start_job jl run
	wait_until test -e started
	jl_ok why a
	assert_line --index 1 "  not run before"
	touch go
	end_of_job
}

@test "why of several instances: each reason once, with its count and the first in full" {
	pipeline
	echo b >parts/p.01 # jl's own, edited: the step that makes them is put back first
	jl_ok why clean
	assert_line "  waits for \"split\", which is not up to date; its key is not known before" || assert_line --partial maybe
	echo b >raw
	jl_ok why clean
	assert_output $'clean: maybe\n  its items come from a step that has to run first'
	echo a >raw
	rm -r parts
	jl_ok run
	rm clean/p.00.csv clean/p.02.csv
	jl_ok why clean
	assert_line --index 0 'clean: 3 instances'
	assert_line '2 would be restored: output "clean/${{ item.name }}.csv" is missing'
	assert_line '  clean[parts/p.00]'
	assert_line '    output clean/p.00.csv is missing'
	assert_line '1 fresh'
	refute_output --partial 'clean[parts/p.02]'
	jl_ok why report
	assert_line --index 0 'report: maybe'
	assert_line --index 1 '  waits for "clean[parts/p.00]", which is not up to date; its key is not known before'
}

@test "why of what is fresh names the key, when and where it was made; of what was edited the file" {
	pipeline
	jl_ok why report
	assert_line --index 0 "report: fresh"
	assert_line --index 1 --regexp "^  key xxh3:[0-9a-f]{32}, made (just now|[0-9].* ago) \(20.*\) in .* on $(uname -n)\$"
	assert_equal "${#lines[@]}" 2
	echo mine >report
	jl_ok why report
	assert_line --index 0 "report: would be restored"
	assert_line --index 1 "  output report changed"
	jl_ok plan
	assert_output 'would be restored  report  output "report" changed'
	chmod +x clean/p.01.csv
	echo mine >clean/stray
	jl_ok why clean
	assert_line "    output clean/p.01.csv has other permissions"
	rm -r "$JL_STORE"
	jl_ok why 'clean[parts/p.00]'
	assert_line --index 1 --partial "; no longer stored"
	jl_ok plan
	assert_line 'would run  clean[parts/p.01]  its outputs are not as they were left, and the result is not stored'
	rm clean/p.02.csv
	echo mine >clean/p.00.csv
	jl_ok plan
	assert_line 'would run  clean[parts/p.00]  output "clean/p.00.csv" changed; not stored'
	assert_line 'would run  clean[parts/p.02]  output "clean/p.02.csv" is missing; not stored'
}

@test "why: in an owned folder and of a glob what is missing, and what is not of the result" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "mkdir d/s; echo 1 > d/s/1; echo 2 > d/2; echo 3 > g.3", outputs: [d/, {glob: "g.*"}]}
END
	jl_ok run
	rm d/s/1 g.3
	echo stray >d/stray
	jl_ok why a
	assert_output --partial $'a: would be restored\n  output d/stray is not of the result\n  output d/s/1 is missing\n  output g.3 is missing\n  key '
	jl_ok plan
	assert_output 'would be restored  a  output "d/stray" is not of the result, and 2 more'
}

@test "why: failed before, with its status and where its output is, and what changed since it succeeded" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cat i; test $(cat i) = 1", inputs: i}
  b: {command: "kill -9 $$", inputs: i}
  c: {command: "exit 7", inputs: i}
END
	echo 1 >i
	run_jl run -k
	assert_status 1
	echo 2 >i
	run_jl run -k
	jl_ok why a
	assert_line --index 1 "  failed before: exit 1"
	assert_line --index 2 "  what it printed: jl log a"
	assert_line --index 3 "  since it last succeeded:"
	assert_line --index 4 --regexp '^  input i changed: xxh3:'
	jl_ok why b
	assert_line --index 1 "  failed before: signal 9 (SIGKILL)"
	jl_ok why c
	assert_line --index 1 "  failed before: exit 7"
	jl_ok plan
	assert_line "would run  c  failed before: exit 7"
	# What a success left of it is gone.
	echo 1 >i
	jl_ok run a
	echo 3 >i
	jl_ok plan a
	assert_output 'would run  a  input "i" changed'
}

@test "why: of a step with a depfile the files that it named" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cat c h > o; echo o: c h > o.d", inputs: c, outputs: o, depfile: o.d}
END
	echo 1 >c
	echo 1 >h
	jl_ok run
	jl_ok why a
	assert_line --index 0 "a: fresh"
	local was
	was=$(digest h)
	echo 2 >h
	jl_ok why a
	assert_line --index 0 "a: would run"
	assert_line --index 1 "  used file h changed: $was… → $(digest h)…"
	assert_line --index 2 --partial "  compared with key"
	echo 2 >c
	rm h
	jl_ok why a
	assert_line --index 1 --regexp "^  input c changed: "
	assert_line --index 2 "  used file h changed: was a file, is absent; $was… → none"
	echo 1 >c
	echo 1 >h
	echo mine >o
	jl_ok why a
	assert_line --index 0 "a: would be restored"
	assert_line --index 1 "  output o changed"
	rm -r "$JL_STORE"
	jl_ok why a
	assert_line --index 0 "a: would run"
	assert_line --index 1 '  output "o" changed; not stored'
}

@test "why: never stored, never run, expired, switched off, an item that is not there, no such step" {
	write_manifest <<'END'
version: 1
steps:
  always: {command: "true"}
  uncached: {command: "cp i o", inputs: i, outputs: o, cache: false}
  new: {command: "cp i n", inputs: i, outputs: n}
  old: {command: "cp i p", inputs: i, outputs: p, ttl: 1s}
  off: {command: "cp i q", inputs: i, outputs: q, if: "false"}
  each: {foreach: [x, y], command: "cp i ${{ output }}", inputs: i, outputs: "r/${{ item }}"}
END
	: >i
	jl_ok run always uncached old
	jl_ok why always
	assert_output $'always: would run\n  has neither inputs nor outputs'
	jl_ok why uncached
	assert_output $'uncached: would run\n  cache: false'
	jl_ok why new
	assert_line --index 1 "  not run before"
	assert_line --index 2 --regexp '^  key xxh3:[0-9a-f]{32}, not stored$'
	jl_ok why off
	assert_output $'off: skipped\n  its "if" is false'
	jl_ok why each
	assert_line --index 0 "each: 2 instances"
	assert_line --index 1 "2 would run: not run before"
	run_jl why 'each[z]'
	assert_status 2
	run_jl why nwe
	assert_status 2
	assert_stderr_has 'did you mean "new"?'
	expired() { jl why old | grep -qF "its result is older than its ttl"; }
	wait_until expired
	jl_ok why old
	assert_line "  ttl 1.00s"
}

@test "why when the last result is no longer stored: says so, and which inputs were written since" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cat i j > o", inputs: [i, j], outputs: o}
END
	echo 1 >i
	echo 1 >j
	jl_ok run
	rm -r "$JL_STORE"
	echo 2 >j
	jl_ok why a
	assert_line --index 1 --regexp '^  the last result here is no longer stored, nor what it was made of: key xxh3:'
	assert_line --index 2 "  input j was written since"
	assert_equal "${#lines[@]}" 3
	jl_ok plan
	assert_output "would run  a  its inputs or command changed; its last result is no longer stored"
	echo 1 >j
	touch -d "$(stat -c %y o)" i j
	sed -i 's/cat i j/cat j i/' joblib.yaml
	jl_ok why a
	assert_line --index 1 --regexp '^  the last result here is no longer stored'
}

@test "run -v says which piece changed of every step that ran; without -v no record of before is read" {
	pipeline
	echo "# more" >>clean.sh
	jl_ok run -v
	assert_equal "$(grep -c '^ran  clean.*  input "clean.sh" changed  (' <<<"$stderr")" 3
	echo "# again" >>clean.sh
	echo b >raw
	jl_ok run --events ev
	assert_equal "$(grep -c '"reason":"its inputs or command changed"' ev)" 5
	echo "# and again" >>clean.sh
	count_syscalls jl run
	local plain
	plain=$(syscalls openat)
	echo "# for the last time" >>clean.sh
	count_syscalls jl run -v
	(($(syscalls openat) > plain)) || fail "-v reads nothing more: $(syscalls openat), $plain"
}

@test "a manifest of 1,000 items that all changed: one reason, told at once" {
	write_manifest <<'END'
version: 1
steps:
  a: {foreach: {from: 1, to: 1000}, command: "cp ${{ input }} ${{ output }}", inputs: "in/${{ item }}", outputs: "out/${{ item }}"}
END
	mkdir in out
	seq 1000 | awk '{ print $1 >("in/" $1); close("in/" $1); print $1 >("out/" $1); close("out/" $1) }'
	jl_ok adopt a
	seq 1000 | awk '{ print "x" $1 >("in/" $1); close("in/" $1) }'
	jl_ok why a
	assert_line --index 0 "a: 1000 instances"
	assert_line --index 1 '1000 would run: input "in/${{ item }}" changed'
	assert_line --index 2 "  a[1]"
	assert_equal "${#lines[@]}" 5
}
