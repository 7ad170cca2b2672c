/* Looking up stored results. */
#include "lookup.h"

#include "memo/variants.h"
#include "base/file.h"
#include "report/out.h"
#include "report/term.h"
#include "store/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void warn(void *ctx, const char *text)
{
	(void)ctx;
	jl_say("warning: %s", text);
}

const char *jl_lookup_store_dir(const struct jl_lookup *l)
{
	if (l->project)
		return jl_project_store_dir(l->project);
	return l->opts.store_dir ? l->opts.store_dir : l->opts.default_store_dir;
}

void jl_lookup_store_rules(const struct jl_lookup *l, struct jl_store_rules *ret)
{
	if (l->project)
		jl_project_store_rules(l->project, ret);
	else
		jl_run_store_rules(&l->opts, ret);
}

int jl_lookup_open(struct jl_lookup *l, const struct jl_settings *s, struct jl_err *err)
{
	int r;

	*l = (struct jl_lookup){0};
	r = jl_settings_run_opts(s, &l->arena, &l->opts, err);
	if (r != JL_OK)
		return r;
	if (jl_project_open(&l->opts, false, &l->project, &l->msgs, &l->fault) != JL_OK)
		l->project = NULL;
	return JL_OK;
}

void jl_lookup_close(struct jl_lookup *l)
{
	jl_store_free(l->store);
	/* Opened for reading: there is nothing to write, so nothing to fail. */
	if (jl_project_close(l->project, NULL) != JL_OK)
		l->project = NULL;
	jl_messages_release(&l->msgs);
	jl_arena_release(&l->arena);
}

static int project_fault(struct jl_lookup *l, struct jl_err *err)
{
	if (!l->msgs.errors) {
		*err = l->fault;
		return err->status;
	}
	jl_say_messages(&l->msgs);
	return jl_err_set(err, JL_EINVAL, "the manifest has errors");
}

int jl_lookup_word(struct jl_lookup *l, const char *word, uint32_t *ret_rule, uint32_t *ret_inst, struct jl_digest *ret_key,
                   struct jl_err *err)
{
	struct jl_err key_err = JL_ERR_INIT;
	int r;

	if (l->project) {
		r = jl_project_find(l->project, word, ret_rule, ret_inst, err);
		if (r == JL_OK || !jl_store_is_prefix(word))
			return r;
	} else if (!jl_store_is_prefix(word)) {
		return project_fault(l, err);
	}
	r = jl_store_local_find_key(jl_lookup_store_dir(l), word, ret_key, &key_err);
	if (r != JL_OK) {
		*err = key_err;
		return r;
	}
	*ret_rule = *ret_inst = JL_NONE;
	return JL_OK;
}

const struct jl_result *jl_lookup_result(const struct jl_project *p, uint32_t inst)
{
	const struct jl_results *all = &p->state->results;
	const uint32_t id = jl_plan_inst(&p->plan, inst)->result;
	const struct jl_result *r;

	if (id >= all->at.len)
		return NULL;
	r = jl_result_at(all, id);
	return r->flags & (JL_RESULT_OK | JL_RESULT_FAILED) ? r : NULL;
}

static int open_store(struct jl_lookup *l, bool read_only, struct jl_err *err)
{
	int r;

	if (l->store)
		return JL_OK;
	r = jl_store_local_open(&jl_io_system, jl_lookup_store_dir(l), read_only, &l->store, err);
	if (r == JL_OK) {
		struct jl_store_rules rules;

		jl_lookup_store_rules(l, &rules);
		jl_store_local_rules(l->store, &rules);
		l->store->warn = warn;
	}
	return r;
}

/* A base key stands for the results of its variants: the last used one is meant. */
static int follow(struct jl_lookup *l, struct jl_buf *data, struct jl_err *err)
{
	struct jl_buf scratch = JL_BUF_INIT;
	struct jl_variants *v = NULL;
	struct jl_digest key;
	int r = jl_variants_decode(data->data, data->len, &v, err);

	if (r == JL_OK && v->n == 0)
		r = JL_ENOTFOUND;
	if (r == JL_OK) {
		jl_variants_key(v, 0, &scratch, &key);
		jl_buf_clear(data);
		r = l->store->ops->get_record(l->store, &key, data, err);
	}
	jl_variants_free(v);
	jl_buf_release(&scratch);
	return r;
}

int jl_lookup_store(struct jl_lookup *l, struct jl_err *err)
{
	return open_store(l, true, err);
}

int jl_lookup_store_writable(struct jl_lookup *l, struct jl_err *err)
{
	return open_store(l, false, err);
}

int jl_lookup_record(struct jl_lookup *l, const struct jl_digest *key, struct jl_record **ret, struct jl_err *err)
{
	struct jl_buf data = JL_BUF_INIT;
	int r = jl_lookup_store(l, err);

	if (r == JL_OK)
		r = l->store->ops->get_record(l->store, key, &data, err);
	if (r == JL_OK && jl_variants_is(data.data, data.len))
		r = follow(l, &data, err);
	if (r == JL_OK)
		r = jl_record_decode(data.data, data.len, ret, err);
	if (r == JL_ENOTFOUND)
		r = jl_err_set(err, JL_ENOTFOUND, "the result is no longer in the store");
	jl_buf_release(&data);
	return r;
}

int jl_lookup_content(struct jl_lookup *l, const struct jl_content *c, struct jl_bytes *ret, struct jl_err *err)
{
	void *map = NULL;
	int fd, r;

	if (c->bytes || c->size == 0) {
		*ret = (struct jl_bytes){c->bytes ? c->bytes : "", (size_t)c->size, NULL};
		return JL_OK;
	}
	fd = jl_file_nameless(getenv("TMPDIR")); /* on disk where that is possible: a blob may be larger than memory */
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot make a temporary file");
	r = l->store->ops->get_blob(l->store, &c->digest, c->size, fd, err);
	if (r == JL_ENOTFOUND)
		r = jl_err_set(err, JL_ENOTFOUND, "the result is no longer whole in the store");
	if (r == JL_OK) {
		map = mmap(NULL, (size_t)c->size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			r = jl_err_sys(err, errno, "cannot map %llu bytes", (unsigned long long)c->size);
	}
	close(fd);
	if (r == JL_OK)
		*ret = (struct jl_bytes){map, (size_t)c->size, map};
	/* cppcheck-suppress memleak ; it is the caller's from here on */
	return r;
}

void jl_bytes_release(struct jl_bytes *b)
{
	if (b->map)
		munmap(b->map, b->len);
	*b = (struct jl_bytes){0};
}

static void show_chunk(struct jl_out *o, bool tty, const char *data, size_t len)
{
	if (tty)
		jl_term_safe(&o->buf, data, len);
	else
		jl_out_add(o, data, len);
}

int jl_lookup_show_log(struct jl_lookup *l, const struct jl_record *r, bool only_stdout, struct jl_err *err)
{
	struct jl_out out = JL_OUT_INIT(STDOUT_FILENO), errors = JL_OUT_INIT(STDERR_FILENO);
	const bool out_tty = !only_stdout && isatty(STDOUT_FILENO), err_tty = isatty(STDERR_FILENO);
	struct jl_bytes b = {0};
	struct jl_cur c;
	int status = jl_lookup_content(l, &r->log, &b, err);

	if (status != JL_OK)
		return status;
	c = (struct jl_cur){b.data, (const uint8_t *)b.data + b.len, 0};
	while (c.at < c.end) {
		uint8_t stream = jl_cur_u8(&c);
		size_t len;
		const char *data = jl_cur_bytes(&c, &len);

		if (c.bad) {
			status = jl_err_set(err, JL_ECORRUPT, "the stored log is damaged");
			break;
		}
		/* Each goes out before the other stream is written, so that a terminal shows them as they came. */
		if (stream == 1) {
			jl_out_flush(&errors);
			show_chunk(&out, out_tty, data, len);
		} else if (!only_stdout) {
			jl_out_flush(&out);
			show_chunk(&errors, err_tty, data, len);
		}
	}
	jl_out_release(&out);
	jl_out_release(&errors);
	jl_bytes_release(&b);
	if (status == JL_OK && out.sys_errno)
		status = jl_err_sys(err, out.sys_errno, "cannot write to standard output");
	return status;
}
