/* Keys about the command's surroundings that come to inputs and outputs: stdin, stdout, stderr, tools; and retries. */
#include "manifest/reader.h"

#include <string.h>

#define RETRIES_MAX 1000000

void jl_read_stream(struct jl_reader *r, const struct jl_yaml *node, const struct jl_schema_key *key,
		    struct jl_port *ret)
{
	struct jl_ports ports = {0};
	uint32_t errors = r->msgs->errors;

	if (node->kind != JL_YAML_SCALAR) {
		jl_read_wrong_type(r, node, key->name, "a path");
		return;
	}
	jl_read_ports(r, node, key, &ports);
	if (r->msgs->errors > errors)
		return;
	if (ports.at[0].exclude || ports.at[0].glob || ports.at[0].folder)
		jl_read_fault(r, node, "\"%s\" wants the path of one file, not %s", key->name,
			      ports.at[0].exclude ? "an exclusion"
			      : ports.at[0].glob  ? "a glob"
						  : "a folder");
	else
		*ret = ports.at[0];
}

void jl_read_retries(struct jl_reader *r, const struct jl_yaml *node, struct jl_retries *ret)
{
	struct {
		int64_t v;
	} field = {-1};
	const struct jl_schema_key number = {"retries", 0, JL_TYPE_COUNT, 0, sizeof(field.v), 0, NULL};
	struct jl_retries keys = {.times = -1};
	uint32_t errors = r->msgs->errors;

	if (node->kind == JL_YAML_MAP) {
		jl_read_map(r, node, JL_IN_RETRIES, &keys);
		if (r->msgs->errors == errors && keys.times < 0)
			jl_read_fault(r, node, "\"retries\" needs \"times\"; write {times: 3, delay: 10s}");
	} else if (node->kind == JL_YAML_LIST) {
		jl_read_wrong_type(r, node, "retries", "a number or {times: 3, delay: 10s}");
	} else {
		jl_read_value(r, node, &number, &field);
		keys.times = field.v;
	}
	if (r->msgs->errors == errors && keys.times > RETRIES_MAX)
		jl_read_fault(r, node, "\"retries\": more than a million");
	if (r->msgs->errors == errors)
		*ret = keys;
}

void jl_read_tools(struct jl_reader *r, const struct jl_yaml *node, struct jl_mtexts *ret)
{
	const struct jl_yaml *at = node->kind == JL_YAML_LIST ? node->at : node;
	uint32_t n = node->kind == JL_YAML_LIST ? node->n : 1;
	struct jl_mtexts list = {.at = jl_arena_alloc(&r->m->arena, n * sizeof(*list.at))};

	for (uint32_t i = 0; i < n; i++) {
		if (at[i].kind != JL_YAML_SCALAR || jl_read_is_empty(&at[i]))
			jl_read_wrong_type(r, &at[i], "tools", "names of programs");
		else if (strstr(at[i].s, "${{"))
			jl_read_fault(r, &at[i], "a template cannot stand in \"tools\"");
		else
			list.at[list.n++] = jl_read_copy(r, &at[i]);
	}
	*ret = list;
}

/* The port joins the list; one that is declared there is that stream, too. */
static void join(struct jl_reader *r, struct jl_ports *ports, const struct jl_port *port, uint8_t stream)
{
	struct jl_port *at;

	for (uint32_t i = 0; i < ports->n; i++) {
		const struct jl_port *old = &ports->at[i];

		if (old->exclude || old->glob || old->folder || strcmp(old->text.s, port->text.s) != 0)
			continue;
		ports->at[i].streams |= stream;
		if (stream)
			ports->at[i].optional = false;
		return;
	}
	at = jl_arena_alloc(&r->m->arena, (ports->n + 1) * sizeof(*at));
	if (ports->n > 0)
		memcpy(at, ports->at, ports->n * sizeof(*at));
	at[ports->n] = *port;
	at[ports->n].name = NULL;
	at[ports->n].hidden = true;
	at[ports->n].streams = stream;
	ports->at = at;
	ports->n++;
}

void jl_read_join_streams(struct jl_reader *r, struct jl_step *step)
{
	struct jl_mtexts names = {.at = jl_arena_alloc(&r->m->arena, step->tools.n * sizeof(*names.at))};

	for (int i = 0; i < 3; i++)
		if (step->stream[i].path)
			join(r, i ? &step->outputs : &step->inputs, &step->stream[i], (uint8_t)(1 << i));
	for (uint32_t i = 0; i < step->tools.n; i++) {
		const struct jl_mtext *tool = &step->tools.at[i];
		struct jl_port port = {.text = *tool};

		if (tool->s[0] == '/' || !strchr(tool->s, '/')) {
			names.at[names.n++] = *tool;
			continue;
		}
		port.path = jl_template_literal(&r->m->arena, tool);
		join(r, &step->inputs, &port, 0);
	}
	step->tools = names;
}
