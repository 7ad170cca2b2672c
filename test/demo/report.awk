# Writes one self-contained page: awk -v title=TEXT -f report.awk sources.tsv DAYS.tsv... The first file is the table of
# sources, the others are the days of one part of the project each.
BEGIN { FS = "\t" }
FILENAME == ARGV[1] {
	file[++files] = $1
	lines[files] = $2
	share[files] = $2 ? $4 / $2 : 0
	functions[files] = $6
	longest[files] = $7
	includes[files] = $8
	part = $1
	sub(/\/[^\/]*$/, "", part)
	if (!(part in part_lines)) parts[++n_parts] = part
	part_files[part]++
	part_lines[part] += $2
	part_code[part] += $3
	part_comment[part] += $4
	part_blank[part] += $5
	all_lines += $2
	all_code += $3
	all_comment += $4
	all_functions += $6
	next
}
{
	if (!($1 in area_added)) areas[++n_areas] = $1
	area_added[$1] += $4
	area_removed[$1] += $5
	area_changes[$1] += $3
	day_added[$2] += $4
	day_removed[$2] += $5
	if (!($2 in day_seen)) {
		day_seen[$2] = 1
		days[++n_days] = $2
	}
}
function html(text) {
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	return text
}
function thousands(n,   s) {
	s = sprintf("%d", n)
	while (match(s, /[0-9][0-9][0-9][0-9]($|,)/)) s = substr(s, 1, RSTART) "," substr(s, RSTART + 1)
	return s
}
function bar(x, y, width, height, class, text) {
	if (width > 0)
		printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"%s\"><title>%s</title></rect>\n", \
			x, y, width, height, class, html(text)
}
function label(x, y, anchor, text) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, html(text)
}
function key(class, text) {
	printf "<span class=\"key\"><svg width=\"12\" height=\"12\"><rect width=\"12\" height=\"12\" class=\"%s\"/></svg> %s</span>\n", class, text
}
# Sorts names[1..n] by weight, the greatest first; equal ones by name.
function order(names, weight, n,   i, j, name) {
	for (i = 2; i <= n; i++) {
		name = names[i]
		for (j = i - 1; j >= 1 && (weight[names[j]] < weight[name] || \
			(weight[names[j]] == weight[name] && names[j] > name)); j--) names[j + 1] = names[j]
		names[j + 1] = name
	}
}
function sources(   i, p, x, unit, most) {
	order(parts, part_lines, n_parts)
	most = n_parts ? part_lines[parts[1]] : 0
	unit = most ? 600 / most : 0
	print "<h2>By folder</h2><p>"
	key("code", "code"); key("comment", "comment"); key("blank", "blank")
	printf "</p><svg viewBox=\"0 0 900 %d\" role=\"img\">\n", 24 * n_parts + 4
	for (i = 1; i <= n_parts; i++) {
		p = parts[i]
		x = 150
		label(x - 8, 24 * i - 6, "end", p)
		bar(x, 24 * i - 20, part_code[p] * unit, 18, "code", part_code[p] " lines of code")
		x += part_code[p] * unit
		bar(x, 24 * i - 20, part_comment[p] * unit, 18, "comment", part_comment[p] " lines of comment")
		x += part_comment[p] * unit
		bar(x, 24 * i - 20, part_blank[p] * unit, 18, "blank", part_blank[p] " blank lines")
		x += part_blank[p] * unit
		label(x + 8, 24 * i - 6, "start", thousands(part_lines[p]) " in " part_files[p] (part_files[p] == 1 ? " file" : " files"))
	}
	print "</svg>"
}
function history(   i, a, d, x, unit, most, width) {
	if (!n_areas) {
		print "<h2>History</h2><p>This copy has no history: only its sources were looked at.</p>"
		return
	}
	for (i = 1; i <= n_days; i++) rank[days[i]] = 0
	order(days, rank, n_days)
	for (i = 1; i <= n_days; i++) if (day_added[days[i]] + day_removed[days[i]] > most) most = day_added[days[i]] + day_removed[days[i]]
	width = 840 / n_days
	if (width > 60) width = 60
	print "<h2>Lines changed, day by day</h2><p>"
	key("added", "added"); key("removed", "removed")
	print "</p><svg viewBox=\"0 0 900 190\" role=\"img\">"
	for (i = 1; i <= n_days; i++) {
		d = days[i]
		x = 30 + (i - 1) * width
		unit = most ? 150 / most : 0
		bar(x, 160 - day_added[d] * unit, width * 0.85, day_added[d] * unit, "added", d ": " day_added[d] " added")
		bar(x, 160 - (day_added[d] + day_removed[d]) * unit, width * 0.85, day_removed[d] * unit, "removed", d ": " day_removed[d] " removed")
	}
	label(30, 180, "start", days[1])
	if (n_days > 1) label(30 + n_days * width > 200 ? 30 + n_days * width : 200, 180, n_days * width > 170 ? "end" : "start", days[n_days])
	print "</svg>"
	order(areas, area_added, n_areas)
	most = 0
	for (i = 1; i <= n_areas; i++) if (area_added[areas[i]] + area_removed[areas[i]] > most) most = area_added[areas[i]] + area_removed[areas[i]]
	unit = most ? 560 / most : 0
	printf "<h2>Lines changed, by part</h2><svg viewBox=\"0 0 900 %d\" role=\"img\">\n", 24 * n_areas + 4
	for (i = 1; i <= n_areas; i++) {
		a = areas[i]
		x = 150
		label(x - 8, 24 * i - 6, "end", a)
		bar(x, 24 * i - 20, area_added[a] * unit, 18, "added", area_added[a] " added")
		x += area_added[a] * unit
		bar(x, 24 * i - 20, area_removed[a] * unit, 18, "removed", area_removed[a] " removed")
		x += area_removed[a] * unit
		label(x + 8, 24 * i - 6, "start", "+" thousands(area_added[a]) " -" thousands(area_removed[a]))
	}
	print "</svg>"
}
END {
	print "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">"
	printf "<title>%s</title>\n", html(title)
	print "<style>"
	print "body { font: 15px/1.5 system-ui, sans-serif; max-width: 940px; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }"
	print "svg text { font: 12px system-ui, sans-serif; fill: #444 } svg { vertical-align: middle; max-width: 100% }"
	print ".code { fill: #33658a } .comment { fill: #86bbd8 } .blank { fill: #ddd } .added { fill: #2a9d6f } .removed { fill: #d1603d }"
	print ".key { margin-right: 1em } table { border-collapse: collapse; width: 100% } td, th { padding: 2px 8px; text-align: right }"
	print "td:first-child, th:first-child { text-align: left } tr:nth-child(even) td { background: #f5f5f5 } td svg { display: block }"
	print "</style>"
	printf "<h1>%s</h1>\n", html(title)
	printf "<p>%s lines in %s files: %s of code, %s of comment (%.0f%%); %s functions.</p>\n", thousands(all_lines), thousands(files), \
		thousands(all_code), thousands(all_comment), all_lines ? 100 * all_comment / all_lines : 0, thousands(all_functions)
	sources()
	history()
	print "<h2>The longest files</h2><table><tr><th>file<th>lines<th>comment<th><th>functions<th>longest<th>includes"
	for (i = 1; i <= files && i <= 25; i++) {
		printf "<tr><td>%s<td>%d<td>%.0f%%<td><svg width=\"100\" height=\"10\">", html(file[i]), lines[i], 100 * share[i]
		printf "<rect width=\"100\" height=\"10\" class=\"blank\"/><rect width=\"%.0f\" height=\"10\" class=\"comment\"/></svg>", 100 * share[i]
		printf "<td>%d<td>%d<td>%d\n", functions[i], longest[i], includes[i]
	}
	print "</table>\n</html>"
}
