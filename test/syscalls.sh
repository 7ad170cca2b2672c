#!/bin/sh
# Counts what a command asks of the kernel, so that a test can hold it to a number that does not depend on the machine.
#
#     sh test/syscalls.sh -o COUNTS COMMAND [ARG ...]
#
# COUNTS gets one line "NAME CALLS" for each system call of the command and all its children, then "total CALLS",
# "written BYTES" (to regular files, by write and copying calls; not through mmap), "spawned PROGRAMS" (successful
# execve, the command's own not counted). The command keeps its streams; its exit status is ours. 77: no tracing here.
set -u
[ "$1" = -o ] || { echo "usage: syscalls.sh -o COUNTS COMMAND [ARG ...]" >&2; exit 2; }
counts=$2
shift 2
trace=$(mktemp "${TMPDIR:-/tmp}/syscalls.XXXXXX") || exit 3
trap 'rm -f "$trace"' EXIT
strace -qq -o /dev/null true 2>/dev/null || exit 77
# A leak check needs ptrace for itself.
ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -f -qq -y -s 0 -o "$trace" "$@"
status=$?
awk '
function target(name, args,   n, a) { # the file that is written to: "" unless a regular file
	n = split(args, a, ", ")
	args = name == "copy_file_range" ? a[3] : a[1]
	if (!sub(/^[0-9]+</, "", args) || substr(args, 1, 1) != "/" || args ~ /^\/(dev|proc)\//) return ""
	return args
}
{
	pid = $1
	line = $0
	sub(/^[0-9]+ +/, "", line)
	if (line ~ /^(---|\+\+\+)/) next
	if (line ~ /^<\.\.\. /) {
		name = line
		sub(/^<\.\.\. /, "", name)
		sub(/ resumed.*/, "", name)
		file = pending[pid]
	} else {
		name = line
		sub(/\(.*/, "", name)
		args = substr(line, length(name) + 2)
		calls[name]++
		total++
		file = name ~ /^(p?writev?2?|pwrite64|copy_file_range|sendfile)$/ ? target(name, args) : ""
		if (line ~ /<unfinished \.\.\.>$/) {
			pending[pid] = file
			next
		}
	}
	result = line
	if (!match(result, /= -?[0-9]+[^=]*$/)) next
	result = substr(result, RSTART + 2) + 0
	if (name ~ /^execveat?$|^execve$/ && result == 0) spawned++
	if (file != "" && result > 0) written += result
}
END {
	for (name in calls) print name, calls[name]
	print "total", total + 0
	print "written", written + 0
	print "spawned", spawned - 1
}' "$trace" | LC_ALL=C sort >"$counts"
exit $status
