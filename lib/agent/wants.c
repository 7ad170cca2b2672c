/* An agent's conversation: contents that its jobs lack, on their way. See serve_priv.h. */
#include "agent/serve_priv.h"

#include "base/file.h"

#include <stdlib.h>
#include <unistd.h>

static struct jl_want *find_want(struct jl_serve *s, const struct jl_digest *digest)
{
	struct jl_want *w = s->wants;
	while (w && !jl_digest_equal(&w->digest, digest))
		w = w->next;
	return w;
}

static void free_want(struct jl_serve *s, struct jl_want *w)
{
	struct jl_want **at = &s->wants;
	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
	close(w->fd);
	free(w);
}

int jl_wants_ask(struct jl_serve *s, struct jl_far_job *j, struct jl_err *err)
{
	struct jl_table asked = JL_TABLE_INIT(struct jl_msg_want);
	int r = JL_OK;
	for (uint32_t i = 0; r == JL_OK && i < j->missing.len; i++) {
		uint32_t index = *JL_AT(j->missing, uint32_t, i);
		const struct jl_cargo_in *in = &j->start.ins[index].in;
		uint64_t at = 0;
		if (find_want(s, &in->digest))
			continue;
		struct jl_want *w = jl_calloc(1, sizeof(*w));
		*w = (struct jl_want){.next = s->wants, .digest = in->digest, .id = j->id, .index = index};
		r = jl_home_partial(&s->home, &in->digest, in->size, w->name, &w->fd, &at, err);
		if (r != JL_OK) {
			free(w);
			break;
		}
		jl_receive_init(&w->rx, w->fd, in->size, at);
		w->resumed = at > 0;
		s->wants = w;
		*(struct jl_msg_want *)jl_table_add(&asked, 1) = (struct jl_msg_want){.index = index, .from = at};
	}
	if (asked.len)
		jl_serve_say(s, JL_LANE_CONTROL,
		    &(struct jl_msg){.type = JL_MSG_NEED, .id = j->id, .want = {.at = asked.data, .n = asked.len}});
	jl_table_release(&asked);
	return r;
}

void jl_wants_let_go(struct jl_serve *s, uint64_t id)
{
	for (struct jl_want *w = s->wants, *next; w; w = next) {
		next = w->next;
		if (w->id == id)
			free_want(s, w);
	}
	for (struct jl_far_job *j = s->jobs; j; j = j->next) {
		struct jl_err err = JL_ERR_INIT;
		if (j->phase == JL_FAR_WANTING && j->id != id && jl_wants_ask(s, j, &err) != JL_OK)
			jl_serve_refuse(s, j, &err);
	}
}

/* What was there from before was not the beginning of it: all of it once more. */
static void ask_again(struct jl_serve *s, struct jl_want *w)
{
	const struct jl_msg_want want = {.index = w->index};
	(void)!ftruncate(w->fd, 0); /* all is written over in any case, and its size is looked at */
	jl_receive_init(&w->rx, w->fd, w->rx.size, 0);
	w->resumed = false;
	jl_serve_say(s, JL_LANE_CONTROL, &(struct jl_msg){.type = JL_MSG_NEED, .id = w->id, .want = {.at = &want, .n = 1}});
}

/* A content is whole: put it where it is missing. The last that waits gets the file itself. */
static void deliver(struct jl_serve *s, const struct jl_want *w, const char *wrong)
{
	struct jl_far_job *last = NULL;
	for (struct jl_far_job *j = s->jobs; j; j = j->next)
		for (uint32_t i = 0; j->phase == JL_FAR_WANTING && i < j->missing.len; i++)
			if (jl_digest_equal(&j->start.ins[*JL_AT(j->missing, uint32_t, i)].in.digest, &w->digest))
				last = j;
	for (struct jl_far_job *j = s->jobs; j; j = j->next) {
		struct jl_err err = JL_ERR_INIT;
		bool moved = false, was = j->phase == JL_FAR_WANTING && j->missing.len > 0;
		int r = JL_OK;
		for (uint32_t i = 0; was && r == JL_OK && i < j->missing.len;) {
			uint32_t index = *JL_AT(j->missing, uint32_t, i);
			if (!jl_digest_equal(&j->start.ins[index].in.digest, &w->digest)) {
				i++;
				continue;
			}
			bool more = false; /* of the same content in this job */
			for (uint32_t k = i + 1; k < j->missing.len; k++)
				more |= jl_digest_equal(&j->start.ins[*JL_AT(j->missing, uint32_t, k)].in.digest, &w->digest);
			if (wrong)
				r = jl_err_set(&err, JL_ECHANGED, "input \"%s\": %s", j->start.ins[index].in.path, wrong);
			else
				r = jl_far_job_place(j, &s->home, index, j == last && !more && !moved ? w->name : NULL, w->fd,
						     &err);
			moved |= j == last && !more;
		}
		if (was && r != JL_OK)
			jl_serve_refuse(s, j, &err);
		else if (was && j->missing.len == 0)
			jl_serve_all_there(s, j);
	}
}

int jl_wants_data(struct jl_serve *s, const struct jl_msg *m, struct jl_err *err)
{
	struct jl_want *w = s->wants;
	struct jl_err why = JL_ERR_INIT;
	uint64_t credit, size;
	struct jl_digest is;
	while (w && (w->id != m->id || w->index != m->data.index))
		w = w->next;
	if (!w)
		return JL_OK; /* of a job that was cancelled */
	int r = jl_receive_data(&w->rx, m, &credit, &why);
	if (r == JL_ECORRUPT)
		return jl_err_set(err, r, "%s", why.text);
	if (r == 0 && credit)
		jl_serve_say(s, JL_LANE_CONTROL,
		    &(struct jl_msg){.type = JL_MSG_CREDIT,
				     .id = m->id,
				     .credit = {.index = m->data.index, .bytes = credit}});
	if (r == 0)
		return JL_OK;
	if (r == 1) {
		bool kept = jl_home_has(&s->home, &w->digest); /* by another agent, meanwhile */
		r = kept ? JL_OK : jl_home_put(&s->home, &w->digest, w->rx.size, w->fd, &why);
		if (kept || (r != JL_OK && r != JL_ECHANGED)) { /* then it was not checked */
			r = jl_digest_fd_as((enum jl_digest_algo)w->digest.algo, &jl_io_system, w->fd, &is, &size, &why);
			if (r == JL_OK && !jl_digest_equal(&is, &w->digest))
				r = jl_err_set(&why, JL_ECHANGED, "it changed while it was sent");
		}
	}
	if (r == JL_ECHANGED && w->resumed) {
		ask_again(s, w);
		return JL_OK;
	}
	struct jl_want whole = *w;
	whole.next = NULL;
	deliver(s, &whole, r == JL_OK ? NULL : why.text);
	unlinkat(s->home.dir_fd, whole.name, 0);
	free_want(s, w);
	return JL_OK;
}

void jl_wants_release(struct jl_serve *s)
{
	while (s->wants)
		free_want(s, s->wants);
}
