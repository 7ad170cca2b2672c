# One C file: path, lines, code, comment and blank lines, functions, longest function, includes; tab-separated. Counts
# functions as this project writes them: their braces stand in the first column.
{
	text = $0
	gsub(/"([^"\\]|\\.)*"/, "\"\"", text)
}
!inside && text ~ /^[ \t]*$/ { blank++; next }
inside || text ~ /^[ \t]*(\/\*|\/\/)/ { comment++ }
!inside && text !~ /^[ \t]*(\/\*|\/\/)/ { code++ }
{
	if (inside && text ~ /\*\//) inside = 0
	else if (!inside && text ~ /\/\*/ && text !~ /\/\*.*\*\//) inside = 1
}
/^#[ \t]*include/ { includes++ }
/^\{/ { start = NR; functions++ }
/^\}/ && start {
	if (NR - start + 1 > longest) longest = NR - start + 1
	start = 0
}
END {
	OFS = "\t"
	print FILENAME, NR, code + 0, comment + 0, blank + 0, functions + 0, longest + 0, includes + 0
}
