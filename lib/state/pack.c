/* Packing of the tables. */
#include "state/pack.h"

#include <stdlib.h>
#include <string.h>

static void pack_lists(struct jl_state *s)
{
	struct jl_table old = s->files.lists, lists = {.size = 1};

	for (uint32_t i = 0; i < s->files.at.len; i++) {
		struct jl_file *e = jl_file_at(&s->files, i);
		uint32_t at = lists.len;

		e->flags &= JL_FILE_STORED;
		if (!(e->flags & JL_FILE_LIST) || !e->list_len) {
			e->list = e->list_len = 0;
			continue;
		}
		memcpy(jl_table_add(&lists, e->list_len), JL_AT(old, char, e->list), e->list_len);
		e->list = at;
	}
	s->files.lists = lists;
	jl_table_release(&old);
}

static uint32_t move_text(struct jl_table *to, const struct jl_table *from, uint32_t text)
{
	const char *t = jl_text(from, text);

	return jl_text_add(to, t, strlen(t));
}

/* The lists that results have, of files by their new index (to: NULL for as they are); the others go. keep: NULL, or which
 * results stay, before those are moved. */
static void pack_found(struct jl_results *r, const uint8_t *keep, const uint32_t *to)
{
	struct jl_results old = *r;
	uint32_t at = 0;

	r->found = r->find = (struct jl_table)JL_TABLE_INIT(uint32_t);
	for (uint32_t i = 0; i < old.find.len; i++) {
		uint32_t n;
		const uint32_t *files = jl_results_found(&old, i, &n);

		if (keep && !keep[i])
			continue;
		jl_results_set_found(r, at++, files, n);
		for (uint32_t k = 0; to && k < n; k++)
			*JL_AT(r->found, uint32_t, r->found.len - 1 - n + k) = to[files[k]];
	}
	jl_table_release(&old.found);
	jl_table_release(&old.find);
}

void jl_state_pack_lists(struct jl_state *s)
{
	pack_lists(s);
	pack_found(&s->results, NULL, NULL);
}

/* From old to new index, JL_NONE for what goes. To be freed. */
static uint32_t *new_files(const struct jl_state *s, const uint8_t *keep, const uint8_t *keep_results)
{
	const struct jl_files *f = &s->files;
	uint32_t *to = jl_alloc((size_t)f->at.len * sizeof(*to)), n = 0;

	for (uint32_t i = 0; i < f->at.len; i++)
		to[i] = !keep || keep[i] ? 0 : JL_NONE;
	/* What a kept result was found to depend on is kept with it. */
	for (uint32_t i = 0; i < s->results.at.len; i++) {
		const uint32_t *found = jl_results_found(&s->results, i, &n);

		for (uint32_t k = 0; k < n && (!keep_results || keep_results[i]); k++)
			to[found[k]] = 0;
	}
	n = 0;
	/* A folder's index is lower than those of what is in it. */
	for (uint32_t i = f->at.len; i-- > 0;) {
		uint32_t dir = jl_file_at(f, i)->dir;

		if (to[i] != JL_NONE && dir != JL_NONE)
			to[dir] = 0;
	}
	for (uint32_t i = 0; i < f->at.len; i++) {
		if (to[i] != JL_NONE)
			to[i] = n++;
	}
	return to;
}

void jl_state_pack(struct jl_state *s, const uint8_t *keep_files, const uint8_t *keep_results)
{
	uint32_t *to = new_files(s, keep_files, keep_results), n = 0;
	struct jl_table text = {.size = 1};

	jl_text_add(&text, "", 0);
	for (uint32_t i = 0; i < s->files.at.len; i++) {
		struct jl_file e = *jl_file_at(&s->files, i);

		if (to[i] == JL_NONE)
			continue;
		e.text = move_text(&text, &s->text, e.text);
		e.dir = e.dir == JL_NONE ? JL_NONE : to[e.dir];
		*jl_file_at(&s->files, to[i]) = e;
		n++;
	}
	s->files.at.len = n;
	pack_found(&s->results, keep_results, to);
	n = 0;
	for (uint32_t i = 0; i < s->results.at.len; i++) {
		struct jl_result e = *jl_result_at(&s->results, i);

		if (keep_results && !keep_results[i])
			continue;
		e.label = move_text(&text, &s->text, e.label);
		*jl_result_at(&s->results, n++) = e;
	}
	s->results.at.len = n;
	jl_table_release(&s->text);
	s->text = text;
	/* Nothing of this run's refers to the new indices. */
	s->files.racy_head = s->files.racy.len = 0;
	jl_map_release(&s->files.map);
	jl_map_release(&s->results.map);
	free(to);
	pack_lists(s);
}
