/* Executors of the manifest: hosts by ssh, commands that start an agent. */
#include "base/near.h"
#include "manifest/reader.h"

#include <stdlib.h>
#include <string.h>

#define EXECUTORS_MAX 64u
#define SLOTS_MAX     4096

/* "bob*4" is the host "bob" with four slots. */
static void split_slots(struct jl_reader *r, const struct jl_yaml *node, struct jl_mhost *ret)
{
	const char *star = strrchr(ret->name.s, '*');
	char *end;
	if (!star)
		return;
	ret->slots = strtoll(star + 1, &end, 10);
	if (star[1] < '0' || star[1] > '9' || *end || ret->slots < 1)
		jl_read_fault(r, node, "\"%s\" wants a number of slots behind the '*'", jl_messages_show(r->msgs, ret->name.s));
	ret->name.len = (uint32_t)(star - ret->name.s);
	ret->name.s = jl_arena_strndup(&r->m->arena, ret->name.s, ret->name.len);
}

static void check_host(struct jl_reader *r, const struct jl_yaml *node, const struct jl_mhost *h)
{
	const char *name = h->name.s;
	bool ok = name[0] != '\0' && name[0] != '-' &&
		  strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@[]%+") == strlen(name);
	if (!ok)
		jl_read_fault(r, node, "\"%s\" is no name of a host; settings for it belong into ~/.ssh/config",
			      jl_messages_show(r->msgs, name));
	if (h->slots < 0 || h->slots > SLOTS_MAX)
		jl_read_fault(r, node, "a host has from 1 to %d slots", SLOTS_MAX);
}

static void read_host(struct jl_reader *r, const struct jl_yaml *node, struct jl_mhosts *ret)
{
	struct jl_mhost h = {0};
	if (node->kind == JL_YAML_MAP) {
		struct jl_host_keys keys = {0};
		jl_read_map(r, node, JL_IN_HOST, &keys);
		if (!keys.host.s) {
			jl_read_fault(r, node, "a host wants \"host\", its name");
			return;
		}
		h = (struct jl_mhost){.name = keys.host, .slots = keys.slots, .tags = keys.tags};
	} else if (jl_read_text(r, node, "hosts", &h.name)) {
		split_slots(r, node, &h);
	} else {
		return;
	}
	check_host(r, node, &h);
	ret->at[ret->n++] = h;
}

void jl_read_hosts(struct jl_reader *r, const struct jl_yaml *node, struct jl_mhosts *ret)
{
	uint32_t n = node->kind == JL_YAML_LIST ? node->n : 1;
	*ret = (struct jl_mhosts){.at = jl_arena_alloc(&r->m->arena, (n + 1) * sizeof(*ret->at))};
	if (node->kind == JL_YAML_LIST && n == 0)
		jl_read_fault(r, node, "\"hosts\" is empty");
	for (uint32_t i = 0; i < n; i++)
		read_host(r, node->kind == JL_YAML_LIST ? &node->at[i] : node, ret);
}

/* The executor's tags and slots are every host's. */
static void complete_hosts(struct jl_reader *r, const struct jl_executor_keys *keys, struct jl_mhosts *hosts)
{
	for (uint32_t i = 0; i < hosts->n; i++) {
		struct jl_mhost *h = &hosts->at[i];
		struct jl_mtext *tags = jl_arena_alloc(&r->m->arena, (h->tags.n + keys->tags.n + 1) * sizeof(*tags));
		if (h->tags.n)
			memcpy(tags, h->tags.at, h->tags.n * sizeof(*tags));
		if (keys->tags.n)
			memcpy(tags + h->tags.n, keys->tags.at, keys->tags.n * sizeof(*tags));
		h->tags = (struct jl_mtexts){.at = tags, .n = h->tags.n + keys->tags.n};
		h->slots = h->slots ? h->slots : keys->slots;
	}
}

static bool read_executor(struct jl_reader *r, const struct jl_yaml *name, struct jl_executor *ret)
{
	const struct jl_yaml *node = name + 1;
	struct jl_executor_keys keys = {0};
	uint32_t errors = r->msgs->errors;
	*ret = (struct jl_executor){.name = jl_read_copy(r, name)};
	if (!jl_read_is_name(name->s) || strcmp(name->s, "local") == 0)
		jl_read_fault(r, name, "\"%s\" cannot name an executor%s", jl_messages_show(r->msgs, name->s),
			      strcmp(name->s, "local") == 0 ? ": it is this machine" : "; use letters, digits, _ . -");
	if (node->kind != JL_YAML_MAP) {
		jl_read_wrong_type(r, node, name->s, "a mapping such as {type: ssh, hosts: [alice, \"bob*4\"]}");
		return false;
	}
	jl_read_map(r, node, JL_IN_EXECUTOR, &keys);
	if (r->msgs->errors > errors)
		return false;
	ret->ssh = keys.type.s && strcmp(keys.type.s, "ssh") == 0;
	ret->shared = keys.shared;
	ret->launch = keys.launch;
	ret->silence_ns = keys.silence_ns;
	ret->connect_ns = keys.connect_ns;
	if (!ret->ssh && !(keys.type.s && strcmp(keys.type.s, "command") == 0))
		jl_read_fault(r, node, "an executor wants \"type\": ssh or command");
	else if (keys.slots > SLOTS_MAX)
		jl_read_fault(r, node, "a host has from 1 to %d slots", SLOTS_MAX);
	else if (ret->ssh && (keys.hosts.n == 0 || keys.launch.n))
		jl_read_fault(r, node, "an executor by ssh wants \"hosts\", and no \"launch\"");
	else if (!ret->ssh && (keys.hosts.n || keys.launch.n == 0))
		jl_read_fault(r, node, "an executor by a command wants \"launch\", and no \"hosts\"");
	if (!ret->ssh) {
		keys.hosts.at = jl_arena_alloc(&r->m->arena, sizeof(*keys.hosts.at));
		keys.hosts.at[0] = (struct jl_mhost){.name = ret->name};
		keys.hosts.n = 1;
	}
	complete_hosts(r, &keys, &keys.hosts);
	ret->hosts = keys.hosts;
	return r->msgs->errors == errors;
}

static const struct jl_executor *find(const struct jl_manifest *m, const char *name)
{
	for (uint32_t i = 0; i < m->n_executors; i++)
		if (strcmp(m->executors[i].name.s, name) == 0)
			return &m->executors[i];
	return NULL;
}

void jl_read_executors(struct jl_reader *r, const struct jl_yaml *node)
{
	struct jl_manifest *m = r->m;
	if (node->kind != JL_YAML_MAP) {
		jl_read_wrong_type(r, node, "executors", "a mapping of names to executors");
		return;
	}
	if (!m->executors)
		m->executors = jl_arena_alloc(&m->arena, EXECUTORS_MAX * sizeof(*m->executors));
	for (uint32_t i = 0; i < node->n; i++) {
		const struct jl_yaml *name = &node->at[2 * i];
		struct jl_executor x;
		if (!read_executor(r, name, &x))
			x.hosts.n = 0; /* it is known, so that the steps that name it are not faults, too */
		if (find(m, x.name.s))
			jl_read_fault(r, name, "there is an executor \"%s\" already, in a file that includes this one or beside it",
				      x.name.s);
		else if (m->n_executors == EXECUTORS_MAX)
			jl_read_fault(r, name, "more than %u executors", EXECUTORS_MAX);
		else
			m->executors[m->n_executors++] = x;
	}
}

static bool has_tags(const struct jl_mhost *h, const struct jl_mtexts *tags)
{
	for (uint32_t i = 0; i < tags->n; i++) {
		bool has = false;
		for (uint32_t k = 0; k < h->tags.n; k++)
			has |= strcmp(h->tags.at[k].s, tags->at[i].s) == 0;
		if (!has)
			return false;
	}
	return true;
}

void jl_read_check_executor(struct jl_reader *r, const struct jl_step *step)
{
	const struct jl_mtext *name = &step->executor;
	const struct jl_executor *x;
	struct jl_near near = {.word = name->s};
	bool local = !name->s || strcmp(name->s, "local") == 0;
	if (local && step->hosts.n && name->s == NULL)
		jl_messages_add(r->msgs, step->hosts.at[0].mark, false,
				"\"hosts\" of a step wants \"executor\", whose hosts they are");
	if (local)
		return;
	if (step->interactive)
		jl_messages_add(r->msgs, name->mark, false, "an interactive step has this machine's terminal; \"executor: local\"");
	x = find(r->m, name->s);
	for (uint32_t i = 0; !x && i < r->m->n_executors; i++)
		jl_near_offer(&near, r->m->executors[i].name.s);
	if (!x && near.best) {
		jl_messages_add(r->msgs, name->mark, false, "there is no executor \"%s\"; did you mean \"%s\"?",
				jl_messages_show(r->msgs, name->s), near.best);
	} else if (!x) {
		jl_messages_add(r->msgs, name->mark, false, "there is no executor \"%s\"; add it to \"executors\"",
				jl_messages_show(r->msgs, name->s));
	}
	for (uint32_t i = 0; x && i < x->hosts.n; i++)
		if (has_tags(&x->hosts.at[i], &step->hosts))
			return;
	if (x && x->hosts.n)
		jl_messages_add(r->msgs, step->hosts.at[0].mark, false, "no host of \"%s\" has %s", x->name.s,
				step->hosts.n > 1 ? "all these tags" : "this tag");
}
