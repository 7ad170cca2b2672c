/* What needs the whole manifest: names that refer to each other, cycles, defaults. */
#include "base/near.h"
#include "manifest/hole.h"
#include "manifest/reader.h"

#include <stdlib.h>
#include <string.h>

#define VAR_DEPTH   64u
#define VAR_WEIGHT  10000u
#define MERGED_MAX  10000000u /* entries that defaults add to all steps together */
#define NEAR_ERRORS 100u      /* looking for near names among many steps costs; nobody reads more */
#define CYCLE_SHOWN 8u

struct var_info {
	uint32_t weight; /* variables that its value takes to work out */
	uint32_t height;
	enum { UNSEEN, OPEN, DONE } state;
};

/* Bounded: a chain of more than VAR_DEPTH is a fault. */
static void measure_var(struct jl_reader *r, struct var_info *info, uint32_t index, uint32_t depth)
{
	struct jl_template *t = r->file->vars.at[index].value;
	struct var_info *own = &info[index];

	own->state = OPEN;
	own->weight = own->height = 1;
	for (uint32_t i = 0; i < t->n; i++) {
		const struct jl_hole *h = &t->holes[i];
		uint32_t other;

		if (h->kind != JL_HOLE_VAR || !h->var)
			continue;
		other = (uint32_t)(h->var - r->file->vars.at);
		if (info[other].state == OPEN) {
			jl_messages_add(r->msgs, jl_hole_mark(t, h), false, "variable \"%s\" depends on itself", h->s);
			break;
		}
		if (info[other].state == UNSEEN && depth < VAR_DEPTH)
			measure_var(r, info, other, depth + 1);
		if (info[other].state == UNSEEN || info[other].height >= VAR_DEPTH ||
		    info[other].weight > VAR_WEIGHT - own->weight) {
			jl_messages_add(r->msgs, jl_hole_mark(t, h), false,
					"variable \"%s\" depends on too many others", h->s);
			break;
		}
		own->weight += info[other].weight;
		if (info[other].height >= own->height)
			own->height = info[other].height + 1;
	}
	own->state = DONE;
}

static void check_vars(struct jl_reader *r)
{
	struct var_info *info = jl_calloc(r->file->vars.n, sizeof(*info));

	for (uint32_t i = 0; i < r->file->vars.n; i++)
		jl_template_check(r->file->vars.at[i].value, &r->file->vars, &r->vars_by_name, NULL, r->msgs);
	for (uint32_t i = 0; i < r->file->vars.n; i++) {
		if (info[i].state == UNSEEN)
			measure_var(r, info, i, 1);
	}
	free(info);
}

static bool check(struct jl_reader *r, struct jl_template *t, const struct jl_step *step)
{
	return !t || t->n == 0 || jl_template_check(t, &r->file->vars, &r->vars_by_name, step, r->msgs);
}

static void check_ports(struct jl_reader *r, const struct jl_ports *ports, const struct jl_step *step)
{
	for (uint32_t i = 0; i < ports->n; i++) {
		check(r, ports->at[i].path, step);
		check(r, ports->at[i].digest, step);
	}
}

static void check_templates(struct jl_reader *r, const struct jl_step *step)
{
	for (uint32_t i = 0; i < step->n_argv; i++)
		check(r, step->argv[i], step);
	check(r, step->script, step);
	check(r, step->workdir, step);
	for (uint32_t i = 0; step->valid_if && i < step->valid_if->n_argv; i++)
		check(r, step->valid_if->argv[i], step);
	if (step->valid_if)
		check(r, step->valid_if->script, step);
	check(r, step->when.t, step);
	check(r, step->foreach.pattern, step);
	check_ports(r, &step->inputs, step);
	check_ports(r, &step->outputs, step);
	check_ports(r, &step->keep, step);
	for (int i = 0; i < 3; i++)
		check(r, step->stream[i].path, step);
	check(r, step->depfile.path, step);
	for (uint32_t i = 0; i < step->env.n; i++)
		check(r, step->env.at[i].value, step);
}

static void check_after(struct jl_reader *r, const struct jl_step *step)
{
	for (uint32_t i = 0; i < step->after.n; i++) {
		const struct jl_mtext *name = &step->after.at[i];
		struct jl_near near = {.word = name->s};

		if (jl_map_get(&r->by_name, name->s, name->len) != JL_NONE)
			continue;
		for (uint32_t k = 0; k < r->steps.len && r->msgs->errors < NEAR_ERRORS; k++)
			jl_near_offer(&near, JL_AT(r->steps, struct jl_step, k)->name.s);
		if (near.best)
			jl_messages_add(r->msgs, name->mark, false, "there is no step \"%s\"; did you mean \"%s\"?",
					jl_messages_show(r->msgs, name->s), jl_messages_show(r->msgs, near.best));
		else
			jl_messages_add(r->msgs, name->mark, false, "there is no step \"%s\"",
					jl_messages_show(r->msgs, name->s));
	}
}

struct visit {
	uint32_t step, next; /* of its `after` */
};

static void report_cycle(struct jl_reader *r, const struct jl_table *stack, uint32_t first)
{
	struct jl_buf text = JL_BUF_INIT;
	const struct jl_step *step = NULL;

	for (uint32_t i = first; i < stack->len; i++) {
		step = JL_AT(r->steps, struct jl_step, JL_AT(*stack, struct visit, i)->step);
		if (i - first < CYCLE_SHOWN)
			jl_buf_printf(&text, "%s -> ", jl_messages_show(r->msgs, step->name.s));
		else if (i - first == CYCLE_SHOWN)
			jl_buf_str(&text, "... -> ");
	}
	step = JL_AT(r->steps, struct jl_step, JL_AT(*stack, struct visit, first)->step);
	jl_messages_add(r->msgs, step->name.mark, false, "a cycle of \"after\": %s%s; take one of them out", text.data,
			jl_messages_show(r->msgs, step->name.s));
	jl_buf_release(&text);
}

/* Depth first with a stack of our own: chains may be as long as there are steps. */
static void check_cycles(struct jl_reader *r)
{
	enum { UNSEEN_STEP, OPEN_STEP, DONE_STEP };
	struct jl_table stack = JL_TABLE_INIT(struct visit);
	uint8_t *state = jl_calloc(r->steps.len, 1);
	uint32_t *position = jl_calloc(r->steps.len, sizeof(*position));

	for (uint32_t i = 0; i < r->steps.len; i++) {
		if (state[i] != UNSEEN_STEP || JL_AT(r->steps, struct jl_step, i)->after.n == 0)
			continue;
		((struct visit *)jl_table_add(&stack, 1))->step = i;
		state[i] = OPEN_STEP;
		position[i] = 0;
		while (stack.len > 0) {
			struct visit *top = JL_AT(stack, struct visit, stack.len - 1);
			const struct jl_step *step = JL_AT(r->steps, struct jl_step, top->step);
			const struct jl_mtext *name;
			uint32_t other;

			if (top->next == step->after.n) {
				state[top->step] = DONE_STEP;
				stack.len--;
				continue;
			}
			name = &step->after.at[top->next++];
			other = jl_map_get(&r->by_name, name->s, name->len);
			if (other == JL_NONE || state[other] == DONE_STEP)
				continue;
			if (state[other] == OPEN_STEP) {
				report_cycle(r, &stack, position[other]);
				continue;
			}
			state[other] = OPEN_STEP;
			position[other] = stack.len;
			top = jl_table_add(&stack, 1);
			*top = (struct visit){.step = other};
		}
	}
	free(position);
	free(state);
	jl_table_release(&stack);
}

void jl_read_check_file(struct jl_reader *r)
{
	check_vars(r);
	for (uint32_t i = r->first_step; i < r->steps.len; i++)
		check_templates(r, JL_AT(r->steps, struct jl_step, i));
}

void jl_read_check_after(struct jl_reader *r)
{
	for (uint32_t i = 0; i < r->steps.len; i++) {
		check_after(r, JL_AT(r->steps, struct jl_step, i));
		jl_read_check_resources(r, &JL_AT(r->steps, struct jl_step, i)->resources);
		jl_read_check_executor(r, JL_AT(r->steps, struct jl_step, i));
	}
	check_cycles(r);
}

struct merge {
	struct jl_reader *r;
	struct jl_map by_name; /* of the defaults' env */
	uint32_t *overridden;  /* by env: the last step (counted from 1) that sets it itself */
	bool bad;              /* a default's template was found wrong; once is enough */
};

static const char *env_key(const void *owner, uint32_t index, size_t *ret_len)
{
	const struct jl_vars *env = owner;

	*ret_len = env->at[index].name.len;
	return env->at[index].name.s;
}

static void check_default(struct merge *m, struct jl_template *t, const struct jl_step *step)
{
	if (!m->bad)
		m->bad = !check(m->r, t, step);
}

static void merge_env(struct merge *m, struct jl_step *step, uint32_t nth)
{
	const struct jl_vars *env = &m->r->defaults.env;
	struct jl_vars all = {0};

	for (uint32_t i = 0; i < step->env.n; i++) {
		uint32_t at = jl_map_get(&m->by_name, step->env.at[i].name.s, step->env.at[i].name.len);

		if (at != JL_NONE)
			m->overridden[at] = nth;
	}
	if (step->env.n == 0) {
		all = *env;
	} else {
		all.at = jl_arena_alloc(&m->r->m->arena, (env->n + step->env.n) * sizeof(*all.at));
		m->r->merged += env->n;
	}
	for (uint32_t i = 0; i < env->n; i++) {
		if (m->overridden[i] == nth)
			continue;
		check_default(m, env->at[i].value, step);
		if (step->env.n > 0)
			all.at[all.n++] = env->at[i];
	}
	for (uint32_t i = 0; i < step->env.n; i++)
		all.at[all.n++] = step->env.at[i];
	step->env = all;
}

static void merge_texts(struct merge *m, const struct jl_mtexts *first, struct jl_mtexts *own)
{
	struct jl_mtexts all = {.n = first->n + own->n};

	if (own->n == 0) {
		*own = *first;
		return;
	}
	all.at = jl_arena_alloc(&m->r->m->arena, all.n * sizeof(*all.at));
	memcpy(all.at, first->at, first->n * sizeof(*all.at));
	memcpy(all.at + first->n, own->at, own->n * sizeof(*all.at));
	m->r->merged += first->n;
	*own = all;
}

static void merge_key(struct merge *m, const struct jl_schema_key *key, struct jl_step *step, bool own, uint32_t nth)
{
	const struct jl_step *defaults = &m->r->defaults;
	char *field = (char *)step + key->offset;
	const char *from = (const char *)defaults + key->offset;

	if (key->merge == JL_MERGE_BY_NAME) {
		merge_env(m, step, nth);
	} else if (key->merge == JL_MERGE_ADD) {
		merge_texts(m, (const struct jl_mtexts *)(const void *)from, (struct jl_mtexts *)(void *)field);
	} else if (own) {
		return;
	} else if (key->type == JL_TYPE_KEEP) {
		step->keep = defaults->keep;
		step->keep_all = defaults->keep_all;
		for (uint32_t i = 0; i < step->keep.n; i++)
			check_default(m, step->keep.at[i].path, step);
	} else {
		memcpy(field, from, key->size);
		if (key->type == JL_TYPE_PATH) {
			step->workdir_mark = defaults->workdir_mark;
			check_default(m, step->workdir, step);
		}
		for (uint32_t i = 0; key->type == JL_TYPE_VALID_IF && i < step->valid_if->n_argv; i++)
			check_default(m, step->valid_if->argv[i], step);
		if (key->type == JL_TYPE_VALID_IF)
			check_default(m, step->valid_if->script, step);
		else if (key->type == JL_TYPE_CONDITION && step->when.t)
			check_default(m, step->when.t, step);
	}
}

/* What is dropped must be able to come back, and be known by name. */
static void check_temp(struct jl_reader *r, const struct jl_step *step)
{
	if (!step->temp)
		return;
	if (!step->cache || step->interactive)
		jl_messages_add(r->msgs, step->name.mark, false,
				"step \"%s\" has \"temp\" and %s: nothing is stored that could bring its outputs back; take one "
				"of the two out",
				jl_messages_show(r->msgs, step->name.s),
				step->interactive ? "\"interactive\"" : "\"cache: false\"");
	if (step->keep_all || step->keep.n)
		jl_messages_add(r->msgs, step->name.mark, false,
				"step \"%s\" has both \"temp\" and \"keep\", which leaves its outputs for its next run; take "
				"one of the two out",
				jl_messages_show(r->msgs, step->name.s));
	for (uint32_t i = 0; i < step->outputs.n; i++)
		if (step->outputs.at[i].glob)
			jl_messages_add(r->msgs, step->outputs.at[i].text.mark, false,
					"outputs of a temp step cannot be a glob; name the files, or a folder (with a "
					"trailing slash) for them");
}

void jl_read_merge_defaults(struct jl_reader *r)
{
	static const char *const shell[] = {"bash", "-eo", "pipefail", "-c"};
	struct merge m = {.r = r, .overridden = jl_calloc(r->defaults.env.n, sizeof(uint32_t))};
	struct jl_mtexts usual = {.at = jl_arena_alloc(&r->m->arena, 4 * sizeof(*usual.at)), .n = 4};

	for (uint32_t i = 0; i < usual.n; i++)
		usual.at[i] = (struct jl_mtext){.s = shell[i], .len = (uint32_t)strlen(shell[i])};
	jl_map_init(&m.by_name, env_key, &r->defaults.env);
	for (uint32_t i = 0; i < r->defaults.env.n; i++)
		jl_map_put(&m.by_name, r->defaults.env.at[i].name.s, r->defaults.env.at[i].name.len, i);
	for (uint32_t i = r->first_step; i < r->steps.len; i++) {
		struct jl_step *step = JL_AT(r->steps, struct jl_step, i);
		uint64_t set = *JL_AT(r->set, uint64_t, i);

		/* The rows of steps come first: a row's number is its bit. */
		for (uint32_t row = 0; row < 64 && row < jl_schema_count(); row++) {
			if (r->defaults_set >> row & 1)
				merge_key(&m, jl_schema_at(row), step, set >> row & 1, i + 1);
		}
		check_temp(r, step);
		if (step->shell.n == 0)
			step->shell = usual;
		jl_read_join_streams(r, step);
		if (r->merged > MERGED_MAX) {
			jl_messages_add(r->msgs, r->defaults_mark, false,
					"the defaults make more than 10 million entries in all steps");
			break;
		}
	}
	jl_map_release(&m.by_name);
	free(m.overridden);
}
