/* See hold.h. */
#include "store/hold.h"

#include "base/clock.h"
#include "base/file.h"
#include "store/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)64 << 20)
#define LOOK_NS  (100 * JL_NS_MS)

static const char *key_of(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_table *keys = owner;

	*ret_len = sizeof(struct jl_digest);
	return (const char *)JL_AT(*keys, struct jl_digest, index);
}

void jl_hold_init(struct jl_hold *h)
{
	*h = (struct jl_hold){.fd = -1, .own = JL_TABLE_INIT(struct jl_digest), .keys = JL_TABLE_INIT(struct jl_digest)};
	jl_map_init(&h->map, key_of, &h->keys);
}

void jl_hold_release(struct jl_local *l)
{
	struct jl_hold *h = &l->hold;

	if (h->fd >= 0) {
		l->io->unlinkat(l->io, l->root_fd, h->name, 0);
		l->io->close(l->io, h->fd);
	}
	jl_map_release(&h->map);
	jl_table_release(&h->own);
	jl_table_release(&h->keys);
}

static void add(struct jl_hold *h, const struct jl_digest *key)
{
	if (jl_map_get(&h->map, (const char *)key, sizeof(*key)) != JL_NONE)
		return;
	*(struct jl_digest *)jl_table_add(&h->keys, 1) = *key;
	jl_map_put(&h->map, (const char *)key, sizeof(*key), h->keys.len - 1);
}

static bool begin(struct jl_local *l)
{
	struct jl_hold *h = &l->hold;
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
	char name[JL_OWNER_NAME];

	jl_owner_file(l, name);
	snprintf(h->name, sizeof(h->name), "live/%.*s", (int)sizeof(h->name) - 6, name);
	h->fd = l->io->openat(l->io, l->root_fd, h->name, flags, 0600);
	if (h->fd < 0 && errno == ENOENT && l->io->mkdirat(l->io, l->root_fd, "live", 0700) == 0)
		h->fd = l->io->openat(l->io, l->root_fd, h->name, flags, 0600);
	return h->fd >= 0;
}

void jl_hold_key(struct jl_local *l, const struct jl_digest *key)
{
	struct jl_hold *h = &l->hold;

	*(struct jl_digest *)jl_table_add(&h->own, 1) = *key;
	add(h, key);
	if (h->fd >= 0 || begin(l))
		(void)!jl_file_write_all(l->io, h->fd, key, sizeof(*key), NULL);
}

static void look_at(struct jl_local *l, const char *name)
{
	const struct jl_io *io = l->io;
	struct jl_buf b;
	char path[512];
	struct stat st;

	snprintf(path, sizeof(path), "live/%s", name);
	if (strcmp(path, l->hold.name) == 0 || io->fstatat(io, l->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (jl_owner_is_gone(l, name, jl_clock_real_ns() - ((int64_t)st.st_mtim.tv_sec * JL_NS_S + st.st_mtim.tv_nsec))) {
		io->unlinkat(io, l->root_fd, path, 0);
		return;
	}
	jl_buf_init(&b, FILE_MAX);
	if (jl_file_read(io, l->root_fd, path, &b, NULL) == JL_OK) {
		for (size_t at = 0; at + sizeof(struct jl_digest) <= b.len; at += sizeof(struct jl_digest)) {
			struct jl_digest key;

			memcpy(&key, b.data + at, sizeof(key));
			add(&l->hold, &key);
		}
	}
	jl_buf_release(&b);
}

static void look_in(struct jl_local *l, const char *folder, void (*each)(struct jl_local *l, const char *name))
{
	int fd = l->io->openat(l->io, l->root_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			l->io->close(l->io, fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(l, entry->d_name);
	}
	closedir(dir);
}

static void add_pin(struct jl_local *l, const char *name)
{
	struct jl_digest key;

	if (jl_digest_parse(name, &key, NULL) == JL_OK)
		add(&l->hold, &key);
}

bool jl_hold_look(struct jl_local *l)
{
	struct jl_hold *h = &l->hold;
	const int64_t now_ns = jl_clock_system.now_ns(&jl_clock_system);

	if (h->looked_ns && now_ns - h->looked_ns < LOOK_NS)
		return false;
	h->looked_ns = now_ns;
	jl_map_release(&h->map);
	h->keys.len = 0;
	jl_map_init(&h->map, key_of, &h->keys);
	for (uint32_t i = 0; i < h->own.len; i++)
		add(h, JL_AT(h->own, struct jl_digest, i));
	look_in(l, "pins", add_pin);
	look_in(l, "live", look_at);
	return true;
}

bool jl_hold_has(const struct jl_local *l, const struct jl_digest *key)
{
	return jl_map_get(&l->hold.map, (const char *)key, sizeof(*key)) != JL_NONE;
}

static void pin_path(const struct jl_digest *key, char path[JL_LOCAL_PATH])
{
	char hex[JL_DIGEST_TEXT];

	snprintf(path, JL_LOCAL_PATH, "pins/%s", jl_digest_hex(key, hex));
}

bool jl_pin_has(struct jl_local *l, const struct jl_digest *key)
{
	char path[JL_LOCAL_PATH];
	struct stat st;

	pin_path(key, path);
	return l->root_fd >= 0 && l->io->fstatat(l->io, l->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int jl_pin_set(struct jl_local *l, const struct jl_digest *key, bool pinned, struct jl_err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	const struct jl_io *io = l->io;
	char path[JL_LOCAL_PATH];
	int fd;

	pin_path(key, path);
	l->hold.looked_ns = 0;
	if (!pinned) {
		if (io->unlinkat(io, l->root_fd, path, 0) == 0 || errno == ENOENT)
			return JL_OK;
		return jl_err_sys(err, errno, "cannot unpin");
	}
	fd = io->openat(io, l->root_fd, path, flags, 0600);
	if (fd < 0 && errno == ENOENT && (io->mkdirat(io, l->root_fd, "pins", 0700) == 0 || errno == EEXIST))
		fd = io->openat(io, l->root_fd, path, flags, 0600);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot pin");
	io->close(io, fd);
	return JL_OK;
}
