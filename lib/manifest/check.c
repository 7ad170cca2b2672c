/* What can be said of a template only when everything is declared: do its names mean something? */
#include "base/map.h"
#include "base/near.h"
#include "base/table.h"
#include "manifest/hole.h"
#include "manifest/matrix.h"

#include <string.h>

struct check {
	const struct jl_template *t;
	const struct jl_vars *vars;
	const struct jl_map *by_name; /* of vars */
	const struct jl_step *step;
	struct jl_messages *msgs;
};

static bool check_var(const struct check *c, struct jl_hole *h)
{
	uint32_t at = jl_map_get(c->by_name, h->s, h->len);
	struct jl_near near = {.word = h->s};

	if (at != JL_NONE) {
		h->var = &c->vars->at[at];
		return true;
	}
	for (uint32_t i = 0; i < c->vars->n; i++)
		jl_near_offer(&near, c->vars->at[i].name.s);
	if (near.best)
		jl_messages_add(c->msgs, jl_hole_mark(c->t, h), false,
				"there is no variable \"%s\"; did you mean \"%s\"?", jl_messages_show(c->msgs, h->s),
				near.best);
	else
		jl_messages_add(c->msgs, jl_hole_mark(c->t, h), false,
				"there is no variable \"%s\"; add it to \"vars\"", jl_messages_show(c->msgs, h->s));
	return false;
}

static bool check_ports(const struct check *c, const struct jl_hole *h)
{
	bool in = h->kind == JL_HOLE_INPUTS;
	const struct jl_ports *ports = in ? &c->step->inputs : &c->step->outputs;
	const char *what = in ? "input" : "output";
	struct jl_near near = {.word = h->s ? h->s : ""};
	uint32_t real = 0;

	for (uint32_t i = 0; i < ports->n; i++) {
		const struct jl_port *port = &ports->at[i];

		real += !port->exclude && !port->hidden;
		if (h->pick == JL_PICK_NAME && port->name) {
			if (strcmp(port->name, h->s) == 0)
				return true;
			jl_near_offer(&near, port->name);
		}
	}
	if (h->pick == JL_PICK_NAME && near.best)
		jl_messages_add(c->msgs, jl_hole_mark(c->t, h), false,
				"the step has no %s named \"%s\"; did you mean \"%s\"?", what,
				jl_messages_show(c->msgs, h->s), near.best);
	else if (h->pick == JL_PICK_NAME)
		jl_messages_add(c->msgs, jl_hole_mark(c->t, h), false,
				"the step has no %s named \"%s\"; name it, as in %ss: {%s: PATH}", what,
				jl_messages_show(c->msgs, h->s), what, jl_messages_show(c->msgs, h->s));
	else if (real == 0)
		jl_messages_add(c->msgs, jl_hole_mark(c->t, h), false, "the step declares no %ss; add \"%ss\"", what,
				what);
	else
		return true;
	return false;
}

/* Can this item give what the hole asks for? */
static bool item_has(const struct jl_value *item, const struct jl_hole *h)
{
	if (!item->keys)
		return !h->s || (h->field == JL_FIELD_WHOLE && jl_hole_field(h->s, h->len) != JL_FIELD_WHOLE);
	for (uint32_t i = 0; h->s && i < item->n_keys; i++) {
		if (strcmp(item->keys[i].s, h->s) == 0)
			return true;
	}
	return false;
}

static bool check_item(const struct check *c, const struct jl_hole *h)
{
	static const struct jl_value scalar = {.text = {.s = ""}};
	struct jl_mark mark = jl_hole_mark(c->t, h);
	const struct jl_foreach *f = &c->step->foreach;
	const struct jl_value *bad = NULL;
	struct jl_near near = {.word = h->s ? h->s : ""};

	if (f->kind == JL_FOREACH_MATRIX) {
		jl_messages_add(c->msgs, mark, false, "a step with a matrix has no item; write ${{ matrix.NAME }}");
		return false;
	}
	if (f->kind == JL_FOREACH_NONE) {
		jl_messages_add(c->msgs, mark, false,
				"\"item\" has no value without foreach; add \"foreach\" to the step");
		return false;
	}
	if (f->kind != JL_FOREACH_LIST)
		bad = item_has(&scalar, h) ? NULL : &scalar;
	for (uint32_t i = 0; f->kind == JL_FOREACH_LIST && i < f->n && !bad; i++)
		bad = item_has(&f->list[i], h) ? NULL : &f->list[i];
	if (!bad)
		return true;
	if (!h->s) {
		jl_messages_add(c->msgs, mark, false, "the items are mappings; name a key, as in ${{ item.%s }}",
				bad->n_keys ? bad->keys[0].s : "KEY");
		return false;
	}
	for (uint32_t i = 0; i < bad->n_keys; i++)
		jl_near_offer(&near, bad->keys[i].s);
	if (near.best)
		jl_messages_add(c->msgs, mark, false, "the item in line %u has no \"%s\"; did you mean \"%s\"?",
				bad->text.mark.line, h->s, near.best);
	else if (bad->keys)
		jl_messages_add(c->msgs, mark, false, "the item in line %u has no \"%s\"", bad->text.mark.line, h->s);
	else
		jl_messages_add(c->msgs, mark, false,
				"the items are texts and have no \"%s\"; there are .dir, .name, .stem and .ext", h->s);
	return false;
}

static bool check_matrix(const struct check *c, const struct jl_hole *h)
{
	const struct jl_foreach *f = &c->step->foreach;
	struct jl_near near = {.word = h->s};

	if (f->kind != JL_FOREACH_MATRIX) {
		jl_messages_add(c->msgs, jl_hole_mark(c->t, h), false,
				"\"matrix\" has no value here; add \"matrix\" to the step");
		return false;
	}
	if (jl_matrix_has(f->matrix, h->s))
		return true;
	for (uint32_t a = 0; a < f->matrix->n_axes; a++)
		jl_near_offer(&near, f->matrix->axes[a].name.s);
	jl_messages_add(c->msgs, jl_hole_mark(c->t, h), false, "the matrix has no \"%s\"%s%s%s",
			jl_messages_show(c->msgs, h->s), near.best ? "; did you mean \"" : "", near.best ? near.best : "",
			near.best ? "\"?" : "");
	return false;
}

bool jl_template_check(struct jl_template *t, const struct jl_vars *vars, const struct jl_map *vars_by_name,
		       const struct jl_step *step, struct jl_messages *msgs)
{
	const struct check c = {.t = t, .vars = vars, .by_name = vars_by_name, .step = step, .msgs = msgs};
	bool good = true;

	for (uint32_t i = 0; i < t->n; i++) {
		struct jl_hole *h = &t->holes[i];

		if (h->kind == JL_HOLE_VAR)
			good &= check_var(&c, h);
		else if (h->kind == JL_HOLE_MATRIX && step)
			good &= check_matrix(&c, h);
		else if (h->kind == JL_HOLE_ITEM && step)
			good &= check_item(&c, h);
		else if ((h->kind == JL_HOLE_INPUTS || h->kind == JL_HOLE_OUTPUTS) && step)
			good &= check_ports(&c, h);
	}
	return good;
}
