/* The copy of an input by URL (run/url.h): the file in the workspace, with what is known of it in ".about" beside
 * it, and its record in the store, which is found by the digest it must have, or by the URL, so that another
 * checkout need not fetch it. */
#ifndef JL_RUN_COPY_H
#define JL_RUN_COPY_H

#include "run/engine.h"
#include "store/about.h"

/* Is it there, the content that was fetched and no other? Reads only. *ret is the caller's. */
bool jl_copy_look(struct jl_engine *e, const struct jl_purl *u, struct jl_about *ret);
/* The folder, made if it is missing. *ret_fd is the caller's. */
int jl_copy_folder(struct jl_engine *e, const struct jl_purl *u, int *ret_fd, struct jl_err *err) JL_MUST_CHECK;
/* Put it there from the store; false: that does not have it. */
bool jl_copy_restore(struct jl_engine *e, const struct jl_purl *u, int dir_fd, struct jl_about *ret);
/* The file `from` in that folder is it now: digest, size, etag and modified are in `about`. `stored`: its content is in
 * the store, so that a record may be, too. */
int jl_copy_place(struct jl_engine *e, const struct jl_purl *u, int dir_fd, const char *from, const struct jl_about *about,
		  bool stored, struct jl_err *err) JL_MUST_CHECK;
/* Folders of inputs that no step of the plan has, and none had for a week, go. */
void jl_copy_sweep(struct jl_engine *e);

#endif
