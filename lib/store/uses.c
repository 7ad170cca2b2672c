/* See uses.h. */
#include "store/uses.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "store/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY       16u /* of a longer key: as much of it as tells it from others */
#define SET_HEAD  8u
#define SET_MAX   ((size_t)256 << 20)
#define LITTLE    256u /* keys in which sets may differ for one to take the other's place */
#define SMALL     2048u /* keys of a set that are stamped when it goes for want of room; more would take too long there */
#define LOOK_NS   (100 * JL_NS_MS)
#define DAY_ENTRY 24u
#define DAY_NS    (24 * 3600 * JL_NS_S)
#define DAYS_MAX  ((size_t)1 << 20)
#define DAYS_LONG 16384
#define DAYS_KEPT 366u

#define RETIRED   "-old"

static const char set_magic[SET_HEAD + 1] = "jluses1\n";

struct set {
	char name[JL_DIGEST_TEXT];
	int64_t used_ns;
	uint8_t *keys; /* sorted */
	uint32_t n;
	uint64_t blocks;
	bool seen;
};

void jl_key_set_add(struct jl_key_set *s, const struct jl_digest *key)
{
	uint64_t part[2];

	memcpy(part, key->b, sizeof(part));
	s->sum[0] += part[0];
	s->sum[1] += part[1];
	s->n++;
}

static void set_path(const struct jl_key_set *set, char path[JL_LOCAL_PATH])
{
	struct jl_digest d;
	char hex[JL_DIGEST_TEXT];

	jl_digest_bytes(set, sizeof(*set), &d);
	snprintf(path, JL_LOCAL_PATH, "uses/%s", jl_digest_hex(&d, hex));
}

void jl_uses_init(struct jl_uses *u)
{
	*u = (struct jl_uses){.sets = JL_TABLE_INIT(struct set), .retired = JL_TABLE_INIT(struct set)};
}

static void forget(struct jl_uses *u, uint32_t i)
{
	free(JL_AT(u->sets, struct set, i)->keys);
	*JL_AT(u->sets, struct set, i) = *JL_AT(u->sets, struct set, u->sets.len - 1);
	u->sets.len--;
}

void jl_uses_release(struct jl_uses *u)
{
	while (u->sets.len)
		forget(u, 0);
	for (uint32_t i = 0; i < u->retired.len; i++)
		free(JL_AT(u->retired, struct set, i)->keys);
	jl_table_release(&u->sets);
	jl_table_release(&u->retired);
}

static void put_day(struct jl_buf *b, const struct jl_day *day)
{
	const size_t start = b->len;

	jl_buf_u32(b, day->day ? day->day : (uint32_t)(jl_clock_real_ns() / DAY_NS));
	jl_buf_u32(b, day->hits);
	jl_buf_u32(b, day->runs);
	jl_buf_u64(b, day->saved_ms);
	jl_buf_u32(b, (uint32_t)jl_hash64(b->data + start, b->len - start));
}

/* true: the file has grown long. */
static bool note_day(const struct jl_io *io, int root_fd, const struct jl_day *run)
{
	struct jl_buf b = JL_BUF_INIT;
	struct stat st = {0};
	int fd;

	put_day(&b, run);
	fd = io->openat(io, root_fd, "days", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	if (fd >= 0) {
		(void)io->write(io, fd, b.data, b.len);
		(void)io->fstat(io, fd, &st);
		io->close(io, fd);
	}
	jl_buf_release(&b);
	return st.st_size >= DAYS_LONG;
}

bool jl_uses_note(const struct jl_io *io, const char *dir, const struct jl_key_set *set, const struct jl_day *run)
{
	struct jl_index_head head;
	struct jl_local l = {.io = io}; /* as much of one as stamps and days take */
	int64_t now_ns = jl_clock_real_ns();
	char path[JL_LOCAL_PATH];
	int root_fd = io->openat(io, AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0), e = 0;

	if (root_fd < 0)
		return true;
	/* A store whose index is not there is not in use, or was made by something else: nothing begins here. */
	if (jl_index_peek(io, root_fd, &head)) {
		if (set->n) {
			set_path(set, path);
			e = jl_local_stamp(&l, root_fd, path, now_ns > head.last_ns ? now_ns : head.last_ns + 1);
		}
		l.root_fd = root_fd;
		if (note_day(io, root_fd, run))
			jl_uses_trim_days(&l);
	}
	io->close(io, root_fd);
	return e != ENOENT;
}

/* --- the sets ---------------------------------------------------------------------------------------------------- */

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * JL_NS_S + st->st_mtim.tv_nsec;
}

static void read_set(struct jl_local *l, const char *path, const char *name, const struct stat *st)
{
	struct set set = {.used_ns = mtime_ns(st), .blocks = jl_blocks((uint64_t)st->st_size), .seen = true};
	struct jl_buf b;

	jl_buf_init(&b, SET_MAX);
	snprintf(set.name, sizeof(set.name), "%.*s", (int)sizeof(set.name) - 1, name);
	if (jl_file_read(l->io, l->root_fd, path, &b, NULL) == JL_OK && b.len >= SET_HEAD + 8 &&
	    memcmp(b.data, set_magic, SET_HEAD) == 0 && (b.len - SET_HEAD - 8) % KEY == 0) {
		struct jl_cur sum = {(uint8_t *)b.data + b.len - 8, (uint8_t *)b.data + b.len, 0};

		if (jl_cur_u64(&sum) == jl_hash64(b.data, b.len - 8)) {
			set.n = (uint32_t)((b.len - SET_HEAD - 8) / KEY);
			set.keys = jl_alloc((size_t)set.n * KEY + 1);
			memcpy(set.keys, b.data + SET_HEAD, (size_t)set.n * KEY);
		}
	}
	jl_buf_release(&b);
	*(struct set *)jl_table_add(&l->uses.sets, 1) = set; /* a damaged one has no keys, and goes with its turn */
}

bool jl_uses_look(struct jl_local *l)
{
	const struct jl_io *io = l->io;
	const int64_t now_ns = jl_clock_system.now_ns(&jl_clock_system);
	struct jl_uses *u = &l->uses;
	struct dirent *entry;
	char path[512];
	struct stat st;
	DIR *dir;
	int fd;

	if (u->looked_ns && now_ns - u->looked_ns < LOOK_NS)
		return false;
	u->looked_ns = now_ns;
	for (uint32_t i = 0; i < u->sets.len; i++)
		JL_AT(u->sets, struct set, i)->seen = false;
	fd = io->openat(io, l->root_fd, "uses", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		io->close(io, fd);
	while (dir && (entry = readdir(dir)) != NULL) {
		struct set *known = NULL;

		snprintf(path, sizeof(path), "uses/%s", entry->d_name);
		if (entry->d_name[0] == '.' || io->fstatat(io, l->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		for (uint32_t i = 0; i < u->sets.len && !known; i++) {
			if (strcmp(JL_AT(u->sets, struct set, i)->name, entry->d_name) == 0)
				known = JL_AT(u->sets, struct set, i);
		}
		if (!known) {
			read_set(l, path, entry->d_name, &st);
			continue;
		}
		known->used_ns = mtime_ns(&st);
		known->seen = true;
	}
	if (dir)
		closedir(dir);
	for (uint32_t i = u->sets.len; i-- > 0;) {
		if (!JL_AT(u->sets, struct set, i)->seen)
			forget(u, i);
	}
	return true;
}

void jl_uses_count(struct jl_local *l)
{
	uint64_t blocks = 0;

	for (uint32_t i = 0; i < l->uses.sets.len; i++)
		blocks += JL_AT(l->uses.sets, struct set, i)->blocks;
	l->index.dirty |= l->index.head.sets != blocks;
	l->index.head.sets = blocks;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, KEY);
}

int64_t jl_uses_of(const struct jl_local *l, const struct jl_digest *key)
{
	int64_t used_ns = 0;

	for (uint32_t i = 0; i < l->uses.sets.len; i++) {
		const struct set *s = JL_AT(l->uses.sets, struct set, i);

		if (s->used_ns > used_ns && s->n && bsearch(key->b, s->keys, s->n, KEY, compare))
			used_ns = s->used_ns;
	}
	return used_ns;
}

static void set_is_gone(struct jl_local *l, uint32_t i)
{
	const struct set *s = JL_AT(l->uses.sets, struct set, i);

	l->index.head.sets -= s->blocks < l->index.head.sets ? s->blocks : l->index.head.sets;
	l->index.dirty = true;
	forget(&l->uses, i);
}

static void remove_set(struct jl_local *l, uint32_t i)
{
	char path[JL_LOCAL_PATH + 8];

	snprintf(path, sizeof(path), "uses/%s", JL_AT(l->uses.sets, struct set, i)->name);
	l->io->unlinkat(l->io, l->root_fd, path, 0);
	set_is_gone(l, i);
}

static void stamp_key(struct jl_local *l, const struct set *s, uint32_t i)
{
	struct jl_digest d = {.algo = JL_DIGEST_XXH3};

	memcpy(d.b, s->keys + (size_t)i * KEY, KEY);
	jl_local_stamp_record(l, &d, s->used_ns);
}

static uint32_t longest_unused(const struct jl_uses *u)
{
	uint32_t oldest = 0;

	for (uint32_t i = 1; i < u->sets.len; i++) {
		if (JL_AT(u->sets, struct set, i)->used_ns < JL_AT(u->sets, struct set, oldest)->used_ns)
			oldest = i;
	}
	return oldest;
}

bool jl_uses_drop(struct jl_local *l)
{
	const struct jl_uses *u = &l->uses;
	const uint32_t oldest = longest_unused(u);

	if (!u->sets.len) {
		l->index.head.sets = 0;
		return false;
	}
	for (uint32_t i = 0; i < JL_AT(u->sets, struct set, oldest)->n && JL_AT(u->sets, struct set, oldest)->n <= SMALL; i++)
		stamp_key(l, JL_AT(u->sets, struct set, oldest), i);
	remove_set(l, oldest);
	return true;
}

/* Within the index. Under another name nobody notes a use of it, and it counts until its keys are stamped; if that is not
 * finished, it is again the longest unused of all. */
static void retire(struct jl_local *l, uint32_t i)
{
	struct set *s = JL_AT(l->uses.sets, struct set, i);
	char from[JL_LOCAL_PATH + 8], to[JL_LOCAL_PATH + 8], name[sizeof(s->name)];
	struct stat st;

	snprintf(name, sizeof(name), "%.32s%s", s->name, RETIRED);
	snprintf(from, sizeof(from), "uses/%s", s->name);
	snprintf(to, sizeof(to), "uses/%s", name);
	if (l->io->renameat(l->io, l->root_fd, from, l->root_fd, to) < 0) {
		remove_set(l, i);
		return;
	}
	memcpy(s->name, name, sizeof(name));
	if (l->io->fstatat(l->io, l->root_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0)
		s->used_ns = mtime_ns(&st);
	*(struct set *)jl_table_add(&l->uses.retired, 1) = *s;
	s->keys = NULL;
	set_is_gone(l, i);
}

void jl_uses_retire(struct jl_local *l)
{
	struct jl_uses *u = &l->uses;
	char path[JL_LOCAL_PATH + 8];

	while (u->retired.len) {
		const struct set *s = JL_AT(u->retired, struct set, u->retired.len - 1);

		for (uint32_t i = 0; i < s->n; i++)
			stamp_key(l, s, i);
		snprintf(path, sizeof(path), "uses/%s", s->name);
		l->io->unlinkat(l->io, l->root_fd, path, 0);
		free(s->keys);
		u->retired.len--;
	}
}

/* What only the old one has, if it is little: LITTLE + 1 means more. */
static uint32_t only_in(const struct set *old, const uint8_t *keys, uint32_t n, uint32_t *ret)
{
	uint32_t k = 0, found = 0;

	for (uint32_t i = 0; i < old->n && found <= LITTLE; i++) {
		int c = 1;

		while (k < n && (c = memcmp(keys + (size_t)k * KEY, old->keys + (size_t)i * KEY, KEY)) < 0)
			k++;
		if (k == n || c != 0) {
			if (found < LITTLE)
				ret[found] = i;
			found++;
		}
	}
	return found;
}

/* The sets that this one can stand for go. */
static void supersede(struct jl_local *l, const uint8_t *keys, uint32_t n)
{
	uint32_t missing[LITTLE];

	for (uint32_t i = l->uses.sets.len; i-- > 0;) {
		const struct set *s = JL_AT(l->uses.sets, struct set, i);
		uint32_t count = s->n > n + LITTLE || n > s->n + s->n / 8 + LITTLE ? LITTLE + 1 : only_in(s, keys, n, missing);

		if (count > LITTLE || count > s->n / 8)
			continue;
		for (uint32_t k = 0; k < count; k++)
			stamp_key(l, s, missing[k]);
		remove_set(l, i);
	}
}

void jl_uses_put(struct jl_local *l, const struct jl_digest *keys, uint32_t n, int64_t used_ns)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_key_set set = {0};
	char path[JL_LOCAL_PATH], temp[JL_LOCAL_TEMP];
	int fd = -1;

	b.max = SET_MAX;
	jl_buf_add(&b, set_magic, SET_HEAD);
	for (uint32_t i = 0; i < n; i++) {
		if (jl_digest_len(&keys[i]) != KEY || jl_buf_add(&b, keys[i].b, KEY) != JL_OK)
			goto out;
		jl_key_set_add(&set, &keys[i]);
	}
	qsort(b.data + SET_HEAD, n, KEY, compare);
	set_path(&set, path);
	if (jl_local_stamp(l, l->root_fd, path, used_ns) != ENOENT) {
		l->uses.looked_ns = 0;
		goto out;
	}
	l->uses.looked_ns = 0;
	(void)jl_uses_look(l);
	supersede(l, (uint8_t *)b.data + SET_HEAD, n);
	jl_uses_count(l);
	while (l->uses.sets.len >= JL_USES_MAX)
		retire(l, longest_unused(&l->uses));
	if (jl_buf_u64(&b, jl_hash64(b.data, b.len)) != JL_OK || jl_local_temp_open(l, &fd, temp, NULL) != JL_OK)
		goto out;
	if (jl_file_write_all(l->io, fd, b.data, b.len, NULL) != JL_OK) {
		jl_local_temp_drop(l, fd, temp);
		goto out;
	}
	(void)l->io->mkdirat(l->io, l->root_fd, "uses", 0700);
	(void)jl_local_stamp(l, l->tmp_fd, temp, used_ns);
	if (jl_local_temp_commit(l, fd, temp, path, NULL) == JL_OK) {
		l->index.head.sets += jl_blocks(b.len);
		l->index.dirty = true;
	}
	l->uses.looked_ns = 0;
out:
	jl_buf_release(&b);
}

/* --- days -------------------------------------------------------------------------------------------------------- */

static int by_day(const void *a, const void *b)
{
	const struct jl_day *x = a, *y = b;

	return (x->day > y->day) - (x->day < y->day);
}

int jl_uses_days(struct jl_local *l, struct jl_table *out, struct jl_err *err)
{
	const uint32_t from = out->len;
	uint32_t n = from;
	struct jl_buf b;
	int status;

	jl_buf_init(&b, DAYS_MAX);
	status = l->root_fd < 0 ? JL_ENOTFOUND : jl_file_read(l->io, l->root_fd, "days", &b, err);
	for (size_t at = 0; status == JL_OK && at + DAY_ENTRY <= b.len; at += DAY_ENTRY) {
		struct jl_cur c = {(uint8_t *)b.data + at, (uint8_t *)b.data + at + DAY_ENTRY, 0};
		struct jl_day d = {.day = jl_cur_u32(&c), .hits = jl_cur_u32(&c), .runs = jl_cur_u32(&c)};

		d.saved_ms = jl_cur_u64(&c);
		if (jl_cur_u32(&c) == (uint32_t)jl_hash64(b.data + at, DAY_ENTRY - 4))
			*(struct jl_day *)jl_table_add(out, 1) = d;
	}
	jl_buf_release(&b);
	if (out->len > from)
		qsort(JL_AT(*out, struct jl_day, from), out->len - from, sizeof(struct jl_day), by_day);
	for (uint32_t i = from; i < out->len; i++) {
		const struct jl_day *d = JL_AT(*out, struct jl_day, i);
		struct jl_day *sum = n > from ? JL_AT(*out, struct jl_day, n - 1) : NULL;

		if (!sum || sum->day != d->day) {
			*JL_AT(*out, struct jl_day, n++) = *d;
			continue;
		}
		sum->hits += d->hits;
		sum->runs += d->runs;
		sum->saved_ms += d->saved_ms;
	}
	out->len = n;
	return status == JL_ENOTFOUND || status == JL_ELIMIT ? JL_OK : status;
}

void jl_uses_trim_days(struct jl_local *l)
{
	struct jl_table days = JL_TABLE_INIT(struct jl_day);
	struct jl_buf b = JL_BUF_INIT;
	char path[4 + JL_FILE_TEMP_SIZE];
	struct stat st;

	if (l->io->fstatat(l->io, l->root_fd, "days", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size < DAYS_LONG)
		return;
	if (jl_uses_days(l, &days, NULL) != JL_OK)
		goto out;
	for (uint32_t i = days.len > DAYS_KEPT ? days.len - DAYS_KEPT : 0; i < days.len; i++)
		put_day(&b, JL_AT(days, struct jl_day, i));
	/* What others add meanwhile is lost; it is a statistic. */
	snprintf(path, sizeof(path), "tmp/");
	jl_file_temp_name(path + 4, sizeof(path) - 4);
	if (jl_file_write(l->io, l->root_fd, path, b.data, b.len, 0600, false, NULL) == JL_OK &&
	    l->io->renameat(l->io, l->root_fd, path, l->root_fd, "days") < 0)
		l->io->unlinkat(l->io, l->root_fd, path, 0);
out:
	jl_buf_release(&b);
	jl_table_release(&days);
}
