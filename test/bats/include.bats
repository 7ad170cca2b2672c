#!/usr/bin/env bats
# `include`: a manifest made of several files.

load helper

two_files() {
	mkdir -p etl
	printf 'b\na\n' >etl/raw.txt
	write_manifest <<'END'
version: 1
include: [common.yaml, {file: etl/joblib.yaml, as: etl}]
steps:
  report:
    command: tally report; cat ${{ inputs }} > ${{ output }}
    inputs: etl/clean/*.txt
    outputs: report.txt
    after: [etl:split, hello]
END
	write_manifest common.yaml <<'END'
version: 1
vars: {who: you}
defaults: {env: {A: common}}
steps:
  hello: {command: "tally hello; echo ${{ vars.who }} $A > ${{ output }}", outputs: hello.txt}
END
	write_manifest etl/joblib.yaml <<'END'
version: 1
vars: {level: 5}
steps:
  split:
    command: tally split; mkdir -p parts; while read l; do echo $l ${{ vars.level }}$A > parts/$l.txt; done < ${{ input }}
    inputs: raw.txt
    outputs: parts/
  clean:
    foreach: parts/*.txt
    after: split
    command: tally ${{ step }} ${{ item }}; cat ${{ inputs.x }} > ${{ output }}
    inputs: {x: "${{ item }}"}
    outputs: clean/${{ item.name }}
END
}

@test "included steps have their prefix, their paths, their variables and their defaults" {
	two_files
	jl_ok run
	assert_counts ran=5
	assert_file report.txt "$(printf 'a 5\nb 5')"
	assert_file hello.txt "you common"
	assert_tallies 1 "etl:clean parts/a.txt"
	jl_ok run
	assert_counts fresh=5
	jl_ok run 'etl:clean[parts/a.txt]' etl/clean/b.txt hello
	assert_counts fresh=4
	jl_ok list
	assert_output --partial etl:split
	run_jl run etl:spilt
	assert_status 2
	assert_stderr_has 'did you mean "etl:split"?'
}

@test "--var overrides by the prefix of the file" {
	two_files
	jl_ok run --var etl:level=9 --var who=me
	assert_file report.txt "$(printf 'a 9\nb 9')"
	assert_file hello.txt "me common"
	run_jl run --var level=9
	assert_status 2
	assert_stderr_has '--var level: the manifest has no such variable'
	run_jl run --var etl:levle=9
	assert_status 2
	assert_stderr_has 'did you mean "etl:level"?'
}

@test "an edit of an included file is noticed, and nothing else is parsed" {
	two_files
	jl_ok run
	sed -i 's/level: 5/level: 6/' etl/joblib.yaml
	jl_ok run
	assert_counts ran=4 fresh=1
	assert_tallies 1 hello
	sed -i 's/version: 1/version: 7/' common.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'common.yaml:1:10: version 7 of the format'
	rm common.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:2:11: cannot include "common.yaml": there is no such file'
}

@test "a step that moves into a file beside keeps its key; one in a folder differs by its workdir" {
	write_manifest <<'END'
version: 1
steps:
  a: {command: "tally a; cat in > ${{ output }}", inputs: in, outputs: out}
END
	echo 1 >in
	jl_ok run
	key=$(jl run --events - | grep -o '"key":"[^"]*"')
	mv joblib.yaml other.yaml
	printf 'version: 1\ninclude: [other.yaml]\n' >joblib.yaml
	jl_ok run
	assert_counts fresh=1
	assert_equal "$(jl run --events - | grep -o '"key":"[^"]*"')" "$key"
	printf 'version: 1\ninclude: [{file: other.yaml, as: o}]\n' >joblib.yaml
	jl_ok run
	assert_equal "$(jl run --events - | grep -o '"key":"[^"]*"')" "$key"
	mkdir sub
	sed 's/inputs: in, outputs: out/workdir: .., inputs: ..\/in, outputs: ..\/out/' other.yaml >sub/o.yaml
	printf 'version: 1\ninclude: [sub/o.yaml]\n' >joblib.yaml
	jl_ok run
	assert_equal "$(jl run --events - | grep -o '"key":"[^"]*"')" "$key"
	assert_tallies 1
}

@test "folders with glob characters in their names hold manifests too" {
	mkdir -p 'e[t]*l/in'
	touch 'e[t]*l/in/a' 'e[t]*l/in/b'
	mkdir -p etxl/in
	touch etxl/in/wrong
	printf 'version: 1\ninclude: [{file: "e[t]*l/x.yaml", as: e}]\n' >joblib.yaml
	write_manifest 'e[t]*l/x.yaml' <<'END'
version: 1
steps:
  copy: {foreach: in/*, command: "cp ${{ item }} ${{ output }}", inputs: "${{ item }}", outputs: "o/${{ item.name }}"}
  all: {command: "echo ${{ inputs }} > ${{ output }}", inputs: [o/*, "!o/b"], outputs: all}
END
	jl_ok run
	assert_file 'e[t]*l/all' o/a
	jl_ok run
	assert_counts fresh=3
}

@test "errors in an included file name it, and those of all files come at once" {
	mkdir sub
	write_manifest <<'END'
version: 1
include: [a.yaml, {file: sub/b.yaml, as: b}]
steps:
  s: {comand: x}
END
	printf 'version: 1\nsteps:\n  t: {command: x, after: [s, nobody]}\n' >a.yaml
	printf 'version: 1\nsteps:\n  t: {command: x, after: s, outputs: ../../x}\n  u: {command: "${{ vars.v }}"}\n' >sub/b.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:4:7: unknown key "comand"; did you mean "command"?'
	assert_stderr_has 'a.yaml:3:30: there is no step "nobody"'
	assert_stderr_has 'sub/b.yaml:3:26: there is no step "b:s"'
	assert_stderr_has 'sub/b.yaml:3:38: an output cannot leave the workspace'
	assert_stderr_has 'sub/b.yaml:4:17: there is no variable "v"'
	cd sub
	run_jl run -f ../joblib.yaml
	assert_status 2
	assert_stderr_has '../sub/b.yaml:3:26: there is no step "b:s"'
}

@test "cycles, strangers, doubles and files outside the workspace are refused" {
	printf 'version: 1\ninclude: [a.yaml]\nsteps: {s: {command: x}}\n' >joblib.yaml
	printf 'version: 1\ninclude: [b.yaml]\nsteps: {t: {command: x}}\n' >a.yaml
	printf 'version: 1\ninclude: [{file: a.yaml, as: q}]\nsteps: {u: {command: x}}\n' >b.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'b.yaml:2:18: "a.yaml" includes itself by way of others; take one of them out'
	printf 'version: 1\ninclude: [joblib.yaml]\nsteps: {t: {command: x}}\n' >a.yaml
	run_jl run
	assert_stderr_has 'a.yaml:2:11: "joblib.yaml" includes itself by way of others'
	printf 'version: 1\nsteps: {s: {command: x}}\n' >a.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'a.yaml:2:9: step "s" stands in joblib.yaml:3 already; rename one, or include its file with "as"'
	printf 'version: 1\ninclude: [../x.yaml, /etc/x.yaml, {as: b}, [c], {file: a.yaml, as: "a b"}, a.yaml/b, .]\nsteps: {s: {command: x}}\n' >joblib.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:2:11: cannot include "../x.yaml": it is outside the workspace'
	assert_stderr_has 'joblib.yaml:2:22: cannot include "/etc/x.yaml": it is outside the workspace'
	assert_stderr_has 'joblib.yaml:2:35: an include needs a file; write {file: PATH, as: NAME}'
	assert_stderr_has 'joblib.yaml:2:44: "include" wants files, or {file: PATH, as: NAME}, not a list'
	assert_stderr_has 'joblib.yaml:2:68: "as" wants a name of letters'
	assert_stderr_has 'joblib.yaml:2:76: cannot include "a.yaml/b": there is no such file'
	assert_stderr_has 'joblib.yaml:2:86: cannot include ".": it is no file'
}

@test "an included file that belongs to another user is refused" {
	printf 'version: 1\ninclude: [a.yaml]\n' >joblib.yaml
	printf 'version: 1\nsteps: {t: {command: tally t}}\n' >a.yaml
	chown 12345 a.yaml 2>/dev/null || skip "only root can give a file away, and only to whom its namespace knows"
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:2:11: cannot include "a.yaml": it belongs to another user'
	chown 12345 joblib.yaml
	jl_ok run -f joblib.yaml
	assert_tallies 1
}

@test "outputs of two files must not overlap, and none may hold an included manifest" {
	mkdir sub
	printf 'version: 1\ninclude: [sub/a.yaml]\nsteps: {s: {command: x, outputs: sub/o}}\n' >joblib.yaml
	printf 'version: 1\nsteps: {t: {command: x, outputs: o}}\n' >sub/a.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'sub/a.yaml:2:34: output "sub/o" of step "t" overlaps "sub/o" of step "s" (joblib.yaml, line 3)'
	printf 'version: 1\ninclude: [sub/a.yaml]\nsteps: {s: {command: x, outputs: [sub/, sub/a.yaml]}}\n' >joblib.yaml
	printf 'version: 1\nsteps: {t: {command: x}}\n' >sub/a.yaml
	run_jl run
	assert_status 2
	assert_stderr_has 'joblib.yaml:3:35: output "sub" holds an included manifest; choose another path'
	assert_stderr_has 'joblib.yaml:3:41: output "sub/a.yaml" is an included manifest; choose another path'
	[ -e sub/a.yaml ]
}

@test "a file that two others include is there once; under two names it is there twice" {
	mkdir a b
	printf 'version: 1\ninclude: [a/x.yaml, b/x.yaml, {file: c.yaml, as: c}, {file: c.yaml, as: d}]\n' >joblib.yaml
	printf 'version: 1\ninclude: [../c.yaml]\n' | tee a/x.yaml >b/x.yaml
	printf 'version: 1\nstore: {dir: elsewhere}\nvars: {v: 1}\nsteps: {s: {command: "tally s ${{ step }} ${{ vars.v }}"}}\n' >c.yaml
	jl_ok run --var d:v=2
	assert_counts ran=3
	assert_tallies 1 "s s 1"
	assert_tallies 1 "s c:s 1"
	assert_tallies 1 "s d:s 2"
	assert_no_file elsewhere
}
