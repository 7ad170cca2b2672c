#!/bin/sh
# Holds the order of layers: a file includes its own folder and lower rows only; a header of somebody else's is included
# in one file; lib/ neither prints nor ends the program.
set -eu
cd "$(dirname "$0")/.."
files=$(find lib cmd -name '*.[ch]' | LC_ALL=C sort)
[ -n "$files" ] || exit 0
# shellcheck disable=SC2086 # our file names have no blanks
exec awk '
BEGIN {
	n = split("base:0 digest:1 codec:1 proc:1 manifest:2 state:2 store:2 exec:2 graph:3 memo:3 agent:3 http:3 run:4 report:5 cmd:6", a, " ")
	for (i = 1; i <= n; i++) {
		split(a[i], b, ":")
		row[b[1]] = b[2]
	}
	# What the C library and the kernel bring; anything else in <> is a third party.
	split("sys/ linux/ asm/ arpa/ netinet/ net/", a, " ")
	for (i in a) system_dir[a[i]] = 1
	split("aio alloca assert ctype dirent dlfcn endian err errno fcntl fenv float fnmatch ftw getopt glob grp inttypes " \
		"langinfo limits locale malloc math netdb paths poll pthread pwd regex sched semaphore setjmp signal " \
		"spawn stdalign stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings sysexits " \
		"syslog termios threads time uchar ucontext unistd utime wchar wctype wordexp", a, " ")
	for (i in a) system_header[a[i] ".h"] = 1
}
function complain(text) {
	printf "%s:%d: %s\n", FILENAME, FNR, text
	bad++
}
FNR == 1 {
	comment = 0
	own = FILENAME
	if (sub(/^lib\//, "", own)) sub(/\/.*/, "", own)
	else own = "cmd"
	if (!(own in row)) complain("folder \"" own "\" has no row; say it in DESIGN and in test/check-layers.sh")
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, q, "\"")
	dir = q[2]
	if (!sub(/\/[^\/]*$/, "", dir)) {
		if (own != "cmd") complain("#include \"" q[2] "\": name the folder, as in \"" own "/" q[2] "\"")
		next
	}
	if (dir == own) next
	if (!(dir in row)) complain("#include \"" q[2] "\": no such layer")
	else if (own == "report" && dir != "base" && q[2] != "run/event.h")
		complain("report sees base and run/event.h only, not \"" q[2] "\"")
	else if (row[dir] >= row[own])
		complain(own " (row " row[own] ") must not include \"" q[2] "\" (row " row[dir] ")")
	next
}
/^[ \t]*#[ \t]*include[ \t]*</ {
	h = $0
	sub(/^[^<]*</, "", h)
	sub(/>.*/, "", h)
	dir = h
	if (!sub(/\/.*/, "/", dir)) dir = ""
	if ((dir != "" && dir in system_dir) || h in system_header) next
	if (!(h in first)) first[h] = FILENAME
	else if (first[h] != FILENAME) complain("<" h "> is included in " first[h] " already; one file only")
	next
}
own != "cmd" {
	line = $0
	# Texts and comments are not code.
	gsub(/\\./, "", line)
	gsub(/"[^"]*"/, "\"\"", line)
	while (1) {
		if (comment) {
			if (!(i = index(line, "*/"))) { line = ""; break }
			line = substr(line, i + 2)
			comment = 0
		}
		if (!(i = index(line, "/*"))) break
		rest = substr(line, i + 2)
		line = substr(line, 1, i - 1) " "
		if (j = index(rest, "*/")) line = line substr(rest, j + 2)
		else { comment = 1; break }
	}
	sub(/\/\/.*/, "", line)
	# Between vfork and exec a child has no other way out.
	if (own == "proc") gsub(/_exit[ \t]*\(127\)/, "", line)
	if (match(line, /(^|[^A-Za-z0-9_>.])(exit|_exit|_Exit|quick_exit|abort)[ \t]*\(/) && FILENAME != "lib/base/err.c")
		complain("lib/ must not end the program")
	if (match(line, /(^|[^A-Za-z0-9_])(v?printf|puts|putchar|perror|warnx?|errx?)[ \t]*\(/) ||
	    match(line, /f(printf|puts|putc|write)[ \t]*\([^;]*std(out|err)/) || match(line, /fprintf[ \t]*\([ \t]*stderr/))
		if (FILENAME != "lib/base/err.c") complain("lib/ must not print")
}
END {
	exit bad > 0
}
' $files
