/* struct jl_objects: the objects of a place over HTTP, as jl asks for them (docs/formats/helper.md): GET, HEAD and PUT become
 * transfers, answers go back as they come. Redirects are followed by hand, within the hosts that are allowed, without secrets
 * to any other.
 *
 *     jl_objects_open(&o, &place, &transport, &serve);
 *     jl_objects_take(&o, &message);           each message that came
 *     … jl_transport_work() …                  answers are sent from in there
 *     jl_objects_release(&o);                  drops what is open
 */
#ifndef JL_HTTP_OBJECTS_H
#define JL_HTTP_OBJECTS_H

#include "http/place.h"
#include "store/serve.h"

struct jl_object;
struct jl_objects {
	const struct jl_place *place;
	struct jl_transport *transport;
	struct jl_serve *serve;
	struct jl_object *first;
};

/* All three are borrowed until the release. */
void jl_objects_open(struct jl_objects *o, const struct jl_place *place, struct jl_transport *transport,
		     struct jl_serve *serve);
void jl_objects_release(struct jl_objects *o);
/* JL_ECORRUPT: it has no place here. JL_EIO: jl has gone. */
int jl_objects_take(struct jl_objects *o, const struct jl_talk *m) JL_MUST_CHECK;

#endif
