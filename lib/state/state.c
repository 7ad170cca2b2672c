/* Opening, flushing and closing the workspace state. */
#include "state/state.h"

#include "base/clock.h"
#include "base/file.h"
#include "state/files_priv.h"
#include "state/journal.h"
#include "state/pack.h"
#include "state/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DIR_NAME ".jl"
#define SNAPSHOT "state"
#define JOURNAL "journal"
#define LOCK "lock"
#define OWN_TABLES 6
#define MUST_TABLES 4 /* version 1 had no more: without the others no result has a list of files */
#define JOURNAL_MIN ((uint64_t)64 << 10)
#define FRAME_GUESS 200 /* bytes of a usual frame */

/* All tables, ours first. To be freed. */
static struct jl_snapshot_table *all_tables(struct jl_state *s)
{
	struct jl_snapshot_table *t = jl_alloc((OWN_TABLES + (size_t)s->n_extra) * sizeof(*t));

	t[0] = (struct jl_snapshot_table){.tag = {'t', 'e', 'x', 't'}, .table = &s->text};
	t[1] = (struct jl_snapshot_table){.tag = {'f', 'i', 'l', 'e'}, .table = &s->files.at};
	t[2] = (struct jl_snapshot_table){.tag = {'l', 'i', 's', 't'}, .table = &s->files.lists};
	t[3] = (struct jl_snapshot_table){.tag = {'r', 's', 'l', 't'}, .table = &s->results.at};
	t[4] = (struct jl_snapshot_table){.tag = {'f', 'o', 'u', 'n'}, .table = &s->results.found};
	t[5] = (struct jl_snapshot_table){.tag = {'f', 'i', 'n', 'd'}, .table = &s->results.find};
	for (uint32_t i = 0; i < s->n_extra; i++) {
		memcpy(t[OWN_TABLES + i].tag, s->extra[i].tag, sizeof(t->tag));
		t[OWN_TABLES + i].table = s->extra[i].table;
	}
	return t;
}

static void empty(struct jl_state *s)
{
	jl_table_release(&s->text);
	jl_table_release(&s->files.at);
	jl_table_release(&s->files.lists);
	jl_table_release(&s->results.at);
	jl_table_release(&s->results.found);
	jl_table_release(&s->results.find);
	for (uint32_t i = 0; i < s->n_extra; i++)
		jl_table_release(s->extra[i].table);
}

/* One pass over every index of our tables, so that no byte from the disk leads out of one. (Listings are checked when
 * they are first used, the caller's tables by the caller.) */
static bool indices_ok(const struct jl_state *s)
{
	const struct jl_table *text = &s->text, *found = &s->results.found;

	if (!text->len || *JL_AT(*text, char, 0) || *JL_AT(*text, char, text->len - 1))
		return false;
	for (uint32_t i = 0; i < s->files.at.len; i++) {
		const struct jl_file *e = jl_file_at(&s->files, i);

		if (e->text >= text->len || e->base >= text->len - e->text || (e->dir >= i && e->dir != JL_NONE) ||
		    e->flags & ~(uint32_t)JL_FILE_STORED || e->list > s->files.lists.len ||
		    e->list_len > s->files.lists.len - e->list)
			return false;
	}
	for (uint32_t i = 0; i < s->results.at.len; i++) {
		const struct jl_result *e = jl_result_at(&s->results, i);

		if (e->label >= text->len || e->flags & ~(uint32_t)JL_RESULT_STORED)
			return false;
	}
	if (s->results.find.len > s->results.at.len)
		return false;
	for (uint32_t i = 0; i < s->results.find.len; i++) {
		uint32_t first = *JL_AT(s->results.find, uint32_t, i);

		if (first && first >= found->len)
			return false;
	}
	for (uint32_t i = 0; i < found->len; i++) {
		uint32_t file = *JL_AT(*found, uint32_t, i);

		if (file != JL_NONE && (file >= s->files.at.len || i == 0 || i == found->len - 1))
			return false;
	}
	return true;
}

static int load(struct jl_state *s, struct jl_err *err)
{
	struct jl_snapshot_table *tables = all_tables(s);
	struct jl_snapshot_info info;
	int r;

	r = jl_snapshot_read(s->io, s->dir_fd, SNAPSHOT, tables, OWN_TABLES + s->n_extra, MUST_TABLES, &info, err);
	free(tables);
	if (r == JL_EUNSUPPORTED)
		return r;
	if (r == JL_OK && !indices_ok(s)) {
		empty(s);
		info.why = "it is damaged";
		r = JL_ECORRUPT;
	}
	if (r == JL_OK) {
		s->generation = info.generation;
		s->snapshot_bytes = info.bytes;
	} else if (r == JL_ECORRUPT) {
		s->why_empty = info.why;
		s->must_snapshot = true;
	}
	if (err)
		jl_err_clear(err);
	if (!s->text.len)
		jl_text_add(&s->text, "", 0);
	return jl_journal_replay(s->io, s->dir_fd, JOURNAL, s->generation, &s->files, &s->results, &s->journal_bytes, err);
}

/* Open .jl, made if `make`. -1 with JL_OK: there is none. */
static int open_dir(const struct jl_io *io, int root_fd, bool make, int *ret, struct jl_err *err)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, fd;

	fd = io->openat(io, root_fd, DIR_NAME, flags, 0);
	if (fd < 0 && errno == ENOENT && make) {
		if (io->mkdirat(io, root_fd, DIR_NAME, 0777) < 0 && errno != EEXIST)
			return jl_err_sys(err, errno, "cannot make folder \"%s\"", DIR_NAME);
		fd = io->openat(io, root_fd, DIR_NAME, flags, 0);
	}
	if (fd < 0 && (make || errno != ENOENT))
		return jl_err_sys(err, errno, "cannot open folder \"%s\"", DIR_NAME);
	*ret = fd;
	return JL_OK;
}

static int open_root(const struct jl_io *io, const char *root, int *ret, struct jl_err *err)
{
	*ret = io->openat(io, AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	return *ret < 0 ? jl_err_sys(err, errno, "cannot open folder \"%s\"", root) : JL_OK;
}

static struct jl_state *new_state(const struct jl_io *io, bool read_only, const struct jl_state_extra *extra, uint32_t n_extra)
{
	struct jl_state *s = jl_calloc(1, sizeof(*s));

	s->io = io;
	s->root_fd = s->dir_fd = s->journal_fd = -1;
	s->read_only = read_only;
	s->text.size = 1;
	s->extra = jl_alloc(n_extra * sizeof(*extra));
	if (n_extra)
		memcpy(s->extra, extra, n_extra * sizeof(*extra));
	s->n_extra = n_extra;
	jl_files_init(&s->files, io, -1, -1, &s->text);
	jl_results_init(&s->results, &s->text);
	return s;
}

int jl_state_open_empty(const struct jl_io *io, const char *root, struct jl_state **ret, struct jl_err *err)
{
	struct jl_state *s = new_state(io, true, NULL, 0);
	int r = open_root(io, root, &s->root_fd, err);

	if (r != JL_OK) {
		jl_state_drop(s);
		return r;
	}
	s->files.root_fd = s->root_fd;
	jl_text_add(&s->text, "", 0);
	*ret = s;
	return JL_OK;
}

int jl_state_open(const struct jl_io *io, const char *root, bool read_only, const struct jl_state_extra *extra,
                  uint32_t n_extra, struct jl_state **ret, struct jl_err *err)
{
	struct jl_state *s = new_state(io, read_only, extra, n_extra);
	int r;

	r = open_root(io, root, &s->root_fd, err);
	if (r == JL_OK)
		r = open_dir(io, s->root_fd, !read_only, &s->dir_fd, err);
	if (r != JL_OK)
		goto out;
	s->files.root_fd = s->root_fd;
	if (!read_only)
		s->files.clock_fd = s->dir_fd;
	if (s->dir_fd >= 0)
		r = load(s, err);
	else
		jl_text_add(&s->text, "", 0);
out:
	if (r == JL_OK) {
		*ret = s;
	} else {
		empty(s);
		jl_state_drop(s);
	}
	return r;
}

void jl_state_drop(struct jl_state *s)
{
	jl_files_release(&s->files);
	jl_results_release(&s->results);
	jl_table_release(&s->text);
	if (s->journal_fd >= 0)
		s->io->close(s->io, s->journal_fd);
	if (s->dir_fd >= 0)
		s->io->close(s->io, s->dir_fd);
	if (s->root_fd >= 0)
		s->io->close(s->io, s->root_fd);
	free(s->extra);
	free(s);
}

static void clear_dirty(struct jl_state *s)
{
	for (uint32_t i = 0; i < s->files.dirty.len; i++)
		jl_file_at(&s->files, *JL_AT(s->files.dirty, uint32_t, i))->flags &= ~(uint32_t)JL_FILE_DIRTY;
	for (uint32_t i = 0; i < s->results.dirty.len; i++)
		jl_result_at(&s->results, *JL_AT(s->results.dirty, uint32_t, i))->flags &= ~(uint32_t)JL_RESULT_DIRTY;
	s->files.dirty.len = s->results.dirty.len = 0;
	s->files.n_dirty = s->results.n_dirty = 0;
}

/* Open the journal and cut it at its last good frame. */
static int open_journal(struct jl_state *s, struct jl_err *err)
{
	s->journal_fd = s->io->openat(s->io, s->dir_fd, JOURNAL, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (s->journal_fd < 0)
		return jl_err_sys(err, errno, "cannot write the workspace's journal");
	if (s->io->ftruncate(s->io, s->journal_fd, (off_t)s->journal_bytes) == 0)
		return JL_OK;
	s->journal_bad = true;
	return jl_err_sys(err, errno, "cannot write the workspace's journal");
}

int jl_state_flush(struct jl_state *s, struct jl_err *err)
{
	struct jl_buf b = JL_BUF_INIT;
	int r = JL_OK;

	if (s->read_only || s->journal_bad || (!s->files.dirty.len && !s->results.dirty.len))
		return JL_OK;
	if (s->journal_fd < 0)
		r = open_journal(s, err);
	if (r != JL_OK)
		return r;
	if (!s->journal_bytes)
		jl_journal_begin(&b, s->generation);
	if (jl_journal_frames(&b, &s->files, &s->results) != JL_OK) {
		/* More than a journal should hold: it stays dirty for the snapshot. */
		s->must_snapshot = true;
		goto out;
	}
	r = jl_file_write_all(s->io, s->journal_fd, b.data, b.len, err);
	if (r != JL_OK) {
		jl_err_add(err, "cannot write the workspace's journal");
		/* What stands behind a torn frame would be lost: cut it, or append nothing more. */
		s->journal_bad = s->io->ftruncate(s->io, s->journal_fd, (off_t)s->journal_bytes) < 0;
		goto out;
	}
	s->journal_bytes += b.len;
	s->bytes_written += b.len;
	clear_dirty(s);
out:
	jl_buf_release(&b);
	return r;
}

void jl_state_plan_changed(struct jl_state *s)
{
	s->must_snapshot = true;
}

static uint64_t journal_limit(const struct jl_state *s)
{
	return s->snapshot_bytes / 4 > JOURNAL_MIN ? s->snapshot_bytes / 4 : JOURNAL_MIN;
}

static int write_snapshot(struct jl_state *s, bool with_extra, struct jl_err *err)
{
	struct jl_table *emptied = jl_calloc((size_t)s->n_extra + 1, sizeof(*emptied));
	struct jl_snapshot_table *tables = all_tables(s);
	uint64_t generation, bytes;
	int r;

	for (uint32_t i = 0; i < s->n_extra && !with_extra; i++) {
		emptied[i].size = s->extra[i].table->size;
		tables[OWN_TABLES + i].table = &emptied[i];
	}
	/* The time makes it unlike that of any earlier snapshot, even if that was deleted and its journal was not. */
	generation = (uint64_t)jl_clock_real_ns();
	if (generation <= s->generation)
		generation = s->generation + 1;
	r = jl_snapshot_write(s->io, s->dir_fd, SNAPSHOT, tables, OWN_TABLES + s->n_extra, generation, &bytes, err);
	if (r == JL_OK) {
		s->bytes_written += bytes;
		/* What is left of it would be ignored anyway. */
		s->io->unlinkat(s->io, s->dir_fd, JOURNAL, 0);
	}
	free(tables);
	free(emptied);
	return r;
}

int jl_state_close(struct jl_state *s, const uint8_t *keep_files, const uint8_t *keep_results, struct jl_err *err)
{
	bool pack = keep_files || keep_results;
	uint64_t guess;
	int r = JL_OK;

	if (s->read_only)
		goto out;
	jl_files_settle(&s->files, 1); /* as long as something is ready, but no waiting to speak of */
	guess = s->journal_bytes + ((uint64_t)s->files.dirty.len + s->results.dirty.len) * FRAME_GUESS;
	if (!s->must_snapshot && !pack && guess <= journal_limit(s))
		r = jl_state_flush(s, err);
	if (r == JL_OK && (s->must_snapshot || s->journal_bad || pack || guess > journal_limit(s))) {
		clear_dirty(s);
		if (pack)
			jl_state_pack(s, keep_files, keep_results);
		else
			jl_state_pack_lists(s);
		r = write_snapshot(s, !pack, err);
	}
out:
	jl_state_drop(s);
	return r;
}

/* The first line of the lock file, without its end. */
static void read_holder(int dirfd, char *holder, size_t size)
{
	struct jl_buf b;

	if (!size)
		return;
	holder[0] = '\0';
	jl_buf_init(&b, 4096);
	if (jl_file_read(&jl_io_system, dirfd, LOCK, &b, NULL) == JL_OK)
		snprintf(holder, size, "%.*s", (int)strcspn(b.data, "\n"), b.data);
	jl_buf_release(&b);
}

static void write_holder(int fd, const char *command)
{
	char when[40] = "", line[512];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	n = snprintf(line, sizeof(line), "pid %ld, %.400s, since %s\n", (long)getpid(), command, when);
	for (int i = 0; i < n - 1; i++) {
		if (line[i] == '\n')
			line[i] = ' ';
	}
	/* It is for a message only. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, line, (size_t)n, 0) < 0)
		return;
}

int jl_state_lock(const char *root, bool wait, const char *command, char *holder, size_t holder_size, int *ret_fd,
                  struct jl_err *err)
{
	int root_fd = -1, dir_fd = -1, fd = -1, r;

	r = open_root(&jl_io_system, root, &root_fd, err);
	if (r == JL_OK)
		r = open_dir(&jl_io_system, root_fd, true, &dir_fd, err);
	if (r == JL_OK)
		r = jl_file_lock(dir_fd, LOCK, wait, &fd, err);
	if (r == JL_EBUSY)
		read_holder(dir_fd, holder, holder_size);
	if (r == JL_OK) {
		write_holder(fd, command);
		*ret_fd = fd;
	}
	if (dir_fd >= 0)
		close(dir_fd);
	if (root_fd >= 0)
		close(root_fd);
	return r;
}
