/* Memory and load, from /proc and the control group's files. */
#include "base/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number behind `name` at the beginning of a line. */
static bool number_of(const char *path, const char *name, uint64_t *ret)
{
	char line[256];
	size_t len = strlen(name);
	bool found = false;
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = strncmp(line, name, len) == 0 && sscanf(line + len, "%*[: ]%lu", ret) == 1;
	fclose(f);
	return found;
}

/* The least limit on the way from the group up to the root of the hierarchy. `path` is changed. */
static uint64_t least_limit(const char *mount, char *path, const char *file)
{
	uint64_t least = UINT64_MAX, limit;
	for (;;) {
		char name[1024];
		int n = snprintf(name, sizeof(name), "%s%s/%s", mount, path, file);
		FILE *f = n < 0 || (size_t)n >= sizeof(name) ? NULL : fopen(name, "re");
		if (f && fscanf(f, "%lu", &limit) == 1 && limit < least)
			least = limit;
		if (f)
			fclose(f);
		char *slash = strrchr(path, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* Lines "0::PATH" (version 2) and "N:...memory...:PATH" (version 1). */
static uint64_t group_limit(void)
{
	char line[1024];
	uint64_t least = UINT64_MAX;
	FILE *f = fopen("/proc/self/cgroup", "re");
	while (f && fgets(line, sizeof(line), f)) {
		char *what = strchr(line, ':'), *path = what ? strchr(what + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		uint64_t limit = what[1] == '\0' ? least_limit("/sys/fs/cgroup", path, "memory.max")
				 : strcmp(what + 1, "memory") == 0
					 ? least_limit("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes")
					 : UINT64_MAX;
		least = limit < least ? limit : least;
	}
	if (f)
		fclose(f);
	return least;
}

static uint64_t memory_total(const struct jl_machine *m)
{
	uint64_t kib, limit = group_limit();
	(void)m;
	if (!number_of("/proc/meminfo", "MemTotal", &kib))
		return limit;
	return kib * 1024 < limit ? kib * 1024 : limit;
}

static uint64_t memory_free(const struct jl_machine *m)
{
	uint64_t kib;
	(void)m;
	return number_of("/proc/meminfo", "MemAvailable", &kib) ? kib * 1024 : UINT64_MAX;
}

static double load(const struct jl_machine *m)
{
	double average = 0;
	(void)m;
	return getloadavg(&average, 1) == 1 ? average : 0;
}

static uint64_t oom_kills(const struct jl_machine *m)
{
	uint64_t n;
	(void)m;
	return number_of("/proc/vmstat", "oom_kill", &n) ? n : 0;
}

const struct jl_machine jl_machine_system = {
	.memory_total = memory_total,
	.memory_free = memory_free,
	.load = load,
	.oom_kills = oom_kills,
};
