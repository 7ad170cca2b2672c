/* Runs a command and writes what it took: measure OUT COMMAND [ARG ...]
 *
 * OUT gets one line "WALL USER SYS MAXRSS STATUS": seconds with microseconds, the peak of resident memory in KiB (of the
 * largest process of the command, as getrusage has it), and the exit status. posix_spawn keeps our own memory out of it. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	struct rusage use;
	int status, e;
	pid_t pid;
	FILE *out;

	if (argc < 3) {
		fputs("usage: measure OUT COMMAND [ARG ...]\n", stderr);
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	e = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
	if (e) {
		fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(e));
		return 127;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	clock_gettime(CLOCK_MONOTONIC, &to);
	getrusage(RUSAGE_CHILDREN, &use);
	out = fopen(argv[1], "w");
	if (!out) {
		perror(argv[1]);
		return 3;
	}
	fprintf(out, "%.6f %.6f %.6f %ld %d\n",
	        (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9, seconds(use.ru_utime),
	        seconds(use.ru_stime), use.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
