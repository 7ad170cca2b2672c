/* The lines by which the logs of GitHub Actions and GitLab CI fold what stands between them, and mark an error.
 *
 *     jl_ci_begin(JL_CI_GITHUB, &buf, "clean[a]", 1, wall_ns);  ... the step's output ...  jl_ci_end(JL_CI_GITHUB, &buf, 1);
 *     jl_ci_error(JL_CI_GITHUB, &buf, "clean[a]", "exit 3");
 *
 * With JL_CI_NONE nothing is added. Sources: "Workflow commands for GitHub Actions" (group, error, escaping of data and of
 * properties); GitLab's "Custom collapsible sections". */
#ifndef JL_REPORT_CI_H
#define JL_REPORT_CI_H

#include "base/buf.h"

#include <stdint.h>

enum jl_ci { JL_CI_NONE, JL_CI_GITHUB, JL_CI_GITLAB };

/* `n` numbers the groups of a run, from 1, and is the same for begin and end; `wall_ns` is how long the step took, which GitLab
 * shows. Each of these begins at the start of a line and ends one. */
void jl_ci_begin(enum jl_ci ci, struct jl_buf *out, const char *title, unsigned n, int64_t wall_ns);
void jl_ci_end(enum jl_ci ci, struct jl_buf *out, unsigned n);
/* An annotation, where there are such (GitHub). */
void jl_ci_error(enum jl_ci ci, struct jl_buf *out, const char *title, const char *text);

#endif
