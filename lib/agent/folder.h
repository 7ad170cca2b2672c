/* struct jl_folder: where a job of an agent runs: NAME/w, which it starts in, and NAME/tmp, its TMPDIR, below the run's folder.
 *
 * A job gets a folder that nobody has seen, or one of an earlier job that is proven to be as good: no process is left that could
 * have it open (jl_folders_alone()), and the stamps of all three are those that they were made with, so nothing in them or of them
 * was ever changed; what is not is made anew. Making and removing folders can cost more than running `true`: on a disk up to a
 * millisecond each. A stamp counts only if the clock it is taken from has moved on before the job began, so new folders rest
 * until it has, and only on file systems whose clock is ours.
 */
#ifndef JL_AGENT_FOLDER_H
#define JL_AGENT_FOLDER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { JL_FOLDER_ITSELF, JL_FOLDER_TMP, JL_FOLDER_WORK, JL_FOLDER_PARTS };

struct jl_folder_stamp {
	uint64_t inode;
	int64_t changed_ns; /* ctime */
};
struct jl_folder {
	struct jl_folder *next;
	char name[24];
	bool there[JL_FOLDER_PARTS];
	struct jl_folder_stamp stamps[JL_FOLDER_PARTS];
};

struct jl_folders {
	int run_fd;         /* borrowed */
	int children_fd;    /* /proc/.../children of this thread; -1: not to be had here, so nothing is proven */
	bool stamps_count;
	uint64_t last;      /* number that was a name */
	struct jl_folder *spare; /* as they are to be for a job; first those that have rested */
	uint32_t n_spare;
};

void jl_folders_init(struct jl_folders *f, int run_fd);
void jl_folders_release(struct jl_folders *f); /* the memory; the folders go with the run's */

int jl_folders_take(struct jl_folders *f, struct jl_folder **ret, struct jl_err *err) JL_MUST_CHECK;
/* What jl_folders_give() wants to know: the clock of stamps, before a job begins. No system call. */
int64_t jl_folders_now(void);
/* Has this process no children but these? Asked when a job has ended and its process is reaped. */
bool jl_folders_alone(const struct jl_folders *f, const pid_t *others, size_t n);
/* The job is over. `alone`: none of its processes is left; `written`: we have put something into NAME/w ourselves; `began_ns`:
 * jl_folders_now() when it began. Takes the folder away, or what of it is not as it was; nothing of the job stays. */
void jl_folders_give(struct jl_folders *f, struct jl_folder *folder, bool alone, bool written, int64_t began_ns);

#endif
