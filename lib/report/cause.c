/* Why a step failed. */
#include "report/cause.h"

#include "base/path.h"

#include <stdio.h>
#include <string.h>

void jl_cause_show(struct jl_buf *out, const struct jl_event *e)
{
	char how[48] = "";

	if (e->status == JL_STEP_TIMEOUT)
		strcpy(how, "timed out");
	else if (e->signal)
		snprintf(how, sizeof(how), "signal %d (SIG%s)", e->signal,
		         sigabbrev_np(e->signal) ? sigabbrev_np(e->signal) : "?");
	else if (e->exit_code || !e->reason)
		snprintf(how, sizeof(how), "exit %d", e->exit_code);
	if (e->reason && strncmp(e->reason, how, strcspn(how, "(")) == 0)
		how[0] = '\0';
	jl_buf_printf(out, "%s%s", how, how[0] && e->reason ? ": " : "");
	if (e->reason)
		jl_path_show(out, e->reason, strlen(e->reason));
}
