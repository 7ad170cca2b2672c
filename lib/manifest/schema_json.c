/* The table of keys as a JSON Schema: see jl_schema_json in schema.h. */
#include "manifest/schema.h"

#include "base/json.h"

#include <string.h>

/* Types that several keys share, below "definitions". Scalars are what the reader takes as text: it knows no other type where
 * text is meant. In JSON's patterns a template is any text with "${{" in it. */
static const char definitions[] =
	"\"text\":{\"type\":[\"string\",\"number\",\"boolean\",\"null\"]},"
	"\"path\":{\"type\":[\"string\",\"number\",\"boolean\"],\"minLength\":1},"
	"\"name\":{\"type\":[\"string\",\"number\",\"boolean\"],\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9_.-]*$\"},"
	"\"stepName\":{\"type\":[\"string\",\"number\",\"boolean\"],"
	"\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)*$\"},"
	"\"envName\":{\"type\":\"string\",\"pattern\":\"^([A-Za-z_][A-Za-z0-9_]*|\\\\*)$\"},"
	"\"count\":{\"type\":\"integer\",\"minimum\":0},"
	"\"duration\":{\"type\":[\"string\",\"number\"],\"minimum\":0,"
	"\"pattern\":\"^[0-9]+(\\\\.[0-9]+)?(ms|s|m|h|d)?$\"},"
	"\"size\":{\"type\":[\"string\",\"number\"],\"minimum\":0,"
	"\"pattern\":\"^[0-9]+(\\\\.[0-9]+)?(B|kB|[KMGTP]B|[KMGTP]iB)?$\"},"
	"\"item\":{\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[A-Za-z_][A-Za-z0-9_-]*$\"},"
	"\"additionalProperties\":{\"$ref\":\"#/definitions/text\"}},"
	"\"words\":{\"anyOf\":[{\"type\":\"string\",\"minLength\":1},"
	"{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#/definitions/text\"}}]},"
	"\"namedPorts\":{\"type\":\"object\",\"not\":{\"anyOf\":[{\"required\":[\"path\"]},{\"required\":[\"glob\"]},"
	"{\"required\":[\"optional\"]},{\"required\":[\"url\"]}]},\"propertyNames\":{\"pattern\":\"^[A-Za-z_][A-Za-z0-9_-]*$\"},"
	"\"additionalProperties\":{\"anyOf\":[{\"$ref\":\"#/definitions/path\"},{\"$ref\":\"#/definitions/port\"}]}},"
	"\"ports\":{\"anyOf\":[{\"$ref\":\"#/definitions/path\"},{\"$ref\":\"#/definitions/port\"},"
	"{\"$ref\":\"#/definitions/namedPorts\"},{\"type\":\"array\",\"items\":{\"anyOf\":["
	"{\"$ref\":\"#/definitions/path\"},{\"$ref\":\"#/definitions/port\"},{\"$ref\":\"#/definitions/"
	"namedPorts\"}]}}]}";

#define REF(name)         "\"$ref\":\"#/definitions/" name "\""
#define ONE_OR_LIST(name) "\"anyOf\":[{" REF(name) "},{\"type\":\"array\",\"items\":{" REF(name) "}}]"

/* What a value of a type may be: the inside of a schema. Everything that stands below a $ref stands in an allOf, since
 * draft 7 passes over what is beside a $ref. */
static const char *type_of(enum jl_schema_type type)
{
	switch (type) {
	case JL_TYPE_TEXT: return REF("text");
	case JL_TYPE_PATTERN:
	case JL_TYPE_PATH:
	case JL_TYPE_FILE:
	case JL_TYPE_DEPFILE:
	case JL_TYPE_STDIN:
	case JL_TYPE_STDOUT: return REF("path");
	case JL_TYPE_NAMES: return ONE_OR_LIST("name");
	case JL_TYPE_STEP_NAMES: return ONE_OR_LIST("stepName");
	case JL_TYPE_SECRETS:
	case JL_TYPE_ENV_NAMES: return ONE_OR_LIST("envName");
	case JL_TYPE_TOOLS: return ONE_OR_LIST("path");
	case JL_TYPE_WORDS: return REF("words");
	case JL_TYPE_BOOL: return "\"type\":\"boolean\"";
	case JL_TYPE_INT: return "\"type\":\"integer\"";
	case JL_TYPE_COUNT: return REF("count");
	case JL_TYPE_SIZE: return REF("size");
	case JL_TYPE_DURATION: return REF("duration");
	case JL_TYPE_CONDITION:
		return "\"anyOf\":[{\"type\":\"boolean\"},"
		       "{\"type\":\"string\",\"pattern\":\"^(true|false)$|\\\\$\\\\{\\\\{\"}]";
	case JL_TYPE_VALID_IF:
	case JL_TYPE_COMMAND:
		return "\"anyOf\":[{\"type\":\"string\",\"pattern\":\"\\\\S\"},{\"type\":[\"number\",\"boolean\"]},"
		       "{\"type\":\"array\",\"minItems\":1,\"items\":{" REF("text") "}}]";
	case JL_TYPE_INPUTS:
	case JL_TYPE_OUTPUTS: return REF("ports");
	case JL_TYPE_KEEP:
		return "\"anyOf\":[{\"type\":\"boolean\"},{" REF("path") "},{\"type\":\"array\",\"items\":{" REF(
			"path") "}}]";
	case JL_TYPE_RETRIES: return "\"anyOf\":[{" REF("count") "},{" REF("retries") "}]";
	case JL_TYPE_RESOURCES:
		return "\"type\":\"object\",\"properties\":{\"memory\":{" REF(
			"size") "}},"
				"\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9_.-]*$\"},"
				"\"additionalProperties\":{\"type\":\"integer\",\"minimum\":1}";
	case JL_TYPE_POOLS:
		return "\"type\":\"object\","
		       "\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9_.-]*$\"},"
		       "\"additionalProperties\":{\"type\":\"integer\",\"minimum\":1}";
	case JL_TYPE_EXECUTORS:
		return "\"type\":\"object\","
		       "\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9_.-]*$\"},"
		       "\"additionalProperties\":{" REF("executor") "}";
	case JL_TYPE_HOSTS:
		return "\"anyOf\":[{" REF("path") "},{\"type\":\"array\",\"minItems\":1,"
		       "\"items\":{\"anyOf\":[{" REF("path") "},{" REF("host") "}]}}]";
	case JL_TYPE_ENV:
		return "\"type\":\"object\",\"propertyNames\":{\"pattern\":\"^[A-Za-z_][A-Za-z0-9_]*$\"},"
		       "\"additionalProperties\":{" REF("text") "}";
	case JL_TYPE_VARS: return REF("item");
	case JL_TYPE_FOREACH:
		return "\"anyOf\":[{\"type\":\"string\",\"minLength\":1},{" REF(
			"foreach") "},"
				   "{\"type\":\"array\",\"items\":{\"anyOf\":[{" REF("text") "},{" REF("item") "}]}}]";
	case JL_TYPE_MATRIX:
		return "\"type\":\"object\",\"minProperties\":1,"
		       "\"propertyNames\":{\"pattern\":\"^[A-Za-z_][A-Za-z0-9_-]*$\"},\"properties\":{"
		       "\"exclude\":{\"description\":\"Combinations to leave out, each by some or all of its values.\","
		       "\"type\":\"array\",\"items\":{\"allOf\":[{" REF(
			       "item") "}],\"minProperties\":1}},"
				       "\"include\":{\"description\":\"Further keys for the combinations that a "
				       "mapping fits, or a "
				       "combination of its own.\","
				       "\"type\":\"array\",\"items\":{\"allOf\":[{" REF(
					       "item") "}],\"minProperties\":1}}},"
						       "\"additionalProperties\":{\"type\":\"array\",\"minItems\":1,"
						       "\"items\":{" REF("text") "}}";
	case JL_TYPE_STEPS:
		return "\"type\":\"object\",\"minProperties\":1,"
		       "\"propertyNames\":{\"pattern\":\"^[A-Za-z0-9_][A-Za-z0-9_.-]*$\"},"
		       "\"additionalProperties\":{" REF("step") "}";
	case JL_TYPE_DEFAULTS: return REF("defaults");
	case JL_TYPE_STORE: return REF("store");
	case JL_TYPE_REMOTES: return "\"type\":\"array\",\"items\":{" REF("remote") "}";
	case JL_TYPE_INCLUDE:
		return "\"anyOf\":[{" REF("path") "},{" REF("include") "},{\"type\":\"array\",\"items\":{\"anyOf\":["
								       "{" REF("path") "},{" REF("include") "}]}}]";
	case JL_TYPE_SYNC: return "\"enum\":[\"content\",\"shared\"]";
	}
	return "";
}

/* A mapping with the rows of one place; `rest` follows its properties. */
static void put_place(struct jl_json *j, unsigned where, const char *rest)
{
	jl_json_key(j, "type");
	jl_json_str(j, "object");
	jl_json_key(j, "additionalProperties");
	jl_json_bool(j, false);
	jl_json_key(j, "properties");
	jl_json_begin(j, '{');
	for (uint32_t i = 0; i < jl_schema_count(); i++) {
		const struct jl_schema_key *key = jl_schema_at(i);

		if (!(key->where & where))
			continue;
		jl_json_key(j, key->name);
		jl_json_begin(j, '{');
		jl_json_key(j, "description");
		jl_json_str(j, key->doc);
		jl_json_key(j, "allOf");
		jl_json_begin(j, '[');
		jl_buf_printf(j->out, "{%s}",
			      where == JL_IN_TOP && key->type == JL_TYPE_INT ? "\"const\":1" : type_of(key->type));
		jl_json_end(j, ']');
		jl_json_end(j, '}');
	}
	jl_json_end(j, '}');
	if (rest[0])
		jl_buf_printf(j->out, ",%s", rest);
}

void jl_schema_json(struct jl_buf *out)
{
	static const struct {
		const char *name;
		unsigned where;
		const char *rest;
	} places[] = {
		{"step", JL_IN_STEP, "\"required\":[\"command\"],\"not\":{\"required\":[\"foreach\",\"matrix\"]}"},
		{"defaults", JL_IN_DEFAULTS, ""},
		{"store", JL_IN_STORE, ""},
		{"foreach", JL_IN_FOREACH,
		 "\"oneOf\":[{\"required\":[\"lines\"],\"maxProperties\":1},{\"required\":[\"from\",\"to\"],"
		 "\"not\":{\"required\":[\"lines\"]}}]"},
		{"port", JL_IN_PORT, "\"oneOf\":[{\"required\":[\"path\"]},{\"required\":[\"glob\"]},{\"required\":[\"url\"]}],"
		 "\"dependencies\":{\"digest\":[\"url\"],\"max_age\":[\"url\"],\"url\":{\"not\":{\"required\":[\"optional\"]}}}"},
		{"retries", JL_IN_RETRIES, "\"required\":[\"times\"]"},
		{"remote", JL_IN_REMOTE, "\"required\":[\"name\",\"url\"]"},
		{"include", JL_IN_INCLUDE, "\"required\":[\"file\"]"},
		{"executor", JL_IN_EXECUTOR,
		 "\"required\":[\"type\"],\"oneOf\":[{\"properties\":{\"type\":{\"const\":\"ssh\"}},\"required\":[\"hosts\"],"
		 "\"not\":{\"required\":[\"launch\"]}},"
		 "{\"properties\":{\"type\":{\"const\":\"command\"}},\"required\":[\"launch\"],"
		 "\"not\":{\"required\":[\"hosts\"]}}]"},
		{"host", JL_IN_HOST, "\"required\":[\"host\"]"},
	};
	struct jl_json j = {.out = out};

	jl_json_begin(&j, '{');
	jl_json_key(&j, "$schema");
	jl_json_str(&j, "http://json-schema.org/draft-07/schema#");
	jl_json_key(&j, "title");
	jl_json_str(&j, "joblib.yaml");
	put_place(&j, JL_IN_TOP,
		  "\"required\":[\"version\"],\"anyOf\":[{\"required\":[\"steps\"]},{\"required\":[\"include\"]}]");
	jl_json_key(&j, "definitions");
	jl_json_begin(&j, '{');
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		jl_json_key(&j, places[i].name);
		jl_json_begin(&j, '{');
		put_place(&j, places[i].where, places[i].rest);
		jl_json_end(&j, '}');
	}
	jl_buf_printf(out, ",%s", definitions);
	jl_json_end(&j, '}');
	jl_json_end(&j, '}');
	jl_buf_char(out, '\n');
}
