/* Fuzz target: depfiles. Whatever is in them: as many words as are told, each with its NUL, none longer than it may be. */
#include "memo/depfile.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jl_buf out = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	uint32_t n = 0;
	int status = jl_depfile_parse((const char *)data, size, &out, &n, &err);

	if (status == JL_OK) {
		const char *word = out.data;

		for (uint32_t i = 0; i < n; i++, word += strlen(word) + 1)
			jl_bug_if(word[0] == '\0' || strlen(word) > JL_DEPFILE_PATH_MAX);
		jl_bug_if(word != out.data + out.len);
		jl_bug_if(out.len > size + n);
	} else {
		jl_bug_if(status != JL_EINVAL && status != JL_ELIMIT);
		jl_bug_if(err.text[0] == '\0');
	}
	jl_buf_release(&out);
	return 0;
}
