/* Fuzz target: a stream of entries, as jl reads it from its helper. What is read must be written back as it was. */
#include "codec/entries.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory { /* what the reader reads from */
	struct jl_io io;
	const uint8_t *at;
	size_t len;
};

static ssize_t memory_read(const struct jl_io *io, int fd, void *to, size_t len)
{
	struct memory *m = io->ctx;

	(void)fd;
	len = len < m->len ? len : m->len;
	len = len > 7 ? 7 + len % 13 : len; /* short reads */
	len = len < m->len ? len : m->len;
	memcpy(to, m->at, len);
	m->at += len;
	m->len -= len;
	return (ssize_t)len;
}

static ssize_t collect(const struct jl_io *io, int fd, const void *data, size_t len)
{
	(void)fd;
	jl_buf_add(io->ctx, data, len);
	return (ssize_t)len;
}

static bool copy_content(struct jl_entries_in *in, struct jl_entries_out *out)
{
	char piece[100];
	size_t n;

	do {
		if (jl_entries_read(in, piece, sizeof(piece), &n, NULL) != JL_OK)
			return false;
		jl_bug_if(jl_entries_data(out, piece, n, NULL) != JL_OK);
	} while (n > 0);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory from = {.io = {.read = memory_read}, .at = data, .len = size};
	struct jl_buf again = JL_BUF_INIT;
	const struct jl_io to = {.write = collect, .ctx = &again};
	struct jl_err err = JL_ERR_INIT;
	struct jl_entries_out out;
	struct jl_entries_in in;
	struct jl_entry entry;
	bool whole = true;
	int r;

	from.io.ctx = &from;
	jl_entries_open(&in, &from.io, -1);
	jl_entries_start(&out, &to, -1);
	while (whole && (r = jl_entries_next(&in, &entry, &err)) == JL_OK) {
		jl_bug_if(jl_entries_begin(&out, &entry, NULL) != JL_OK);
		whole = copy_content(&in, &out);
	}
	if (whole && r == JL_ENOTFOUND) {
		jl_bug_if(jl_entries_finish(&out, NULL) != JL_OK);
		jl_bug_if(again.len > size || memcmp(again.data, data, again.len) != 0);
	} else if (whole) {
		jl_bug_if(r != JL_ECORRUPT || err.text[0] == '\0');
	}
	jl_entries_out_release(&out);
	jl_entries_in_release(&in);
	jl_buf_release(&again);
	return 0;
}
