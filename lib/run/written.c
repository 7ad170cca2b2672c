/* See written.h. */
#include "run/written.h"

#include <time.h>

/* Stamps move in ticks of a few milliseconds (of seconds, on some file systems). */
#define TICK_NS  (20 * JL_NS_MS)
#define WHOLE_NS (2 * JL_NS_S)

static void add_stamp(struct jl_files *files, uint32_t id, struct jl_buf *out, int64_t *newest)
{
	if (jl_files_stat(files, id, NULL) != JL_OK)
		return;
	const struct jl_stamp *s = &jl_file_at(files, id)->stamp;
	jl_buf_u32(out, id);
	jl_buf_add(out, s, sizeof(*s));
	*newest = s->ctime_ns > *newest ? s->ctime_ns : *newest;
}

static void look(struct jl_engine *e, uint32_t file, struct jl_digest *ret, int64_t *newest)
{
	struct jl_files *files = jl_engine_files(e);
	struct jl_table ids = JL_TABLE_INIT(uint32_t);
	*ret = (struct jl_digest){0};
	*newest = 0;
	jl_buf_clear(&e->scratch);
	jl_files_forget(files, file, true);
	if (jl_files_stat(files, file, NULL) != JL_OK || jl_file_kind(jl_file_at(files, file)) == JL_KIND_ABSENT)
		return;
	add_stamp(files, file, &e->scratch, newest);
	if (jl_file_kind(jl_file_at(files, file)) == JL_KIND_DIR && jl_files_tree(files, file, &ids, NULL) == JL_OK)
		for (uint32_t i = 0; i < ids.len; i++)
			add_stamp(files, *JL_AT(ids, uint32_t, i), &e->scratch, newest);
	jl_digest_bytes(e->scratch.data, e->scratch.len, ret);
	jl_table_release(&ids);
}

/* Until the clock has moved on a write could leave a stamp as it is. false: that takes too long to wait for. */
static bool ripen(int64_t newest)
{
	int64_t until = jl_clock_coarse_ns() + TICK_NS;
	while (jl_clock_coarse_ns() <= newest && jl_clock_coarse_ns() < until)
		nanosleep(&(struct timespec){.tv_nsec = JL_NS_MS}, NULL);
	return jl_clock_coarse_ns() > newest + (newest % JL_NS_S ? 0 : WHOLE_NS);
}

void jl_written_before(struct jl_written *w, struct jl_engine *e, uint32_t inst)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	int64_t newest = 0;
	for (uint32_t i = 0; i < t->n_outs; i++) {
		int64_t own;
		look(e, jl_plan_port(&e->p->plan, t->outs + i)->what, jl_table_add(&w->ports, 1), &own);
		newest = own > newest ? own : newest;
	}
	w->sure = newest == 0 || ripen(newest);
}

bool jl_written_untouched(struct jl_written *w, struct jl_engine *e, uint32_t inst, uint32_t out)
{
	const struct jl_digest *was = JL_AT(w->ports, struct jl_digest, out);
	struct jl_digest now;
	int64_t newest;
	look(e, jl_plan_port(&e->p->plan, jl_engine_inst(e, inst)->outs + out)->what, &now, &newest);
	return was->algo != JL_DIGEST_NONE && jl_digest_equal(was, &now) && w->sure;
}

bool jl_written_missing(struct jl_written *w, struct jl_engine *e, uint32_t inst, const char **ret_path)
{
	const struct jl_inst *t = jl_engine_inst(e, inst);
	for (uint32_t i = 0; i < t->n_outs; i++) {
		const struct jl_pport *port = jl_plan_port(&e->p->plan, t->outs + i);
		if (!(port->flags & JL_PORT_HIDDEN) && jl_written_untouched(w, e, inst, i)) {
			*ret_path = jl_files_path(jl_engine_files(e), port->what);
			return true;
		}
	}
	return false;
}

void jl_written_release(struct jl_written *w)
{
	jl_table_release(&w->ports);
}
