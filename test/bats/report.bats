# jl report: the page of the last run, read as text and in a browser.
load helper

# What the page has become when its script has run.
browse() { # address behind the file's name ("" or "#q=..."), file, option...
	local at=$1 page=$2
	shift 2
	rm -rf "$BATS_TEST_TMPDIR/profile"
	timeout -k 5 240 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
		--disable-background-networking --disable-component-update --disable-sync --disable-breakpad \
		--disable-crash-reporter --disable-dev-shm-usage --user-data-dir="$BATS_TEST_TMPDIR/profile" \
		"${@:---dump-dom}" "file://$PWD/$page$at" 2>"$BATS_TEST_TMPDIR/browser.err"
}
# Of a page: "title TITLE", "count TEXT", "row NAME | STATUS | ...", "failure NAME", "hidden failure NAME".
read_page() { # file
	python3 - "$1" <<'END'
import sys
from html.parser import HTMLParser
class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.text, self.stack, self.cells = None, [], None
    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == 'details':
            self.kind = 'hidden failure' if 'hidden' in a else 'failure'
        if tag in ('title', 'b', 'td', 'dd', 'pre') or a.get('id') == 'count':
            self.text, self.of = '', a.get('id', tag)
        if tag == 'tr':
            self.cells = [] if 'data-i' in a else None
    def handle_endtag(self, tag):
        if tag == 'tr' and self.cells and len(self.cells) == 8:
            print('row', ' | '.join(self.cells))
        if self.text is None:
            return
        if tag == 'td' and self.cells is not None:
            self.cells.append(self.text)
        elif tag == 'title' or self.of == 'count':
            print(self.of, self.text)
        elif tag == 'b' and self.lasttag == 'b':
            print(self.kind, repr(self.text)[1:-1])
        elif tag == 'pre':
            print('output', repr(self.text)[1:-1])
        self.text = None
    def handle_data(self, data):
        if self.text is not None:
            self.text += data
Page().feed(open(sys.argv[1], encoding='utf-8').read())
END
}
# The page holds all that it needs: no element names anything outside, nor do style and script.
assert_alone() { # file
	run python3 - "$1" <<'END'
import re, sys
from html.parser import HTMLParser
class Page(HTMLParser):
    own = None
    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        self.own = tag if tag == 'style' or tag == 'script' and 'type' not in a else None
        if tag in ('link', 'img', 'iframe', 'object', 'embed', 'base', 'a') or not set(a).isdisjoint(
                ('src', 'href', 'action', 'data', 'style', 'srcset', 'background')) or any(k.startswith('on') for k in a):
            print(tag, a)
    def handle_endtag(self, tag):
        self.own = None
    def handle_data(self, data):
        if self.own:
            print(*re.findall(r'https?:|url\(|@import|fetch\(|XMLHttp|WebSocket|import\(|innerHTML|eval\(', data), end='')
Page().feed(open(sys.argv[1], encoding='utf-8').read())
END
	assert_success
	assert_output ""
}
validate() { # file of events
	python3 - "$JL_SOURCE/docs/formats/events.schema.json" "$1" <<'END'
import sys, json, jsonschema
v = jsonschema.Draft7Validator(json.load(open(sys.argv[1])))
for line in open(sys.argv[2], encoding='utf-8'):
    e = json.loads(line)
    errors = list(v.iter_errors(e))
    assert not errors, (line, errors)
    print(e['event'], e.get('step', '-'), e.get('status', '-'))
END
}

# Two that succeed, one restored in the second run, failures that say nasty things.
nasty() {
	write_manifest <<'END'
version: 1
steps:
  one: {command: "echo fine; cp i ${{ output }}", inputs: i, outputs: one.txt}
  two: {command: "cp ${{ input }} ${{ output }}", inputs: one.txt, outputs: two.txt}
  bad:
    foreach: ["</script><script>document.title='owned'</script>", "<!--<img src=x onerror=\"document.title='owned'\">", "a\u2028'\"&amp;b"]
    command: "printf '\\033[31mred\\033[0m </pre><script>document.title=1</script>\\377\\n'; echo more >&2; exit 3"
    inputs: two.txt
  slow: {command: "sleep 300", timeout: 100ms, inputs: two.txt}
  after: {command: "true", after: bad}
END
	echo x >i
}

@test "the record of a run: events of what was not fresh, output of failures only" {
	nasty
	run_jl run -k -j2
	assert_status 1
	run validate .jl/last-run
	assert_success
	local separator=$'\u2028'
	assert_equal "$(sort <<<"$output")" "$(sort <<END
run_started - -
step_finished one ran
step_finished two ran
step_output bad[</script><script>document.title='owned'</script>] -
step_output bad[</script><script>document.title='owned'</script>] -
step_finished bad[</script><script>document.title='owned'</script>] failed
step_output bad[<!--<img src=x onerror="document.title='owned'">] -
step_output bad[<!--<img src=x onerror="document.title='owned'">] -
step_finished bad[<!--<img src=x onerror="document.title='owned'">] failed
step_output bad[a$separator'"&amp;b] -
step_output bad[a$separator'"&amp;b] -
step_finished bad[a$separator'"&amp;b] failed
step_finished slow timeout
step_finished after skipped
run_finished - -
END
	)"
	grep -q '"step":"two","status":"ran",.*"slot":[12],"began_s":[0-9.]*,"waited_for":"one",' .jl/last-run
	grep -q '"step":"slow","status":"timeout",.*"command":"sleep 300"' .jl/last-run
	rm two.txt
	run_jl run -k
	run validate .jl/last-run
	assert_line 'step_finished two restored'
	refute_line --partial 'step_finished one'
	assert_line --regexp '^run_finished'
	grep -q '"run_finished","ran":0,"fresh":1,"restored":1,"failed":4,"skipped":1,' .jl/last-run
}

@test "a run that does nothing, a plan, and one that is killed leave the record as it was" {
	nasty
	jl_ok run two
	local before
	before=$(tree_stamps .jl/last-run)
	jl_ok run two
	assert_counts fresh=2
	jl_ok plan two --force
	run_jl run nosuch
	jl_ok adopt two
	assert_equal "$(tree_stamps .jl/last-run)" "$before"
	write_manifest <<'END'
version: 1
steps:
  long: {command: "touch up; sleep 300", inputs: i, outputs: never}
END
	start_job jl run
	wait_until test -e up
	kill -KILL "$JOB"
	end_of_job
	assert_equal "$(tree_stamps .jl/last-run)" "$before"
	# The next one takes away what it left, and has a record of its own.
	write_manifest <<<'{version: 1, steps: {quick: {command: "true"}}}'
	jl_ok run
	assert_equal "$(find .jl -name '.tmp-*')" ""
	run validate .jl/last-run
	assert_line 'step_finished quick ran'
}

@test "a run whose record cannot be written succeeds and says so" {
	write_manifest <<<'{version: 1, steps: {quick: {command: "true"}}}'
	mkdir -p .jl/last-run
	jl_ok run
	assert_stderr_has 'there is something that is no regular file; "jl report" will not know of this run'
}

@test "report without scripts: summary, failures with their output, critical path, all within one file" {
	nasty
	run_jl run -k -j2
	jl_ok report
	printf '%s\n' "$output" >page.html
	assert_equal "$stderr" ""
	assert_alone page.html
	run read_page page.html
	assert_line "title $PWD - jl report"
	assert_equal "$(grep -c '^failure' <<<"$output")" 4
	assert_line "failure bad[</script><script>document.title='owned'</script>]"
	assert_line 'output red </pre><script>document.title=1</script>�\nmore\n'
	grep -qF '<strong class="bad">failed</strong>' page.html
	grep -qF '<div class="failed"><dt>failed</dt><dd>4</dd></div>' page.html
	grep -qF '<h2>Critical path</h2>' page.html
	grep -qF '<dt>again</dt><dd><code>jl run slow</code></dd>' page.html
}

@test "report in a browser: hostile names and outputs stay text, filters work" {
	nasty
	run_jl run -k -j2
	jl_ok report -o page.html
	assert_equal "$output$stderr" ""
	browse "" page.html >dom.html || fail "$(cat "$BATS_TEST_TMPDIR/browser.err")"
	run read_page dom.html
	assert_line "title $PWD - jl report"
	assert_line 'count 7 steps'
	assert_equal "$(grep -c '^row' <<<"$output")" 7
	assert_line --partial "row bad[</script><script>document.title='owned'</script>] | failed | "
	assert_line --partial $'row bad[a\u2028\'"&amp;b] | failed | '
	assert_line --regexp '^row slow \| timeout \| .*signal 15'
	assert_line --regexp '^row one \| ran \| [0-9.]+m?s \| [0-9.]+m?s \| [0-9.]+m?s \| [0-9.]+ [KM]iB \| slot [12] \| not run before$'
	grep -qF '<canvas' dom.html
	run grep -F '<img' dom.html
	assert_output ""
	# What the address says.
	browse '#q=BAD%20script&status=failed' page.html >dom.html
	run read_page dom.html
	assert_line 'count 1 of 7 steps'
	assert_equal "$(grep -c '^row' <<<"$output")" 1
	assert_equal "$(grep -c '^failure' <<<"$output")" 1
	assert_equal "$(grep -c '^hidden failure' <<<"$output")" 3
}

@test "report of 10,000 steps: small, only the rows in sight are there, and it can be looked at" {
	awk 'BEGIN {
		print "{\"v\":1,\"t\":0,\"event\":\"run_started\",\"run\":\"20260102T030405Z-7\",\"steps\":10000,\"jobs\":16}"
		for (i = 1; i <= 10000; i++)
			printf "{\"v\":1,\"t\":%.3f,\"event\":\"step_finished\",\"step\":\"work[%d]\",\"status\":\"%s\",\"exit\":%d,\"signal\":0," \
				"\"wall_s\":%.3f,\"user_s\":0.01,\"sys_s\":0,\"max_rss\":3000000,\"host\":\"%s\",\"attempt\":1,\"slot\":%d," \
				"\"began_s\":%.3f,%s\"stored\":true}\n", i * 0.02, i, i % 1000 ? "ran" : "failed", i % 1000 ? 0 : 1,
				0.3 + i % 7 / 100, i % 2 ? "alpha" : "beta", i % 16 / 2 + 1, int((i - 1) / 16) * 0.36,
				(i > 16 ? "\"waited_for\":\"work[" i - 16 "]\"," : "")
		print "{\"v\":1,\"t\":230,\"event\":\"run_finished\",\"ran\":9990,\"fresh\":0,\"restored\":0,\"failed\":10,\"skipped\":0," \
			"\"wall_s\":230,\"saved_s\":0}"
	}' >ev
	validate ev >/dev/null
	jl_ok report --from ev -o page.html
	(($(stat -c %s page.html) < 2000000)) || fail "$(stat -c %s page.html) bytes"
	browse "" page.html --window-size=1200,1400 --screenshot=shot.png --dump-dom >dom.html
	(($(stat -c %s shot.png) > 30000)) || fail "an empty picture: $(stat -c %s shot.png) bytes"
	run read_page dom.html
	assert_line 'count 10000 steps'
	assert_line --partial 'row work[1] | ran | 0ms | 310ms | 10ms | 2.9 MiB | alpha 1 | '
	local n
	n=$(grep -c '^row' <<<"$output")
	((n >= 10 && n <= 100)) || fail "$n rows"
	browse '#q=work%5B99&sort=took' page.html >dom.html
	run read_page dom.html
	assert_line 'count 111 of 10000 steps'
	assert_equal "$(grep -m1 '^row' <<<"$output" | cut -d'|' -f1,4)" 'row work[993] | 360ms '
}

@test "report goes to stdout, on a terminal to .jl/report.html, with -o to a file that is there as a whole" {
	nasty
	jl_ok run two
	jl_ok report -o -
	assert_equal "${lines[0]}" '<!DOCTYPE html>'
	run script -qec 'jl report' /dev/null
	assert_success
	assert_output "jl: wrote $PWD/.jl/report.html"$'\r'
	grep -q '</html>' .jl/report.html
	mkdir sub
	jl_ok report -C sub -o ../there.html
	grep -q '</html>' there.html
	run_jl report -o no/such/file
	assert_status 2
	assert_equal "$stderr" 'jl: cannot write "no/such/file": No such file or directory'
	run bash -c 'jl report >/dev/full'
	assert_failure 3
	assert_output 'jl: cannot write to standard output: No space left on device'
	# A manifest that is wrong by now does not matter.
	echo 'version: 9' >joblib.yaml
	jl_ok report
}

@test "report --from events of run, map and memo, and of what was killed" {
	nasty
	run_jl run -k --events ev
	jl_ok report --from ev
	assert_line --partial '<h1>ev</h1>'
	run_jl map -j2 --events ev 'echo {}; exit {}' ::: 0 3 0
	run bash -c 'jl report --from - <ev'
	assert_success
	assert_line --partial '<b><span class="seq">2</span> 3</b> <span class="bad">exit 3'
	refute_line --partial '<dt>again</dt>'
	jl_ok memo --events ev -- echo hi
	jl_ok report --from ev
	head -n 2 ev >killed
	printf '{"v":1,"t":' >>killed
	jl_ok report --from killed
	assert_line --partial 'there is no end of it'
	jl_ok plan --events ev
	jl_ok report --from ev
	assert_line --partial '<dt>would run</dt>'
}

@test "report: what is wrong is said in one line" {
	wrong() { # status, message, operand...
		local status_=$1 text=$2
		shift 2
		run_jl report "$@"
		assert_status "$status_"
		assert_equal "$stderr" "jl: $text"
		assert_equal "$output" ""
	}
	wrong 2 'no joblib.yaml here or in a folder above; "jl init" writes one, -f names another file'
	nasty
	wrong 2 'nothing has been run here yet; --from reads what --events wrote elsewhere'
	wrong 2 'cannot read "none": No such file or directory' --from none
	wrong 2 'i:1: no JSON: '"'[' or '{' expected near 'x'" --from i
	: >empty
	wrong 2 'empty: there is no run in it; --events of jl run or map writes such a file' --from empty
	echo '{"v":2,"event":"run_started"}' >later
	wrong 3 'later:1: events of version 2, and this program knows version 1' --from later
	wrong 2 'report takes no operand, not "x"' x
	run script -qec 'jl report --from i' /dev/null
	assert_failure 2
	assert_output $'jl: report: where is the page of "i" to go? -o FILE says it\r'
}
