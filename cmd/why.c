/* jl why: the difference between a step's key now and the last one here, piece by piece. A plan of that step alone, with all
 * that the engine has to say of it. */
#include "cmd.h"

#include "base/path.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 20 /* different reasons that are shown */

static const struct jl_opt *const tables[] = {jl_opts_manifest, jl_opts_directory, jl_opts_store, jl_opts_help, NULL};

/* Instances of which the same is to be said; the first of them stands for all. */
struct group {
	uint32_t n;
	enum jl_step_status status;
	char *reason, *step, *detail;
};

struct story {
	struct jl_sink sink;    /* first */
	const char *word;       /* the operand */
	struct jl_table groups; /* struct group */
	uint32_t n;
};

/* Put `name` in place of `text` in what is in quotes. */
static void replace_quoted(struct jl_buf *reason, const char *text, size_t len, const char *name)
{
	char *open = strchr(reason->data, '"'), *close = open ? strchr(open + 1, '"') : NULL;
	char *at = close && len ? memmem(open, (size_t)(close - open), text, len) : NULL;
	struct jl_buf out = JL_BUF_INIT;

	if (!at)
		return;
	jl_buf_add(&out, reason->data, (size_t)(at - reason->data));
	jl_buf_printf(&out, "%s%s", name, at + len);
	jl_buf_release(reason);
	*reason = out;
}

/* The reason without what only this instance has in it, so that a thousand items with a changed input each have one. */
static char *general(const char *reason, const char *step)
{
	const char *item = strchr(step, '['), *end = item ? strrchr(item, ']') : NULL;
	struct jl_buf b = JL_BUF_INIT;

	jl_buf_str(&b, reason ? reason : "");
	if (end) {
		size_t len = (size_t)(end - ++item), base = jl_path_base(item, len);
		size_t before = b.len;

		replace_quoted(&b, item, len, "${{ item }}");
		if (b.len == before && base > 0)
			replace_quoted(&b, item + base, len - base, "${{ item.name }}");
	}
	return jl_buf_detach(&b, NULL);
}

static void collect(struct story *s, const struct jl_event *e)
{
	char *reason = general(e->reason, e->step);

	s->n++;
	for (uint32_t i = 0; i < s->groups.len; i++) {
		struct group *g = JL_AT(s->groups, struct group, i);

		if (g->status == e->status && strcmp(g->reason, reason) == 0) {
			g->n++;
			free(reason);
			return;
		}
	}
	struct group *g = jl_table_add(&s->groups, 1);
	*g = (struct group){.n = 1, .status = e->status, .reason = reason};
	if (s->groups.len <= GROUPS_MAX) {
		g->step = jl_strdup(e->step);
		g->detail = jl_strdup(e->detail ? e->detail : e->reason ? e->reason : "");
	}
}

static void event(struct jl_sink *sink, const struct jl_event *e)
{
	struct story *s = (struct story *)sink;
	const size_t len = strcspn(s->word, "[");

	if (e->type == JL_EVENT_WARNING) {
		jl_say("warning: %s%s%s", e->step ? e->step : "", e->step ? ": " : "", e->text);
	} else if (e->type == JL_EVENT_STEP_FINISHED) {
		/* A step whose items are not known yet is told as a whole, under its name. */
		if (e->detail || (strlen(e->step) == len && memcmp(e->step, s->word, len) == 0))
			collect(s, e);
	}
}

static void add_lines(struct jl_buf *out, const char *indent, const char *lines)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		jl_buf_str(out, indent);
		jl_path_show(out, lines, len);
		jl_buf_char(out, '\n');
		lines += len + (lines[len] == '\n');
	}
}

static void show_one(const struct group *g, struct jl_buf *out)
{
	jl_path_show(out, g->step, strlen(g->step));
	jl_buf_printf(out, ": %s\n", jl_step_status_name(g->status));
	add_lines(out, "  ", g->detail);
}

static void show_group(const struct group *g, struct jl_buf *out)
{
	jl_buf_printf(out, "%u %s%s", g->n, jl_step_status_name(g->status), g->reason[0] ? ": " : "");
	jl_path_show(out, g->reason, strlen(g->reason));
	jl_buf_str(out, "\n  ");
	jl_path_show(out, g->step, strlen(g->step));
	jl_buf_char(out, '\n');
	add_lines(out, "    ", g->detail);
}

static int show(const struct story *s)
{
	struct jl_buf out = JL_BUF_INIT;
	const uint32_t shown = s->groups.len < GROUPS_MAX ? s->groups.len : GROUPS_MAX;

	if (s->n == 1) {
		show_one(JL_AT(s->groups, struct group, 0), &out);
		return jl_print_buf(&out);
	}
	jl_path_show(&out, s->word, strlen(s->word));
	jl_buf_printf(&out, ": %u instances\n", s->n);
	for (uint32_t i = 0; i < shown; i++)
		show_group(JL_AT(s->groups, struct group, i), &out);
	if (shown < s->groups.len)
		jl_buf_printf(&out, "and %u reasons more; name one instance to see its own\n", s->groups.len - shown);
	return jl_print_buf(&out);
}

static void release(struct story *s)
{
	for (uint32_t i = 0; i < s->groups.len; i++) {
		struct group *g = JL_AT(s->groups, struct group, i);

		free(g->reason);
		free(g->step);
		free(g->detail);
	}
	jl_table_release(&s->groups);
}

static int run(struct jl_settings *s)
{
	struct story story = {
		.sink = {.event = event}, .word = s->operands.at[0], .groups = JL_TABLE_INIT(struct group)};
	struct jl_arena arena = JL_ARENA_INIT;
	struct jl_messages msgs = {0};
	struct jl_run_summary sum = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_run_opts o;
	int status;

	if (jl_settings_run_opts(s, &arena, &o, &err) != JL_OK) {
		status = jl_say_error(&err);
		goto out;
	}
	o.mode = JL_MODE_PLAN;
	o.why = JL_WHY_ALL;
	o.sinks = &story.sink;
	if (jl_run(&o, &sum, &msgs, &err) != JL_OK) {
		status = jl_say_fault(&msgs, &err);
	} else if (story.n == 0) {
		jl_say(strchr(story.word, '[') ? "no instance \"%s\" at present" : "\"%s\" has no instances at present",
		       story.word);
		status = strchr(story.word, '[') ? JL_EXIT_USAGE : JL_EXIT_OK;
	} else {
		jl_say_messages(&msgs);
		status = show(&story);
	}
	if (sum.signal)
		jl_end_by_signal(sum.signal);
out:
	release(&story);
	jl_messages_release(&msgs);
	jl_arena_release(&arena);
	return status;
}

const struct jl_command jl_command_why = {
	.name = "why",
	.operands = "STEP",
	.summary = "Tell why a step would run, or why not, piece by piece of its key",
	.about = "Compares what the step depends on now with its last result here: files with\n"
		 "both digests, variables, the command word by word. STEP[ITEM] is one instance;\n"
		 "of several each different reason is told once. Takes no lock, writes nothing.\n",
	.tables = tables,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
