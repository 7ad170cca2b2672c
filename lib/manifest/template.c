/* Parsing templates: text → literals and holes. */
#include "manifest/template.h"

#include "base/near.h"
#include "manifest/hole.h"
#include "manifest/shell.h"

#include <stdlib.h>
#include <string.h>

#define FORMS                                                                                                          \
	"the forms are item, item.name, matrix.X, vars.X, env.X, input, inputs, inputs[0], inputs.NAME (outputs "      \
	"likewise), step, jobs, raw(x)"

static const struct root {
	const char *name;
	uint8_t kind, pick;
	unsigned allow;
} roots[] = {
	{"item", JL_HOLE_ITEM, 0, JL_TMPL_ITEM},
	{"matrix", JL_HOLE_MATRIX, 0, JL_TMPL_ITEM},
	{"vars", JL_HOLE_VAR, 0, JL_TMPL_VARS},
	{"env", JL_HOLE_ENV, 0, JL_TMPL_VARS},
	{"input", JL_HOLE_INPUTS, JL_PICK_FIRST, JL_TMPL_PORTS},
	{"inputs", JL_HOLE_INPUTS, JL_PICK_ALL, JL_TMPL_PORTS},
	{"output", JL_HOLE_OUTPUTS, JL_PICK_FIRST, JL_TMPL_PORTS | JL_TMPL_OUTPUTS},
	{"outputs", JL_HOLE_OUTPUTS, JL_PICK_ALL, JL_TMPL_PORTS | JL_TMPL_OUTPUTS},
	{"step", JL_HOLE_STEP, 0, JL_TMPL_ITEM},
	{"jobs", JL_HOLE_JOBS, 0, JL_TMPL_PORTS},
};
#define N_ROOTS (sizeof(roots) / sizeof(*roots))

struct parse {
	struct jl_arena *arena;
	const struct jl_mtext *text;
	const struct jl_place *place;
	unsigned allow;
	struct jl_messages *msgs;
	struct jl_mark mark; /* of the present hole */
	bool bad;
};

enum jl_hole_field jl_hole_field(const char *name, size_t len)
{
	static const char *const names[] = {
		[JL_FIELD_DIR] = "dir", [JL_FIELD_NAME] = "name", [JL_FIELD_STEM] = "stem", [JL_FIELD_EXT] = "ext"};

	for (unsigned i = JL_FIELD_DIR; i <= JL_FIELD_EXT; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return (enum jl_hole_field)i;
	}
	return JL_FIELD_WHOLE;
}

static struct jl_mark mark_at(const struct parse *p, size_t offset)
{
	struct jl_mark mark = p->text->mark;

	if (p->place)
		return p->place->of(p->place->ctx, offset);
	for (size_t i = 0; i < offset; i++) {
		mark.column += ((unsigned char)p->text->s[i] & 0xc0) != 0x80;
		if (p->text->s[i] == '\n') {
			mark.line++;
			mark.column = 1;
		}
	}
	return mark;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static size_t word_len(const char *s, const char *end)
{
	size_t n = 0;

	while (s + n < end && is_word(s[n]))
		n++;
	return n;
}

static const char *shown(const struct parse *p, const char *s, const char *end)
{
	char *copy = strndup(s, (size_t)(end - s));
	const char *ret = jl_messages_show(p->msgs, copy ? copy : "");

	free(copy);
	return ret;
}

static bool unknown_root(struct parse *p, const char *s, const char *end)
{
	const char *name = shown(p, s, end);
	struct jl_near near = {.word = name};

	for (size_t i = 0; i < N_ROOTS; i++)
		jl_near_offer(&near, roots[i].name);
	jl_near_offer(&near, "raw");
	if (near.best)
		jl_messages_add(p->msgs, p->mark, false, "unknown name \"%s\" in a template; did you mean \"%s\"?",
				name, near.best);
	else
		jl_messages_add(p->msgs, p->mark, false, "unknown name \"%s\" in a template; " FORMS, name);
	return false;
}

static bool not_here(struct parse *p, const char *name)
{
	jl_messages_add(p->msgs, p->mark, false, "\"%s\" cannot stand here; %s can", name,
			p->allow & JL_TMPL_OUTPUTS ? "item, output, outputs, step, vars and env"
			: p->allow & JL_TMPL_ITEM  ? "item, step, vars and env"
						   : "only vars and env");
	return false;
}

static bool malformed(struct parse *p, const char *s, const char *end)
{
	jl_messages_add(p->msgs, p->mark, false, "cannot understand \"%s\" in a template; " FORMS, shown(p, s, end));
	return false;
}

/* `.WORD` or `[N]` behind a root. */
static bool parse_suffix(struct parse *p, struct jl_hole *h, const char **at, const char *end)
{
	bool ports = h->kind == JL_HOLE_INPUTS || h->kind == JL_HOLE_OUTPUTS;
	const char *s = *at;
	size_t n;

	if (*s == '[' && ports && h->pick == JL_PICK_ALL) {
		uint32_t index = 0;
		size_t digits = 0;

		for (s++; s < end && *s >= '0' && *s <= '9' && digits < 9; s++, digits++)
			index = index * 10 + (uint32_t)(*s - '0');
		if (digits == 0 || s == end || *s != ']')
			return false;
		h->pick = JL_PICK_INDEX;
		h->index = index;
		*at = s + 1;
		return true;
	}
	if (*s != '.')
		return false;
	s++;
	n = word_len(s, end);
	if (n == 0 || h->field != JL_FIELD_WHOLE)
		return false;
	*at = s + n;
	if (ports && h->pick != JL_PICK_ALL) {
		h->field = (uint8_t)jl_hole_field(s, n);
		return h->field != JL_FIELD_WHOLE;
	}
	if (h->s) { /* the second of item.KEY.stem */
		h->field = (uint8_t)jl_hole_field(s, n);
		return (h->kind == JL_HOLE_ITEM || h->kind == JL_HOLE_MATRIX) && h->field != JL_FIELD_WHOLE;
	}
	if (h->kind == JL_HOLE_STEP || h->kind == JL_HOLE_JOBS)
		return false;
	h->s = jl_arena_strndup(p->arena, s, n);
	h->len = (uint32_t)n;
	if (ports)
		h->pick = JL_PICK_NAME;
	return true;
}

static void trim(const char **s, const char **end)
{
	while (*s < *end && strchr(" \t\n\r", **s))
		++*s;
	while (*end > *s && strchr(" \t\n\r", (*end)[-1]))
		--*end;
}

/* What stands between "${{" and "}}". */
static bool parse_hole(struct parse *p, struct jl_hole *h, const char *s, const char *end)
{
	const struct root *root = NULL;
	const char *whole = s, *at;
	size_t n;

	trim(&s, &end);
	whole = s;
	if (s == end) {
		jl_messages_add(p->msgs, p->mark, false, "an empty template; name a value, as in ${{ item }}");
		return false;
	}
	n = word_len(s, end);
	if (n == 3 && memcmp(s, "raw", 3) == 0) {
		at = s + n;
		trim(&at, &end);
		if (at == end || *at != '(' || end[-1] != ')')
			return malformed(p, whole, end);
		s = at + 1;
		end--;
		trim(&s, &end);
		h->raw = true;
		n = word_len(s, end);
	}
	for (size_t i = 0; i < N_ROOTS && !root; i++)
		root = strlen(roots[i].name) == n && memcmp(roots[i].name, s, n) == 0 ? &roots[i] : NULL;
	if (!root)
		return n == 0 ? malformed(p, whole, end) : unknown_root(p, s, s + n);
	if (!(root->allow & p->allow))
		return not_here(p, root->name);
	h->kind = root->kind;
	h->pick = root->pick;
	for (at = s + n; at < end;) {
		if (!parse_suffix(p, h, &at, end))
			return malformed(p, whole, end);
	}
	if ((h->kind == JL_HOLE_VAR || h->kind == JL_HOLE_ENV || h->kind == JL_HOLE_MATRIX) && !h->s) {
		jl_messages_add(p->msgs, p->mark, false, "\"%s\" alone is no value; name one, as in ${{ %s.NAME }}",
				root->name, root->name);
		return false;
	}
	return true;
}

static struct jl_hole *add(struct jl_hole **list, uint32_t *n, uint32_t *cap)
{
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 4;
		*list = jl_realloc(*list, *cap * sizeof(**list));
	}
	(*list)[*n] = (struct jl_hole){0};
	return &(*list)[(*n)++];
}

static void add_literal(struct jl_hole **list, uint32_t *n, uint32_t *cap, const char *s, size_t len)
{
	struct jl_hole *h;

	if (len == 0)
		return;
	h = add(list, n, cap);
	h->s = s;
	h->len = (uint32_t)len;
}

/* Holes inside quotes, by their offsets: `masked` is the text with a letter for each byte of a hole. */
static void check_quotes(struct parse *p, const char *masked, const struct jl_hole *holes, uint32_t n,
			 const uint32_t *offsets, uint32_t n_offsets)
{
	bool *quoted = jl_calloc(n_offsets, sizeof(*quoted));
	uint32_t k = 0;

	jl_shell_quoted(masked, p->text->len, offsets, quoted, n_offsets);
	for (uint32_t i = 0; i < n; i++) {
		if (holes[i].kind == JL_HOLE_LITERAL)
			continue;
		if (quoted[k++] && !holes[i].raw) {
			p->bad = true;
			jl_messages_add(
				p->msgs,
				(struct jl_mark){
					.file = p->text->mark.file, .line = holes[i].line, .column = holes[i].column},
				false,
				"a template inside quotes; drop the quotes, its value is quoted for the shell already");
		}
	}
	free(quoted);
}

struct jl_template *jl_template_literal(struct jl_arena *arena, const struct jl_mtext *text)
{
	struct jl_template *t = jl_arena_alloc(arena, sizeof(*t));

	*t = (struct jl_template){.text = text->s, .file = text->mark.file, .len = text->len};
	return t;
}

/* The word before the first blank, if nothing in it means something to a shell or is a hole. */
static const char *find_first_word(struct jl_arena *arena, const struct jl_mtext *text)
{
	const char *s = text->s + strspn(text->s, " \t\n");
	size_t len = strcspn(s, " \t\n#;\"'*?[]&|<>(){}$`^~!\\=");

	if (len == 0 || (s[len] != '\0' && !strchr(" \t\n", s[len])))
		return NULL;
	return jl_arena_strndup(arena, s, len);
}

/* Only "$${{" were in it: the text is fixed. */
static void join_literals(struct jl_arena *arena, struct jl_template *t, const struct jl_hole *list, uint32_t n)
{
	char *text = jl_arena_alloc(arena, (size_t)t->len + 1);

	t->len = 0;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(text + t->len, list[i].s, list[i].len);
		t->len += list[i].len;
	}
	t->text = text;
}

struct jl_template *jl_template_parse(struct jl_arena *arena, const struct jl_mtext *text, const struct jl_place *place,
				      unsigned allow, bool shell, struct jl_messages *msgs)
{
	struct parse p = {.arena = arena, .text = text, .place = place, .allow = allow, .msgs = msgs};
	const char *s = text->s, *end = s + text->len, *from = s, *at = s;
	struct jl_template *t = jl_template_literal(arena, text);
	struct jl_hole *list = NULL;
	uint32_t n = 0, cap = 0, n_holes = 0, n_offsets = 0, *offsets = NULL;
	char *masked = NULL;

	if (shell)
		t->first_word = find_first_word(arena, text);
	if (!memmem(s, text->len, "${{", 3))
		return t;
	if (shell)
		masked = jl_strndup(s, text->len);
	while ((at = memmem(at, (size_t)(end - at), "${{", 3)) != NULL) {
		const char *close = memmem(at, (size_t)(end - at), "}}", 2);
		struct jl_hole h = {0};

		if (at > from && at[-1] == '$') { /* "$${{" is "${{" */
			add_literal(&list, &n, &cap, from, (size_t)(at - 1 - from));
			from = at;
			at += 3;
			continue;
		}
		p.mark = mark_at(&p, (size_t)(at - s));
		if (!close) {
			jl_messages_add(msgs, p.mark, false,
					"\"${{\" is not closed; add \"}}\", or write \"$${{\" for the text itself");
			p.bad = true;
			break;
		}
		if (!parse_hole(&p, &h, at + 3, close))
			p.bad = true;
		h.line = p.mark.line;
		h.column = p.mark.column;
		add_literal(&list, &n, &cap, from, (size_t)(at - from));
		if (h.kind != JL_HOLE_LITERAL) {
			*add(&list, &n, &cap) = h;
			n_holes++;
		}
		if (h.kind != JL_HOLE_LITERAL && shell) {
			offsets = jl_realloc(offsets, (n_offsets + 1) * sizeof(*offsets));
			offsets[n_offsets++] = (uint32_t)(at - s);
		}
		if (shell)
			memset(masked + (at - s), 'x', (size_t)(close + 2 - at));
		at = from = close + 2;
	}
	add_literal(&list, &n, &cap, from, (size_t)(end - from));
	if (n_offsets > 0)
		check_quotes(&p, masked, list, n, offsets, n_offsets);
	if (n_holes == 0) {
		join_literals(arena, t, list, n);
	} else {
		t->n = n;
		t->holes = jl_arena_alloc(arena, n * sizeof(*list));
		memcpy(t->holes, list, n * sizeof(*list));
	}
	free(list);
	free(offsets);
	free(masked);
	return p.bad ? NULL : t;
}

const char *jl_template_fixed(const struct jl_template *t)
{
	return t->n == 0 ? t->text : NULL;
}

const char *jl_template_first_word(const struct jl_template *t)
{
	return t->first_word;
}

bool jl_template_uses_item(const struct jl_template *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->holes[i].kind == JL_HOLE_ITEM || t->holes[i].kind == JL_HOLE_MATRIX)
			return true;
	}
	return false;
}

bool jl_template_uses_jobs(const struct jl_template *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->holes[i].kind == JL_HOLE_JOBS)
			return true;
	}
	return false;
}
