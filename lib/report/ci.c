/* Groups and annotations in the logs of GitHub Actions and GitLab CI. */
#include "report/ci.h"

#include "base/clock.h"
#include "base/path.h"

#include <string.h>

/* What GitHub takes in place of the bytes that end a command, or with `property` a value of its head. */
static void add_escaped(struct jl_buf *out, const char *text, int property)
{
	for (; *text; text++) {
		if (strchr(property ? "%\r\n:," : "%\r\n", *text))
			jl_buf_printf(out, "%%%02X", (unsigned char)*text);
		else
			jl_buf_char(out, *text);
	}
}

void jl_ci_begin(enum jl_ci ci, struct jl_buf *out, const char *title, unsigned n, int64_t wall_ns)
{
	if (ci == JL_CI_GITHUB) {
		jl_buf_str(out, "::group::");
		add_escaped(out, title, 0);
		jl_buf_char(out, '\n');
	} else if (ci == JL_CI_GITLAB) {
		jl_buf_printf(out, "\033[0Ksection_start:%lld:jl_%u\r\033[0K",
		              (long long)((jl_clock_real_ns() - wall_ns) / JL_NS_S), n);
		jl_path_show(out, title, strlen(title));
		jl_buf_char(out, '\n');
	}
}

void jl_ci_end(enum jl_ci ci, struct jl_buf *out, unsigned n)
{
	if (ci == JL_CI_GITHUB)
		jl_buf_str(out, "::endgroup::\n");
	else if (ci == JL_CI_GITLAB)
		jl_buf_printf(out, "\033[0Ksection_end:%lld:jl_%u\r\033[0K\n", (long long)(jl_clock_real_ns() / JL_NS_S), n);
}

void jl_ci_error(enum jl_ci ci, struct jl_buf *out, const char *title, const char *text)
{
	if (ci != JL_CI_GITHUB)
		return;
	jl_buf_str(out, "::error title=");
	add_escaped(out, title, 1);
	jl_buf_str(out, "::");
	add_escaped(out, text, 0);
	jl_buf_char(out, '\n');
}
