/* The least that running many commands can cost: spawnloop COUNT SLOTS COMMAND [ARG ...] runs the command COUNT times,
 * SLOTS at once, by posix_spawn and wait, and nothing else. Fails if one of them does. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	long count, slots, started = 0, ended = 0;
	int status;

	if (argc < 4) {
		fputs("usage: spawnloop COUNT SLOTS COMMAND [ARG ...]\n", stderr);
		return 2;
	}
	count = atol(argv[1]);
	slots = atol(argv[2]);
	while (ended < count) {
		if (started < count && started - ended < slots) {
			pid_t pid;

			if (posix_spawnp(&pid, argv[3], NULL, NULL, argv + 3, environ)) {
				fputs("spawnloop: cannot start the command\n", stderr);
				return 3;
			}
			started++;
			continue;
		}
		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
			fputs("spawnloop: the command failed\n", stderr);
			return 1;
		}
		ended++;
	}
	return 0;
}
