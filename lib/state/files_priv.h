/* What the files of struct jl_files (state/files.h) share among each other and with struct jl_state. */
#ifndef JL_STATE_FILES_PRIV_H
#define JL_STATE_FILES_PRIV_H

#include "base/buf.h"
#include "state/files.h"

#define JL_PATH_CAP 4096 /* longer ones are never taken from the disk */

/* clock_fd is borrowed: -1 for none. Tables are empty, or filled by the caller afterwards. */
void jl_files_init(struct jl_files *f, const struct jl_io *io, int root_fd, int clock_fd, struct jl_table *text);
void jl_files_release(struct jl_files *f);

struct jl_stamp jl_stamp_of(const struct stat *st); /* NULL: of nothing */
bool jl_stamp_equal(const struct jl_stamp *a, const struct jl_stamp *b);
/* When a stamp is old enough to be trusted: the first moment at which no write can leave it the same. */
int64_t jl_stamp_ripe_ns(const struct jl_stamp *s);

/* A stat gave this stamp: what it contradicts goes. Touches the entry only: safe on several threads for several ids. */
void jl_file_took(struct jl_file *e, const struct jl_stamp *now);
/* What is known in a folder: the first (id is JL_NONE), then the one after `id`; JL_NONE at the end. In no order. */
uint32_t jl_files_next_below(struct jl_files *f, uint32_t folder, uint32_t id);
/* All that is known below a folder; `each` adds nothing. */
void jl_files_each_below(struct jl_files *f, uint32_t top, void (*each)(struct jl_files *f, uint32_t id));
/* A folder's listing with what was dropped in it: as jl_files_list, but appended to `out`, and nothing when there is no such
 * folder. */
int jl_files_list_dropped(struct jl_files *f, uint32_t id, struct jl_buf *out, struct jl_err *err) JL_MUST_CHECK;

/* The content read after `now` belongs to the entry's stamp: trust it or mark it racy, and mark it dirty unless it is
 * as it was stored. `what`: JL_FILE_DIGEST or JL_FILE_LIST. */
void jl_files_read_at(struct jl_files *f, uint32_t id, enum jl_file_flag what, bool same, int64_t now);
bool jl_file_list_ok(const char *list, uint32_t len); /* is it well formed? */
/* Keep `len` bytes as the entry's listing. */
void jl_files_keep_list(struct jl_files *f, uint32_t id, const char *list, uint32_t len);

#endif
