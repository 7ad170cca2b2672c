#!/usr/bin/env bats
# temp: outputs that go from the disk after their last user, and come back when one has to run.

load helper

# t[a], t[b], t[c] make tmp/*.txt, c reads them all and another file.
pipeline() {
	write_manifest <<'END'
version: 1
steps:
  t:
    foreach: [a, b, c]
    command: tally t; echo ${{ item }} > ${{ output }}
    inputs: src
    outputs: tmp/${{ item }}.txt
    temp: true
  c:
    command: tally c; cat ${{ inputs }} > ${{ output }}
    inputs: [tmp/*.txt, other]
    outputs: out
END
	echo 1 >src
	echo 1 >other
}
no_files() { # folder...: there is no file in it
	assert_equal "$(find "$@" ! -type d 2>/dev/null || true)" ''
}

@test "temp outputs go after their last user, and a no-op is fresh without them" {
	pipeline
	jl_ok run
	assert_counts ran=4
	no_files tmp
	assert_file out $'a\nb\nc\n1'
	local before
	for _ in 1 2 3; do
		before=$(tree_stamps tmp out)
		jl_ok run
		assert_counts fresh=4
		assert_equal "$(tree_stamps tmp out)" "$before"
	done
	assert_tallies 4
	# Whoever tidies the empty folder away changes nothing.
	rmdir tmp
	jl_ok run
	assert_counts fresh=4
	assert_no_file tmp
}

@test "temp outputs come back from the store when a user must run, and go again" {
	pipeline
	jl_ok run
	echo 2 >other
	jl_ok plan -v
	assert_stderr_has "4 steps: 1 would run, 3 would be restored, 0 fresh, 0 maybe"
	assert_line --partial 'would be restored  t[b]  its outputs were dropped, and "c" needs them'
	jl_ok run
	assert_counts ran=1 restored=3
	assert_file out $'a\nb\nc\n2'
	no_files tmp
	assert_tallies 3 t
	jl_ok run
	assert_counts fresh=4
}

@test "temp outputs that the store has lost are made once more, down a chain" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "tally a; cat ${{ input }} > ${{ output }}", inputs: src, outputs: tmp/a, temp: true}
  b: {command: "tally b; cat ${{ input }} > ${{ output }}", inputs: tmp/a, outputs: tmp/b, temp: true}
  c: {command: "tally c; cat ${{ inputs }} > ${{ output }}", inputs: [tmp/b, other], outputs: out}
END
	echo 1 >src
	echo 1 >other
	jl_ok run
	no_files tmp
	jl_ok run
	assert_counts fresh=3
	jl_ok cache clear --yes
	jl_ok run
	assert_counts fresh=3
	echo 2 >other
	jl_ok plan
	assert_stderr_has "3 steps: 3 would run, 0 would be restored, 0 fresh, 0 maybe"
	jl_ok run
	assert_counts ran=3
	assert_file out $'1\n2'
	no_files tmp
	assert_tallies 6
	jl_ok run
	assert_counts fresh=3
	# Only the last of the chain is needed.
	echo 3 >other
	jl_ok run
	assert_counts ran=1 fresh=1 restored=1
	no_files tmp
}

@test "who needs what is just being made once more waits for it" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cat ${{ input }} > ${{ output }}; sleep 0.2", inputs: src, outputs: tmp/a, temp: true}
  b: {foreach: [x, y], command: "cat ${{ inputs }} > ${{ output }}", inputs: [src, tmp/a], outputs: "tmp/b${{ item }}", temp: true}
  c: {command: "cat ${{ inputs }} > ${{ output }}", inputs: [other, "tmp/b*", tmp/a], outputs: out}
  d: {command: "cat ${{ inputs }} > ${{ output }}", inputs: [other, tmp/a], outputs: out2}
END
	echo 1 >src
	echo 1 >other
	jl_ok run
	echo 2 >other
	jl_ok cache clear --yes
	jl_ok run -j4
	assert_counts ran=5
	assert_file out $'2\n1\n1\n1\n1\n1'
	no_files tmp
	jl_ok run
	assert_counts fresh=5
}

@test "a temp step that makes the same bytes again does not bring its users to run" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "tally a; sort ${{ input }} > ${{ output }}", inputs: src, outputs: tmp/a, temp: true}
  b: {command: "tally b; cat ${{ input }} > ${{ output }}", inputs: tmp/a, outputs: out}
END
	printf '2\n1\n' >src
	jl_ok run
	printf '1\n2\n' >src
	jl_ok run
	assert_counts ran=1 fresh=1
	assert_no_file tmp/a
	printf '2\n1\n' >src
	jl_ok run
	assert_counts fresh=2
	assert_no_file tmp/a
	jl_ok run --force
	assert_counts ran=2
	jl_ok run --force=b
	assert_counts ran=1 restored=1
	jl_ok run --from a
	assert_counts ran=2
	assert_no_file tmp/a
	jl_ok run
	assert_counts fresh=2
}

@test "a temp output stays while a user fails, and goes when it is mended" {
	write_manifest <<'END'
version: 1
steps:
  t: {command: "tally t; echo 1 > ${{ output }}", inputs: src, outputs: tmp/t, temp: true}
  good: {command: "cat ${{ input }} > ${{ output }}", inputs: tmp/t, outputs: good}
  bad: {command: "cat ${{ inputs }} > ${{ output }}; ! test -s other", inputs: [tmp/t, other], outputs: bad}
END
	: >src
	echo x >other
	run_jl run -k
	assert_status 1
	assert_counts ran=2 failed=1
	assert_file tmp/t 1
	run_jl run -k
	assert_status 1
	assert_file tmp/t 1
	: >other
	jl_ok run
	assert_counts ran=1 fresh=2
	assert_no_file tmp/t
	# It comes back for the one that fails, and stays with it.
	echo x >other
	run_jl run -k
	assert_status 1
	assert_summary "3 steps: 0 ran, 1 fresh, 1 restored, 1 failed"
	assert_file tmp/t 1
	assert_tallies 1
}

@test "a user that may fail lets go of temp outputs" {
	write_manifest <<'END'
version: 1
steps:
  t: {command: "echo 1 > ${{ output }}", outputs: tmp/t, temp: true}
  u: {command: "cat ${{ input }}; false", inputs: tmp/t, allow_failure: true}
END
	jl_ok run
	assert_no_file tmp/t
}

@test "temp outputs that are asked for by name stay, until another run" {
	pipeline
	jl_ok run 't[a]'
	assert_counts ran=1
	assert_file tmp/a.txt a
	jl_ok run
	assert_counts ran=3 fresh=1
	no_files tmp
	jl_ok run tmp/b.txt
	assert_counts restored=1
	assert_file tmp/b.txt b
	jl_ok run tmp/b.txt
	assert_counts fresh=1
	jl_ok run t c
	assert_counts restored=2 fresh=2
	assert_equal "$(ls tmp)" $'a.txt\nb.txt\nc.txt'
	jl_ok run c
	assert_counts fresh=4
	no_files tmp
	assert_tallies 4
}

@test "temp outputs that nobody in the run uses stay" {
	write_manifest <<'END'
version: 1
steps:
  t: {command: "echo 1 > ${{ output }}", outputs: tmp/t, temp: true}
  u: {command: "cat ${{ input }} > ${{ output }}", inputs: tmp/t, outputs: out, manual: true}
END
	jl_ok run
	assert_file tmp/t 1
	jl_ok run u
	assert_counts ran=1 fresh=1
	assert_no_file tmp/t
	jl_ok run
	assert_counts fresh=1
	assert_no_file tmp/t
}

@test "a temp output that somebody changed stays and is told" {
	write_manifest <<'END'
version: 1
steps:
  t: {command: "echo 1 > ${{ outputs.a }}; echo 2 > ${{ outputs.b }}", outputs: {a: tmp/a, b: tmp/b}, temp: true}
  u: {command: "cat ${{ inputs }}; echo edit >> tmp/a", inputs: [tmp/a, tmp/b]}
END
	jl_ok run
	assert_stderr_has 't: temp output "tmp/a" stays: it is not as the step left it'
	assert_file tmp/a $'1\nedit'
	assert_no_file tmp/b
}

@test "what somebody puts in the place of a dropped output is not taken for it, nor lost" {
	pipeline
	jl_ok run
	echo mine >tmp/b.txt
	jl_ok run
	assert_counts fresh=3 restored=1
	assert_trashed tmp/b.txt
	assert_file .jl/trash/*/tmp/b.txt mine
	no_files tmp
	# The same bytes are as good as its own.
	echo b >tmp/b.txt
	jl_ok run
	assert_counts fresh=4
	no_files tmp
}

@test "a temp folder goes and comes back whole, with its modes, links and empty folders" {
	write_manifest <<'END'
version: 1
steps:
  t:
    command: |
      cd ${{ output }}; mkdir -p d/e f; echo 1 > d/x; echo 2 > d/e/y; chmod 750 d; chmod +x d/x; chmod 555 f
    inputs: src
    outputs: tmp/
    temp: true
  u: {command: "find tmp -printf '%p %m\n' | sort > ${{ output }}", inputs: [tmp/, other], outputs: all}
  v: {command: "cat ${{ inputs }} > ${{ output }}", inputs: tmp/**, outputs: text}
  w: {command: "cat ${{ input }} > ${{ output }}", inputs: tmp/d/e/y, outputs: one}
END
	: >src
	: >other
	jl_ok run
	assert_no_file tmp
	assert_file text $'2\n1'
	cp all before
	jl_ok run
	assert_counts fresh=4
	assert_no_file tmp
	echo 2 >other
	jl_ok run
	assert_counts ran=1 fresh=2 restored=1
	assert_equal "$(cat all)" "$(cat before)"
	assert_no_file tmp
	# A stranger in the folder is as in any folder that is a step's.
	mkdir tmp
	echo mine >tmp/mine
	jl_ok run
	assert_counts restored=1 fresh=3
	assert_file .jl/trash/*/tmp/mine mine
	jl_ok run
	assert_counts fresh=4
	assert_no_file tmp
}

@test "a link among temp outputs stays, and what needs it is fresh" {
	write_manifest <<'END'
version: 1
steps:
  t: {command: "echo 1 > tmp/file; ln -s file tmp/link", outputs: [tmp/file, tmp/link], temp: true}
  u: {command: "cat ${{ inputs }} > ${{ output }}", inputs: [tmp/link, other], outputs: out}
END
	: >other
	jl_ok run
	assert_equal "$(ls tmp)" link
	jl_ok run
	assert_counts fresh=2
	echo 2 >other
	jl_ok run
	assert_counts ran=1 restored=1
	assert_file out $'1\n2'
	assert_equal "$(ls tmp)" link
}

@test "temp between late steps: a foreach over what was dropped, its own items, a file of lines" {
	write_manifest <<'END'
version: 1
steps:
  split: {command: "split -l 1 ${{ input }} parts/p.", inputs: all, outputs: parts/, temp: true}
  each:
    foreach: parts/p.*
    command: tally each; cat ${{ input }} ${{ input }} > ${{ output }}
    inputs: ${{ item }}
    outputs: mid/${{ item.name }}
    temp: true
  names: {command: "ls mid | sort > ${{ output }}", inputs: mid/*, outputs: tmp/names, temp: true}
  last:
    foreach: {lines: tmp/names}
    command: tally last; cat mid/${{ item }} > ${{ output }}
    inputs: [other, "mid/${{ item }}"]
    outputs: out/${{ item }}
END
	printf '1\n2\n3\n' >all
	: >other
	jl_ok run
	assert_counts ran=8
	no_files parts mid tmp
	assert_file out/p.ab $'2\n2'
	jl_ok run
	assert_counts fresh=8
	no_files parts mid tmp
	echo 1 >other
	jl_ok run
	assert_counts ran=3 restored=3 fresh=2
	no_files parts mid tmp
	# A new manifest has to read the lines again.
	echo "# changed" >>joblib.yaml
	jl_ok run
	assert_counts fresh=7 restored=1
	no_files parts mid tmp
	printf '1\n2\n' >all
	jl_ok run
	assert_equal "$(ls out)" $'p.aa\np.ab'
	no_files parts mid tmp
	jl_ok run
	assert_counts fresh=6
}

@test "after counts as use: what a depfile names is there when the step runs" {
	write_manifest <<'END'
version: 1
steps:
  gen: {command: "echo 'gen' > ${{ output }}", inputs: src, outputs: gen/h, temp: true}
  use:
    command: |
      cat in gen/h > ${{ output }}; echo out: in gen/h > d
    inputs: in
    outputs: out
    after: gen
    depfile: d
END
	: >src
	echo 1 >in
	jl_ok run
	assert_no_file gen/h
	jl_ok run
	assert_counts fresh=2
	echo 2 >in
	jl_ok run
	assert_counts ran=1 restored=1
	assert_file out $'2\ngen'
	assert_no_file gen/h
}

@test "a step that is no longer temp gets its outputs back; one that left leaves nothing behind" {
	pipeline
	jl_ok run
	cp joblib.yaml temp.yaml
	sed -i 's/temp: true/temp: false/' joblib.yaml
	jl_ok run
	assert_counts fresh=1 restored=3
	assert_equal "$(ls tmp)" $'a.txt\nb.txt\nc.txt'
	cp temp.yaml joblib.yaml
	jl_ok run
	assert_counts fresh=4
	no_files tmp
	sed -i 's/\[a, b, c\]/[a, c]/' joblib.yaml
	jl_ok run
	assert_counts fresh=1 ran=1 restored=1 2>/dev/null || assert_counts ran=1 restored=2
	assert_file out $'a\nc\n1'
	# No step makes them: the glob matches nothing.
	write_manifest <<'END'
version: 1
steps:
  c: {command: "cat ${{ inputs }} > ${{ output }}", inputs: [tmp/*.txt, other], outputs: out}
END
	jl_ok run
	assert_file out 1
}

@test "temp in an unchanged workspace without its state is restored and dropped again" {
	pipeline
	jl_ok run
	rm -rf .jl
	jl_ok run
	assert_counts restored=3 fresh=1
	no_files tmp
	jl_ok run
	assert_counts fresh=4
	assert_tallies 4
}

@test "kill -9 between the end of the last user and the drop: the next run drops" {
	write_manifest <<'END'
version: 1
steps:
  t: {command: "echo 1 > ${{ output }}", outputs: tmp/t, temp: true}
  u: {command: "cat ${{ input }} > ${{ output }}", inputs: tmp/t, outputs: out}
  last: {command: "cat ${{ input }}; touch started; sleep 60", inputs: tmp/t}
END
	jl run -j2 2>/dev/null 3>&- &
	local pid=$!
	wait_until test -e started
	kill -9 $pid
	wait $pid || true
	assert_file tmp/t 1
	sed -i 's/; touch.*sleep 60//' joblib.yaml
	jl_ok run
	assert_no_file tmp/t
	jl_ok run
	assert_counts fresh=3
}

@test "an unlink that the state does not know of costs a restore and no more" {
	pipeline
	jl_ok run 't'
	cp -r .jl before
	jl_ok run
	no_files tmp
	rm -rf .jl
	mv before .jl
	jl_ok run
	assert_file out $'a\nb\nc\n1'
	no_files tmp
	jl_ok run
	assert_counts fresh=4
	assert_tallies 3 t
}

@test "clean has nothing to do with what was dropped" {
	pipeline
	jl_ok run
	jl_ok clean
	assert_output 'removed out'
	jl_ok run
	assert_counts fresh=3 restored=1
	no_files tmp
	jl_ok clean --orphans
	refute_output
}

@test "why says of a temp step that its outputs are not there" {
	pipeline
	jl_ok run
	jl_ok why 't[a]'
	assert_output --partial 'not on the disk'
	jl_ok why c
	refute_output --partial 'not on the disk'
	assert_output --partial fresh
}

@test "temp is refused where nothing could come back" {
	local extra
	for extra in 'cache: false' 'interactive: true' 'keep: true' 'keep: [o]'; do
		write_manifest <<END
version: 1
steps:
  a: {command: "true", outputs: o, temp: true, $extra}
END
		run_jl run
		assert_status 2
		assert_stderr_has 'joblib.yaml:3:3: step "a" has'
		assert_stderr_has "\"${extra%%:*}"
		assert_stderr_has 'one of the two out'
	done
	write_manifest <<'END'
version: 1
defaults: {temp: true}
steps:
  a: {command: "true", outputs: o/*}
  b: {command: "true", outputs: o2, cache: false, temp: false}
END
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:4:33: outputs of a temp step cannot be a glob; name the files'
	refute_stderr_has '"b"'
}

@test "temp outputs go as soon as they can, not at the end" {
	write_manifest <<'END'
version: 1
steps:
  t:
    foreach: {from: 1, to: 20}
    command: echo 1 > ${{ output }}
    outputs: tmp/${{ item }}
    temp: true
  u:
    foreach: {from: 1, to: 20}
    command: ls tmp | wc -l >> seen; cat ${{ input }} > ${{ output }}
    inputs: tmp/${{ item }}
    outputs: out/${{ item }}
END
	mkdir tmp
	jl_ok run -j1
	assert_counts ran=40
	# All are there before the first is used; one ends while the next is started already.
	run tail -n 1 seen
	((output <= 3)) || fail "seen: $(cat seen)"
}
