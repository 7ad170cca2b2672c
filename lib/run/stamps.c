/* See stamps.h. */
#include "run/stamps.h"

#include "base/file.h"
#include "state/journal.h"

#include <fcntl.h>
#include <unistd.h>

#define NAME       "stamps"
#define GENERATION 1u

void jl_stamps_load(struct jl_files *f, const char *store)
{
	struct jl_table text = JL_TABLE_INIT(char);
	struct jl_results none;
	uint64_t bytes;
	int fd = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	jl_results_init(&none, &text);
	(void)!jl_journal_replay(&jl_io_system, fd, NAME, GENERATION, f, &none, &bytes, NULL);
	jl_results_release(&none);
	jl_table_release(&text);
	close(fd);
}

/* Outside, read, and no longer so new that a write could leave the stamp the same. */
static bool worth_it(const struct jl_files *f, uint32_t id)
{
	const struct jl_file *e = jl_file_at(f, id);
	return jl_files_path(f, id)[0] == '/' && (e->flags & (JL_FILE_DIGEST | JL_FILE_RACY)) == JL_FILE_DIGEST;
}

void jl_stamps_save(struct jl_files *f, const char *store, const uint32_t *files, uint32_t n)
{
	struct jl_table text = JL_TABLE_INIT(char);
	struct jl_buf out = JL_BUF_INIT;
	struct jl_results none;
	uint32_t known = 0;
	bool news = false;
	for (uint32_t i = 0; i < n; i++)
		news |= worth_it(f, files[i]) && (jl_file_at(f, files[i])->flags & JL_FILE_DIRTY);
	if (!news || access(store, W_OK) != 0)
		return;
	for (uint32_t i = 0; i < f->at.len; i++) {
		jl_file_at(f, i)->flags &= ~(uint32_t)JL_FILE_DIRTY;
		known += worth_it(f, i);
	}
	f->dirty.len = f->n_dirty = 0;
	/* With too many of them, what is used now is what will be used next. */
	for (uint32_t i = 0; i < f->at.len && known <= JL_STAMPS_MAX; i++)
		if (worth_it(f, i))
			jl_files_dirty(f, i);
	for (uint32_t i = 0; i < n && known > JL_STAMPS_MAX && f->n_dirty < JL_STAMPS_MAX; i++)
		if (worth_it(f, files[i]))
			jl_files_dirty(f, files[i]);
	jl_results_init(&none, &text);
	jl_journal_begin(&out, GENERATION);
	int fd = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && jl_journal_frames(&out, f, &none) == JL_OK)
		(void)!jl_file_write(&jl_io_system, fd, NAME, out.data, out.len, 0600, false, NULL);
	if (fd >= 0)
		close(fd);
	jl_results_release(&none);
	jl_buf_release(&out);
	jl_table_release(&text);
}
