/* Input of `jl map`: sources, groups, their product. */
#include "run/values.h"

#include "run/colsep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)

struct source {
	const struct jl_values_source *from;
	uint32_t next_word;
	int fd;             /* -1: words, or read to its end */
	struct jl_buf buf;  /* read, from `pos` on not yet taken */
	size_t pos, looked; /* no end of a value before `looked` */
	bool eof;
	bool keeps, whole; /* of a later group: its values are held in `kept`; and all are there */
	struct jl_args kept;
	uint32_t next_kept;
	bool named;        /* its header was taken */
	const char *value; /* the current one */
	size_t len;
	bool fresh; /* it was taken for the step that is being made */
};

struct jl_values {
	const struct jl_values_opts *opts;
	struct jl_colsep *colsep;
	struct source *sources;
	uint32_t n;
	struct jl_args names;
	bool begun;
	int wait_fd;
};

void jl_args_clear(struct jl_args *a)
{
	jl_buf_clear(&a->text);
	a->at.len = 0;
}

void jl_args_release(struct jl_args *a)
{
	jl_buf_release(&a->text);
	jl_table_release(&a->at);
}

void jl_args_add(struct jl_args *a, const char *value, size_t len)
{
	*(uint32_t *)jl_table_add(&a->at, 1) = (uint32_t)a->text.len;
	jl_buf_add(&a->text, value, len);
	jl_buf_char(&a->text, '\0');
}

static const char *name_of(const struct source *s)
{
	return strcmp(s->from->path, "-") == 0 ? "standard input" : s->from->path;
}

static int open_source(struct source *s, const struct jl_values_source *from, struct jl_err *err)
{
	*s = (struct source){.from = from, .fd = -1, .kept = JL_ARGS_INIT};
	/* One more than a value and its end: so that one that is too long shows. */
	jl_buf_init(&s->buf, JL_VALUE_MAX + READ_SIZE);
	if (from->words)
		return JL_OK;
	s->fd = strcmp(from->path, "-") == 0 ? STDIN_FILENO : open(from->path, O_RDONLY | O_CLOEXEC);
	return s->fd < 0 ? jl_err_sys(err, errno, "cannot open \"%s\"", from->path) : JL_OK;
}

static void close_source(struct source *s)
{
	if (s->fd > STDIN_FILENO)
		close(s->fd);
	s->fd = -1;
}

int jl_values_open(const struct jl_values_opts *opts, struct jl_values **ret, struct jl_err *err)
{
	struct jl_values *v = jl_calloc(1, sizeof(*v));
	bool later = false;
	int r = JL_OK;
	*v = (struct jl_values){.opts = opts, .names = JL_ARGS_INIT, .wait_fd = -1};
	v->sources = jl_calloc(opts->n_sources, sizeof(*v->sources));
	if (opts->colsep)
		r = jl_colsep_new(opts->colsep, &v->colsep, err);
	for (; r == JL_OK && v->n < opts->n_sources; v->n++) {
		struct source *s = &v->sources[v->n];
		r = open_source(s, &opts->sources[v->n], err);
		later |= v->n > 0 && !s->from->linked;
		s->keeps = later && !s->from->words;
	}
	if (r == JL_OK)
		*ret = v;
	else
		jl_values_free(v);
	return r;
}

void jl_values_free(struct jl_values *v)
{
	if (!v)
		return;
	for (uint32_t i = 0; i < v->n; i++) {
		close_source(&v->sources[i]);
		jl_buf_release(&v->sources[i].buf);
		jl_args_release(&v->sources[i].kept);
	}
	free(v->sources);
	jl_colsep_free(v->colsep);
	jl_args_release(&v->names);
	free(v);
}

const struct jl_args *jl_values_names(const struct jl_values *v)
{
	return &v->names;
}

int jl_values_fd(const struct jl_values *v)
{
	return v->wait_fd;
}

uint64_t jl_values_total(const struct jl_values *v)
{
	uint64_t total = 1, group = UINT64_MAX;
	if (v->opts->skip_blank)
		return 0;
	for (uint32_t i = v->n; i > 0; i--) {
		const struct jl_values_source *s = v->sources[i - 1].from;
		uint64_t n = s->n_words - (v->opts->header && s->n_words > 0);
		if (!s->words)
			return 0;
		group = n < group ? n : group;
		if (s->linked && i > 1)
			continue;
		if (__builtin_mul_overflow(total, group, &total))
			return 0;
		group = UINT64_MAX;
	}
	return total;
}

/* ---- one source ---- */

/* More bytes; JL_VALUES_ONE, or WAIT if reading would block. What was taken makes room. */
static int fill(struct jl_values *v, struct source *s, struct jl_err *err)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	char *room;
	if (s->pos > 0) {
		memmove(s->buf.data, s->buf.data + s->pos, s->buf.len - s->pos);
		jl_buf_truncate(&s->buf, s->buf.len - s->pos);
		s->looked -= s->pos;
		s->pos = 0;
	}
	if (s->buf.len > JL_VALUE_MAX || jl_buf_reserve(&s->buf, READ_SIZE, &room) != JL_OK)
		return jl_err_set(err, JL_ELIMIT, "a value from %s is longer than %zu MiB%s", name_of(s),
				  JL_VALUE_MAX >> 20, v->opts->end ? "; is it separated by NUL? (-0)" : "");
	if (poll(&p, 1, 0) == 0) {
		v->wait_fd = s->fd;
		return JL_VALUES_WAIT;
	}
	ssize_t n = read(s->fd, room, READ_SIZE);
	if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
		v->wait_fd = s->fd;
		return JL_VALUES_WAIT;
	}
	if (n < 0)
		return jl_err_sys(err, errno, "cannot read %s", name_of(s));
	s->eof = n == 0;
	if (s->eof)
		close_source(s);
	s->buf.len += (size_t)n;
	s->buf.data[s->buf.len] = '\0';
	return JL_VALUES_ONE;
}

static int read_value(struct jl_values *v, struct source *s, struct jl_err *err)
{
	for (;;) {
		char *end = s->looked < s->buf.len
				    ? memchr(s->buf.data + s->looked, v->opts->end, s->buf.len - s->looked)
				    : NULL;
		if (end || (s->eof && s->pos < s->buf.len)) {
			s->value = s->buf.data + s->pos;
			s->len = end ? (size_t)(end - s->value) : s->buf.len - s->pos;
			s->pos += s->len + (end != NULL);
			s->looked = s->pos;
			if (memchr(s->value, '\0', s->len))
				return jl_err_set(err, JL_EINVAL,
						  "a value from %s holds a NUL byte; are they separated by NUL? (-0)",
						  name_of(s));
			if (end)
				*end = '\0';
			return JL_VALUES_ONE;
		}
		if (s->eof)
			return JL_VALUES_END;
		s->looked = s->buf.len;
		int r = fill(v, s, err);
		if (r != JL_VALUES_ONE)
			return r;
	}
}

static bool is_blank(const struct source *s)
{
	return strspn(s->value, " \t\r\v\f\n") == s->len;
}

static int raw_value(struct jl_values *v, struct source *s, struct jl_err *err)
{
	int r = JL_VALUES_ONE;
	do {
		if (!s->from->words) {
			r = read_value(v, s, err);
		} else if (s->next_word < s->from->n_words) {
			s->value = s->from->words[s->next_word++];
			s->len = strlen(s->value);
		} else {
			r = JL_VALUES_END;
		}
	} while (r == JL_VALUES_ONE && v->opts->skip_blank && is_blank(s));
	return r;
}

static int take(struct jl_values *v, struct source *s, struct jl_err *err)
{
	if (!s->keeps)
		return raw_value(v, s, err);
	if (s->next_kept == s->kept.at.len)
		return JL_VALUES_END;
	s->value = jl_args_at(&s->kept, s->next_kept++, &s->len);
	return JL_VALUES_ONE;
}

static void rewind_source(struct jl_values *v, struct source *s)
{
	s->next_word = v->opts->header;
	s->next_kept = 0;
	s->fresh = false;
}

/* ---- all of them ---- */

static void add_columns(const struct jl_values *v, const struct source *s, struct jl_args *args)
{
	if (v->colsep)
		jl_colsep_split(v->colsep, s->value, s->len, args);
	else
		jl_args_add(args, s->value, s->len);
}

/* Headers, and the values of later groups. May be called again after WAIT. */
static int begin(struct jl_values *v, struct jl_err *err)
{
	for (uint32_t i = 0; i < v->n; i++) {
		struct source *s = &v->sources[i];
		int r = JL_VALUES_ONE;
		if (v->opts->header && !s->named) {
			r = raw_value(v, s, err);
			if (r == JL_VALUES_WAIT || r < 0)
				return r;
			if (r == JL_VALUES_ONE)
				add_columns(v, s, &v->names);
			s->named = true;
		}
		while (s->keeps && !s->whole) {
			r = raw_value(v, s, err);
			if (r == JL_VALUES_WAIT || r < 0)
				return r;
			s->whole = r == JL_VALUES_END;
			if (r == JL_VALUES_ONE && s->kept.text.len + s->len + 1 > JL_BUF_MAX)
				return jl_err_set(err, JL_ELIMIT,
						  "\"%s\" is too large to be combined with others; give it first",
						  name_of(s));
			if (r == JL_VALUES_ONE)
				jl_args_add(&s->kept, s->value, s->len);
		}
	}
	return JL_VALUES_ONE;
}

/* One step of the group that begins at `first`. */
static int advance(struct jl_values *v, uint32_t first, struct jl_err *err)
{
	uint32_t end = first;
	do {
		struct source *s = &v->sources[end];
		int r = s->fresh ? JL_VALUES_ONE : take(v, s, err);
		if (r != JL_VALUES_ONE)
			return r;
		s->fresh = true;
		end++;
	} while (end < v->n && v->sources[end].from->linked);
	for (uint32_t i = first; i < end; i++)
		v->sources[i].fresh = false;
	return JL_VALUES_ONE;
}

static uint32_t group_before(const struct jl_values *v, uint32_t end)
{
	do
		end--;
	while (end > 0 && v->sources[end].from->linked);
	return end;
}

/* Groups from `first` on start anew. */
static int restart(struct jl_values *v, uint32_t first, struct jl_err *err)
{
	int r = JL_VALUES_ONE;
	for (uint32_t i = first; i < v->n; i++)
		rewind_source(v, &v->sources[i]);
	for (uint32_t i = first; i < v->n && r == JL_VALUES_ONE; i++)
		if (!v->sources[i].from->linked)
			r = advance(v, i, err);
	return r;
}

static uint32_t group_end(const struct jl_values *v, uint32_t first)
{
	do
		first++;
	while (first < v->n && v->sources[first].from->linked);
	return first;
}

int jl_values_next(struct jl_values *v, struct jl_args *args, struct jl_err *err)
{
	int r = JL_VALUES_ONE;
	uint32_t g = 0;
	if (!v->begun) {
		r = begin(v, err);
		if (r != JL_VALUES_ONE)
			return r;
	} else {
		/* The last group that can go on does. One before it that waits is asked again next time: those behind it stay at
		 * their ends. */
		for (g = group_before(v, v->n); g > 0; g = group_before(v, g)) {
			r = advance(v, g, err);
			if (r == JL_VALUES_ONE)
				break;
		}
	}
	if (g == 0)
		r = advance(v, 0, err);
	if (r == JL_VALUES_ONE && (g == 0 || group_end(v, g) < v->n))
		r = restart(v, group_end(v, g), err);
	if (r != JL_VALUES_ONE)
		return r;
	v->begun = true;
	for (uint32_t i = 0; i < v->n; i++)
		add_columns(v, &v->sources[i], args);
	return JL_VALUES_ONE;
}
