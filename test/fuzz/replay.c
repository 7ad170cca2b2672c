/* Runs a fuzz target over files instead of a fuzzer: every file below the folders and paths given, in byte order, so
 * that whatever once broke it is tried in each test run. A target defines LLVMFuzzerTestOneInput() as libFuzzer wants
 * it; test/fuzz/corpus/NAME holds its files. With -runs=N -seed=S before the paths each file is followed by N mutations
 * of it, the same ones for the same seed: a poor man's fuzzer for machines without one. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long files, runs;
static uint64_t seed = 1;

static void die(const char *what, const char *path)
{
	fprintf(stderr, "%s %s: %s\n", what, path, strerror(errno));
	exit(2);
}

static uint32_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* One edit in place; gives the new size, which is not more than `size`. */
static size_t edit(uint8_t *data, size_t size)
{
	static const uint32_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	size_t at = next_random() % size, from = next_random() % size;
	uint32_t value = values[next_random() % (sizeof(values) / sizeof(values[0]))];
	size_t len = 1 + next_random() % 16;

	if (len > size - at)
		len = size - at;
	switch (next_random() % 6) {
	case 0:
		data[at] ^= (uint8_t)(1u << next_random() % 8);
		break;
	case 1:
		data[at] = (uint8_t)next_random();
		break;
	case 2:
		memcpy(data + at, &value, len < sizeof(value) ? len : sizeof(value));
		break;
	case 3:
		memmove(data + at, data + from, len < size - from ? len : size - from);
		break;
	case 4:
		memmove(data + at, data + at + len, size - at - len);
		return size - len;
	default:
		return at;
	}
	return size;
}

static void mutate(const uint8_t *data, size_t size)
{
	for (unsigned long run = 0; run < runs && size; run++) {
		uint8_t *copy = malloc(size), *exact;
		size_t len = size;

		if (!copy)
			die("cannot mutate", "input");
		memcpy(copy, data, size);
		for (uint32_t n = 1 + next_random() % 4; n && len; n--)
			len = edit(copy, len);
		exact = realloc(copy, len ? len : 1);
		if (!exact)
			die("cannot mutate", "input");
		LLVMFuzzerTestOneInput(exact, len);
		free(exact);
	}
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
	mutate(data, size);
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
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-runs=", 6) == 0)
			runs = strtoul(argv[i] + 6, NULL, 10);
		else if (strncmp(argv[i], "-seed=", 6) == 0)
			seed = strtoull(argv[i] + 6, NULL, 10);
		else
			replay(argv[i]);
	}
	printf("%lu files\n", files);
	/* A target without a corpus is a mistake in the name of a folder. */
	return files ? 0 : 1;
}
