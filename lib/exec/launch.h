/* struct jl_launch: starting an agent: a command that gives a byte stream, and how the agent is found at its other end.
 *
 * The command is the agent itself, wherever it runs, or a shell there. A shell is given a small script that looks for the agent by
 * its digest in the host's cache, asks for it when it is not there, checks it and becomes it: ssh as the end of its command line,
 * another as the first line that it reads. What is printed in between (by rc files, say) is passed over: each side's words begin
 * with a nonce.
 */
#ifndef JL_EXEC_LAUNCH_H
#define JL_EXEC_LAUNCH_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/table.h"

#include <stdbool.h>
#include <sys/types.h>

#define JL_NONCE 33 /* hex digits and a NUL */

/* The agents that can be brought to hosts: one file for each architecture. */
struct jl_agent_file {
	const char *system;    /* as `uname -sm` says: "Linux x86_64" */
	const char *path;
	char hex[80];          /* digest */
	uint64_t size;
};
struct jl_agent_files {
	struct jl_table at;    /* struct jl_agent_file */
	struct jl_arena arena;
};
/* Those that lie beside jl (libexec/jl/jl-agent-ARCH). JL_ENOTFOUND: none. */
int jl_agent_files_find(struct jl_agent_files *f, struct jl_err *err) JL_MUST_CHECK;
void jl_agent_files_release(struct jl_agent_files *f);

enum jl_launch_way { JL_LAUNCH_AGENT, JL_LAUNCH_SHELL, JL_LAUNCH_SSH };
/* JL_LAUNCH_SHELL when the last of the words is a shell's name ("docker exec -i web sh"), else JL_LAUNCH_AGENT. */
enum jl_launch_way jl_launch_way_of(const char *const *argv);

void jl_launch_nonce(char out[JL_NONCE]);
/* May it be given to ssh as a host? Not empty, not beginning with '-', nothing that a shell would take for anything else. */
bool jl_launch_host_ok(const char *host);
/* The words of the command: those of `ssh` (NULL-terminated), then options, "--", the host and the script. In the arena. `ahead`
 * bytes for the agent are sent at once; a host that has no agent passes over them, and they are sent again after its "go". */
const char *const *jl_launch_ssh(struct jl_arena *arena, const char *const *ssh, const char *host,
                                 const struct jl_agent_files *files, const char *nonce, size_t ahead);
/* The script for a shell that reads it, with its newline, appended. The shell may read ahead: nothing is to follow before what it
 * says has come back. */
void jl_launch_script(struct jl_buf *out, const struct jl_agent_files *files, const char *nonce);

struct jl_launched {
	pid_t pid;
	int pidfd, in_fd, out_fd, err_fd; /* out_fd is written to, in_fd read from */
};
/* Start it, in jl's own process group and deaf to what is typed at the terminal: jl itself sees to its end. When
 * jl is killed it gets TERM, so that an agent can still clean up. */
int jl_launch_start(const char *const *argv, const char *const *envp, const char *workdir, struct jl_launched *ret,
                    struct jl_err *err) JL_MUST_CHECK;

/* What the other side says before the frames begin. */
enum jl_greeting { JL_GREET_NONE, JL_GREET_AGENT, JL_GREET_GO, JL_GREET_SEND, JL_GREET_ABSENT, JL_GREET_BAD };
/* Look for the next line that begins with the nonce: *ret_used bytes are to be dropped, `word` (256 bytes) holds the rest of the
 * line behind the keyword. */
enum jl_greeting jl_launch_greeting(const char *nonce, const char *data, size_t len, size_t *ret_used, char word[256]);

#endif
