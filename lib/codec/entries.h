/* Entries: files, folders and links as a plain stream, between jl and its archive helper (docs/formats/archive.md).
 *
 * Grammar (little-endian), version 1:
 *     stream  = magic "jlent1\n\0", entry*, end
 *     entry   = kind u8 ('F' file, 'D' folder, 'L' link), mode u32 (0777 bits), mtime i64 (s since 1970), size u64, path
 *               bytes, target bytes, content: `size` bytes (files only; size is 0 for others, target is empty but for links)
 *     end     = 'E'
 *     bytes   = length u32 (at most 64 KiB), that many bytes, no NUL among them
 *
 * Both sides block and hold at most 64 KiB and a path. A path is as the archive has it: the receiver checks it.
 */
#ifndef JL_CODEC_ENTRIES_H
#define JL_CODEC_ENTRIES_H

#include "base/buf.h"
#include "base/io.h"

#define JL_ENTRY_TEXT_MAX 65536u /* bytes of a path or a target */

enum jl_entry_kind { JL_ENTRY_FILE = 'F', JL_ENTRY_DIR = 'D', JL_ENTRY_LINK = 'L' };

struct jl_entry {
	enum jl_entry_kind kind;
	uint32_t mode;      /* permission bits */
	int64_t mtime_s;    /* since 1970 */
	uint64_t size;      /* bytes of content; 0 but for a file */
	const char *path;   /* NUL-terminated */
	const char *target; /* of a link; else "" */
};

/* Sending. After a failure nothing more may be sent. */
struct jl_entries_out {
	const struct jl_io *io;
	int fd;             /* borrowed */
	struct jl_buf head; /* what is not yet written */
	uint64_t left;      /* bytes of content still to come */
};
void jl_entries_start(struct jl_entries_out *o, const struct jl_io *io, int fd);
int jl_entries_begin(struct jl_entries_out *o, const struct jl_entry *entry, struct jl_err *err) JL_MUST_CHECK;
/* Content of the entry begun last: `size` bytes in all, in any pieces. */
int jl_entries_data(struct jl_entries_out *o, const void *data, size_t len, struct jl_err *err) JL_MUST_CHECK;
/* The end: everything was sent. A sender that fails just stops: the receiver sees a stream that is cut. */
int jl_entries_finish(struct jl_entries_out *o, struct jl_err *err) JL_MUST_CHECK;
void jl_entries_out_release(struct jl_entries_out *o);

/* Receiving. */
struct jl_entries_in {
	const struct jl_io *io;
	int fd;             /* borrowed */
	char *room;         /* bytes read and not yet used: at .. len */
	size_t at, len;
	uint64_t left;      /* bytes of content not yet taken */
	struct jl_buf path, target;
	int started;
};
void jl_entries_open(struct jl_entries_in *in, const struct jl_io *io, int fd);
/* The next entry; what was not taken of the content before is passed over. JL_OK, its strings good until the next call;
 * JL_ENOTFOUND: the end; JL_ECORRUPT: no such stream, cut, or over a limit. */
int jl_entries_next(struct jl_entries_in *in, struct jl_entry *ret, struct jl_err *err) JL_MUST_CHECK;
/* Up to `len` bytes of content; *ret_len 0 at its end. */
int jl_entries_read(struct jl_entries_in *in, void *data, size_t len, size_t *ret_len, struct jl_err *err) JL_MUST_CHECK;
void jl_entries_in_release(struct jl_entries_in *in);

#endif
