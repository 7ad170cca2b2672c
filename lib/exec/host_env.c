/* A host's own variables: see host_env.h. */
#include "exec/host_env.h"

#include <string.h>

static const char *const own[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX",
				  "SSH_AUTH_SOCK", "XDG_", NULL}; /* with a '_' at the end: all that begin so */

static bool is_own(const char *entry, size_t len)
{
	for (size_t i = 0; own[i]; i++) {
		size_t n = strlen(own[i]);
		if (own[i][n - 1] == '_' ? len > n && strncmp(entry, own[i], n) == 0
					 : len == n && strncmp(entry, own[i], n) == 0)
			return true;
	}
	return false;
}

static bool is_tmpdir(const char *entry)
{
	return strncmp(entry, "TMPDIR=", 7) == 0;
}

static const char *find(const char *const *entries, const char *name, size_t len)
{
	for (size_t i = 0; entries && entries[i]; i++)
		if (strncmp(entries[i], name, len) == 0 && entries[i][len] == '=')
			return entries[i];
	return NULL;
}

bool jl_host_env_own(const char *entry, const char *const *environ)
{
	size_t len = strcspn(entry, "=");
	if (strncmp(entry, "MAKEFLAGS=", 10) == 0 && strstr(entry, "--jobserver"))
		return true;
	if (!is_own(entry, len) && !is_tmpdir(entry))
		return false;
	const char *here = find(environ, entry, len);
	return here && strcmp(here, entry) == 0;
}

void jl_host_env(const char *const *environ, const char *const *sent, struct jl_table *out)
{
	for (size_t i = 0; environ && environ[i]; i++) {
		size_t len = strcspn(environ[i], "=");
		if (is_own(environ[i], len) && !find(sent, environ[i], len))
			*(const char **)jl_table_add(out, 1) = environ[i];
	}
	for (size_t i = 0; sent[i]; i++)
		if (!is_tmpdir(sent[i]))
			*(const char **)jl_table_add(out, 1) = sent[i];
}
