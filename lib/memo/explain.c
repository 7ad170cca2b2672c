/* See explain.h. Pieces are paired by type and name: both lists are sorted by these and walked side by side. */
#include "memo/explain.h"

#include "base/path.h"
#include "memo/worddiff.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_SHORT 70 /* bytes of a name in the short form */
#define NAME_MAX_LINE  400
#define VALUE_MAX      200
#define DIGEST_SHOWN   17 /* "xxh3:" and twelve digits */

struct side {
	struct jl_table pieces;  /* struct jl_piece_view: all but the command's */
	struct jl_table command; /* struct jl_piece_view: SHELL, ARG, SCRIPT */
};

static bool of_command(enum jl_piece type)
{
	return type == JL_PIECE_ARG || type == JL_PIECE_SHELL || type == JL_PIECE_SCRIPT;
}

static int read_side(const void *data, size_t len, struct side *s, struct jl_err *err)
{
	struct jl_cur cur = {data, (const uint8_t *)data + len, 0};
	struct jl_piece_view v;

	while (jl_key_next(&cur, &v)) {
		if (v.type == JL_PIECE_BASE) /* follows from the others */
			continue;
		*(struct jl_piece_view *)jl_table_add(of_command(v.type) ? &s->command : &s->pieces, 1) = v;
	}
	return cur.bad ? jl_err_set(err, JL_ECORRUPT, "what the key was made of cannot be read") : JL_OK;
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* The order in which differences are told: what a person changes most often first. */
static int rank(enum jl_piece type)
{
	return type == JL_PIECE_INPUT ? 0 : type == JL_PIECE_FOUND ? 1 : (int)type + 1;
}

static int by_name(const struct jl_piece_view *a, const struct jl_piece_view *b)
{
	return a->type != b->type ? rank(a->type) - rank(b->type)
				  : compare_bytes(a->name, a->name_len, b->name, b->name_len);
}

static bool same_value(const struct jl_piece_view *a, const struct jl_piece_view *b)
{
	return compare_bytes(a->value, a->value_len, b->value, b->value_len) == 0;
}

static int by_all(const void *pa, const void *pb)
{
	const struct jl_piece_view *a = pa, *b = pb;
	int c = by_name(a, b);

	return c ? c : compare_bytes(a->value, a->value_len, b->value, b->value_len);
}

static void add(struct jl_explain *x, enum jl_piece type, enum jl_change change, const struct jl_piece_view *was,
		const struct jl_piece_view *now)
{
	struct jl_difference *d = jl_table_add(&x->at, 1);

	d->type = type;
	d->change = change;
	if (was)
		d->was = *was;
	if (now)
		d->now = *now;
}

static void sort(struct jl_table *t)
{
	if (t->len > 1)
		qsort(t->data, t->len, t->size, by_all);
}

static void compare_pieces(const struct side *was, const struct side *now, struct jl_explain *x)
{
	uint32_t i = 0, k = 0;

	while (i < was->pieces.len || k < now->pieces.len) {
		const struct jl_piece_view *a = JL_AT(was->pieces, struct jl_piece_view, i),
					   *b = JL_AT(now->pieces, struct jl_piece_view, k);
		int c = i == was->pieces.len ? 1 : k == now->pieces.len ? -1 : by_name(a, b);

		if (c == 0 && !same_value(a, b))
			add(x, a->type, JL_CHANGE_VALUE, a, b);
		else if (c < 0)
			add(x, a->type, JL_CHANGE_GONE, a, NULL);
		else if (c > 0)
			add(x, b->type, JL_CHANGE_ADDED, NULL, b);
		i += c <= 0;
		k += c >= 0;
	}
}

/* ---- the command ---- */

/* A script by its blanks, each newline a word of its own; an argv as it is. `from_piece`: the first piece that counts. */
static void words_of(const struct jl_table *command, uint32_t from_piece, struct jl_table *words)
{
	for (uint32_t i = from_piece; i < command->len; i++) {
		const struct jl_piece_view *v = JL_AT(*command, struct jl_piece_view, i);
		const char *at = v->value, *end = at + v->value_len;

		if (v->type != JL_PIECE_SCRIPT) {
			*(struct jl_word *)jl_table_add(words, 1) =
				(struct jl_word){.at = at, .len = v->value_len, .quote = true};
			continue;
		}
		while (at < end) {
			const char *from = at;

			if (*at == '\n')
				at++;
			else
				while (at < end && *at != ' ' && *at != '\t' && *at != '\n')
					at++;
			if (at > from)
				*(struct jl_word *)jl_table_add(words, 1) =
					(struct jl_word){.at = from, .len = (size_t)(at - from)};
			else
				at++;
		}
	}
}

static bool same_pieces(const struct jl_table *a, const struct jl_table *b)
{
	for (uint32_t i = 0; a->len == b->len && i < a->len; i++) {
		if (by_all(JL_AT(*a, struct jl_piece_view, i), JL_AT(*b, struct jl_piece_view, i)) != 0)
			return false;
	}
	return a->len == b->len;
}

/* How many words of the same shell both begin with. */
static uint32_t common_shell(const struct jl_table *a, const struct jl_table *b)
{
	uint32_t n = 0;

	for (; n < a->len && n < b->len; n++) {
		const struct jl_piece_view *x = JL_AT(*a, struct jl_piece_view, n), *y = JL_AT(*b, struct jl_piece_view, n);

		if (x->type != JL_PIECE_SHELL && y->type != JL_PIECE_SHELL)
			return n;
		if (x->type != y->type || !same_value(x, y))
			return 0;
	}
	return 0;
}

static bool same_words(const struct jl_table *a, const struct jl_table *b)
{
	for (uint32_t i = 0; a->len == b->len && i < a->len; i++) {
		const struct jl_word *x = JL_AT(*a, struct jl_word, i), *y = JL_AT(*b, struct jl_word, i);

		if (compare_bytes(x->at, x->len, y->at, y->len) != 0)
			return false;
	}
	return a->len == b->len;
}

static void compare_command(const struct side *was, const struct side *now, struct jl_explain *x)
{
	struct jl_table a = JL_TABLE_INIT(struct jl_word), b = JL_TABLE_INIT(struct jl_word);

	if (same_pieces(&was->command, &now->command))
		return;
	add(x, JL_PIECE_ARG, JL_CHANGE_VALUE, NULL, NULL);
	uint32_t shell = common_shell(&was->command, &now->command);
	words_of(&was->command, shell, &a);
	words_of(&now->command, shell, &b);
	if (same_words(&a, &b))
		jl_buf_str(&x->command, "only the blanks between its words changed, or where a word ends");
	else
		jl_worddiff(a.data, a.len, b.data, b.len, &x->command);
	jl_table_release(&a);
	jl_table_release(&b);
}

static int by_rank(const void *pa, const void *pb)
{
	const struct jl_difference *a = pa, *b = pb;
	int c = rank(a->type) - rank(b->type);

	if (c != 0)
		return c;
	const struct jl_piece_view *x = a->change == JL_CHANGE_ADDED ? &a->now : &a->was,
				   *y = b->change == JL_CHANGE_ADDED ? &b->now : &b->was;
	return compare_bytes(x->name, x->name_len, y->name, y->name_len);
}

int jl_explain(const void *was, size_t was_len, const void *now, size_t now_len, struct jl_explain *ret,
	       struct jl_err *err)
{
	struct side a = {JL_TABLE_INIT(struct jl_piece_view), JL_TABLE_INIT(struct jl_piece_view)}, b = a;
	int r = read_side(was, was_len, &a, err);

	if (r == JL_OK)
		r = read_side(now, now_len, &b, err);
	if (r == JL_OK) {
		bool ordered = same_pieces(&a.pieces, &b.pieces);
		enum jl_piece first = a.pieces.len ? JL_AT(a.pieces, struct jl_piece_view, 0)->type : JL_PIECE_INPUT;

		for (uint32_t i = 0; i < a.pieces.len && i < b.pieces.len && !ordered; i++) {
			first = JL_AT(a.pieces, struct jl_piece_view, i)->type;
			if (by_all(JL_AT(a.pieces, struct jl_piece_view, i), JL_AT(b.pieces, struct jl_piece_view, i)) != 0)
				break;
		}
		*ret = (struct jl_explain){.at = JL_TABLE_INIT(struct jl_difference), .command = JL_BUF_INIT};
		compare_command(&a, &b, ret);
		sort(&a.pieces);
		sort(&b.pieces);
		compare_pieces(&a, &b, ret);
		if (ret->at.len == 0 && !ordered)
			add(ret, first, JL_CHANGE_ORDER, NULL, NULL);
		if (ret->at.len > 1)
			qsort(ret->at.data, ret->at.len, ret->at.size, by_rank);
	}
	jl_table_release(&a.pieces);
	jl_table_release(&a.command);
	jl_table_release(&b.pieces);
	jl_table_release(&b.command);
	return r;
}

void jl_explain_release(struct jl_explain *x)
{
	jl_table_release(&x->at);
	jl_buf_release(&x->command);
}

/* ---- as text ---- */

static const char *type_name(enum jl_piece type)
{
	static const char *const names[] = {
		[JL_PIECE_ARG] = "command",         [JL_PIECE_WORKDIR] = "working folder", [JL_PIECE_ENV] = "variable",
		[JL_PIECE_STDIN] = "standard input", [JL_PIECE_OUTPUT] = "output",         [JL_PIECE_TOOL] = "tool",
		[JL_PIECE_VERSION] = "version",      [JL_PIECE_PLATFORM] = "platform",     [JL_PIECE_INPUT] = "input",
		[JL_PIECE_FOUND] = "used file",     [JL_PIECE_SECRET] = "secret",
	};

	return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "something else";
}

/* May its values be shown? */
static bool is_plain(enum jl_piece type)
{
	return type == JL_PIECE_WORKDIR || type == JL_PIECE_ENV || type == JL_PIECE_VERSION || type == JL_PIECE_PLATFORM;
}

static void show_digest(struct jl_buf *out, const char *text, size_t len)
{
	if (len == 0)
		jl_buf_str(out, "none");
	else
		jl_path_show(out, text, len < DIGEST_SHOWN ? len : DIGEST_SHOWN);
	if (len > DIGEST_SHOWN)
		jl_buf_str(out, "…");
}

static void show_plain(struct jl_buf *out, const char *text, size_t len)
{
	size_t shown = len;

	if (shown > VALUE_MAX)
		for (shown = VALUE_MAX; shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80; shown--)
			;
	jl_buf_char(out, '"');
	jl_path_show(out, text, shown);
	jl_buf_str(out, shown < len ? "…\"" : "\"");
}

struct input {
	uint8_t kind, executable;
	const char *digest;
	size_t len;
};

static struct input input_of(const struct jl_piece_view *v)
{
	if (v->value_len < 2)
		return (struct input){.digest = ""};
	return (struct input){(uint8_t)v->value[0], (uint8_t)v->value[1], v->value + 2, v->value_len - 2};
}

static const char *kind_name(uint8_t kind)
{
	static const char *const names[] = {"absent", "a file", "a folder", "a link", "neither file nor folder"};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "of another kind";
}

static void show_input(struct jl_buf *out, const struct jl_difference *d)
{
	struct input was = input_of(&d->was), now = input_of(&d->now);
	const char *between = ": ";

	if (d->change != JL_CHANGE_VALUE) {
		jl_buf_str(out, between);
		show_digest(out, d->change == JL_CHANGE_GONE ? was.digest : now.digest,
			    d->change == JL_CHANGE_GONE ? was.len : now.len);
		return;
	}
	if (was.kind != now.kind) {
		jl_buf_printf(out, "%swas %s, is %s", between, kind_name(was.kind), kind_name(now.kind));
		between = "; ";
	} else if (was.executable != now.executable) {
		jl_buf_printf(out, "%sis %s executable", between, now.executable ? "now" : "no longer");
		between = "; ";
	}
	if (compare_bytes(was.digest, was.len, now.digest, now.len) == 0)
		return;
	jl_buf_str(out, between);
	show_digest(out, was.digest, was.len);
	jl_buf_str(out, " → ");
	show_digest(out, now.digest, now.len);
}

static void show_value(struct jl_buf *out, enum jl_piece type, const struct jl_piece_view *v)
{
	if (is_plain(type))
		show_plain(out, v->value, v->value_len);
	else if (type == JL_PIECE_OUTPUT)
		jl_path_show(out, v->value_len ? v->value : "plain", v->value_len ? v->value_len : 5);
	else
		show_digest(out, v->value, v->value_len);
}

static void show_values(struct jl_buf *out, const struct jl_difference *d)
{
	const bool known = is_plain(d->type) || d->type == JL_PIECE_STDIN || d->type == JL_PIECE_OUTPUT ||
			   d->type == JL_PIECE_TOOL;

	if (!known || (d->type == JL_PIECE_OUTPUT && d->change != JL_CHANGE_VALUE))
		return;
	jl_buf_str(out, ": ");
	if (d->change != JL_CHANGE_ADDED)
		show_value(out, d->type, &d->was);
	if (d->change == JL_CHANGE_VALUE)
		jl_buf_str(out, " → ");
	if (d->change != JL_CHANGE_GONE)
		show_value(out, d->type, &d->now);
}

static const char *change_name(enum jl_change change)
{
	switch (change) {
	case JL_CHANGE_VALUE: return "changed";
	case JL_CHANGE_ADDED: return "is new";
	case JL_CHANGE_GONE: return "is gone";
	case JL_CHANGE_ORDER: break;
	}
	return "in another order";
}

void jl_explain_line(const struct jl_explain *x, uint32_t i, struct jl_buf *out)
{
	const struct jl_difference *d = JL_AT(x->at, struct jl_difference, i);
	const struct jl_piece_view *v = d->change == JL_CHANGE_ADDED ? &d->now : &d->was;

	jl_buf_str(out, type_name(d->type));
	if (d->type == JL_PIECE_ARG) {
		jl_buf_printf(out, ": %s", x->command.data);
		return;
	}
	if (v->name_len) {
		jl_buf_char(out, ' ');
		jl_worddiff_tail(out, v->name, v->name_len, NAME_MAX_LINE);
	}
	jl_buf_printf(out, " %s", change_name(d->change));
	if ((d->type == JL_PIECE_INPUT || d->type == JL_PIECE_FOUND) && d->change != JL_CHANGE_ORDER)
		show_input(out, d);
	else if (d->change != JL_CHANGE_ORDER)
		show_values(out, d);
}

void jl_explain_short(const struct jl_explain *x, struct jl_buf *out)
{
	if (x->at.len == 0)
		return;
	const struct jl_difference *d = JL_AT(x->at, struct jl_difference, 0);
	const struct jl_piece_view *v = d->change == JL_CHANGE_ADDED ? &d->now : &d->was;

	jl_buf_str(out, type_name(d->type));
	if (v->name_len) {
		jl_buf_str(out, " \"");
		jl_worddiff_tail(out, v->name, v->name_len, NAME_MAX_SHORT);
		jl_buf_char(out, '"');
	}
	jl_buf_printf(out, " %s", change_name(d->change));
	if (x->at.len > 1)
		jl_buf_printf(out, ", and %u more", x->at.len - 1);
}
