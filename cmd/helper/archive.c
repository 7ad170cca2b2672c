/* jl-archive: the program that packs and unpacks archives for jl, which itself links no archive library. It knows nothing of
 * stores and writes no file: entries (codec/entries.h) come in and a tar stream goes out, or the reverse.
 *
 *     jl-archive pack FORMAT[:LEVEL] THREADS   entries on stdin, the archive on stdout
 *     jl-archive unpack                        the archive on stdin, whatever packed it; entries on stdout
 *
 * Exit status: 0; 1 with one line on stderr that says what is wrong. */
#include "codec/entries.h"
#include "codec/stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE     ((size_t)256 << 10)
#define TAR_BLOCK 512
#define TAR_MAGIC 257 /* where "ustar" stands in a block */

static int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	return 1;
}

static const char *why(struct archive *a)
{
	const char *text = archive_error_string(a);

	return text ? text : "unknown error";
}

/* ---- packing ---- */

struct format {
	const char *name, *filter; /* filter: as libarchive's options call it; NULL: not one of its own */
	int (*add)(struct archive *a);
};
static const struct format formats[] = {
	{"none", NULL, archive_write_add_filter_none},    {"zstd", NULL, archive_write_add_filter_none},
	{"gzip", "gzip", archive_write_add_filter_gzip},  {"zlib", NULL, archive_write_add_filter_none},
	{"bz2", "bzip2", archive_write_add_filter_bzip2}, {"xz", "xz", archive_write_add_filter_xz},
	{"lzma", "lzma", archive_write_add_filter_lzma},  {"lz4", "lz4", archive_write_add_filter_lz4},
};

struct out { /* where the archive goes */
	struct jl_packer *packer; /* for what libarchive has not, or not in bounded memory; NULL: as it is */
	int failed;               /* errno of a write */
	bool void_rest;           /* it is given up: nothing more of it is written */
};

static int write_all(void *ctx, const void *data, size_t len, struct jl_err *err)
{
	struct out *o = ctx;

	(void)err;
	for (const char *at = data; len > 0;) {
		ssize_t n = write(STDOUT_FILENO, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			o->failed = errno;
			return JL_EIO;
		}
		at += n;
		len -= (size_t)n;
	}
	return JL_OK;
}

static la_ssize_t on_write(struct archive *a, void *ctx, const void *data, size_t len)
{
	struct out *o = ctx;
	int r;

	if (o->void_rest)
		return (la_ssize_t)len;
	r = o->packer ? o->packer->pack(o->packer, data, len, false, write_all, o, NULL) : write_all(o, data, len, NULL);
	if (r == JL_OK)
		return (la_ssize_t)len;
	archive_set_error(a, o->failed, "%s", strerror(o->failed));
	return -1;
}

static int choose(struct archive *a, struct out *out, char *format, const char *threads)
{
	char *level = strchr(format, ':');
	const struct format *f = NULL;
	int r;

	if (level)
		*level++ = '\0';
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i].name, format) == 0)
			f = &formats[i];
	if (!f)
		return fail("unknown format \"%s\"", format);
	r = archive_write_set_format_pax_restricted(a);
	if (r == ARCHIVE_OK)
		r = f->add(a);
	if (r != ARCHIVE_OK)
		return fail("%s cannot be packed here: %s", format, why(a));
	if (strcmp(format, "zlib") == 0)
		out->packer = jl_packer_zlib(level ? atoi(level) : 0);
	if (strcmp(format, "zstd") == 0)
		out->packer = jl_packer_zstd(level ? atoi(level) : 0, (unsigned)atoi(threads));
	if (level && f->filter && archive_write_set_filter_option(a, f->filter, "compression-level", level) != ARCHIVE_OK)
		return fail("%s has no level %s", format, level);
	/* Nothing of the time it was made at. */
	if (strcmp(format, "gzip") == 0)
		archive_write_set_filter_option(a, f->filter, "timestamp", NULL);
	return 0;
}

static int pack_content(struct archive *a, struct jl_entries_in *in, char *piece)
{
	struct jl_err err = JL_ERR_INIT;
	size_t len;

	for (;;) {
		if (jl_entries_read(in, piece, PIECE, &len, &err) != JL_OK)
			return fail("%s", err.text);
		if (len == 0)
			return 0;
		if (archive_write_data(a, piece, len) < 0)
			return fail("cannot write: %s", why(a));
	}
}

static int pack_entries(struct archive *a, struct jl_entries_in *in, char *piece)
{
	struct archive_entry *to = archive_entry_new();
	struct jl_err err = JL_ERR_INIT;
	struct jl_entry from;
	int status = 0, r;

	while (status == 0 && (r = jl_entries_next(in, &from, &err)) == JL_OK) {
		archive_entry_clear(to);
		archive_entry_set_pathname(to, from.path);
		archive_entry_set_filetype(to, from.kind == JL_ENTRY_DIR    ? AE_IFDIR
					       : from.kind == JL_ENTRY_LINK ? AE_IFLNK
									    : AE_IFREG);
		archive_entry_set_perm(to, (__LA_MODE_T)from.mode);
		archive_entry_set_mtime(to, (time_t)from.mtime_s, 0);
		archive_entry_set_size(to, (la_int64_t)from.size);
		if (from.kind == JL_ENTRY_LINK)
			archive_entry_set_symlink(to, from.target);
		r = archive_write_header(a, to);
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			status = fail("cannot write: %s", why(a));
		else
			status = pack_content(a, in, piece);
	}
	if (status == 0 && r != JL_ENOTFOUND)
		status = fail("%s", err.text);
	archive_entry_free(to);
	return status;
}

static int pack(char *format, const char *threads)
{
	struct archive *a = archive_write_new();
	struct jl_entries_in in;
	struct out out = {0};
	char *piece = jl_alloc_pages(PIECE);
	int status;

	jl_entries_open(&in, &jl_io_system, STDIN_FILENO);
	status = choose(a, &out, format, threads);
	archive_write_set_bytes_per_block(a, (int)PIECE);
	archive_write_set_bytes_in_last_block(a, 1);
	if (status == 0 && archive_write_open(a, &out, NULL, on_write, NULL) != ARCHIVE_OK)
		status = fail("cannot write: %s", why(a));
	if (status == 0)
		status = pack_entries(a, &in, piece);
	/* Closing would make a whole archive of half the entries, and without it libarchive keeps memory. */
	out.void_rest = status != 0;
	if (status == 0 && archive_write_close(a) != ARCHIVE_OK)
		status = fail("cannot write: %s", why(a));
	else if (status == 0 && out.packer && out.packer->pack(out.packer, NULL, 0, true, write_all, &out, NULL) != JL_OK)
		status = fail("cannot write: %s", strerror(out.failed));
	archive_write_free(a);
	jl_packer_free(out.packer);
	jl_entries_in_release(&in);
	free(piece);
	return status;
}

/* ---- unpacking ---- */

struct in { /* where the archive comes from */
	char *raw;            /* as read */
	const void *at;       /* of it, what is not yet used */
	size_t len;
	struct jl_zlib *zlib; /* NULL: as it is */
	char *plain;          /* unpacked by zlib */
	bool begun, ended;
};

static ssize_t read_some(char *to, size_t room)
{
	ssize_t n;

	do
		n = read(STDIN_FILENO, to, room);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Enough of the first bytes to tell a zlib stream from a tar file whose first name looks like one. */
static int begin(struct in *in)
{
	in->begun = true;
	in->at = in->raw;
	while (in->len < TAR_BLOCK) {
		ssize_t n = read_some(in->raw + in->len, PIECE - in->len);

		if (n < 0)
			return errno;
		if (n == 0)
			break;
		in->len += (size_t)n;
	}
	if (jl_zlib_is(in->raw, in->len) &&
	    !(in->len >= TAR_BLOCK && memcmp(in->raw + TAR_MAGIC, "ustar", 5) == 0)) {
		in->zlib = jl_zlib_unpacker();
		in->plain = jl_alloc_pages(PIECE);
	}
	return 0;
}

static la_ssize_t refuse(struct archive *a, int sys_errno, const char *text)
{
	archive_set_error(a, sys_errno, "%s", text);
	return -1;
}

static la_ssize_t on_read(struct archive *a, void *ctx, const void **ret)
{
	struct jl_err err = JL_ERR_INIT;
	struct in *in = ctx;
	size_t len = 0;
	int e = in->begun ? 0 : begin(in);

	if (e)
		return refuse(a, e, strerror(e));
	for (;;) {
		if (in->ended)
			return 0;
		if (in->len == 0) {
			ssize_t n = read_some(in->raw, PIECE);

			if (n < 0)
				return refuse(a, errno, strerror(errno));
			if (n == 0 && in->zlib)
				return refuse(a, EINVAL, "the zlib stream is cut");
			in->at = in->raw;
			in->len = (size_t)n;
		}
		if (!in->zlib) {
			*ret = in->at;
			len = in->len;
			in->len = 0;
			return (la_ssize_t)len;
		}
		if (jl_zlib_unpack(in->zlib, &in->at, &in->len, in->plain, PIECE, &len, &in->ended, &err) != JL_OK)
			return refuse(a, EINVAL, err.text);
		*ret = in->plain;
		if (len > 0)
			return (la_ssize_t)len;
	}
}

static int unpack_content(struct archive *a, struct jl_entries_out *out, const char *path, uint64_t size, char *piece)
{
	struct jl_err err = JL_ERR_INIT;

	while (size > 0) {
		la_ssize_t n = archive_read_data(a, piece, size < PIECE ? (size_t)size : PIECE);

		if (n < 0)
			return fail("\"%s\": %s", path, why(a));
		if (n == 0)
			return fail("\"%s\" is shorter than it should be", path);
		if (jl_entries_data(out, piece, (size_t)n, &err) != JL_OK)
			return fail("%s", err.text);
		size -= (uint64_t)n;
	}
	return 0;
}

static int unpack_entry(struct archive *a, struct archive_entry *from, struct jl_entries_out *out, char *piece)
{
	const char *path = archive_entry_pathname(from), *target = archive_entry_symlink(from);
	const __LA_MODE_T type = archive_entry_filetype(from);
	struct jl_err err = JL_ERR_INIT;
	struct jl_entry to = {.mode = archive_entry_perm(from) & 0777,
			      .mtime_s = archive_entry_mtime(from),
			      .path = path,
			      .target = ""};

	if (!path)
		return fail("an entry without a name");
	if (archive_entry_hardlink(from) || (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK))
		return fail("\"%s\" is neither a file nor a folder nor a link", path);
	to.kind = type == AE_IFDIR ? JL_ENTRY_DIR : type == AE_IFLNK ? JL_ENTRY_LINK : JL_ENTRY_FILE;
	if (to.kind == JL_ENTRY_FILE && (!archive_entry_size_is_set(from) || archive_entry_size(from) < 0))
		return fail("\"%s\" does not say how long it is", path);
	if (to.kind == JL_ENTRY_FILE)
		to.size = (uint64_t)archive_entry_size(from);
	if (to.kind == JL_ENTRY_LINK && (!target || !target[0]))
		return fail("\"%s\" is a link to nothing", path);
	if (to.kind == JL_ENTRY_LINK)
		to.target = target;
	if (jl_entries_begin(out, &to, &err) != JL_OK)
		return fail("%s", err.text);
	return unpack_content(a, out, path, to.size, piece);
}

/* Until the end; which must be said: an archive that just stops is one that was cut. */
static int unpack_entries(struct archive *a, struct jl_entries_out *out, char *piece)
{
	struct jl_err err = JL_ERR_INIT;
	struct archive_entry *from;
	la_int64_t used = 0;
	int status = 0, r;

	while (status == 0 && (r = archive_read_next_header(a, &from)) == ARCHIVE_OK) {
		status = unpack_entry(a, from, out, piece);
		if (status == 0 && archive_read_data_skip(a) != ARCHIVE_OK)
			status = fail("%s", why(a));
		used = archive_filter_bytes(a, 0);
	}
	if (status != 0)
		return status;
	if (r != ARCHIVE_EOF)
		return fail("%s", why(a));
	if (archive_filter_bytes(a, 0) - used < TAR_BLOCK)
		return fail("the archive is cut: it has no end");
	return jl_entries_finish(out, &err) == JL_OK ? 0 : fail("%s", err.text);
}

static int unpack(void)
{
	struct archive *a = archive_read_new();
	struct in in = {.raw = jl_alloc_pages(PIECE)};
	struct jl_entries_out out;
	char *piece = jl_alloc_pages(PIECE);
	int status = 0;

	/* By name: "all" would start programs for what no library is there. */
	archive_read_support_filter_none(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_format_tar(a);
	jl_entries_start(&out, &jl_io_system, STDOUT_FILENO);
	if (archive_read_open(a, &in, NULL, on_read, NULL) != ARCHIVE_OK)
		status = fail("%s", why(a));
	if (status == 0)
		status = unpack_entries(a, &out, piece);
	archive_read_free(a);
	jl_entries_out_release(&out);
	jl_zlib_free(in.zlib);
	free(in.raw);
	free(in.plain);
	free(piece);
	return status;
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8"); /* names are bytes; this keeps them so */
	if (argc == 4 && strcmp(argv[1], "pack") == 0)
		return pack(argv[2], argv[3]);
	if (argc == 2 && strcmp(argv[1], "unpack") == 0) {
		signal(SIGPIPE, SIG_IGN); /* jl, which reads, says what is wrong */
		return unpack();
	}
	return fail("jl-archive is started by jl; it is not for people\n");
}
