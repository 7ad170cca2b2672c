/* An account of a run as one HTML page that needs nothing else: no network, no other file, and no script for summary,
 * failures, critical path and slowest steps; timeline and list of steps are made by its script from the JSON within.
 *
 * Names, commands and outputs are whatever users wrote: they are escaped for HTML, and for JSON within a script element
 * (no "<", no U+2028). A Content-Security-Policy allows the page's own script and style by a nonce, and nothing else.
 * Style and script are page.css and page.js beside page.c. */
#ifndef JL_REPORT_PAGE_H
#define JL_REPORT_PAGE_H

#include "report/account.h"
#include "report/out.h"

struct jl_page_opts {
	const char *title; /* of what: a folder, a file */
	bool again;        /* "jl run STEP" repeats a step: the page says it */
};

/* The account is linked (jl_account_link). */
void jl_page_write(struct jl_out *out, const struct jl_account *a, const struct jl_page_opts *o);

#endif
