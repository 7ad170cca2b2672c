# The display on a terminal: what the screen of a pseudo-terminal holds. Steps wait on named pipes, so what is shown is known.
load helper

# A shell in a window of that size; its streams and environment are the test's.
open_window() { # columns, rows
	export PS1='$ ' TERM=screen
	unset CI HISTFILE
	tm new-session -d -c "$WS" -x "$1" -y "$2" bash --norc --noprofile -i
	wait_line '^\$$'
}
# The socket is named from its folder: the path of a test's folder may be longer than such a name may be.
tm() { (cd "$BATS_TEST_TMPDIR" && exec tmux -f /dev/null -S window "$@" 3>&- 4>&-); }
teardown() {
	tm kill-server 2>/dev/null || true
}

enter() { tm send-keys -l "$1" && tm send-keys Enter; }
# The screen as it is, without blanks at the end; and with all times made T, and no blanks in the graph.
shown() { tm capture-pane -p | sed 's/ *$//'; }
shown_timeless() { shown | sed -E 's/ *[0-9.]+m?s\b/ T/g; s/ in T.*//; s/\[(=*>?) *\]/[\1]/; s/, ETA.*//'; }
shows() { shown | grep -qE "$1"; }
# Await a screen, at most 30 s: all of it; a line of it that matches.
wait_shown() { # text [filter]
	local end=$((SECONDS + 30))
	until [[ $(shown_timeless | ${2:-cat}) == "$1" ]]; do
		if ((SECONDS > end)); then assert_equal "$(shown_timeless | ${2:-cat})" "$1"; fi
		sleep 0.02
	done
}
# Without the command's own line, which a window that becomes smaller may move out of sight.
below_command() { grep -v '^\$'; }
wait_line() { # regular expression
	local end=$((SECONDS + 30))
	until shows "$1"; do
		if ((SECONDS > end)); then fail "no line like $1: $(shown)"; fi
		sleep 0.02
	done
}
# A step that waits does so until this.
let_go() { # name
	timeout 20 sh -c 'echo go >"$1"' - "go-$1"
}

# Steps a, b and c, which wait, and one that is up to date.
waiting_steps() {
	write_manifest <<-'END'
		version: 1
		steps:
		  made: {command: "echo 1 > ${{ output }}", outputs: made}
		  a: {command: "read x <go-a; echo out of a", cache: false}
		  b: {command: "read x <go-b; printf half", cache: false}
		  c: {command: "read x <go-c; echo bad >&2; exit 3", after: made, cache: false}
	END
	mkfifo go-a go-b go-c
	jl_ok run made
}

@test "the display stays below what steps print, and nothing of it is left" {
	waiting_steps
	open_window 80 24
	enter 'jl run -j2 --color never'
	wait_shown '$ jl run -j2 --color never
[=======>] 1/4, 2 running, 1 hit, T
 T a
 T b'
	let_go a
	wait_shown '$ jl run -j2 --color never
out of a
[===============>] 2/4, 2 running, 1 hit, T
 T b
 T c'
	let_go b
	wait_shown '$ jl run -j2 --color never
out of a
half
[======================>] 3/4, 1 running, 1 hit, T
 T c'
	let_go c
	wait_shown '$ jl run -j2 --color never
out of a
half
bad
jl: c failed: exit 3 ( T)
  command: read x <go-c; echo bad >&2; exit 3
  log: .jl/logs/c.log
  again: jl run c
4 steps: 2 ran, 1 fresh, 0 restored, 1 failed
$'
	assert_equal "$(tm display -p '#{cursor_flag} #{cursor_x}')" "1 2"
}

@test "a failing step among a thousand is seen at once, with the command that repeats it" {
	write_manifest <<-'END'
		version: 1
		steps:
		  s:
		    foreach: {from: 1, to: 1000}
		    command: "test ${{ item }} != 3 || { echo oops; exit 7; }; read x <go"
		    cache: false
	END
	mkfifo go
	open_window 60 20
	enter 'jl run -k -j4 --color never'
	wait_shown '$ jl run -k -j4 --color never
oops
jl: s[3] failed: exit 7 ( T)
  command: test 3 != 3 || { echo oops; exit 7; }; read x <go
  log: .jl/logs/s%5B3%5D.log
  again: jl run '"'s[3]'"'
[] 1/1000, 4 running, 1 failed, T
 T s[1]
 T s[2]
 T s[4]
 T s[5]'
	tm send-keys C-c
	wait_line '^\$$'
}

@test "it is right at any width, with wide and combining characters, and after a resize" {
	write_manifest <<-'END'
		version: 1
		steps:
		  s:
		    foreach: [日本語のとても長い名前の項目です, "e\u0301e\u0301e\u0301", "a-name-that-is-longer-and-longer-than-the-window", "👩\u202e!"]
		    command: "read x <go"
		    cache: false
	END
	mkfifo go
	open_window 50 12
	enter 'jl run -j4'
	wait_shown '$ jl run -j4
[] 0/4, 4 running, T
 T s[日本語のとても長い名前の項目です]
 T s[ééé]
 T s[a-name-that-is-lon...er-than-the-window]
 T s[👩�!]'
	tm resize-window -x 20 -y 12
	wait_shown '0/4, 4 running, T
 T s[日...す]
 T s[ééé]
 T s[a-n...dow]
 T s[👩�!]' below_command
	tm resize-window -x 32 -y 5
	wait_shown '[] 0/4, 4 running, T
       and 4 more' below_command
	tm send-keys C-c
	wait_line '4 steps: 0 ran'
}

@test "no display when redirected, without a clever terminal, on CI, when quiet or when told so" {
	local how
	write_manifest <<-'END'
		version: 1
		steps:
		  s: {command: "sleep 0.3; echo out", cache: false}
	END
	unset CI
	export TERM=xterm
	# That is long enough for one.
	script -qec 'jl run' screen >/dev/null </dev/null
	grep -qa '0/1, 1 running' screen
	for how in 'jl run 2>err' 'TERM=dumb jl run' 'TERM= jl run' 'CI=true jl run' 'jl run -q' 'jl run --progress plain' \
		'TERM=dumb jl run --progress bar' 'jl run --progress none' 'jl map -u sleep ::: 0.3' 'jl map sleep ::: 0.3 | cat'; do
		script -qec "$how" screen >/dev/null </dev/null
		if grep -qa $'\e' screen; then fail "a display: $how"; fi
	done
	script -qec 'CI=true jl run --progress bar' screen >/dev/null </dev/null
	grep -qa '0/1, 1 running' screen
	grep -qa $'\e' err && fail 'a display in a file'
	grep -q '^1 step: 1 ran' err
}

@test "suspended it is gone, and back when jl goes on" {
	waiting_steps
	open_window 120 20
	enter 'jl run -j2'
	wait_line '2 running'
	tm send-keys C-z
	wait_line 'Stopped.*jl run'
	wait_shown '$ jl run -j2

[1]+  Stopped                 jl run -j2
$'
	enter fg
	wait_shown '$ jl run -j2

[1]+  Stopped                 jl run -j2
$ fg
jl run -j2
[=======>] 1/4, 2 running, 1 hit, T
 T a
 T b'
	tm send-keys C-c
	wait_line '4 steps: 0 ran'
}

@test "in the background nothing is drawn" {
	waiting_steps
	open_window 120 20
	enter 'jl run -j2 &'
	let_go a
	wait_line 'out of a$'
	let_go b
	wait_line 'half$'
	if shows running; then fail "$(shown)"; fi
	enter fg
	wait_line '3/4, 1 running'
	tm send-keys C-c
	wait_line '4 steps: 2 ran'
}

@test "ended by a signal it leaves a clean line and the cursor" {
	waiting_steps
	open_window 120 20
	enter 'jl run -j2'
	wait_line '2 running'
	tm send-keys C-c
	wait_line '4 steps: 0 ran'
	wait_shown '$ jl run -j2
4 steps: 0 ran, 1 fresh, 0 restored, 0 failed, 3 skipped

$'
	assert_equal "$(tm display -p '#{cursor_flag} #{cursor_x}')" "1 2"
}

@test "map: how far it is, of all if that is known" {
	mkfifo go-a go-b
	open_window 60 10
	enter "jl map -j2 'read x <go-{}; echo {}' ::: a b"
	wait_shown '$ jl map -j2 '"'read x <go-{}; echo {}'"' ::: a b
[] 0/2, 2 running, T
 T a
 T b'
	let_go b
	wait_shown '$ jl map -j2 '"'read x <go-{}; echo {}'"' ::: a b
b
[===============>] 1/2, 1 running, T
 T a'
	let_go a
	wait_shown '$ jl map -j2 '"'read x <go-{}; echo {}'"' ::: a b
b
a
$'
	mkfifo values
	enter "clear; jl map -k -j2 'read x <go-{}; echo {}' <values"
	exec 7>values
	printf 'a\nb\n' >&7
	wait_line '^0 done, 2 running'
	let_go b
	wait_line '^1 done, 1 running'
	# Its output waits for that of a.
	if shows '^ +[0-9]+s b$' || shows '^b$'; then fail "$(shown)"; fi
	let_go a
	exec 7>&-
	wait_line '^b$'
}
