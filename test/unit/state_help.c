/* Short ways to a workspace state in a test's private folder. */
#include "state_help.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct jl_state *state_open(const struct tmpdir *t, const struct jl_io *io)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_state *s = NULL;

	assert_int_equal(jl_state_open(io ? io : &jl_io_system, t->path, false, NULL, 0, &s, &err), JL_OK);
	return s;
}

void state_close(struct jl_state *s)
{
	assert_int_equal(jl_state_close(s, NULL, NULL, NULL), JL_OK);
}

uint32_t state_id(struct jl_state *s, const char *path)
{
	return jl_files_id(&s->files, path, strlen(path));
}

void state_clock(struct jl_state *s, int64_t offset_ns)
{
	s->files.clock_fd = -1;
	s->files.clock_offset_ns = offset_ns;
}

char *state_slurp(const struct tmpdir *t, const char *name, size_t *ret_len)
{
	struct jl_buf b = JL_BUF_INIT;

	assert_int_equal(jl_file_read(&jl_io_system, t->fd, name, &b, NULL), JL_OK);
	return jl_buf_detach(&b, ret_len);
}
