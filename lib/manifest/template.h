/* Templates: text with ${{ … }} holes, parsed once, evaluated per instance.
 *
 *     ${{ item }} ${{ item.dir }} .name .stem .ext   ${{ item.KEY }} of a mapping   ${{ matrix.KEY }}   ${{ vars.X }}  ${{ env.X }}
 *     ${{ input }} ${{ inputs }} ${{ inputs[1] }} ${{ inputs.NAME }}   likewise output(s)
 *     ${{ step }} ${{ jobs }}   ${{ raw(x) }}: x without shell quoting
 * `.dir` of "a/b.csv" is "a" ("." for none), `.name` "b.csv", `.stem` "b", `.ext` ".csv"; they follow input, inputs[0],
 * inputs.NAME, output, … as well. `inputs[i]` counts from 0. In a shell script each value is quoted for sh; a list value
 * becomes its words, each quoted, with a blank between. In a list command a word that is exactly one hole with a list value
 * makes that many words. `$${{` is a literal "${{".
 */
#ifndef JL_MANIFEST_TEMPLATE_H
#define JL_MANIFEST_TEMPLATE_H

#include "manifest/manifest.h"

struct jl_scope;

/* Which names may stand in a template, by the place it stands in. */
enum jl_tmpl_allow {
	JL_TMPL_VARS = 1,   /* vars.X env.X */
	JL_TMPL_ITEM = 2,   /* item…, matrix…, step */
	JL_TMPL_PORTS = 4,  /* input(s), output(s), jobs */
	JL_TMPL_OUTPUTS = 8, /* output(s) */
};

/* Where byte `offset` of a text stands in the file, for one whose bytes do not stand as they are in one line of it (quotes,
 * blocks). */
struct jl_place {
	struct jl_mark (*of)(const void *ctx, size_t offset);
	const void *ctx;
};
/* Parse text (borrowed from the manifest's arena). On a fault adds a message and returns NULL. `place` may be NULL. `shell`:
 * quoting matters, so a hole inside single or double quotes (or a here-document… is not looked at) is an error that says to
 * drop them. */
struct jl_template *jl_template_parse(struct jl_arena *arena, const struct jl_mtext *text, const struct jl_place *place,
                                      unsigned allow, bool shell, struct jl_messages *msgs);
/* A template that is this text, "${{" and all. */
struct jl_template *jl_template_literal(struct jl_arena *arena, const struct jl_mtext *text);

/* After all steps are known: does each name mean something? vars and ports that are not declared, `input` of a step without
 * inputs, `item` without foreach, a key that an item lacks: a message each. `step` is NULL where no step is. Holes of vars
 * remember their variable. False if anything was wrong. */
struct jl_map;
bool jl_template_check(struct jl_template *t, const struct jl_vars *vars, const struct jl_map *vars_by_name,
                       const struct jl_step *step, struct jl_messages *msgs);

/* No holes: the whole text; NULL if there are holes. */
const char *jl_template_fixed(const struct jl_template *t);
/* What the text could become before the item is known: vars.X and env.X evaluated (from `scope`; an unset env gives "**"),
 * a hole that cannot hold a '/' (.name, .stem, .ext, step) as "*", output(s) as the scope has them if it has some (the
 * caller's patterns of them), every other hole as "**". Literal glob characters stay.
 * Used to ask what a step could make before it is expanded. */
int jl_template_pattern(const struct jl_template *t, const struct jl_scope *scope, struct jl_buf *out);
/* Names of the environment that it reads (env.X), through its vars too, by the callback; a name may come twice. */
void jl_template_env(const struct jl_template *t, void (*name)(void *ctx, const char *env_name), void *ctx);
bool jl_template_uses_item(const struct jl_template *t);
bool jl_template_uses_jobs(const struct jl_template *t);
/* A shell script's first word, when it has no hole, no quote and no other shell character in it; NULL otherwise, and for
 * what was not parsed with `shell`. Lives as long as the template. */
const char *jl_template_first_word(const struct jl_template *t);

struct jl_words {               /* a list value; strings borrowed */
	const char *const *at;
	const char *const *names;   /* NULL, or a name (or NULL) for each */
	uint32_t n;
};
struct jl_scope {
	const struct jl_manifest *manifest; /* vars */
	const char *(*getenv)(void *ctx, const char *name); /* NULL value: an error that names the variable */
	void *getenv_ctx;
	const struct jl_value *item;  /* NULL outside a foreach */
	const char *step;
	uint32_t jobs;
	struct jl_words inputs, outputs; /* as the command shall see them (relative to its workdir) */
	/* `names` of a word that came from one port with several files (a glob): the same name for each */
};

enum jl_tmpl_quote { JL_TMPL_PLAIN, JL_TMPL_SHELL };
/* Append the value. Faults (an index beyond the list, an env variable that is not set, an item key that this item lacks) add
 * a message with the hole's place and return JL_EINVAL. */
int jl_template_eval(const struct jl_template *t, const struct jl_scope *scope, enum jl_tmpl_quote quote, struct jl_buf *out,
                     struct jl_messages *msgs) JL_MUST_CHECK;
/* For a word of a directly executed command: appends NUL-terminated words to `out` and adds their number to *n (none for
 * an empty list). `split`: as struct jl_step's argv_split; else a list inside a longer word is joined by blanks. */
int jl_template_words(const struct jl_template *t, const struct jl_scope *scope, bool split, struct jl_buf *out, uint32_t *n,
                      struct jl_messages *msgs) JL_MUST_CHECK;

#endif
