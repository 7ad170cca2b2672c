# jl graph: the steps and what leads to what.
load helper

# fetch and cfg lead to clean, whose items come from what fetch makes; total reads what clean makes; tell only waits.
chain() {
	write_manifest <<'END'
version: 1
steps:
  fetch:
    foreach: [a, 'b"q', "c#;&<"]
    command: tally fetch; echo ${{ item }} > ${{ output }}
    outputs: raw/${{ item }}
  cfg: {command: "echo 1 > ${{ output }}", outputs: cfg.txt}
  clean:
    foreach: raw/*
    command: cat ${{ inputs }} > ${{ output }}
    inputs: ["${{ item }}", cfg.txt]
    outputs: clean/${{ item.name }}
  total: {command: "cat ${{ inputs }} > ${{ output }}", inputs: "clean/*", outputs: total, tags: end}
  tell: {command: "echo done", after: total}
  hand: {manual: true, command: "echo hi", inputs: total}
END
}
# Lines "FROM KIND TO" of a graph, by name.
edges() { # operand...
	jl graph --format json "$@" | python3 -c '
import json, sys
g = json.load(sys.stdin)
name = {n["id"]: ("all of " if n.get("all") else "") + n["name"] for n in g["nodes"]}
for e in g["edges"]:
    print(name[e["from"]], e["kind"], name[e["to"]])'
}

@test "graph folds instances, marks late steps, and changes nothing" {
	chain
	jl_ok graph
	assert_line --partial 'n1 [label="fetch\n× 3"];'
	assert_line --partial 'n3 [label="clean\nforeach, items known later"'
	refute_output --partial hand
	local first=$output
	assert_equal "$(edges)" "fetch items clean
cfg data clean
clean data total
total after tell"
	assert_no_file .jl "$JL_STORE" raw
	assert_equal "$(cat "$TALLY")" ""
	jl_ok run
	jl_ok graph
	assert_output "$first"
}

@test "graph of a step, a path, a tag: that and what it needs" {
	chain
	assert_equal "$(edges cfg)" ""
	assert_equal "$(edges hand)" "fetch items clean
cfg data clean
clean data total
total data hand"
	assert_equal "$(edges total)" "$(edges @end)"
	jl_ok graph 'fetch[a]'
	assert_line --partial 'n1 [label="fetch\n× 1 of 3"];'
	jl_ok graph raw/a
	assert_line --partial 'n1 [label="fetch\n× 1 of 3"];'
}

@test "graph -v: a node an instance, one for all of a step that is waited for" {
	write_manifest <<'END'
version: 1
steps:
  a: {foreach: {from: 1, to: 3}, command: "echo > ${{ output }}", outputs: "a/${{ item }}"}
  b: {foreach: {from: 1, to: 3}, command: "cat ${{ input }} > ${{ output }}", inputs: "a/${{ item }}", outputs: "b/${{ item }}"}
  c: {foreach: {from: 1, to: 2}, command: "cat b/* > ${{ output }}", inputs: "b/*", outputs: "c/${{ item }}"}
END
	assert_equal "$(edges -v)" "a[1] data b[1]
a[2] data b[2]
a[3] data b[3]
b[1] data all of b
b[2] data all of b
b[3] data all of b
all of b data c[1]
all of b data c[2]"
	assert_equal "$(edges)" "a data b
b data c"
}

@test "graph of 10,000 instances has as many edges as there are" {
	write_manifest <<'END'
version: 1
steps:
  a: {foreach: {from: 1, to: 5000}, command: "echo > ${{ output }}", outputs: "a/${{ item }}"}
  b: {foreach: {from: 1, to: 5000}, command: "cat ${{ input }} > ${{ output }}", inputs: "a/${{ item }}", outputs: "b/${{ item }}"}
END
	assert_equal "$(edges)" "a data b"
	assert_equal "$(edges -v | wc -l)" 5000
}

@test "graph as svg is drawn by graphviz, and says so where there is none" {
	chain
	jl_ok graph -v --format svg
	printf '%s\n' "$output" >graph.svg
	xmllint --noout --nonet graph.svg
	grep -qF 'fetch[b&quot;q]' graph.svg
	grep -qF 'fetch[c#;&amp;&lt;]' graph.svg
	run env PATH="$JL_BUILD" "$JL_BUILD/jl" graph --format svg
	assert_failure 3
	assert_output 'jl: svg is drawn by the program "dot", which is not here: install the package "graphviz", or take another --format'
	printf '#!/bin/sh\nexit 7\n' >"$BATS_TEST_TMPDIR/bin/dot"
	chmod +x "$BATS_TEST_TMPDIR/bin/dot"
	run_jl graph --format svg
	assert_status 3
	assert_equal "$output" ""
	assert_equal "$stderr" "jl: dot failed: exit 7"
}

@test "graph tells the errors that plan tells" {
	errors_alike() { # operand...
		run_jl plan "$@"
		local want=$stderr
		assert_status 2
		run_jl graph "$@"
		assert_status 2
		assert_equal "$stderr" "$want"
		assert_equal "$output" ""
	}
	errors_alike
	chain
	errors_alike feth
	errors_alike @none
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cp y x", inputs: y, outputs: x}
  b: {command: "cp x y", inputs: x, outputs: y}
END
	errors_alike
	write_manifest <<'END'
version: 1
steps:
  a: {command: "cp y x", inputs: y, outputs: x}
END
	errors_alike
	printf 'version: 1\nsteps: {a: {comand: x}}\n' >joblib.yaml
	errors_alike
	run_jl graph --format png
	assert_status 2
	assert_stderr_has 'must be one of dot|mermaid|json|svg'
}
