/* See left.h. */
#include "run/left.h"

#include "base/file.h"
#include "base/path.h"
#include "proc/marked.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNNING  ".jl/running"
#define WAIT_NS  (2 * JL_NS_S) /* between TERM and KILL */
#define LINE_MAX_LEN 512u

/* ---- this run ---- */

void jl_left_mark(struct jl_engine *e)
{
	const int root_fd = jl_engine_files(e)->root_fd;
	struct stat st;
	uint32_t random = 0;
	char line[LINE_MAX_LEN];
	if (e->mark[0])
		return;
	/* Elsewhere a run may have begun in the same second with the same pid. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint32_t)jl_clock_real_ns();
	snprintf(e->mark, sizeof(e->mark), "JL_RUN=%s-%08x", e->run_id, random);
	if (fstat(root_fd, &st) != 0)
		return;
	int len = snprintf(line, sizeof(line), "%s %ld %llx:%llx %s\n", strchr(e->mark, '=') + 1, (long)getpid(),
			   (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, e->p->host[0] ? e->p->host : "-");
	(void)!jl_file_write(&jl_io_system, root_fd, RUNNING, line, (size_t)len, 0666, false, NULL);
}

void jl_left_unmark(struct jl_engine *e)
{
	if (e->mark[0])
		unlinkat(jl_engine_files(e)->root_fd, RUNNING, 0);
}

/* ---- the run before ---- */

struct before {
	char mark[sizeof(((struct jl_engine *)0)->mark)], host[80];
	long pid;
	bool here; /* it ran in this folder, not in one that this is a copy of */
};

static bool read_before(struct jl_engine *e, struct before *ret)
{
	const int root_fd = jl_engine_files(e)->root_fd;
	unsigned long long dev, ino;
	struct jl_buf text;
	struct stat st;
	jl_buf_init(&text, LINE_MAX_LEN);
	*ret = (struct before){.mark = "JL_RUN="};
	int r = jl_file_read(&jl_io_system, root_fd, RUNNING, &text, NULL);
	if (r == JL_OK && sscanf(text.data, "%56s %ld %llx:%llx %79s", ret->mark + strlen(ret->mark), &ret->pid, &dev, &ino,
				 ret->host) == 5)
		ret->here = fstat(root_fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
	jl_buf_release(&text);
	return r != JL_ENOTFOUND;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void remove_temps(int root_fd, const char *folder, const char *prefix)
{
	int fd = jl_file_open_beneath(root_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	for (struct dirent *d; dir && (d = readdir(dir));)
		if (strncmp(d->d_name, prefix, strlen(prefix)) == 0)
			(void)!jl_file_remove(&jl_io_system, fd, d->d_name, NULL);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
}

/* The same in all folders below, for a glob that names more than one. */
static void remove_temps_below(struct jl_engine *e, const char *folder, const char *prefix)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	uint32_t top = jl_files_id(files, folder, strlen(folder));
	(void)!jl_files_tree(files, top, &ids, NULL); /* what cannot be listed has nothing of ours */
	for (uint32_t i = 0; i < ids.len; i++) {
		const char *path = jl_files_path(files, *JL_AT(ids, uint32_t, i));
		if (strncmp(path + jl_path_base(path, strlen(path)), prefix, strlen(prefix)) == 0)
			(void)!jl_file_remove(&jl_io_system, files->root_fd, path, NULL);
	}
	jl_files_forget(files, top, true);
	jl_table_release(&ids);
}

/* What was staged beside outputs and not put in place: looked for in the folders of all outputs. */
static void sweep(struct jl_engine *e, long pid)
{
	const struct jl_plan *plan = &e->p->plan;
	struct jl_table folders = JL_TABLE_INIT(char *);
	char prefix[JL_FILE_TEMP_SIZE];
	jl_file_temp_prefix(prefix, sizeof(prefix), pid);
	*(char **)jl_table_add(&folders, 1) = jl_strdup(".jl");
	for (uint32_t i = 0; i < plan->insts.len; i++) {
		const struct jl_inst *t = jl_plan_inst(plan, i);
		for (uint32_t k = t->outs; k < t->outs + t->n_outs; k++) {
			const struct jl_pport *port = jl_plan_port(plan, k);
			bool glob = port->flags & JL_PORT_GLOB;
			const char *path = glob ? jl_project_text(e->p, port->what)
						: jl_files_path(jl_engine_files(e), port->what);
			size_t fixed = glob ? strcspn(path, "*?[{") : strlen(path), base = jl_path_base(path, fixed);
			char *folder = base > 1 ? jl_strndup(path, base - 1) : jl_strdup(".");
			if (strchr(path + fixed, '/'))
				remove_temps_below(e, folder, prefix);
			*(char **)jl_table_add(&folders, 1) = folder;
		}
	}
	qsort(folders.data, folders.len, sizeof(char *), by_text);
	for (uint32_t i = 0; i < folders.len; i++)
		if (i == 0 || strcmp(*JL_AT(folders, char *, i), *JL_AT(folders, char *, i - 1)) != 0)
			remove_temps(jl_engine_files(e)->root_fd, *JL_AT(folders, char *, i), prefix);
	for (uint32_t i = 0; i < folders.len; i++)
		free(*JL_AT(folders, char *, i));
	jl_table_release(&folders);
}

/* A process that the run before left may have started this jl: a terminal multiplexer, say. */
static bool is_of(const struct jl_engine *e, const char *mark)
{
	for (const char *const *v = e->opts->environ; v && *v; v++)
		if (strcmp(*v, mark) == 0)
			return true;
	return false;
}

static void end_before(struct jl_engine *e, const struct before *b)
{
	struct jl_marked m;
	sweep(e, b->pid);
	if (is_of(e, b->mark)) {
		jl_engine_warn(e, NULL, "the run before was killed; what it left is let live, since it started this run");
		return;
	}
	jl_marked_end(b->mark, WAIT_NS, &m);
	if (m.left)
		jl_engine_warn(e, NULL, "the run before was killed: %u of %u processes that it left would not end (%s)", m.left,
			       m.ended + m.left, m.names.data);
	else if (m.ended)
		jl_engine_warn(e, NULL, "the run before was killed: ended %u process%s that it left (%s)", m.ended,
			       m.ended == 1 ? "" : "es", m.names.data);
	else
		jl_engine_warn(e, NULL, "the run before was killed; it left no processes");
	jl_buf_release(&m.names);
}

void jl_left_clear(struct jl_engine *e)
{
	struct before b;
	if (!read_before(e, &b))
		return;
	if (b.host[0] && strcmp(b.host, e->p->host[0] ? e->p->host : "-") != 0)
		jl_engine_warn(e, NULL, "the run before was killed, on %s; what it may have left there is not looked for", b.host);
	else if (b.here)
		end_before(e, &b);
	unlinkat(jl_engine_files(e)->root_fd, RUNNING, 0);
}
