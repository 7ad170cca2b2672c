/* `remotes:` of a store: who is asked when the local store does not know. */
#include "base/url.h"
#include "manifest/reader.h"

#include <string.h>

#define REMOTES_MAX 16u

/* Part of a path and of a line: one word of harmless characters. */
static bool is_group(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == strlen(s) &&
	       s[0] != '/' && !strstr(s, "..") && !strstr(s, "//") && (!s[0] || s[strlen(s) - 1] != '/');
}

static const char *url_fault(const char *url)
{
	const char *colon = strchr(url, ':');

	if (!colon || colon == url || strspn(url, "abcdefghijklmnopqrstuvwxyz0123456789+-") < (size_t)(colon - url) ||
	    !colon[1])
		return "\"url\" wants SCHEME://PLACE, such as https://cache.example.org/jl";
	for (const char *s = url; *s; s++) {
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return "\"url\" holds a blank or a control character; write it as %20";
	}
	if (jl_url_has_user(url))
		return "no user or password in \"url\": they come from variables or ~/.netrc, see jl-remotes in the "
		       "manual";
	return NULL;
}

static enum jl_remote_mode read_mode(struct jl_reader *r, const struct jl_yaml *node, const char *mode)
{
	if (!mode || strcmp(mode, "read") == 0)
		return JL_REMOTE_READ;
	if (strcmp(mode, "write") == 0)
		return JL_REMOTE_WRITE;
	if (strcmp(mode, "readwrite") != 0)
		jl_read_fault(r, node, "\"mode\" wants read, write or readwrite, not \"%s\"",
			      jl_messages_show(r->msgs, mode));
	return JL_REMOTE_READWRITE;
}

static void read_remote(struct jl_reader *r, const struct jl_yaml *node, struct jl_remote_settings *ret)
{
	struct jl_remote_keys k = {0};
	const uint32_t errors = r->msgs->errors;
	const char *fault;

	*ret = (struct jl_remote_settings){.name = "", .url = "", .group = "", .sign = ""};
	if (node->kind != JL_YAML_MAP) {
		jl_read_wrong_type(r, node, "remotes", "mappings with name and url");
		return;
	}
	jl_read_map(r, node, JL_IN_REMOTE, &k);
	if (r->msgs->errors > errors)
		return;
	fault = k.url.s ? url_fault(k.url.s) : "a remote needs \"url\"";
	if (!k.name.s || !jl_read_is_name(k.name.s))
		jl_read_fault(r, node, "a remote needs a \"name\" of letters, digits, _ . -");
	else if (fault)
		jl_read_fault(r, node, "%s", fault);
	else if (k.group.s && !is_group(k.group.s))
		jl_read_fault(r, node, "\"namespace\" wants letters, digits, . _ - and /");
	if (r->msgs->errors > errors)
		return;
	ret->name = k.name.s;
	ret->url = k.url.s;
	ret->group = k.group.s ? k.group.s : "";
	ret->sign = k.sign.s ? k.sign.s : "";
	ret->mode = read_mode(r, node, k.mode.s);
	ret->allow_insecure_hash = k.insecure;
}

void jl_read_remotes(struct jl_reader *r, const struct jl_yaml *node, struct jl_store_keys *ret)
{
	struct jl_remote_settings *all;

	if (node->kind != JL_YAML_LIST) {
		jl_read_wrong_type(r, node, "remotes", "a list");
		return;
	}
	if (node->n > REMOTES_MAX) {
		jl_read_fault(r, node, "more than %u remotes", REMOTES_MAX);
		return;
	}
	all = jl_arena_alloc(&r->m->arena, (node->n + 1u) * sizeof(*all));
	for (uint32_t i = 0; i < node->n; i++) {
		read_remote(r, &node->at[i], &all[i]);
		for (uint32_t k = 0; k < i; k++) {
			if (all[i].name[0] && strcmp(all[i].name, all[k].name) == 0)
				jl_read_fault(r, &node->at[i], "two remotes are called \"%s\"", all[i].name);
		}
	}
	ret->remotes.at = all;
	ret->remotes.n = node->n;
}
