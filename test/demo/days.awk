# The history of one part: part, day, changes of files, lines added, lines removed; tab-separated, the first day first.
BEGIN { FS = OFS = "\t" }
{
	changes[$1]++
	added[$1] += $2
	removed[$1] += $3
	if (!($1 in seen)) {
		seen[$1] = 1
		days[++n] = $1
	}
}
END {
	part = FILENAME
	sub(/.*\//, "", part)
	for (i = 2; i <= n; i++) {
		day = days[i]
		for (j = i - 1; j >= 1 && days[j] > day; j--) days[j + 1] = days[j]
		days[j + 1] = day
	}
	for (i = 1; i <= n; i++) print part, days[i], changes[days[i]], added[days[i]], removed[days[i]]
}
