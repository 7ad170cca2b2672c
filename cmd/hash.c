/* jl hash: content digests, as the keys use them. */
#include "cmd.h"

#include "base/cpu.h"
#include "base/pool.h"
#include "digest/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct jl_opt *const tables[] = {jl_opts_directory, jl_opts_help, NULL};

struct entry {
	const char *path;
	struct jl_digest digest;
	struct jl_err err;
};

struct job {
	struct entry *at;
	unsigned threads; /* for one folder */
};

static int hash_stdin(struct jl_digest *ret, struct jl_err *err)
{
	static const size_t piece = 256 << 10;
	struct jl_hasher *h = jl_hasher_new();
	char *data = jl_alloc(piece);
	ssize_t n;
	int r = JL_OK;

	for (;;) {
		n = read(STDIN_FILENO, data, piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		jl_hasher_add(h, data, (size_t)n);
	}
	if (n < 0)
		r = jl_err_sys(err, errno, "cannot read standard input");
	else
		jl_hasher_end(h, ret);
	free(data);
	jl_hasher_free(h);
	return r;
}

static void hash_one(struct entry *e, unsigned threads)
{
	enum jl_kind kind;
	int r = jl_digest_path(&jl_io_system, AT_FDCWD, e->path, threads, &kind, &e->digest, &e->err);

	if (r == JL_OK && kind == JL_KIND_ABSENT)
		r = jl_err_sys(&e->err, ENOENT, "cannot read \"%s\"", e->path);
	else if (r == JL_OK && kind == JL_KIND_OTHER)
		r = jl_err_set(&e->err, JL_EINVAL, "\"%s\" is no file, folder or link", e->path);
	jl_bug_if(r != JL_OK && e->err.status == JL_OK);
}

static void work(void *ctx, size_t from, size_t to)
{
	struct job *job = ctx;

	for (size_t i = from; i < to; i++)
		if (strcmp(job->at[i].path, "-") != 0)
			hash_one(&job->at[i], job->threads);
}

static int run(struct jl_settings *s)
{
	const unsigned cpus = jl_cpu_count();
	const uint32_t n = s->operands.n;
	struct job job = {.at = jl_calloc(n, sizeof(*job.at)), .threads = n == 1 ? cpus : 1};
	struct jl_buf out = JL_BUF_INIT;
	char text[JL_DIGEST_TEXT];
	int status = JL_EXIT_OK, printed;

	for (uint32_t i = 0; i < n; i++)
		job.at[i].path = s->operands.at[i];
	jl_pool_each(n == 1 ? 1 : cpus, n, work, &job);
	for (uint32_t i = 0; i < n; i++) {
		struct entry *e = &job.at[i];

		/* Standard input is one stream: it is read in its turn. */
		if (strcmp(e->path, "-") == 0 && hash_stdin(&e->digest, &e->err) != JL_OK)
			jl_bug_if(e->err.status == JL_OK);
		if (e->err.status == JL_OK) {
			jl_buf_printf(&out, "%s %s\n", jl_digest_text(&e->digest, text), e->path);
		} else {
			jl_say_error(&e->err);
			status = JL_EXIT_FAILED;
		}
	}
	free(job.at);
	printed = jl_print_buf(&out);
	return printed == JL_EXIT_OK ? status : printed;
}

const struct jl_command jl_command_hash = {
	.name = "hash",
	.operands = "FILE|DIR ...",
	.summary = "Print content digests, as the keys use them",
	.about = "One line each, in the order given: the digest and the path. A folder's digest is\n"
		 "that of its tree; \"-\" is standard input. What cannot be read is told, the rest\n"
		 "goes on, and the exit status is 1.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = UINT32_MAX,
	.run = run,
};
