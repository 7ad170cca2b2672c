/* struct jl_owner: who has temporaries and needs keys in a local store, so that what a killed process left is known as
 * soon as it is dead.
 *
 * Each open store has a name of its own, ".tmp-HOST-PID-RANDOM-COUNT", with which its files' names begin. Before the first
 * of them is made it locks one byte of DIR/owners (F_OFD_SETLK), at a place that the name gives; the kernel ends that with
 * the process. Another host's locks cannot be relied on, nor can any on a network file system: there the age of a file and
 * the pid in its name must do. */
#ifndef JL_STORE_OWNER_H
#define JL_STORE_OWNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct jl_local;

#define JL_OWNER_NAME 128 /* bytes of a file's name */

struct jl_owner {
	char name[JL_OWNER_NAME]; /* "": only reads */
	atomic_uint count;        /* of the files that have it */
	pthread_mutex_t lock;
	atomic_bool claimed;
	int fd;                   /* -1: not locked */
};

void jl_owner_init(struct jl_owner *o, bool read_only);
void jl_owner_release(struct jl_local *l);
/* A name for a new file that says whose it is. Best effort: without a lock its age must do. Several threads may ask. */
void jl_owner_file(struct jl_local *l, char name[JL_OWNER_NAME]);
/* Is a file that was named so, and last written `age_ns` ago, nobody's any more? */
bool jl_owner_is_gone(struct jl_local *l, const char *name, int64_t age_ns);
/* The same for a folder, which is named by hand: nobody holds a lock for it. */
bool jl_owner_is_old(const struct jl_local *l, const char *name, int64_t age_ns);

#endif
