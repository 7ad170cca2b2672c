/* The parsed form of a template, shared by its parser, its check and its evaluation. */
#ifndef JL_MANIFEST_HOLE_H
#define JL_MANIFEST_HOLE_H

#include "manifest/template.h"

enum jl_hole_kind {
	JL_HOLE_LITERAL, /* no hole: text between holes */
	JL_HOLE_ITEM,    /* item, item.KEY */
	JL_HOLE_MATRIX, /* matrix.KEY */
	JL_HOLE_VAR,
	JL_HOLE_ENV,
	JL_HOLE_INPUTS,
	JL_HOLE_OUTPUTS,
	JL_HOLE_STEP,
	JL_HOLE_JOBS,
};
enum jl_hole_pick { JL_PICK_ALL, JL_PICK_FIRST, JL_PICK_INDEX, JL_PICK_NAME }; /* of inputs and outputs */
enum jl_hole_field { JL_FIELD_WHOLE, JL_FIELD_DIR, JL_FIELD_NAME, JL_FIELD_STEM, JL_FIELD_EXT };

struct jl_hole {
	uint8_t kind, pick, field;
	bool raw;
	uint32_t index; /* JL_PICK_INDEX */
	const char *s;  /* the literal; or X of vars.X, env.X, item.X, inputs.X (NUL-terminated), else NULL */
	uint32_t len;   /* of s */
	uint32_t line, column;
	const struct jl_var *var; /* of JL_HOLE_VAR, once checked */
};

struct jl_template {
	const char *text; /* the value when n is 0; else as written */
	const char *file;
	struct jl_hole *holes;
	const char *first_word; /* of a shell script, or NULL */
	uint32_t len, n;
};

static inline struct jl_mark jl_hole_mark(const struct jl_template *t, const struct jl_hole *h)
{
	return (struct jl_mark){.file = t->file, .line = h->line, .column = h->column};
}

/* JL_FIELD_WHOLE for what is no field's name. */
enum jl_hole_field jl_hole_field(const char *name, size_t len);
static inline bool jl_hole_is_list(const struct jl_hole *h)
{
	return (h->kind == JL_HOLE_INPUTS || h->kind == JL_HOLE_OUTPUTS) &&
	       (h->pick == JL_PICK_ALL || h->pick == JL_PICK_NAME);
}

#endif
