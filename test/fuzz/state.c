/* The workspace state on any bytes: the first one chooses, snapshot or journal. An odd one has its checksums put right
 * first, so that what lies behind them is reached too. */
#include "base/file.h"
#include "state/format.h"
#include "state/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void sum_at(uint8_t *all, size_t size, size_t at, size_t from, size_t len)
{
	uint64_t sum;

	if (at > size || size - at < sizeof(sum) || from > size || len > size - from)
		return;
	sum = jl_hash64(all + from, len);
	memcpy(all + at, &sum, sizeof(sum));
}

static uint32_t u32_at(const uint8_t *all, size_t size, size_t at)
{
	uint32_t v = 0;

	if (at <= size && size - at >= sizeof(v))
		memcpy(&v, all + at, sizeof(v));
	return v;
}

/* Tables of one piece only: 256 KiB are plenty here. */
static void mend_snapshot(uint8_t *all, size_t size)
{
	size_t n = u32_at(all, size, 32), head = 40 + n * 24, at = head + 8;

	sum_at(all, size, 16, 0, 16);
	for (size_t i = 0; i < n && i < 16; i++) {
		size_t len = (size_t)u32_at(all, size, 40 + i * 24 + 4) * u32_at(all, size, 40 + i * 24 + 8);
		uint64_t piece;

		if (at > size || len > size - at || 40 + (i + 1) * 24 > size)
			return;
		piece = len ? jl_hash64(all + at, len) : 0;
		piece = jl_hash64(&piece, len ? sizeof(piece) : 0);
		memcpy(all + 40 + i * 24 + 16, &piece, sizeof(piece));
		at += len;
	}
	sum_at(all, size, head, 0, head);
}

static void mend_journal(uint8_t *all, size_t size)
{
	size_t at = 40;

	sum_at(all, size, 16, 0, 16);
	sum_at(all, size, 32, 24, 8);
	while (at < size && size - at >= 12) {
		size_t len = u32_at(all, size, at);

		sum_at(all, size, at + 4, at + 12, len);
		at += 12 + len;
	}
}

static void put(int dir, const char *name, const void *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	if (fd < 0 || jl_file_write_all(&jl_io_system, fd, data, size, NULL) != JL_OK)
		abort();
	close(fd);
}

/* Whatever is in the tables can be walked. */
static void use(struct jl_state *s)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < s->files.at.len && i < 100; i++) {
		const char *path = jl_files_path(&s->files, i);
		const char *list;
		uint32_t len;

		sum += strlen(path) + strlen(path + jl_file_at(&s->files, i)->base);
		if (path[0] != '\0')
			jl_files_find(&s->files, path, strlen(path));
		/* A listing is believed when the stamp is that of today: as if it were. */
		jl_file_at(&s->files, i)->flags |= JL_FILE_SEEN;
		jl_file_at(&s->files, i)->stamp.mode = S_IFDIR;
		if (jl_files_list(&s->files, i, &list, &len, NULL) == JL_OK) {
			for (const char *p = list; p < list + len; p += strlen(p) + 1)
				sum++;
		}
	}
	for (uint32_t i = 0; i < s->results.at.len && i < 100; i++)
		sum += strlen(jl_text(&s->text, jl_result_at(&s->results, i)->label));
	jl_results_find(&s->results, "x", 1);
	jl_state_plan_changed(s);
	if (sum == SIZE_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *base = getenv("TMPDIR");
	char root[256];
	struct jl_state *s;
	uint8_t *all;
	int dir, r;

	if (size < 1 || size > (256 << 10))
		return 0;
	snprintf(root, sizeof(root), "%s/jl-fuzz-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(root) || (dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || mkdirat(dir, ".jl", 0777) < 0)
		abort();
	all = malloc(size);
	if (!all)
		abort();
	memcpy(all, data + 1, size - 1);
	if (data[0] & 1 && data[0] & 2)
		mend_journal(all, size - 1);
	else if (data[0] & 1)
		mend_snapshot(all, size - 1);
	put(dir, data[0] & 2 ? ".jl/journal" : ".jl/state", all, size - 1);
	free(all);
	r = jl_state_open(&jl_io_system, root, false, NULL, 0, &s, NULL);
	if (r == JL_OK) {
		use(s);
		if (jl_state_close(s, NULL, NULL, NULL) != JL_OK)
			abort();
		/* What we wrote ourselves is good. */
		if (jl_state_open(&jl_io_system, root, true, NULL, 0, &s, NULL) != JL_OK || s->why_empty)
			abort();
		jl_state_drop(s);
	} else if (r != JL_EUNSUPPORTED) {
		abort();
	}
	if (jl_file_remove(&jl_io_system, AT_FDCWD, root, NULL) != JL_OK)
		abort();
	close(dir);
	return 0;
}
