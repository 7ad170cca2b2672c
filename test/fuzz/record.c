/* Fuzz target: records, the key manifests in them, and variants records. The input is tried as a record, and as a body in a
 * frame whose check matches, since no mutation would get past the check. What is read must be written back as it was. */
#include "memo/key.h"
#include "memo/record.h"
#include "memo/variants.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 16
#define CHECK 16

static void try_record(const void *data, size_t size)
{
	struct jl_buf again = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	struct jl_piece_view piece;
	struct jl_record *r;
	struct jl_cur cur;
	int status = jl_record_decode(data, size, &r, &err);

	if (status != JL_OK) {
		jl_bug_if(status != JL_ECORRUPT && status != JL_EUNSUPPORTED);
		jl_bug_if(err.text[0] == '\0');
		return;
	}
	cur = (struct jl_cur){r->manifest, (const uint8_t *)r->manifest + r->manifest_len, 0};
	while (jl_key_next(&cur, &piece))
		jl_bug_if(piece.name_len + piece.value_len > r->manifest_len);
	jl_bug_if(jl_record_encode(r, &again, &err) != JL_OK);
	jl_bug_if(again.len != size || memcmp(again.data, data, size) != 0);
	jl_record_free(r);
	jl_buf_release(&again);
}

/* What is read must be fit to be written with a variant more. */
static void try_variants(const void *data, size_t size)
{
	static const char *const paths[] = {"a"};
	const struct jl_variant_file file = {.path = 0};
	struct jl_buf again = JL_BUF_INIT, scratch = JL_BUF_INIT;
	struct jl_variants *v, *more;
	struct jl_err err = JL_ERR_INIT;
	struct jl_digest key;
	int status = jl_variants_decode(data, size, &v, &err);

	if (status != JL_OK) {
		jl_bug_if(status != JL_ECORRUPT && status != JL_EUNSUPPORTED);
		jl_bug_if(err.text[0] == '\0');
		return;
	}
	for (uint32_t i = 0; i < v->n; i++)
		jl_variants_key(v, i, &scratch, &key);
	jl_bug_if(jl_variants_add(v, &v->base, paths, &file, 1, &again, &err) != JL_OK);
	jl_bug_if(jl_variants_decode(again.data, again.len, &more, &err) != JL_OK);
	jl_bug_if(more->n == 0 || more->n > v->n + 1 || more->at[0].n != 1);
	jl_variants_free(v);
	jl_variants_free(more);
	jl_buf_release(&again);
	jl_buf_release(&scratch);
}

static void try_framed(const char *head, const uint8_t *data, size_t size, void (*attempt)(const void *, size_t))
{
	struct jl_buf framed = JL_BUF_INIT;
	struct jl_digest check;

	attempt(data, size);
	if (size >= HEAD + CHECK && memcmp(data, head, 8) == 0) {
		data += HEAD;
		size -= HEAD + CHECK;
	}
	jl_buf_add(&framed, head, 12);
	jl_buf_u32(&framed, (uint32_t)size);
	jl_buf_add(&framed, data, size);
	jl_digest_bytes(framed.data, framed.len, &check);
	jl_buf_add(&framed, check.b, CHECK);
	attempt(framed.data, framed.len);
	jl_buf_release(&framed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_framed("jlrec\n\x1a\0\1\0\0\0", data, size, try_record);
	try_framed("jlvar\n\x1a\0\1\0\0\0", data, size, try_variants);
	return 0;
}
