/* The local store: opening it, and its records. Blobs are in blob.c, temporaries and damage in temp.c. */
#include "store/local.h"

#include "base/file.h"
#include "store/evict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORE_VERSION 1
#define RECORD_MAX ((size_t)65 << 20) /* bytes of a record's file: above what memo/record.h makes */
#define VERSION_MAX 64

static const char version_head[] = "jl store ";
static const char version_text[] = "jl store 1\n";

void jl_local_path(const struct jl_digest *d, const char *suffix, char out[JL_LOCAL_PATH])
{
	char *hex = out + 3;

	jl_digest_hex(d, hex);
	out[0] = hex[0];
	out[1] = hex[1];
	out[2] = '/';
	memcpy(hex + strlen(hex), suffix, strlen(suffix) + 1);
}

/* Errors of a read that mean "not there". ESTALE: another host of a network file system replaced or removed it. */
static bool is_miss(int sys_errno)
{
	return sys_errno == ENOENT || sys_errno == ESTALE || sys_errno == ENOTDIR;
}

static int miss(struct jl_local *l, struct jl_err *err)
{
	jl_store_count(&l->s.stats.record_misses, 1);
	return jl_err_set(err, JL_ENOTFOUND, "no such record");
}

/* Append all of `fd`: 0 or an errno. */
static int read_all(const struct jl_io *io, int fd, struct jl_buf *out)
{
	const size_t start = out->len;
	size_t room = 4096; /* most records come in one call, and a second one sees the end */
	char *to;

	for (;;) {
		ssize_t n;

		if (out->len - start > RECORD_MAX)
			return EFBIG;
		if (jl_buf_reserve(out, room, &to) != JL_OK)
			return ENOMEM; /* the caller's cap */
		n = io->read(io, fd, to, room);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
		if ((size_t)n == room)
			room = room < (1u << 20) ? room * 4 : room;
	}
}

static int local_get_record(struct jl_store *s, const struct jl_digest *key, struct jl_buf *out, struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;
	const size_t start = out->len;
	char path[JL_LOCAL_PATH];
	int fd = -1, e, status = JL_OK;

	if (l->ac_fd < 0)
		return miss(l, err);
	jl_local_path(key, "", path);
	/* O_NONBLOCK: a fifo must not stop us. */
	fd = l->io->openat(l->io, l->ac_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	e = fd < 0 ? errno : read_all(l->io, fd, out);
	if (is_miss(e)) {
		status = miss(l, err);
	} else if (e == EISDIR || e == ELOOP || e == EFBIG || (e == 0 && out->len == start)) {
		jl_local_damaged(l, JL_OBJECT_RECORD, key, 0, fd); /* empty: a power cut leaves that */
		status = miss(l, err);
	} else if (e != 0) {
		status = jl_err_sys(err, e, "store \"%s\": cannot read record %s", l->dir, path + 3);
	} else {
		jl_store_count(&s->stats.record_hits, 1);
	}
	if (fd >= 0)
		l->io->close(l->io, fd);
	if (status != JL_OK)
		jl_buf_truncate(out, start);
	return status;
}

static int write_temp(struct jl_local *l, const char *what, const void *data, size_t len, bool sync, int *ret_fd,
                      char temp[JL_LOCAL_TEMP], struct jl_err *err)
{
	struct jl_err inner = JL_ERR_INIT;
	int status = jl_local_temp_open(l, ret_fd, temp, err);

	if (status != JL_OK)
		return status;
	status = jl_file_write_all(l->io, *ret_fd, data, len, &inner);
	if (status == JL_OK && sync && l->io->fsync(l->io, *ret_fd) < 0)
		status = jl_err_sys(&inner, errno, "cannot sync");
	if (status == JL_OK)
		return JL_OK;
	jl_local_temp_drop(l, *ret_fd, temp);
	return jl_local_put_error(l, inner.sys_errno, what, err);
}

static int write_record(struct jl_local *l, const struct jl_local_object *o, const void *data, struct jl_err *err)
{
	char temp[JL_LOCAL_TEMP];
	int fd = -1, status = write_temp(l, "a record", data, (size_t)o->bytes, false, &fd, temp, err);

	return status == JL_OK ? jl_local_put_object(l, fd, temp, o, err) : status;
}

static int local_put_record(struct jl_store *s, const struct jl_digest *key, const void *data, size_t len,
                            struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;
	struct jl_table blobs = JL_TABLE_INIT(struct jl_digest);
	struct jl_local_object o = {.kind = JL_OBJECT_RECORD, .digest = key, .bytes = len};
	struct jl_err inner = JL_ERR_INIT;
	int status;

	if (!jl_local_writable(l))
		return JL_OK;
	if (l->rules.blobs_of)
		l->rules.blobs_of(data, len, &blobs);
	o.blobs = blobs.data;
	o.n_blobs = blobs.len;
	status = write_record(l, &o, data, &inner);
	/* A full disk: once with less of what is older. */
	if (status == JL_ENOSPC && inner.sys_errno && jl_local_free_disk(l, len)) {
		jl_err_clear(&inner);
		status = write_record(l, &o, data, &inner);
	}
	if (status == JL_OK) {
		jl_store_count(&s->stats.records_put, 1);
		jl_store_count(&s->stats.bytes_put, len);
	} else if (status < 0 && err) {
		*err = inner;
	}
	jl_table_release(&blobs);
	return status == JL_LOCAL_READ_ONLY ? JL_OK : status;
}

static int local_drop_record(struct jl_store *s, const struct jl_digest *key, struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;
	int status, e;

	if (!jl_local_writable(l))
		return JL_OK;
	e = jl_local_remove(l, JL_OBJECT_RECORD, key, 0);
	if (e == 0 || is_miss(e))
		return JL_OK;
	status = jl_local_put_error(l, e, "away a record", err);
	return status == JL_LOCAL_READ_ONLY ? JL_OK : status;
}

static int local_damaged_record(struct jl_store *s, const struct jl_digest *key, struct jl_err *err)
{
	struct jl_local *l = (struct jl_local *)s;

	(void)err;
	if (l->ac_fd >= 0)
		jl_local_damaged(l, JL_OBJECT_RECORD, key, 0, -1);
	return JL_OK;
}

static void close_fd(const struct jl_io *io, int fd)
{
	if (fd >= 0)
		io->close(io, fd);
}

/* What belongs to the end of a process that put something: what is too old goes, a long index gets short. */
static void tidy(struct jl_local *l)
{
	if (l->rules.max_age_ns && jl_index_enter(&l->index, NULL) == JL_OK) {
		(void)!jl_evict_room(l, &(struct jl_evict){0}, NULL);
		(void)!jl_index_leave(&l->index, NULL);
	}
	(void)!jl_index_rewrite(&l->index, false, NULL);
	jl_uses_trim_days(l);
}

static void local_free(struct jl_store *s)
{
	struct jl_local *l = (struct jl_local *)s;

	if (!atomic_load(&l->read_only) && l->used_ns > l->index.head.last_ns && jl_index_enter(&l->index, NULL) == JL_OK) {
		jl_index_used(&l->index, l->used_ns);
		(void)!jl_index_leave(&l->index, NULL);
	}
	if (l->noted && !atomic_load(&l->read_only))
		tidy(l);
	jl_hold_release(l);
	jl_owner_release(l);
	jl_uses_release(&l->uses);
	jl_index_release(&l->index);
	pthread_mutex_destroy(&l->index_lock);
	close_fd(l->io, l->ac_tmp_fd);
	close_fd(l->io, l->cas_tmp_fd);
	close_fd(l->io, l->tmp_fd);
	close_fd(l->io, l->cas_fd);
	close_fd(l->io, l->ac_fd);
	close_fd(l->io, l->root_fd);
	jl_local_checked_release(l);
	jl_recent_release(&l->recent);
	free(l->dir);
	free(l);
}

static const struct jl_store_ops local_ops = {
	.kind = "local",
	.get_record = local_get_record,
	.put_record = local_put_record,
	.drop_record = local_drop_record,
	.damaged_record = local_damaged_record,
	.put_blob = jl_local_put_blob,
	.put_bytes = jl_local_put_bytes,
	.get_blob = jl_local_get_blob,
	.has_blob = jl_local_has_blob,
	.use_record = jl_local_use_record,
	.keep_record = jl_local_keep_record,
	.use_keys = jl_local_use_keys,
	.free = local_free,
};

void jl_store_local_rules(struct jl_store *s, const struct jl_store_rules *rules)
{
	((struct jl_local *)s)->rules = *rules;
}

/* The root, made if it may be. Stays -1 for an absent store that is only read. */
static int open_root(struct jl_local *l, struct jl_err *err)
{
	const struct jl_io *io = l->io;
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct stat st;
	int status;

	l->root_fd = io->openat(io, AT_FDCWD, l->dir, flags, 0);
	if (l->root_fd < 0 && errno == ENOENT) {
		if (l->read_only)
			return JL_OK;
		status = jl_file_mkdirs(io, AT_FDCWD, l->dir, 0700, err);
		if (status != JL_OK) {
			jl_err_add(err, "cannot make the store");
			return status;
		}
		l->root_fd = io->openat(io, AT_FDCWD, l->dir, flags, 0);
	}
	if (l->root_fd < 0)
		return jl_err_sys(err, errno, "cannot open the store \"%s\"", l->dir);
	if (io->fstat(io, l->root_fd, &st) < 0)
		return jl_err_sys(err, errno, "cannot open the store \"%s\"", l->dir);
	if (st.st_uid != geteuid())
		return jl_err_set(err, JL_EINVAL, "the store \"%s\" belongs to another user", l->dir);
	return JL_OK;
}

static bool is_ours(const char *name)
{
	static const char *const names[] = {".",    "..",   "ac",   "cas",   "tmp",     "quarantine", "prog",
	                                    "live", "pins", "uses", "index", "version", "flight",     "days", "owners",
	                                    "secret", "stamps", "remotes", "lost+found"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/* A folder without a version becomes a store only if nothing of somebody else's is in it: `--store ~` must not strew
 * its files about there. Another process that is just making the same store is fine. */
static int check_empty(const struct jl_local *l, struct jl_err *err)
{
	int fd = l->io->openat(l->io, l->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0), status = JL_OK;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		status = jl_err_sys(err, errno, "cannot open the store \"%s\"", l->dir);
		close_fd(l->io, fd);
		return status;
	}
	while (status == JL_OK && (entry = readdir(dir)) != NULL) {
		if (!is_ours(entry->d_name))
			status = jl_err_set(err, JL_EINVAL, "\"%s\" is not a store, and not empty (\"%s\"): name another folder",
			                    l->dir, entry->d_name);
	}
	closedir(dir);
	return status;
}

/* *ret_missing: there is none (or an empty one, as a power cut leaves it), and the folder may become a store. */
static int check_version(const struct jl_local *l, bool *ret_missing, struct jl_err *err)
{
	struct jl_buf text;
	char *end;
	unsigned long version;
	int status;

	*ret_missing = false;
	jl_buf_init(&text, VERSION_MAX);
	status = jl_file_read(l->io, l->root_fd, "version", &text, err);
	if (status == JL_ENOTFOUND || (status == JL_OK && text.len == 0)) {
		status = check_empty(l, err);
		*ret_missing = status == JL_OK;
		goto out;
	}
	if (status == JL_EIO) {
		jl_err_add(err, "cannot open the store \"%s\"", l->dir);
		goto out;
	}
	if (status != JL_OK || strncmp(text.data, version_head, strlen(version_head)) != 0) {
		status = jl_err_set(err, JL_EINVAL, "\"%s\" is not a store", l->dir);
		goto out;
	}
	version = strtoul(text.data + strlen(version_head), &end, 10);
	if (version > STORE_VERSION)
		status = jl_err_set(err, JL_EUNSUPPORTED, "the store \"%s\" is of version %lu, this program knows %d", l->dir,
		                    version, STORE_VERSION);
	else if (version < 1 || *end != '\n')
		status = jl_err_set(err, JL_EINVAL, "\"%s\" is not a store", l->dir);
out:
	jl_buf_release(&text);
	return status;
}

static int open_folder(struct jl_local *l, const char *name, int *ret_fd, struct jl_err *err)
{
	const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	const struct jl_io *io = l->io;

	*ret_fd = io->openat(io, l->root_fd, name, flags, 0);
	if (*ret_fd < 0 && errno == ENOENT && !l->read_only) {
		if (io->mkdirat(io, l->root_fd, name, 0700) < 0 && errno != EEXIST) {
			if (errno != EROFS && errno != EACCES && errno != EPERM)
				return jl_err_sys(err, errno, "store \"%s\": cannot make \"%s\"", l->dir, name);
			l->read_only = true; /* told at the first put: nobody listens yet */
			return JL_OK;
		}
		*ret_fd = io->openat(io, l->root_fd, name, flags, 0);
	}
	if (*ret_fd < 0 && !(errno == ENOENT && l->read_only))
		return jl_err_sys(err, errno, "store \"%s\": cannot open \"%s\"", l->dir, name);
	return JL_OK;
}

static int write_version(struct jl_local *l, struct jl_err *err)
{
	char temp[JL_LOCAL_TEMP];
	int fd = -1, status = write_temp(l, "version", version_text, strlen(version_text), true, &fd, temp, err);

	return status == JL_OK ? jl_local_temp_commit(l, fd, temp, "version", err) : status;
}

static int open_local(struct jl_local *l, struct jl_err *err)
{
	bool missing;
	int status = open_root(l, err);

	if (status != JL_OK || l->root_fd < 0)
		return status;
	status = check_version(l, &missing, err);
	if (status == JL_OK)
		status = open_folder(l, "tmp", &l->tmp_fd, err);
	if (status == JL_OK)
		status = open_folder(l, "ac", &l->ac_fd, err);
	if (status == JL_OK)
		status = open_folder(l, "cas", &l->cas_fd, err);
	if (status != JL_OK || l->read_only)
		return status;
	if (missing)
		status = write_version(l, err);
	if (status == JL_LOCAL_READ_ONLY) {
		l->told = false;
		return JL_OK;
	}
	if (status == JL_OK)
		jl_local_sweep(l, l->tmp_fd);
	return status;
}

int jl_store_local_open(const struct jl_io *io, const char *dir, bool read_only, struct jl_store **ret,
                        struct jl_err *err)
{
	struct jl_local *l = jl_calloc(1, sizeof(*l));
	int status;

	l->s.ops = &local_ops;
	l->io = io;
	l->dir = jl_strdup(dir);
	l->root_fd = l->ac_fd = l->cas_fd = l->tmp_fd = l->ac_tmp_fd = l->cas_tmp_fd = -1;
	l->network = -1;
	pthread_mutex_init(&l->index_lock, NULL);
	jl_index_init(&l->index, l);
	jl_hold_init(&l->hold);
	jl_uses_init(&l->uses);
	l->read_only = read_only;
	l->told = read_only;
	jl_owner_init(&l->owner, read_only);
	jl_local_checked_init(l);
	jl_recent_init(&l->recent);
	status = open_local(l, err);
	if (status != JL_OK) {
		local_free(&l->s);
		return status;
	}
	*ret = &l->s;
	return JL_OK;
}
