/* See recent.h. Memory once had is kept for the next: giving it back and asking for it anew costs as much as the copy. */
#include "store/recent.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

void jl_recent_init(struct jl_recent *r)
{
	*r = (struct jl_recent){0};
	pthread_mutex_init(&r->lock, NULL);
}

void jl_recent_release(struct jl_recent *r)
{
	for (size_t i = 0; i < JL_RECENT_SLOTS; i++)
		free(r->at[i].data);
	pthread_mutex_destroy(&r->lock);
}

/* An empty one, else the oldest; NULL: all are lent. */
static struct jl_recent_slot *slot_for(struct jl_recent *r)
{
	struct jl_recent_slot *found = NULL;

	for (size_t i = 0; i < JL_RECENT_SLOTS; i++) {
		struct jl_recent_slot *s = &r->at[i];

		if (!s->lent && (!found || s->seq < found->seq))
			found = s;
		if (found && found->seq == 0)
			break;
	}
	return found;
}

void jl_recent_put(struct jl_recent *r, const struct jl_digest *digest, const void *data, size_t size)
{
	struct jl_recent_slot *s;

	if (size > JL_RECENT_MAX)
		return;
	pthread_mutex_lock(&r->lock);
	s = slot_for(r);
	if (s) {
		s->seq = 0;
		s->lent = true;
	}
	pthread_mutex_unlock(&r->lock);
	if (!s)
		return;
	if (!s->data)
		s->data = jl_alloc(JL_RECENT_MAX);
	memcpy(s->data, data, size);
	pthread_mutex_lock(&r->lock);
	s->digest = *digest;
	s->size = size;
	s->seq = ++r->seq;
	s->lent = false;
	pthread_mutex_unlock(&r->lock);
}

bool jl_recent_take(struct jl_recent *r, const struct jl_digest *digest, uint64_t size, const struct jl_io *io, int fd,
                    int *ret_status, struct jl_err *err)
{
	struct jl_recent_slot *found = NULL;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < JL_RECENT_SLOTS && !found; i++) {
		struct jl_recent_slot *s = &r->at[i];

		if (s->seq && !s->lent && s->size == size && jl_digest_equal(&s->digest, digest))
			found = s;
	}
	if (found)
		found->lent = true;
	pthread_mutex_unlock(&r->lock);
	if (!found)
		return false;
	*ret_status = jl_file_write_all(io, fd, found->data, found->size, err);
	pthread_mutex_lock(&r->lock);
	found->seq = 0;
	found->lent = false;
	pthread_mutex_unlock(&r->lock);
	return true;
}
