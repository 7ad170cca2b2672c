/* jl list: the steps of the manifest and how they last ended. */
#include "lookup.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/utf8.h"

#include <string.h>

#define AT(field) offsetof(struct jl_settings, field)
#define COLUMNS 4

static const struct jl_opt opts[] = {
	{"verbose", 'v', NULL, "the instances of each step too", JL_OPT_COUNT, AT(verbose), 0},
	{0},
};
static const struct jl_opt *const tables[] = {opts, jl_opts_manifest, jl_opts_directory, jl_opts_help, NULL};

/* Cells of the listing, by row; texts in one buffer. */
struct cells {
	struct jl_buf text;
	struct jl_table at; /* struct cell */
};
struct cell {
	uint32_t text, len, width;
};

static void end_cell(struct cells *c, size_t start)
{
	struct cell *cell = jl_table_add(&c->at, 1);

	cell->text = (uint32_t)start;
	cell->len = (uint32_t)(c->text.len - start);
	for (size_t i = start; i < c->text.len; cell->width++) {
		size_t n = jl_utf8_len(c->text.data + i, c->text.len - i);

		i += n ? n : 1;
	}
}

static void add_cell(struct cells *c, const char *text)
{
	const size_t start = c->text.len;

	jl_path_show(&c->text, text, strlen(text));
	end_cell(c, start);
}

static void print_cells(const struct cells *c, struct jl_buf *out)
{
	uint32_t width[COLUMNS] = {0};

	for (uint32_t i = 0; i < c->at.len; i++) {
		const struct cell *cell = JL_AT(c->at, struct cell, i);

		if (cell->width > width[i % COLUMNS])
			width[i % COLUMNS] = cell->width;
	}
	for (uint32_t i = 0; i < c->at.len; i++) {
		const struct cell *cell = JL_AT(c->at, struct cell, i);
		const uint32_t column = i % COLUMNS;

		jl_buf_add(out, c->text.data + cell->text, cell->len);
		if (column == COLUMNS - 1)
			jl_buf_char(out, '\n');
		else if (width[column]) /* a column that is empty throughout is not there */
			jl_buf_printf(out, "%*s", (int)(width[column] - cell->width + 2), "");
	}
}

/* What is known of some instances together. */
struct tally {
	uint32_t n, ok, failed;
	int64_t wall_ns, when_ns;
};

static void count(struct tally *t, const struct jl_result *r)
{
	t->n++;
	if (!r)
		return;
	if (r->flags & JL_RESULT_FAILED)
		t->failed++;
	else
		t->ok++;
	t->wall_ns += r->wall_ns;
	if (r->when_ns > t->when_ns)
		t->when_ns = r->when_ns;
}

static void add_state(struct cells *c, const struct tally *t, int64_t now_ns)
{
	const size_t start = c->text.len;

	if (t->ok + t->failed == 0) {
		jl_buf_str(&c->text, "never ran");
		end_cell(c, start);
		return;
	}
	if (t->failed && t->n > 1)
		jl_buf_printf(&c->text, "%u of %u failed", t->failed, t->n);
	else if (t->failed)
		jl_buf_str(&c->text, "failed");
	else if (t->ok < t->n)
		jl_buf_printf(&c->text, "%u of %u ok", t->ok, t->n);
	else
		jl_buf_str(&c->text, "ok");
	if (t->wall_ns > 0) {
		jl_buf_str(&c->text, " in ");
		jl_clock_show(&c->text, t->wall_ns);
	}
	if (t->when_ns > 0) {
		/* Seconds are exact enough, and a clock that was set back is no negative age. */
		int64_t age_s = now_ns > t->when_ns ? (now_ns - t->when_ns) / JL_NS_S : 0;

		jl_buf_str(&c->text, ", ");
		jl_clock_show(&c->text, age_s * JL_NS_S);
		jl_buf_str(&c->text, " ago");
	}
	end_cell(c, start);
}

static void add_tags(struct cells *c, const struct jl_project *p, const struct jl_rule *rule)
{
	struct jl_buf tags = JL_BUF_INIT;

	for (uint32_t i = 0; i < rule->n_tags; i++)
		jl_buf_printf(&tags, "%s%s", i ? ", " : "[", jl_project_text(p, jl_plan_ref(&p->plan, rule->tags + i)));
	if (tags.len)
		jl_buf_char(&tags, ']');
	add_cell(c, tags.data);
	jl_buf_release(&tags);
}

static void add_rule(struct cells *c, const struct jl_project *p, const struct jl_rule *rule, bool instances)
{
	const int64_t now_ns = jl_clock_real_ns();
	struct tally all = {0};

	for (uint32_t i = rule->first; i < rule->first + rule->n; i++)
		count(&all, jl_lookup_result(p, i));
	add_cell(c, jl_project_text(p, rule->name));
	add_cell(c, jl_project_text(p, rule->description));
	add_tags(c, p, rule);
	add_state(c, &all, now_ns);
	if (!instances || !(rule->flags & JL_RULE_FOREACH))
		return;
	for (uint32_t i = rule->first; i < rule->first + rule->n; i++) {
		const size_t start = c->text.len;
		const char *label = jl_project_text(p, jl_plan_inst(&p->plan, i)->label);
		struct tally one = {0};

		jl_buf_str(&c->text, "  ");
		jl_path_show(&c->text, label, strlen(label));
		end_cell(c, start);
		add_cell(c, "");
		add_cell(c, "");
		count(&one, jl_lookup_result(p, i));
		add_state(c, &one, now_ns);
	}
}

static int run(struct jl_settings *s)
{
	struct cells c = {.text = JL_BUF_INIT, .at = JL_TABLE_INIT(struct cell)};
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_messages msgs = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_buf out = JL_BUF_INIT;
	struct jl_project *p = NULL;
	struct jl_run_opts o;
	int status;

	if (jl_settings_run_opts(s, &arena, &o, &err) != JL_OK) {
		status = jl_say_error(&err);
		goto out;
	}
	if (jl_project_open(&o, false, &p, &msgs, &err) != JL_OK) {
		p = NULL;
		status = jl_say_fault(&msgs, &err);
		goto out;
	}
	jl_say_messages(&msgs);
	for (uint32_t i = 0; i < p->plan.rules.len; i++)
		add_rule(&c, p, jl_plan_rule(&p->plan, i), s->verbose > 0);
	print_cells(&c, &out);
	status = jl_print_buf(&out);
out:
	if (jl_project_close(p, &err) != JL_OK)
		status = jl_say_error(&err);
	jl_buf_release(&c.text);
	jl_table_release(&c.at);
	jl_messages_release(&msgs);
	jl_arena_release(&arena);
	return status;
}

const struct jl_command jl_command_list = {
	.name = "list",
	.operands = "",
	.summary = "List the steps with description, tags and last state",
	.about = "In the order of the manifest. The state is that of the last run here: how it\n"
		 "ended, how long the commands took, how long ago.\n",
	.tables = tables,
	.run = run,
};
