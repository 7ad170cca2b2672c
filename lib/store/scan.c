/* See scan.h. */
#include "store/scan.h"

#include "base/clock.h"
#include "base/file.h"
#include "codec/codec.h"
#include "store/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RECORD_MAX ((size_t)65 << 20)
#define DEPTH      2 /* folders below the store */

struct walk {
	struct jl_local *l;
	void (*found)(void *ctx, const struct jl_scan_file *f);
	void *ctx;
};

static bool is_below(const char *path, const char *folder)
{
	const size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

/* A blob's name is its digest and the ending of its form. */
static bool read_name(const char *name, struct jl_scan_file *f)
{
	const char *dot = strchr(name, '.');
	char hex[JL_DIGEST_TEXT];

	if (!dot)
		return jl_digest_parse(name, &f->digest, NULL) == JL_OK;
	if ((size_t)(dot - name) >= sizeof(hex))
		return false;
	snprintf(hex, sizeof(hex), "%.*s", (int)(dot - name), name);
	if (jl_digest_parse(hex, &f->digest, NULL) != JL_OK)
		return false;
	for (int id = JL_CODEC_RAW + 1; id <= JL_CODEC_GZIP; id++) {
		if (strcmp(dot, jl_codec_get((enum jl_codec_id)id)->suffix) == 0) {
			f->form = (uint8_t)id;
			return true;
		}
	}
	return false;
}

static void look(struct walk *w, const char *path, const char *name, const struct stat *st)
{
	struct jl_scan_file f = {.what = JL_SCAN_OTHER,
	                         .path = path,
	                         .form = JL_CODEC_RAW,
	                         .size = (uint64_t)st->st_size,
	                         .mtime_ns = (int64_t)st->st_mtim.tv_sec * JL_NS_S + st->st_mtim.tv_nsec};

	if (is_below(path, "ac") && !strchr(name, '.') && read_name(name, &f))
		f.what = JL_SCAN_RECORD;
	else if (is_below(path, "cas") && read_name(name, &f))
		f.what = JL_SCAN_BLOB;
	else if (is_below(path, "quarantine"))
		f.what = JL_SCAN_ASIDE;
	else if (is_below(path, "uses") && name[0] != '.')
		f.what = JL_SCAN_SET;
	w->found(w->ctx, &f);
}

static int walk(struct walk *w, const char *folder, int depth, struct jl_err *err)
{
	const struct jl_io *io = w->l->io;
	int fd = io->openat(io, w->l->root_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0), status = JL_OK;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char path[512];
	struct stat st;

	if (!dir) {
		if (errno != ENOENT && errno != ESTALE)
			status = jl_err_sys(err, errno, "cannot read \"%s/%s\"", w->l->dir, folder);
		if (fd >= 0)
			io->close(io, fd);
		return status;
	}
	while (status == JL_OK && (entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", depth ? folder : "", depth ? "/" : "", entry->d_name);
		if (io->fstatat(io, w->l->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(st.st_mode) && depth < DEPTH)
			status = walk(w, path, depth + 1, err);
		else if (S_ISREG(st.st_mode))
			look(w, path, entry->d_name, &st);
	}
	closedir(dir);
	return status;
}

int jl_scan(struct jl_local *l, void (*found)(void *ctx, const struct jl_scan_file *f), void *ctx, struct jl_err *err)
{
	struct walk w = {l, found, ctx};

	return l->root_fd < 0 ? JL_OK : walk(&w, ".", 0, err);
}

void jl_scan_blobs(struct jl_local *l, const struct jl_scan_file *record, struct jl_table *out)
{
	struct jl_buf b;

	if (!l->rules.blobs_of)
		return;
	jl_buf_init(&b, RECORD_MAX);
	if (jl_file_read(l->io, l->root_fd, record->path, &b, NULL) == JL_OK)
		l->rules.blobs_of(b.data, b.len, out);
	jl_buf_release(&b);
}
