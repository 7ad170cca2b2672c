/* A whole run without a process: see run_help.h. */
#include "run_help.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const no_environ[] = {"PATH=/bin", NULL};

/* Each event's counts fit together, and t_ns never runs back. */
static void note(struct jl_sink *s, const struct jl_event *e)
{
	struct world *w = (struct world *)s;
	const struct jl_counts *c = e->counts;
	uint32_t over = c->ran + c->fresh + c->restored + c->failed + c->skipped + c->would_run + c->would_restore + c->maybe;
	assert_true(over + c->running <= c->total);
	assert_true(e->t_ns >= 0);
	w->max_running = c->running > w->max_running ? c->running : w->max_running;
	switch (e->type) {
	case JL_EVENT_RUN_STARTED:
		jl_buf_char(&w->kinds, 'R');
		assert_non_null(e->run_id);
		break;
	case JL_EVENT_STEP_STARTED:
		jl_buf_char(&w->kinds, 's');
		assert_true(e->attempt >= 1);
		assert_non_null(e->command);
		break;
	case JL_EVENT_STEP_OUTPUT:
		jl_buf_char(&w->kinds, 'o');
		jl_buf_printf(&w->output, "%s %d %d: %.*s", e->step, e->stream, e->replayed, (int)e->len, (const char *)e->data);
		break;
	case JL_EVENT_STEP_FINISHED:
		jl_buf_char(&w->kinds, 'f');
		jl_buf_printf(&w->ends, "%s %s\n", jl_step_status_name(e->status), e->step);
		jl_buf_printf(&w->reasons, "%s: %s\n", e->step, e->reason ? e->reason : "");
		w->stored += e->stored;
		if (e->key)
			snprintf(w->key, sizeof(w->key), "%s", e->key);
		break;
	case JL_EVENT_WARNING:
		jl_buf_printf(&w->warnings, "%s\n", e->text);
		break;
	case JL_EVENT_FETCH:
	case JL_EVENT_REMOTE:
	case JL_EVENT_HOST:
	case JL_EVENT_PROGRESS:
	case JL_EVENT_PAUSED:
	case JL_EVENT_SCREEN:
		break;
	case JL_EVENT_RUN_FINISHED:
		jl_buf_char(&w->kinds, 'E');
		assert_int_equal(over, c->total);
		assert_int_equal(c->running, 0);
		break;
	}
}

struct world *world_new(const char *manifest)
{
	struct world *w = jl_calloc(1, sizeof(*w));
	void *dir = NULL;
	assert_int_equal(tmpdir_setup(&dir), 0);
	w->dir = dir;
	w->sink.event = note;
	w->store = jl_store_mem_new();
	struct jl_buf *bufs[] = {&w->ends, &w->reasons, &w->output, &w->warnings, &w->kinds};
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		jl_buf_init(bufs[i], JL_BUF_MAX);
	world_manifest(w, manifest);
	w->o = (struct jl_run_opts){.cwd = w->dir->path, .jobs = 2, .environ = no_environ, .command_line = "test",
	                            .sinks = &w->sink, .store = w->store, .no_wait = true};
	world_next(w);
	return w;
}

void world_manifest(struct world *w, const char *manifest)
{
	struct jl_buf text = JL_BUF_INIT;
	jl_buf_printf(&text, "version: 1\n%s", manifest);
	world_write(w, "joblib.yaml", text.data);
	jl_buf_release(&text);
}

void world_free(struct world *w)
{
	w->x->exec.ops->free(&w->x->exec);
	jl_store_free(w->store);
	jl_messages_release(&w->msgs);
	struct jl_buf *bufs[] = {&w->ends, &w->reasons, &w->output, &w->warnings, &w->kinds};
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		jl_buf_release(bufs[i]);
	void *dir = w->dir;
	assert_int_equal(tmpdir_teardown(&dir), 0);
	free(w);
}

struct fake_exec *world_next(struct world *w)
{
	if (w->x)
		w->x->exec.ops->free(&w->x->exec);
	w->x = fake_exec_new(&w->clock);
	w->x->fallback.effect = world_play;
	w->used = false;
	return w->x;
}

static int open_in(const struct jl_job *job, const char *path, int flags)
{
	struct jl_buf full = JL_BUF_INIT;
	jl_buf_printf(&full, "%s/%s", job->workdir, path);
	int fd = open(full.data, flags | O_CLOEXEC, 0644);
	jl_buf_release(&full);
	return fd;
}

static void put(const struct jl_job *job, const char *path, const char *data, size_t len)
{
	int fd = open_in(job, path, O_WRONLY | O_CREAT | O_TRUNC);
	assert_true(fd >= 0); /* its folder was made for it */
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

void world_play(void *ctx, const struct jl_job *job, struct fake_run *run)
{
	const char *const *a = job->argv;
	struct jl_buf text = JL_BUF_INIT;
	(void)ctx;
	if (run->end != JL_JOB_EXITED)
		return;
	if (strcmp(a[0], "put") == 0) {
		put(job, a[1], a[2], strlen(a[2]));
	} else if (strcmp(a[0], "cat") == 0) {
		for (int i = 2; a[i]; i++) {
			char part[4096];
			ssize_t n;
			int fd = open_in(job, a[i], O_RDONLY);
			assert_true(fd >= 0); /* it waited for its inputs */
			while ((n = read(fd, part, sizeof(part))) > 0)
				jl_buf_add(&text, part, (size_t)n);
			close(fd);
		}
		put(job, a[1], text.data, text.len);
	} else if (strcmp(a[0], "split") == 0) {
		for (int i = 2; a[i]; i++) {
			jl_buf_clear(&text);
			jl_buf_printf(&text, "%s/%s", a[1], a[i]);
			put(job, text.data, a[i], strlen(a[i]));
		}
	} else if (strcmp(a[0], "line") == 0) {
		for (int i = 2; a[i]; i++)
			jl_buf_printf(&text, "%s\n", a[i]);
		put(job, a[1], text.data, text.len);
	}
	jl_buf_release(&text);
}

int world_try(struct world *w)
{
	if (w->used)
		world_next(w);
	w->used = true;
	struct jl_buf *bufs[] = {&w->ends, &w->reasons, &w->output, &w->warnings, &w->kinds};
	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		jl_buf_clear(bufs[i]);
	w->max_running = 0;
	w->stored = 0;
	w->sum = (struct jl_run_summary){0};
	jl_messages_release(&w->msgs);
	jl_err_clear(&w->err);
	w->o.exec = &w->x->exec;
	w->o.clock = &w->clock;
	w->status = jl_run(&w->o, &w->sum, &w->msgs, &w->err);
	if (w->status == JL_OK) {
		assert_int_equal(w->kinds.data[0], 'R');
		assert_int_equal(w->kinds.data[w->kinds.len - 1], 'E');
		assert_int_equal(w->x->running, 0);
	}
	return w->status;
}

void world_run(struct world *w)
{
	if (world_try(w) == JL_OK)
		return;
	for (uint32_t i = 0; i < w->msgs.n; i++)
		print_message("%u:%u: %s\n", w->msgs.at[i].mark.line, w->msgs.at[i].mark.column, w->msgs.at[i].text);
	fail_msg("jl_run: %d %s", w->status, w->err.text);
}

void world_expect(struct world *w, const char *ends)
{
	if (strcmp(w->ends.data, ends) != 0)
		print_message("%s%s", w->reasons.data, w->warnings.data);
	assert_string_equal(w->ends.data, ends);
}

void world_write(struct world *w, const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	if (slash) {
		char *dir = jl_strndup(path, (size_t)(slash - path));
		assert_int_equal(jl_file_mkdirs(&jl_io_system, w->dir->fd, dir, 0777, NULL), JL_OK);
		free(dir);
	}
	tmpdir_write(w->dir, path, text, strlen(text));
}

bool world_exists(struct world *w, const char *path)
{
	struct stat st;
	return fstatat(w->dir->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void world_remove(struct world *w, const char *path)
{
	assert_true(world_exists(w, path));
	assert_int_equal(jl_file_remove(&jl_io_system, w->dir->fd, path, NULL), JL_OK);
}

void world_holds(struct world *w, const char *path, const char *text)
{
	struct jl_buf b = JL_BUF_INIT;
	if (jl_file_read(&jl_io_system, w->dir->fd, path, &b, NULL) != JL_OK)
		fail_msg("no file %s", path);
	assert_string_equal(b.data, text);
	jl_buf_release(&b);
}

static void tree(int dirfd, const char *path, struct jl_buf *out)
{
	struct stat st;
	struct dirent **names;
	assert_int_equal(fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	jl_buf_printf(out, "%s %o %lld %lld.%09ld %lld.%09ld %llu\n", path, st.st_mode, (long long)st.st_size,
	              (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
	              (unsigned long long)st.st_ino);
	if (!S_ISDIR(st.st_mode))
		return;
	int n = scandirat(dirfd, path, &names, NULL, alphasort);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		struct jl_buf sub = JL_BUF_INIT;
		jl_buf_printf(&sub, "%s/%s", path, names[i]->d_name);
		if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0)
			tree(dirfd, sub.data, out);
		jl_buf_release(&sub);
		free(names[i]);
	}
	free(names);
}

void world_tree(struct world *w, struct jl_buf *out)
{
	jl_buf_clear(out);
	tree(w->dir->fd, ".", out);
}
