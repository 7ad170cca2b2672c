/* struct jl_objects: the objects of a place over HTTP, as jl asks for them (docs/formats/helper.md): GET, HEAD and PUT become
 * transfers, answers go back as they come. Redirects are followed by hand, within the hosts that are allowed, without secrets
 * to any other.
 *
 *     jl_objects_open(&o, &place, &transport, &serve);
 *     while ((r = jl_objects_turn(&o, &err)) > 0)
 *             jl_transport_wait(&transport, &serve.in, 1, jl_objects_wait_ms(&o));
 *     jl_objects_release(&o);                  drops what is open
 */
#ifndef JL_HTTP_OBJECTS_H
#define JL_HTTP_OBJECTS_H

#include "http/upload.h"
#include "store/serve.h"

struct jl_object_fault {
	enum jl_talk_error kind;
	char text[300];
};

struct jl_object;
struct jl_objects {
	struct jl_place *place;
	struct jl_transport *transport;
	struct jl_serve *serve;
	/* May say better what became of an object, of which HTTP said `status` (0: nothing). NULL: nobody knows better. */
	void (*explain)(void *ctx, const char *name, long status, struct jl_object_fault *fault);
	void *ctx;
	unsigned puts_most; /* so many are put at once, further ones wait; 0: any number */
	struct jl_object *first;
	struct jl_uploads uploads;
};

/* All three are borrowed until the release. */
void jl_objects_open(struct jl_objects *o, struct jl_place *place, struct jl_transport *transport,
		     struct jl_serve *serve);
void jl_objects_release(struct jl_objects *o);
unsigned jl_objects_puts(const struct jl_objects *o); /* how many are being put; those that wait do not count */
/* Take what came, do what can be done. 1; 0: jl wants no more; JL_ECORRUPT, JL_EIO. */
int jl_objects_turn(struct jl_objects *o, struct jl_err *err) JL_MUST_CHECK;
int jl_objects_wait_ms(const struct jl_objects *o); /* until the next turn at the latest */

#endif
