/* jl-agent: the far end that executors start on a host; not for people. It talks on its standard input and output until those are
 * closed. `jl-agent check HEX` says by its exit status whether this program is the one with that digest, whole. */
#include "agent/serve.h"
#include "digest/digest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int check(const char *hex)
{
	struct jl_digest want, is;
	uint64_t size;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && jl_digest_parse(hex, &want, NULL) == JL_OK &&
			       jl_digest_fd(&jl_io_system, fd, &is, &size, NULL) == JL_OK && jl_digest_equal(&want, &is)
		       ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct jl_err err = JL_ERR_INIT;
	int in, out;

	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("jl-agent %s\n", JL_VERSION);
		return 0;
	}
	if (argc != 1 || isatty(0)) {
		fprintf(stderr, "jl-agent: started by jl on hosts that run steps; it speaks on its standard input and output\n");
		return 2;
	}
	/* Away from 0 and 1, which belong to what it starts. */
	in = fcntl(0, F_DUPFD_CLOEXEC, 3);
	out = fcntl(1, F_DUPFD_CLOEXEC, 3);
	if (in < 0 || out < 0 || !freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout)) {
		fprintf(stderr, "jl-agent: its standard input and output cannot be used\n");
		return 3;
	}
	if (jl_agent_serve(in, out, (const char *const *)environ, &err) == JL_OK)
		return 0;
	fprintf(stderr, "jl-agent: %s\n", err.text);
	return 3;
}
