/* Option tables: what a command takes, as data. The same rows feed parsing, --help and whatever else has to agree with
 * them (completion, the check of the manual).
 *
 * A table is an array of struct jl_opt that ends with a row of zeros; a command has a NULL-terminated list of tables. A
 * row's target is an offset in the struct that jl_opt_parse() fills:
 *
 *     static const struct jl_opt opts[] = {
 *             {"jobs", 'j', "N", "run N steps at once", JL_OPT_JOBS, offsetof(struct settings, jobs), 0},
 *             {0}};
 *     static const struct jl_opt *const tables[] = {opts, NULL};
 *     r = jl_opt_parse(tables, argc, argv, &settings, &operands, &err);
 */
#ifndef JL_CMD_OPT_H
#define JL_CMD_OPT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a row does to its target, and the target's type. */
enum jl_opt_kind {
	JL_OPT_FLAG,     /* bool: becomes true */
	JL_OPT_COUNT,    /* unsigned: one more each time */
	JL_OPT_SET,      /* int: becomes row.value; with an argument in brackets ("[=now|soon]"), value + its place */
	JL_OPT_CHOICE,   /* int: the place of the argument among the words of row.arg ("rw|ro|wo|off") */
	JL_OPT_TEXT,     /* const char * */
	JL_OPT_LIST,     /* struct jl_opt_list: one more text each time; NULL where an argument in brackets is left out */
	JL_OPT_DURATION, /* int64_t nanoseconds */
	JL_OPT_JOBS,     /* uint32_t: slots; 0 for auto */
	JL_OPT_NUMBER,   /* uint32_t: from row.value on */
	JL_OPT_SIZE,     /* uint64_t bytes */
	JL_OPT_LOAD,     /* double: more than 0 */
};

struct jl_opt {
	const char *name; /* long name, without the dashes */
	char letter;      /* short name, or 0 */
	const char *arg;  /* name of the argument; NULL: takes none; "[=A|B]": may be left out */
	const char *help; /* one line */
	enum jl_opt_kind kind;
	size_t target;
	int value;        /* JL_OPT_SET, JL_OPT_NUMBER */
};

struct jl_opt_list {
	const char **at; /* the texts are borrowed from argv */
	uint32_t n;
};
void jl_opt_list_add(struct jl_opt_list *l, const char *text);
void jl_opt_list_release(struct jl_opt_list *l);

/* Read argv[0..argc): options before or after operands, "--" ends them, "-" is an operand. JL_EINVAL with one line for a
 * person; what was read until then stays in the target. */
int jl_opt_parse(const struct jl_opt *const *tables, int argc, const char *const *argv, void *target,
                 struct jl_opt_list *ret_operands, struct jl_err *err) JL_MUST_CHECK;

/* The same, but the first operand ends the options, as for a command that is put before another. */
int jl_opt_parse_prefix(const struct jl_opt *const *tables, int argc, const char *const *argv, void *target,
                        struct jl_opt_list *ret_operands, struct jl_err *err) JL_MUST_CHECK;

/* Where a word that is still to come stands, behind argv[0..argc): for completion. */
struct jl_opt_place {
	const struct jl_opt *option; /* it is this option's argument; NULL: an option or an operand */
	bool ended;                  /* no option is read any more */
	int first;                   /* place in argv of the first operand; -1: none yet */
	uint32_t operands;           /* before it */
};
void jl_opt_place(const struct jl_opt *const *tables, bool prefix, int argc, const char *const *argv,
                  struct jl_opt_place *ret);
/* The row of that long or short name, or NULL. */
const struct jl_opt *jl_opt_long(const struct jl_opt *const *tables, const char *name, size_t len);
const struct jl_opt *jl_opt_letter(const struct jl_opt *const *tables, char letter);

/* `4`, `50%`, `-1` (all), `-2` (all but one), `auto` (0) of a machine with `cpus` processors. */
int jl_opt_jobs(const char *text, unsigned cpus, uint32_t *ret, struct jl_err *err) JL_MUST_CHECK;

/* Append the rows as --help shows them. */
void jl_opt_help(const struct jl_opt *const *tables, struct jl_buf *out);

#endif
