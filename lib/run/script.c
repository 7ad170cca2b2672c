/* See script.h. */
#include "run/script.h"

#include "base/file.h"
#include "base/path.h"
#include "manifest/shell.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Does `SHELL... TEXT` run a text in which ". FILE" reads a file? */
bool jl_script_is(const struct jl_spec *spec)
{
	const char *last = spec->n_shell ? spec->argv[spec->n_shell - 1] : "";
	if (spec->n_argv != spec->n_shell + 1 || last[0] != '-' || !strchr(last, 'c'))
		return false;
	for (uint32_t i = 0; i < spec->n_shell; i++) {
		const char *word = spec->argv[i];
		size_t len = strlen(word);
		if (word[0] != '-' && len >= 2 && strcmp(word + len - 2, "sh") == 0)
			return true;
	}
	return false;
}

int jl_script_shorten(struct jl_engine *e, struct jl_running *r, const struct jl_spec *spec, struct jl_err *err)
{
	const size_t one_most = (size_t)32 * (size_t)sysconf(_SC_PAGESIZE);
	const char *script = spec->argv[spec->n_argv - 1];
	const size_t len = strlen(script);
	char name[JL_FILE_TEMP_SIZE];
	if (len < one_most || !jl_script_is(spec))
		return JL_OK;
	jl_script_remove(r); /* of a start that was refused */
	jl_file_temp_name(name, sizeof(name));
	jl_buf_str(&r->script, e->p->root);
	jl_buf_str(&r->script, "/.jl/");
	jl_buf_str(&r->script, name);
	int status = jl_file_write(&jl_io_system, AT_FDCWD, r->script.data, script, len, 0600, false, err);
	if (status != JL_OK) {
		jl_buf_release(&r->script);
		return jl_err_add(err, "its script is too long for an argument, and cannot be written to a file");
	}
	jl_buf_clear(&r->script_word);
	jl_buf_str(&r->script_word, ". ");
	jl_shell_quote(&r->script_word, r->script.data, r->script.len);
	*JL_AT(e->starting.argv, const char *, spec->n_argv - 1) = r->script_word.data;
	return JL_OK;
}

void jl_script_remove(struct jl_running *r)
{
	if (r->script.len)
		unlink(r->script.data);
	jl_buf_release(&r->script);
	jl_buf_release(&r->script_word);
}
