/* An agent: the far end of a connection. It runs the jobs it is given, each in a folder of its own, by the executor for local
 * processes, and answers as docs/formats/agent.md says. When the connection ends, or nothing is heard for too long, or a signal
 * says so, all that it runs is ended and taken away.
 */
#ifndef JL_AGENT_SERVE_H
#define JL_AGENT_SERVE_H

#include "base/err.h"

/* Talk on two descriptors, which are closed, until it is over. JL_OK: the other side ended it. */
int jl_agent_serve(int in_fd, int out_fd, const char *const *environ, struct jl_err *err) JL_MUST_CHECK;

#endif
