/* struct jl_bar: what a run is at, as lines of text: how far it is, and under that what runs. Pure: events and the time in,
 * lines out; report/screen.h brings them to a terminal.
 *
 *     [=====>        ] 37/120, 2 running, 1 failed, 32 hits, 1m02s, ETA 3m10s
 *       12s clean[parts/p.00] (~40s)
 *        3s report on b4
 *
 * "(~40s)" is how long the step took the last time; a host is named unless it is "local". Times are whole seconds of the run
 * and all change together, so between two of them the lines are the same as long as nothing happens. */
#ifndef JL_REPORT_BAR_H
#define JL_REPORT_BAR_H

#include "base/table.h"
#include "report/columns.h"
#include "run/event.h"

struct jl_bar {
	/* private */
	struct jl_columns columns;
	struct jl_table running; /* struct jl_bar_step, in the order they were started */
	struct jl_counts counts;
	uint64_t total;          /* 0: not known */
	int64_t eta_ns;          /* as it was told last; 0: not known */
	int64_t eta_s, at_s;     /* as it is shown, since that second of the run */
};

void jl_bar_init(struct jl_bar *b);
void jl_bar_release(struct jl_bar *b);
void jl_bar_event(struct jl_bar *b, const struct jl_event *e);
/* Append at most `rows` lines (at least one), each of at most `columns` columns, with '\n' between them; returns how many.
 * `now_ns` is since the run began. With `color` what failed is in red, which takes no column. */
unsigned jl_bar_lines(struct jl_bar *b, int64_t now_ns, unsigned columns, unsigned rows, bool color, struct jl_buf *out);

#endif
