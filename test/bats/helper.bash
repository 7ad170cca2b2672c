# What every bats file loads: `load helper` as its first line. Each test gets a private workspace (the current folder),
# home and store, and `jl` from the build under test on its PATH. A file with a setup of its own calls jl_setup first.
# shellcheck shell=bash disable=SC2154 # bats sets status, output, stderr

bats_require_minimum_version 1.5.0
load "/usr/lib/bats/bats-support/load.bash"
load "/usr/lib/bats/bats-assert/load.bash"

JL_SOURCE=${JL_SOURCE:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
JL_BUILD=${JL_BUILD:-$JL_SOURCE/build}

jl_setup() {
	export HOME=$BATS_TEST_TMPDIR/home JL_STORE=$BATS_TEST_TMPDIR/store TMPDIR=$BATS_TEST_TMPDIR/tmp
	export XDG_CACHE_HOME=$HOME/.cache XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share
	export XDG_STATE_HOME=$HOME/.local/state LC_ALL=C.UTF-8
	export PATH=$BATS_TEST_TMPDIR/bin:$JL_BUILD:$PATH
	unset JL_REMOTE_PATIENCE JL_MAX_SIZE JL_SECRET_KEY NO_COLOR MAKEFLAGS MFLAGS MAKELEVEL TZ GITHUB_ACTIONS GITLAB_CI
	WS=$BATS_TEST_TMPDIR/ws
	TALLY=$BATS_TEST_TMPDIR/tally
	mkdir -p "$HOME" "$TMPDIR" "$WS" "$BATS_TEST_TMPDIR/bin"
	# A step says "tally NAME" when it runs; the place of the log is in the program, as a step's environment is not
	# the caller's.
	printf '#!/bin/sh\necho "$*" >>"%s"\n' "$TALLY" >"$BATS_TEST_TMPDIR/bin/tally"
	chmod +x "$BATS_TEST_TMPDIR/bin/tally"
	: >"$TALLY"
	cd "$WS" || return 1
}
setup() { jl_setup; }

# The manifest from standard input: write_manifest [FILE] <<'END'
write_manifest() { cat >"${1:-joblib.yaml}"; }

# Run jl with its streams apart: $status, $output, ${lines[@]}, $stderr, ${stderr_lines[@]}.
run_jl() { run --separate-stderr jl "$@"; }
# Run jl, which must succeed.
jl_ok() {
	run_jl "$@"
	assert_status 0
}

assert_status() { # expected
	if [[ $status != "$1" ]]; then
		batslib_print_kv_single_or_multi 8 expected "$1" actual "$status" output "$output" stderr "${stderr-}" |
			batslib_decorate 'exit status differs' | fail
	fi
}

# Run a command that the modes of files hold for, also as root. Dropping capabilities is allowed where mounting and
# becoming somebody else are not. The build may lie in a folder that only root's rights open.
unprivileged() {
	cp "$JL_BUILD/jl" "$BATS_TEST_TMPDIR/bin/jl"
	local as=(setpriv --bounding-set=-all --inh-caps=-all)
	"${as[@]}" true 2>/dev/null || as=()
	"${as[@]}" "$@"
}

# The last line on stderr up to its time: assert_summary "3 steps: 1 ran, 2 fresh, 0 restored, 0 failed"
assert_summary() {
	local last=${stderr##*$'\n'}
	if [[ $last != "$1 in "* ]]; then
		batslib_print_kv_single_or_multi 8 expected "$1 in ..." actual "$last" stderr "$stderr" |
			batslib_decorate 'summary line differs' | fail
	fi
}
# The same by number; what is not named is 0: assert_counts ran=1 fresh=2
assert_counts() {
	local ran=0 fresh=0 restored=0 failed=0 pair total
	for pair; do
		[[ $pair =~ ^(ran|fresh|restored|failed)=[0-9]+$ ]] || fail "assert_counts: $pair"
		local "$pair"
	done
	total=$((ran + fresh + restored + failed))
	assert_summary "$total step$([[ $total == 1 ]] || echo s): $ran ran, $fresh fresh, $restored restored, $failed failed"
}

assert_stderr_has() { # text
	if [[ $stderr != *"$1"* ]]; then
		batslib_print_kv_single_or_multi 6 text "$1" stderr "$stderr" | batslib_decorate 'stderr lacks a text' | fail
	fi
}
refute_stderr_has() { # text
	if [[ $stderr == *"$1"* ]]; then
		batslib_print_kv_single_or_multi 6 text "$1" stderr "$stderr" | batslib_decorate 'stderr has a text' | fail
	fi
}

# How often a step said "tally NAME" (all names without one), since the last tally_reset.
tallies() { if (($#)); then grep -cxF -- "$1" "$TALLY"; else grep -c '' "$TALLY"; fi || true; }
tally_reset() { : >"$TALLY"; }
assert_tallies() { # count [name]
	local n
	n=$(tallies "${@:2}")
	if [[ $n != "$1" ]]; then
		batslib_print_kv_single_or_multi 8 expected "$1" actual "$n" tally "$(cat "$TALLY")" |
			batslib_decorate "commands run${2+ as $2}" | fail
	fi
}

assert_file() { # path, content without its last newline
	if [[ ! -f $1 ]]; then fail "no file $1"; fi
	assert_equal "$(cat "$1")" "$2"
}
assert_no_file() { # path...
	local path
	for path; do
		if [[ -e $path || -L $path ]]; then fail "$path is there"; fi
	done
}

# Content, kind, mode and links of every path below some folders: the same text means the same trees.
tree_content() {
	local path
	find "$@" -mindepth 1 | LC_ALL=C sort | while IFS= read -r path; do
		if [[ -L $path ]]; then
			printf 'link %s -> %s\n' "$path" "$(readlink "$path")"
		elif [[ -d $path ]]; then
			printf 'dir  %s %s\n' "$path" "$(stat -c %a "$path")"
		else
			printf 'file %s %s %s\n' "$path" "$(stat -c %a "$path")" "$(sha256sum <"$path" | cut -c 1-64)"
		fi
	done
}
# The same with inode and times: nothing was touched when it is equal.
tree_stamps() { find "$@" -printf '%p %y %m %s %i %T@ %C@\n' | LC_ALL=C sort; }

# Await a condition, at most 20 s: wait_until test -e started
wait_until() {
	local i
	for ((i = 0; i < 1000; i++)); do
		if "$@"; then return 0; fi
		sleep 0.02
	done
	fail "waited in vain for: $*"
}

# Run a command and count its system calls: count_syscalls jl run; then: syscalls openat, syscalls total,
# syscalls written (bytes to files), syscalls spawned (programs). Skips the test where tracing is not allowed.
count_syscalls() {
	SYSCALLS=$BATS_TEST_TMPDIR/syscalls
	run --separate-stderr sh "$JL_SOURCE/test/syscalls.sh" -o "$SYSCALLS" "$@"
	if [[ $status == 77 ]]; then skip "no tracing of processes here"; fi
}
syscalls() { # name... : their sum
	awk -v names="$*" 'BEGIN { n = split(names, a, " "); for (i in a) want[a[i]] = 1 } $1 in want { sum += $2 } END { print sum + 0 }' "$SYSCALLS"
}

# Does the build under test carry this sanitizer? has_sanitizer address
has_sanitizer() { [[ ,${JL_SAN-}, == *",$1,"* ]]; }

# The steps of an events file and their keys, or what became of them: one "STEP KEY" or "STEP STATUS" a line, in order.
event_keys() { event_fields "$1" key; }
event_statuses() { event_fields "$1" status; }
event_fields() { # events, field
	sed -n 's/.*"event":"step_finished","step":"\([^"]*\)".*"'"$2"'":"\([^"]*\)".*/\1 \2/p' "$1" | LC_ALL=C sort
}
# Run once more and say what became of each step, sorted: the whole of what a change set off. statuses [jl run's arguments]
statuses() {
	jl_ok run --events "$BATS_TEST_TMPDIR/events" "$@"
	event_statuses "$BATS_TEST_TMPDIR/events"
}

# Start a command in the background with the default signals (a shell ignores SIGINT for what is in its background) and in a
# session of its own; $JOB is its process. end_of_job then awaits it and sets $status: "exit N" or "signal N".
start_job() { # command...; its streams go to $BATS_TEST_TMPDIR/job.out and job.err
	local base=$BATS_TEST_TMPDIR/job
	rm -f "$base.pid" "$base.end"
	# shellcheck disable=SC2016 # perl's own variables
	perl -e '
		use POSIX ();
		my $base = shift;
		my $pid = fork // die;
		if (!$pid) {
			POSIX::setsid();
			$SIG{$_} = "DEFAULT" for qw(HUP INT QUIT PIPE TERM TSTP);
			exec @ARGV or exit 127;
		}
		sub put { open my $f, ">", "$_[0].new"; print $f $_[1]; close $f; rename "$_[0].new", $_[0] }
		put("$base.pid", $pid);
		waitpid $pid, 0;
		put("$base.end", $? & 127 ? "signal " . ($? & 127) : "exit " . ($? >> 8));
	' "$base" "$@" >"$base.out" 2>"$base.err" </dev/null 3>&- &
	wait_until test -e "$base.pid"
	# shellcheck disable=SC2034 # for the tests
	JOB=$(cat "$base.pid")
}
end_of_job() {
	wait_until test -e "$BATS_TEST_TMPDIR/job.end"
	status=$(cat "$BATS_TEST_TMPDIR/job.end")
	stderr=$(cat "$BATS_TEST_TMPDIR/job.err")
	output=$(cat "$BATS_TEST_TMPDIR/job.out")
}

# Everything that is in the trash, by its path in the workspace.
trashed() { if [[ -d .jl/trash ]]; then find .jl/trash -mindepth 2 ! -type d -printf '%P\n' | sed 's,^[^/]*/,,' | LC_ALL=C sort; fi; }
assert_trashed() { # path...; nothing else
	assert_equal "$(trashed)" "$(printf '%s\n' "$@")"
}
