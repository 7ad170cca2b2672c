/* struct jl_upload: a large object that is put to S3 in parts: begun, part after part, completed. A part is kept until the store
 * has it, so one that is cut on the way is sent again; its SHA-256 is signed, so the store refuses another content. What does
 * not come to its end is aborted, so no parts stay. One part is in memory at a time.
 *
 *     struct jl_uploads all = {.place = …, .transport = …};
 *     u = jl_upload_new(&all, url, size, &owner);
 *     jl_upload_go_on(u);                                there is more to give
 *     jl_uploads_turn(&all);                             now and then, not from a callback
 *     jl_uploads_release(&all, ms);
 */
#ifndef JL_HTTP_UPLOAD_H
#define JL_HTTP_UPLOAD_H

#include "http/place.h"

#define JL_UPLOAD_MIN ((uint64_t)64 << 20) /* larger objects are put so */

struct jl_upload_owner {
	/* Fill in the next bytes: how many; 0: none now, and jl_upload_go_on() is called later. */
	size_t (*give)(void *ctx, void *room, size_t len);
	/* It is there (error NULL), or it is not, and was aborted. */
	void (*done)(void *ctx, const char *error, long status, enum jl_talk_error kind);
	void *ctx;
};

struct jl_upload;
struct jl_uploads {
	struct jl_place *place;
	struct jl_transport *transport;
	struct jl_upload *first;
};

/* The URL is copied, all else borrowed. It begins in a turn: few do at once, as each holds a part in memory. */
struct jl_upload *jl_upload_new(struct jl_uploads *all, const char *url, uint64_t size,
				const struct jl_upload_owner *owner);
void jl_upload_go_on(struct jl_upload *u);
/* The owner forgets it, before or after done(): what is not there by now is aborted. */
void jl_upload_drop(struct jl_upload *u);

/* Begin, try again and free what is due. */
void jl_uploads_turn(struct jl_uploads *all);
int64_t jl_uploads_due_ns(const struct jl_uploads *all); /* of the next turn; JL_FOREVER */
/* Aborts what is open, and waits so long for it at most. All are dropped by now. */
void jl_uploads_release(struct jl_uploads *all, int ms);

#endif
