/* Finding what lies beside the program. */
#include "proc/beside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int jl_beside_find(const char *name, char ret_path[PATH_MAX], struct jl_err *err)
{
	static const char *const places[] = {"", "../"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return jl_err_set(err, JL_EUNSUPPORTED, "cannot tell where jl lies: %s", strerror(errno));
	self[n] = '\0';
	strrchr(self, '/')[1] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char path[PATH_MAX];

		if (snprintf(path, sizeof(path), "%s%s%s", self, places[i], name) >= PATH_MAX || !realpath(path, ret_path))
			continue;
		return JL_OK;
	}
	return jl_err_set(err, JL_ENOTFOUND, "there is no %s%s: install it with jl", self, name);
}
