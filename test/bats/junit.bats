#!/usr/bin/env bats
# What programs read of a run: events, JUnit XML, Chrome traces.
# shellcheck disable=SC2154 # stderr, stderr_lines come from the helper
load helper

# Every end that a step can have, and output that is no text.
write_nasty() {
	write_manifest <<'EOF'
version: 1
steps:
  kept: {command: "cp i kept.txt", inputs: i, outputs: kept.txt}
  back: {command: "cp i back.txt; echo from back", inputs: i, outputs: back.txt}
  nasty:
    foreach: ['a"b', '<z>', "nl\nx", 'é]]>']
    command: "printf '\\033[31mred\\033[0m \\001\\377 ]]> <&> \\r\\n \\357\\277\\277 %s\\n' ${{ item }}; exit 3"
  slow: {command: sleep 300, timeout: 100ms}
  needs: {command: "true", after: nasty}
EOF
	echo x >i
}

# Python's reader and xmllint take it; prints "NAME STATUS" of each case, and the counts.
read_junit() { # file
	xmllint --noout "$1" || return
	python3 - "$1" <<'EOF'
import sys, xml.etree.ElementTree as ET
root = ET.parse(sys.argv[1]).getroot()
assert root.tag == 'testsuites' and len(root) == 1
suite = root[0]
cases = suite.findall('testcase')
for e in (root, suite):
    assert int(e.get('tests')) == len(cases)
    assert int(e.get('failures')) == len(suite.findall('testcase/failure'))
    assert int(e.get('skipped')) == len(suite.findall('testcase/skipped'))
    assert e.get('errors') == '0' and float(e.get('time')) >= 0
for c in cases:
    assert float(c.get('time')) >= 0 and c.get('classname')
    mark = c.find('properties/property[@name="jl.status"]')
    what = c[0].tag if len(c) and mark is None else mark.get('value') if mark is not None else 'success'
    print(c.get('name'), what)
EOF
}

# Loads as JSON, has a complete event for each step, no two of one slot overlap; prints "NAME STATUS".
read_trace() { # file
	python3 - "$1" <<'EOF'
import sys, json
from collections import defaultdict
rows = defaultdict(list)
events = json.load(open(sys.argv[1], encoding='utf-8'))['traceEvents']
named = {e['tid'] for e in events if e['ph'] == 'M'}
for e in events:
    if e['ph'] == 'X':
        assert e['dur'] >= 0 and e['ts'] >= 0 and e['pid'] == 1 and e['tid'] in named
        rows[e['tid']].append((e['ts'], e['ts'] + e['dur']))
        print(e['name'], e['args']['status'])
for tid, row in rows.items():
    row.sort()
    for (_, end), (start, _) in zip(row, row[1:]):
        assert end <= start, (tid, end, start)
EOF
}

validate() { # events file
	python3 - "$JL_SOURCE/docs/formats/events.schema.json" "$1" <<'EOF'
import sys, json, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
v = jsonschema.Draft7Validator(schema)
seen, t = [], 0
for line in open(sys.argv[2], encoding='utf-8'):
    e = json.loads(line)
    errors = list(v.iter_errors(e))
    assert not errors, (line, errors)
    assert e['t'] >= t
    t = e['t']
    seen.append(e['event'])
assert seen[0] == 'run_started' and seen[-1] == 'run_finished' and seen.count('run_finished') == 1
print(*sorted(set(seen)))
EOF
}

@test "--junit of run: readers take it, whatever the steps print" {
	write_nasty
	jl_ok run kept back
	rm back.txt
	run_jl run -k --junit j.xml
	assert_status 1
	run read_junit j.xml
	assert_success
	assert_equal "$(sort <<<"$output")" "$(sort <<'EOF'
kept fresh
back restored
nasty[a"b] failure
nasty[<z>] failure
nasty[nl\x0ax] failure
nasty[é]]>] failure
slow failure
needs skipped
EOF
	)"
	grep -qF 'classname="nasty" name="nasty[a&quot;b]"' j.xml
	grep -qF '<failure message="exit 3" type="failed">' j.xml
	grep -qF 'red \x01\xff ]]&gt; &lt;&amp;&gt; ' j.xml
	grep -qF '<failure message="timed out' j.xml
	# Nothing is left beside it.
	assert_equal "$(find . -name '.tmp-*')" ""
}

@test "--junit of map: a case for each job, equal values too, and what could not start" {
	run_jl map --junit j.xml -j3 --tag 'echo {}; exit {}' ::: 0 1 1 0
	assert_status 2
	run read_junit j.xml
	assert_equal "$(sort <<<"$output")" $'0 success\n0 success\n1 failure\n1 failure'
	grep -qF 'classname="echo {}; exit {}" name="1"' j.xml
	run_jl map --junit j.xml /nowhere/program ::: a
	assert_equal "$(read_junit j.xml)" "a failure"
	grep -qF 'no such program' j.xml
	# Nothing shown is not nothing told.
	run_jl map -q --junit j.xml --events ev 'echo {}; exit {}' ::: 0
	assert_equal "$output$stderr" ""
	assert_equal "$(read_junit j.xml)" "0 success"
	grep -qF '"step_output","step":"0","seq":1,"stream":"stdout","text":"0\n"' ev
	run_jl map --junit j.xml -j1 --halt soon,fail=1 'exit {}' ::: 1 0 0
	run read_junit j.xml
	assert_equal "$output" $'1 failure\n0 skipped'
}

@test "--trace: a complete event for each step, none of a slot overlaps another" {
	write_nasty
	jl_ok run kept
	run_jl run -k -j3 --trace t.json
	assert_status 1
	run read_trace t.json
	assert_success
	assert_equal "${#lines[@]}" 9
	assert_regex "$output" 'kept fresh'
	assert_regex "$output" 'slow timeout'
	assert_regex "$output" 'needs skipped'
	seq 300 >values
	run_jl map -j5 --trace t.json 'exit {}' <values
	assert_status 101
	run read_trace t.json
	assert_success
	assert_equal "${#lines[@]}" 300
}

@test "an unwritable report is an error before anything runs" {
	write_nasty
	local opt
	for opt in --junit --trace; do
		run_jl run kept $opt no/such/file
		assert_status 2
		assert_equal "$stderr" "jl: option \"$opt\": cannot write \"no/such/file\": No such file or directory"
		run_jl run kept $opt .
		assert_status 2
		run_jl map $opt no/such/file tally ::: x
		assert_status 125
	done
	assert_no_file kept.txt
	assert_tallies 0
	# A run that does not begin leaves what was there, and one that a signal ends tells so far.
	echo old >j.xml
	run_jl run --junit j.xml nosuchstep
	assert_status 2
	assert_file j.xml old
	start_job jl map -j1 --junit j.xml 'touch up; : {}; sleep 300' ::: a b
	wait_until test -e up
	kill -TERM "$JOB"
	end_of_job
	assert_equal "$status" "signal 15"
	assert_equal "$(read_junit j.xml | sort)" $'a skipped\nb skipped'
	assert_equal "$(find . -name '.tmp-*')" ""
}

@test "--events of run, map, memo and plan are what their schema says" {
	write_nasty
	jl_ok run kept back
	rm back.txt
	run_jl run -k --events ev
	assert_equal "$(validate ev)" 'run_finished run_started step_finished step_output step_started'
	run_jl plan --events ev
	assert_equal "$(validate ev)" 'run_finished run_started step_finished'
	run_jl map -j2 --events ev --timeout 100ms 'printf "\377\000\n"; echo {} >&2; test {} != s || sleep 300; exit {}' ::: 0 3 s 0
	assert_equal "$(validate ev)" 'run_finished run_started step_finished step_output step_started'
	assert_regex "$(cat ev)" '"step":"s","seq":3,"status":"timeout",.*"reason":"timed out after 100ms"'
	run_jl map --events ev /nowhere/program ::: a
	validate ev
	run_jl memo --events ev -- sh -c 'echo more >>i; exit 4'
	assert_equal "$(validate ev)" 'run_finished run_started step_finished step_started'
	jl_ok memo --events ev -i i -- sh -c 'echo more >>i; echo hi'
	assert_equal "$(validate ev)" 'run_finished run_started step_finished step_output step_started warning'
}

@test "events as version 1 wrote them are what the schema says" {
	assert_equal "$(validate "$JL_SOURCE/test/golden/events-v1.ndjson")" \
		'run_finished run_started step_finished step_output step_started warning'
}

@test "every event and status that is written stands in the schema and in its page" {
	local page=$JL_SOURCE/docs/formats/events.md schema=$JL_SOURCE/docs/formats/events.schema.json word
	for word in $(sed -n 's/^\t\[JL_EVENT_.*\] = "\(.*\)",/\1/p' "$JL_SOURCE/lib/report/ndjson.c") \
		$(sed -n 's/^\tput_[a-z]*(&\?j, "\([a-z_]*\)".*/\1/p' "$JL_SOURCE/lib/report/ndjson.c"); do
		grep -q "\"$word\"" "$schema" || fail "the schema lacks $word"
		grep -q "$word" "$page" || fail "the page lacks $word"
	done
	sed -n 's/^\t\t\[JL_STEP_.*\] = "\(.*\)",/\1/p' "$JL_SOURCE/lib/run/events.c" >statuses
	[[ $(wc -l <statuses) == 10 ]]
	while read -r word; do
		grep -q "\"$word\"" "$schema" || fail "the schema lacks $word"
		grep -q "\`$word\`" "$page" || fail "the page lacks $word"
	done <statuses
}
