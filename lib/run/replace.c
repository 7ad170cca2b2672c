/* Replacement strings: read once, put in for each job. */
#include "run/replace.h"

#include "manifest/shell.h"

#include <stdlib.h>
#include <string.h>

#define COLUMN_MAX 1000000

enum what { LITERAL, ALL, COLUMN, SEQ, SLOT };
enum cut { WHOLE, NO_EXT, BASE, DIR, BASE_NO_EXT };

struct part {
	enum what what;
	enum cut cut;
	int32_t column;     /* from 0; negative: from the end, -1 the last */
	uint32_t from, len; /* LITERAL: in `text`; else where it stood in its word, for messages */
};

/* One of argv; of a script: what is between blanks, or the blanks. */
struct word {
	uint32_t first, n; /* parts */
	bool has_all;
};

struct jl_replace {
	bool shell, context;
	const char *const *shell_words;
	struct jl_table text; /* bytes */
	struct jl_table parts, words;
	const struct jl_args *names; /* while it is read */
};

void jl_replace_out_release(struct jl_replace_out *out)
{
	jl_buf_release(&out->text);
	jl_table_release(&out->argv);
}

/* ---- reading ---- */

static const struct {
	const char *text;
	enum cut cut;
} cuts[] = {{"", WHOLE}, {".", NO_EXT}, {"/", BASE}, {"//", DIR}, {"/.", BASE_NO_EXT}};

static bool read_cut(const char *s, size_t len, enum cut *ret)
{
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		if (strlen(cuts[i].text) == len && memcmp(cuts[i].text, s, len) == 0) {
			*ret = cuts[i].cut;
			return true;
		}
	return false;
}

static bool read_number(const char *s, size_t len, struct part *part)
{
	const bool negative = len > 0 && s[0] == '-';
	size_t i = negative;
	int32_t n = 0;
	for (; i < len && s[i] >= '0' && s[i] <= '9' && n < COLUMN_MAX; i++)
		n = n * 10 + (s[i] - '0');
	if (i == negative || n == 0)
		return false;
	part->column = negative ? -n : n - 1;
	return read_cut(s + i, len - i, &part->cut);
}

static bool read_name(const struct jl_args *names, const char *s, size_t len, struct part *part)
{
	for (uint32_t i = 0; names && i < names->at.len; i++) {
		size_t name_len;
		const char *name = jl_args_at(names, i, &name_len);
		if (name_len == 0 || name_len > len || memcmp(name, s, name_len) != 0 ||
		    !read_cut(s + name_len, len - name_len, &part->cut))
			continue;
		part->column = (int32_t)i;
		return true;
	}
	return false;
}

/* What stands between braces. */
static bool read_hole(const struct jl_args *names, const char *s, size_t len, struct part *part)
{
	part->what = ALL;
	if (read_cut(s, len, &part->cut))
		return true;
	if (len == 1 && (*s == '#' || *s == '%')) {
		part->what = *s == '#' ? SEQ : SLOT;
		return true;
	}
	part->what = COLUMN;
	return read_name(names, s, len, part) || read_number(s, len, part);
}

static void begin_word(struct jl_replace *r)
{
	*(struct word *)jl_table_add(&r->words, 1) = (struct word){.first = r->parts.len};
}

static void add_part(struct jl_replace *r, const struct part *part)
{
	struct word *w = JL_AT(r->words, struct word, r->words.len - 1);
	*(struct part *)jl_table_add(&r->parts, 1) = *part;
	w->n++;
	w->has_all |= part->what == ALL;
}

static void add_literal(struct jl_replace *r, const char *s, size_t len)
{
	struct part part = {.what = LITERAL, .from = r->text.len, .len = (uint32_t)len};
	if (len == 0)
		return;
	memcpy(jl_table_add(&r->text, (uint32_t)len), s, len);
	add_part(r, &part);
}

/* A literal of a command that is one word: blanks end words; those of a script are words themselves. */
static void add_split(struct jl_replace *r, const char *s, size_t len)
{
	while (len > 0) {
		size_t blanks = 0, n = 0;
		while (blanks < len && (s[blanks] == ' ' || s[blanks] == '\t'))
			blanks++;
		if (blanks > 0) {
			begin_word(r);
			if (r->shell) {
				add_literal(r, s, blanks);
				begin_word(r);
			}
		}
		while (blanks + n < len && s[blanks + n] != ' ' && s[blanks + n] != '\t')
			n++;
		add_literal(r, s + blanks, n);
		s += blanks + n;
		len -= blanks + n;
	}
}

/* One word of the command line; `split`: the only one. */
static void read_word(struct jl_replace *r, const char *s, bool split)
{
	const char *literal = s, *open;
	begin_word(r);
	for (const char *at = s; (open = strchr(at, '{')) != NULL; at = open + 1) {
		const char *close = strchr(open, '}');
		struct part part = {0};
		if (!close || !read_hole(r->names, open + 1, (size_t)(close - open) - 1, &part))
			continue;
		part.from = (uint32_t)(open - s);
		part.len = (uint32_t)(close - open) + 1;
		if (split)
			add_split(r, literal, (size_t)(open - literal));
		else
			add_literal(r, literal, (size_t)(open - literal));
		add_part(r, &part);
		literal = close + 1;
		open = close;
	}
	if (split)
		add_split(r, literal, strlen(literal));
	else
		add_literal(r, literal, strlen(literal));
}

/* The script with a plain letter for each replacement string. */
static void flatten(const struct jl_replace *r, struct jl_buf *flat, struct jl_table *offsets)
{
	for (uint32_t i = 0; i < r->parts.len; i++) {
		const struct part *p = JL_AT(r->parts, struct part, i);
		if (p->what == LITERAL) {
			jl_buf_add(flat, JL_AT(r->text, char, p->from), p->len);
			continue;
		}
		if (p->what == ALL || p->what == COLUMN)
			*(uint32_t *)jl_table_add(offsets, 1) = (uint32_t)flat->len;
		jl_buf_char(flat, 'x');
	}
}

static int check_quotes(const struct jl_replace *r, const char *command, struct jl_err *err)
{
	struct jl_buf flat = JL_BUF_INIT;
	struct jl_table offsets = JL_TABLE_INIT(uint32_t);
	int rc = JL_OK;
	flatten(r, &flat, &offsets);
	bool *quoted = jl_calloc(offsets.len, sizeof(*quoted));
	jl_shell_quoted(flat.data, flat.len, offsets.data, quoted, offsets.len);
	for (uint32_t i = 0, n = 0; i < r->parts.len && rc == JL_OK; i++) {
		const struct part *p = JL_AT(r->parts, struct part, i);
		if ((p->what == ALL || p->what == COLUMN) && quoted[n++])
			rc = jl_err_set(
				err, JL_EINVAL,
				"%.*s stands inside quotes: drop them, values are quoted for the shell as they are "
				"put in",
				(int)p->len, command + p->from);
	}
	free(quoted);
	jl_buf_release(&flat);
	jl_table_release(&offsets);
	return rc;
}

static void clear(struct jl_replace *r)
{
	r->parts.len = r->words.len = r->text.len = 0;
}

static int read_single(struct jl_replace *r, const char *command, struct jl_err *err)
{
	struct jl_buf flat = JL_BUF_INIT;
	struct jl_table offsets = JL_TABLE_INIT(uint32_t);
	read_word(r, command, false);
	flatten(r, &flat, &offsets);
	r->shell = jl_shell_needed(flat.data);
	jl_buf_release(&flat);
	jl_table_release(&offsets);
	clear(r);
	read_word(r, command, true);
	return r->shell ? check_quotes(r, command, err) : JL_OK;
}

/* Words without anything in them: where blanks came first or last. Those of the command line stay. */
static void drop_empty_words(struct jl_replace *r)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < r->words.len; i++)
		if (JL_AT(r->words, struct word, i)->n > 0)
			*JL_AT(r->words, struct word, n++) = *JL_AT(r->words, struct word, i);
	r->words.len = n;
}

static void append_values(struct jl_replace *r)
{
	const struct part all = {.what = ALL};
	for (uint32_t i = 0; i < r->parts.len; i++) {
		if (JL_AT(r->parts, struct part, i)->what != LITERAL)
			return;
	}
	if (r->shell) {
		begin_word(r);
		add_literal(r, " ", 1);
	}
	begin_word(r);
	add_part(r, &all);
}

static int check_slot(const struct jl_replace *r, struct jl_err *err)
{
	for (uint32_t i = 0; i < r->parts.len; i++)
		if (JL_AT(r->parts, struct part, i)->what == SLOT)
			return jl_err_set(err, JL_EINVAL,
					  "{%%} is not known before a job runs: leave it out with --memo");
	return JL_OK;
}

int jl_replace_new(const char *const *words, uint32_t n, const struct jl_replace_opts *opts, struct jl_replace **ret,
		   struct jl_err *err)
{
	static const char *const shell[] = {"/bin/sh", "-c", NULL};
	struct jl_replace *r = jl_calloc(1, sizeof(*r));
	int rc = JL_OK;
	*r = (struct jl_replace){
		.context = opts->context,
		.shell_words = opts->shell ? opts->shell : shell,
		.text = JL_TABLE_INIT(char),
		.parts = JL_TABLE_INIT(struct part),
		.words = JL_TABLE_INIT(struct word),
		.names = opts->names,
	};
	const bool single = n == 1 && !opts->paths;
	if (single) {
		rc = read_single(r, words[0], err);
		drop_empty_words(r);
	}
	for (uint32_t i = 0; i < n && !single; i++)
		read_word(r, words[i], false);
	if (rc == JL_OK && r->words.len == 0 && !opts->paths)
		rc = jl_err_set(err, JL_EINVAL, "the command is empty");
	if (rc == JL_OK && opts->no_slot)
		rc = check_slot(r, err);
	if (rc != JL_OK) {
		jl_replace_free(r);
		return rc;
	}
	if (!opts->paths)
		append_values(r);
	*ret = r;
	return JL_OK;
}

uint32_t jl_replace_n_shell(const struct jl_replace *r)
{
	uint32_t n = 0;
	while (r->shell && r->shell_words[n])
		n++;
	return n;
}

void jl_replace_free(struct jl_replace *r)
{
	if (!r)
		return;
	jl_table_release(&r->text);
	jl_table_release(&r->parts);
	jl_table_release(&r->words);
	free(r);
}

/* ---- putting in ---- */

static size_t base_of(const char *s, size_t len)
{
	const char *slash = memrchr(s, '/', len);
	return slash ? (size_t)(slash - s) + 1 : 0;
}

/* Without what comes from the last dot on; a dot before a slash is none of this component. */
static size_t without_ext(const char *s, size_t len)
{
	const char *dot = memrchr(s, '.', len);
	return dot && !memchr(dot, '/', len - (size_t)(dot - s)) ? (size_t)(dot - s) : len;
}

static const char *dir_of(const char *s, size_t *len)
{
	size_t n = *len;
	while (n > 1 && s[n - 1] == '/')
		n--;
	while (n > 0 && s[n - 1] != '/')
		n--;
	while (n > 1 && s[n - 1] == '/')
		n--;
	*len = n > 0 ? n : 1;
	return n > 0 ? s : ".";
}

static const char *cut_value(enum cut cut, const char *s, size_t *len)
{
	size_t from;
	switch (cut) {
	case WHOLE: break;
	case DIR: return dir_of(s, len);
	case NO_EXT: *len = without_ext(s, *len); break;
	case BASE:
	case BASE_NO_EXT:
		from = base_of(s, *len);
		s += from;
		*len -= from;
		if (cut == BASE_NO_EXT)
			*len = without_ext(s, *len);
		break;
	}
	return s;
}

static void put_value(const struct jl_replace *r, struct jl_buf *out, enum cut cut, const struct jl_args *args,
		      uint32_t i)
{
	size_t len;
	const char *s = jl_args_at(args, i, &len);
	s = cut_value(cut, s, &len);
	if (r->shell)
		jl_shell_quote(out, s, len);
	else
		jl_buf_add(out, s, len);
}

/* Offsets until all is there: the buffer moves. */
static void begin_arg(struct jl_replace_out *out)
{
	*(size_t *)jl_table_add(&out->argv, 1) = out->text.len;
}

/* All values, or only the one at `only`; false: there is none. */
static bool put_all(const struct jl_replace *r, const struct part *p, const struct jl_args *args, uint32_t only,
		    struct jl_replace_out *out)
{
	if (only != JL_NONE) {
		put_value(r, &out->text, p->cut, args, only);
		return true;
	}
	for (uint32_t i = 0; i < args->at.len; i++) {
		if (i > 0 && !r->shell) {
			jl_buf_char(&out->text, '\0');
			begin_arg(out);
		} else if (i > 0) {
			jl_buf_char(&out->text, ' ');
		}
		put_value(r, &out->text, p->cut, args, i);
	}
	return args->at.len > 0;
}

static bool put_column(const struct jl_replace *r, const struct part *p, const struct jl_args *args, struct jl_buf *out)
{
	int64_t column = p->column < 0 ? (int64_t)args->at.len + p->column : p->column;
	if (column < 0 || column >= args->at.len)
		return false;
	put_value(r, out, p->cut, args, (uint32_t)column);
	return true;
}

static void put_word(const struct jl_replace *r, const struct word *w, const struct jl_replace_with *with,
		     uint32_t only, struct jl_replace_out *out)
{
	const size_t start = out->text.len;
	bool any = w->n == 0;
	if (!r->shell)
		begin_arg(out);
	for (uint32_t i = w->first; i < w->first + w->n; i++) {
		const struct part *p = JL_AT(r->parts, struct part, i);
		bool there = true;
		switch (p->what) {
		case LITERAL: jl_buf_add(&out->text, JL_AT(r->text, char, p->from), p->len); break;
		case ALL: there = put_all(r, p, with->args, only, out); break;
		case COLUMN: there = put_column(r, p, with->args, &out->text); break;
		case SEQ: jl_buf_printf(&out->text, "%llu", (unsigned long long)with->seq); break;
		case SLOT: jl_buf_printf(&out->text, "%u", with->slot); break;
		}
		any |= there;
	}
	if (r->shell)
		return;
	if (any) {
		jl_buf_char(&out->text, '\0');
	} else { /* only values that this job does not have: no word, as a shell would see none */
		jl_buf_truncate(&out->text, start);
		out->argv.len--;
	}
}

static void put_words(const struct jl_replace *r, const struct jl_replace_with *with, struct jl_replace_out *out)
{
	for (uint32_t i = 0; i < r->words.len; i++) {
		const struct word *w = JL_AT(r->words, struct word, i);
		if (!r->context || !w->has_all || with->args->at.len < 2) {
			put_word(r, w, with, JL_NONE, out);
			continue;
		}
		for (uint32_t k = 0; k < with->args->at.len; k++) {
			if (k > 0 && r->shell)
				jl_buf_char(&out->text, ' ');
			put_word(r, w, with, k, out);
		}
	}
}

void jl_replace_expand(const struct jl_replace *r, const struct jl_replace_with *with, struct jl_replace_out *out)
{
	jl_buf_clear(&out->text);
	out->argv.len = 0;
	for (const char *const *s = r->shell_words; r->shell && *s; s++) {
		begin_arg(out);
		jl_buf_add(&out->text, *s, strlen(*s) + 1);
	}
	if (r->shell)
		begin_arg(out);
	put_words(r, with, out);
	for (uint32_t i = 0; i < out->argv.len; i++) {
		size_t offset = *JL_AT(out->argv, size_t, i);
		*JL_AT(out->argv, const char *, i) = out->text.data + offset;
	}
	*(const char **)jl_table_add(&out->argv, 1) = NULL;
}

void jl_replace_show(const struct jl_replace *r, const struct jl_replace_with *with, struct jl_replace_out *scratch,
		     struct jl_buf *text)
{
	jl_replace_expand(r, with, scratch);
	if (r->shell) {
		jl_buf_str(text, *JL_AT(scratch->argv, const char *, jl_replace_n_shell(r)));
		return;
	}
	for (uint32_t i = 0; i + 1 < scratch->argv.len; i++) {
		const char *word = *JL_AT(scratch->argv, const char *, i);
		if (i > 0)
			jl_buf_char(text, ' ');
		jl_shell_quote(text, word, strlen(word));
	}
}

/* ---- sizes ---- */

size_t jl_replace_base_size(const struct jl_replace *r)
{
	/* The numbers are at most 20 digits long; the shell's own words. */
	return (size_t)r->text.len + (size_t)r->parts.len * 20 + (size_t)r->words.len * (1 + sizeof(char *)) + 64;
}

size_t jl_replace_value_size(const struct jl_replace *r, const char *value, size_t len)
{
	size_t one = len + 1 + sizeof(char *), all = 0;
	for (size_t i = 0; i < len && r->shell; i++)
		one += value[i] == '\'' ? 3 : 0;
	one += r->shell ? 2 : 0;
	for (uint32_t i = 0; i < r->words.len; i++) {
		const struct word *w = JL_AT(r->words, struct word, i);
		for (uint32_t k = w->first; k < w->first + w->n; k++) {
			const struct part *p = JL_AT(r->parts, struct part, k);
			/* In context each value brings the rest of its word along. */
			if (p->what != LITERAL)
				all += one;
			else if (w->has_all && r->context)
				all += p->len;
		}
	}
	return all;
}
