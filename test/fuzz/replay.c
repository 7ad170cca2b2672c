/* Runs a fuzz target over files instead of a fuzzer: every file below the folders and paths given, in byte order, so
 * that whatever once broke it is tried in each test run. A target defines LLVMFuzzerTestOneInput() as libFuzzer wants
 * it; test/fuzz/corpus/NAME holds its files. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long files;

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	exit(2);
}

static void replay_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	/* Exactly as many bytes as there are, so that a read past the end is seen by a sanitizer. */
	uint8_t *data = malloc(size ? size : 1);

	if (!f || !data)
		die("cannot read", path);
	if (fread(data, 1, size, f) != size)
		die("cannot read", path);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	files++;
}

static void replay(const char *path)
{
	struct dirent **names;
	struct stat st;
	int n;

	if (stat(path, &st) < 0)
		die("cannot stat", path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	if (n < 0)
		die("cannot list", path);
	for (int i = 0; i < n; i++) {
		char child[4096];

		if (names[i]->d_name[0] != '.') {
			snprintf(child, sizeof(child), "%s/%s", path, names[i]->d_name);
			replay(child);
		}
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%lu files\n", files);
	/* A target without a corpus is a mistake in the name of a folder. */
	return files ? 0 : 1;
}
