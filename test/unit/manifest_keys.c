/* Each key of the manifest, by the reader's own table: a value that is taken, one that is refused with its exact place and advice,
 * and the test that shows what the key does. A row of the table without all three fails here. */
#include "base/file.h"
#include "manifest/manifest.h"
#include "manifest/schema.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sample {
	unsigned where;      /* enum jl_schema_where; a step's sample serves for defaults, too */
	const char *key;
	const char *good, *bad;
	int at;              /* bytes from the begin of the bad value to the fault, or back to that of the mapping it stands in */
	const char *message; /* of the bad one */
	const char *shown;   /* "FILE: title of a test in test/bats that shows it working" */
};

static const struct sample samples[] = {
	{JL_IN_STEP, "command", "[a, b]", "{a: b}", 0, "\"command\" wants a text or a list of words, not a mapping",
	 "graph.bats: a command without shell syntax is executed directly, and one with it by bash with pipefail"},
	{JL_IN_STEP, "inputs", "[a, '*.c']", "[a, [b]]", 4, "\"inputs\" wants a path here, not a list",
	 "graph.bats: names for inputs and outputs, indices, list values in a list command"},
	{JL_IN_STEP, "outputs", "[a, b/]", "/a", 0,
	 "an output cannot be an absolute path; name it relative to the manifest",
	 "graph.bats: two steps with overlapping outputs: the later's place, the earlier's name"},
	{JL_IN_STEP, "foreach", "[a, b]", "{from: 1}", 0, "a range needs an end; write {from: 1, to: 9}",
	 "foreach.bats: a list: one instance an item, named by it"},
	{JL_IN_STEP, "matrix", "{a: [b]}", "[a]", 0, "\"matrix\" wants a mapping of names to lists, not a list",
	 "matrix.bats: a matrix makes an instance for each combination, named by its values"},
	{JL_IN_STEP, "if", "false", "yes", 0,
	 "\"if\" wants true, false or a template that gives one of them, not \"yes\"",
	 "if.bats: a step whose if is false is skipped, and counted so"},
	{JL_IN_STEP, "after", "[]", "nobody", 0, "there is no step \"nobody\"",
	 "graph.bats: after waits, through foreach too, and an unknown name is an error"},
	{JL_IN_STEP, "description", "what it is for", "[a]", 0, "\"description\" wants a text, not a list",
	 "results.bats: list shows steps in order with their state, -v instances"},
	{JL_IN_STEP, "env", "{A: 1}", "{A-B: 1}", 1, "\"A-B\" cannot name a variable; use letters, digits and _",
	 "fresh.bats: env is seen and is in the key; pass_env is seen and is not"},
	{JL_IN_STEP, "pass_env", "[A]", "[A, B C]", 4,
	 "\"pass_env\" wants names of environment variables, or \"*\", not \"B C\"",
	 "fresh.bats: env is seen and is in the key; pass_env is seen and is not"},
	{JL_IN_STEP, "tags", "[a, b]", "{a: b}", 0, "\"tags\" wants a name or a list of names, not a mapping",
	 "graph.bats: tags select steps, several words add up; manual steps run only when asked for"},
	{JL_IN_STEP, "workdir", "sub", "[a]", 0, "\"workdir\" wants a path, not a list",
	 "graph.bats: workdir: the command runs there, templates give paths from there"},
	{JL_IN_STEP, "shell", "[sh, -c]", "[]", 0, "\"shell\" wants a list of words such as [bash, -c], not a list",
	 "keys.bats: shell: the script is the last word of another one"},
	{JL_IN_STEP, "version", "1.10", "[1]", 0, "\"version\" wants a text, not a list",
	 "fresh.bats: version, workdir, declared outputs and the input's path are in the key"},
	{JL_IN_STEP, "manual", "true", "yes", 0, "\"manual\" wants true or false, not yes; write true",
	 "graph.bats: tags select steps, several words add up; manual steps run only when asked for"},
	{JL_IN_STEP, "cache", "false", "no", 0, "\"cache\" wants true or false, not no; write false",
	 "keys.bats: cache: false runs each time and stores nothing, true undoes a default"},
	{JL_IN_STEP, "portable", "true", "1", 0, "\"portable\" wants true or false, not 1; write true",
	 "keys.bats: portable: a result of another architecture serves"},
	{JL_IN_STEP, "depfile", "d", "[d]", 0, "\"depfile\" wants a path, not a list",
	 "depfile.bats: run: a header edit compiles its includers and nobody else"},
	{JL_IN_STEP, "keep", "[a]", "{a: b}", 0, "\"keep\" wants a path here, not a mapping",
	 "keys.bats: keep: what is listed is there for the next run, the rest is not"},
	{JL_IN_STEP, "timeout", "90s", "soon", 0,
	 "\"timeout\": \"soon\" is not a duration: write a number and ms, s, m, h or d, as in 500ms or 1.5h",
	 "fail.bats: a timeout ends the whole tree and fails the step"},
	{JL_IN_STEP, "allow_failure", "true", "'true'", 0,
	 "\"allow_failure\" wants true or false, not \"true\"; drop the quotes",
	 "keys.bats: allow_failure: the run goes on and succeeds, and the step is tried again"},
	{JL_IN_STEP, "stdin", "a", "[a]", 0, "\"stdin\" wants a path, not a list",
	 "running.bats: stdin, stdout, stderr: files of their own, not in the log, in place of a shell"},
	{JL_IN_STEP, "stdout", "a", "a/", 0, "\"stdout\" wants the path of one file, not a folder",
	 "running.bats: stdin, stdout, stderr: files of their own, not in the log, in place of a shell"},
	{JL_IN_STEP, "stderr", "a", "'*.a'", 0, "\"stderr\" wants the path of one file, not a glob",
	 "running.bats: stdin, stdout, stderr: files of their own, not in the log, in place of a shell"},
	{JL_IN_STEP, "tools", "[cc]", "{a: b}", 0, "\"tools\" wants names of programs, not a mapping",
	 "running.bats: tools: another compiler is another key; one that is not there is an error"},
	{JL_IN_STEP, "ttl", "7d", "-1d", 0, "\"ttl\" cannot be negative",
	 "why.bats: why: never stored, never run, expired, switched off, an item that is not there, no such step"},
	{JL_IN_STEP, "retries", "3", "-1", 0, "\"retries\" cannot be negative",
	 "running.bats: retries: a step that works at its third attempt, with events for each"},
	{JL_IN_STEP, "resources", "{cpus: 2, memory: 1GiB}", "{cpus: two}", 7,
	 "\"cpus\" wants a whole number in decimal, not \"two\"",
	 "running.bats: resources: a pool of one is used by one at a time; an unknown pool is refused with its place"},
	{JL_IN_STEP, "secret_env", "[A]", "[A=1]", 1,
	 "\"secret_env\" wants names of environment variables, each one named, not \"A=1\"",
	 "running.bats: secret_env: the command sees it; no log, event, record, state or message does"},
	{JL_IN_STEP, "valid_if", "[test, -e, a]", "{a: b}", 0,
	 "\"valid_if\" wants a text or a list of words, not a mapping",
	 "running.bats: valid_if: a command says whether the stored result counts"},
	{JL_IN_STEP, "interactive", "true", "tty", 0, "\"interactive\" wants true or false, not \"tty\"",
	 "running.bats: interactive: the terminal, alone, each time"},
	{JL_IN_STEP, "temp", "true", "on", 0, "\"temp\" wants true or false, not on; write true",
	 "temp.bats: temp outputs go after their last user, and a no-op is fresh without them"},
	{JL_IN_TOP, "version", "1", "2", 0,
	 "version 2 of the format is not known to this program; write \"version: 1\"",
	 "fresh.bats: a second run does nothing and touches nothing"},
	{JL_IN_TOP, "vars", "{a: b}", "[a]", 0, "\"vars\" wants a mapping of names to texts, not a list",
	 "fresh.bats: --var overrides, an unknown one is an error"},
	{JL_IN_TOP, "include", "[]", "{as: a}", 0, "an include needs a file; write {file: PATH, as: NAME}",
	 "include.bats: included steps have their prefix, their paths, their variables and their defaults"},
	{JL_IN_TOP, "defaults", "{cache: true}", "[a]", 0, "\"defaults\" wants a mapping, not a list",
	 "include.bats: included steps have their prefix, their paths, their variables and their defaults"},
	{JL_IN_TOP, "steps", "{s: {command: x}}", "[a]", 0, "\"steps\" wants a mapping of names to steps, not a list",
	 "fresh.bats: a second run does nothing and touches nothing"},
	{JL_IN_TOP, "store", "{dir: a}", "a", 0, "\"store\" wants a mapping, not a text",
	 "store.bats: config.yaml: caps and folder; the manifest's caps only for its own folder"},
	{JL_IN_TOP, "pools", "{gpu: 1}", "{gpu: 0}", 6, "\"gpu\" wants a number from 1 to a million",
	 "running.bats: resources: a pool of one is used by one at a time; an unknown pool is refused with its place"},
	{JL_IN_STORE, "dir", "a", "[a]", 0, "\"dir\" wants a text, not a list",
	 "store.bats: config.yaml: caps and folder; the manifest's caps only for its own folder"},
	{JL_IN_STORE, "max_size", "1GiB", "much", 0,
	 "\"max_size\": \"much\" is not a size: write a number of bytes, or one with KB, MB, GB (10^9) or KiB, MiB, GiB (2^30)",
	 "store.bats: config.yaml: caps and folder; the manifest's caps only for its own folder"},
	{JL_IN_STORE, "max_items", "10", "-1", 0, "\"max_items\" cannot be negative", "store.bats: max_items"},
	{JL_IN_STORE, "max_age", "30d", "old", 0,
	 "\"max_age\": \"old\" is not a duration: write a number and ms, s, m, h or d, as in 500ms or 1.5h",
	 "keys.bats: max_age: what was not used for so long goes"},
	{JL_IN_STORE, "compress", "none", "best", 0, "\"compress\" wants auto or none, not \"best\"",
	 "store.bats: compress: none stores bare bytes"},
	{JL_IN_FOREACH, "from", "1", "one", 0, "\"from\" wants a whole number in decimal, not \"one\"",
	 "foreach.bats: ranges, up, down and by steps"},
	{JL_IN_FOREACH, "to", "9", "9.5", 0, "\"to\" wants a whole number in decimal, not \"9.5\"",
	 "foreach.bats: ranges, up, down and by steps"},
	{JL_IN_FOREACH, "by", "2", "0", 0, "\"by\" cannot be 0; take it out to go by 1",
	 "foreach.bats: ranges, up, down and by steps"},
	{JL_IN_FOREACH, "lines", "f", "[f]", 0, "\"lines\" wants a path, not a list",
	 "foreach.bats: lines of a file: empty ones are none, a missing last newline is fine"},
	{JL_IN_INCLUDE, "file", "other.yaml", "[a]", 0, "\"file\" wants a text, not a list",
	 "include.bats: included steps have their prefix, their paths, their variables and their defaults"},
	{JL_IN_INCLUDE, "as", "a", "'a b'", 0, "\"as\" wants a name of letters, digits, _ . -, not \"a b\"",
	 "include.bats: included steps have their prefix, their paths, their variables and their defaults"},
	{JL_IN_PORT, "path", "a", "[a]", 0, "\"path\" wants a path, not a list",
	 "graph.bats: optional inputs and their coming"},
	{JL_IN_PORT, "glob", "'*.c'", "'[a'", 0, "glob \"[a\": '[' without ']' (write \\[ for the byte itself)",
	 "graph.bats: a file that an output glob names is an input made by it"},
	{JL_IN_PORT, "optional", "true", "maybe", 0, "\"optional\" wants true or false, not \"maybe\"",
	 "graph.bats: optional inputs and their coming"},
	{JL_IN_PORT, "url", "https://example.org/a", "a.csv", 0,
	 "the URL \"a.csv\" does not begin with http://, https:// or s3://",
	 "urls.bats: a URL as a plain text, in a list, under a name, from a variable, as standard input; in an included folder"},
	{JL_IN_PORT, "digest", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sha256:12", 0,
	 "\"digest\" wants sha256: and 64 hexadecimal digits, not \"sha256:12\"",
	 "urls.bats: with a digest nobody is asked as long as the content is here, wherever it came from"},
	{JL_IN_PORT, "max_age", "1d", "old", 0,
	 "\"max_age\": \"old\" is not a duration: write a number and ms, s, m, h or d, as in 500ms or 1.5h",
	 "urls.bats: max_age: for so long the server is not asked"},
	{JL_IN_RETRIES, "times", "3", "few", 0, "\"times\" wants a whole number in decimal, not \"few\"",
	 "running.bats: --retries: only the last failure counts, and is the run's"},
	{JL_IN_RETRIES, "delay", "1s", "later", 0,
	 "\"delay\": \"later\" is not a duration: write a number and ms, s, m, h or d, as in 500ms or 1.5h",
	 "running.bats: retries: a step that works at its third attempt, with events for each"},
	{JL_IN_STEP, "executor", "lab", "[a]", 0, "\"executor\" wants a text, not a list",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_STEP, "hosts", "[big]", "{a: b}", 0, "\"hosts\" wants a name or a list of names, not a mapping",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_TOP, "executors", "{lab: {type: command, launch: [x]}}", "[lab]", 0,
	 "\"executors\" wants a mapping of names to executors, not a list",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_EXECUTOR, "type", "ssh", "telnet", -19, "an executor wants \"type\": ssh or command",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_EXECUTOR, "hosts", "[a, 'b*2']", "{a: b}", 0, "a host wants \"host\", its name",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_EXECUTOR, "launch", "[ssh, x]", "{a: b}", 0,
	 "\"launch\" wants a list of words such as [bash, -c], not a mapping",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_EXECUTOR, "slots", "4", "many", 0, "\"slots\" wants a whole number in decimal, not \"many\"",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_EXECUTOR, "tags", "[big]", "{a: b}", 0, "\"tags\" wants a name or a list of names, not a mapping",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_EXECUTOR, "silence", "30s", "long", 0,
	 "\"silence\": \"long\" is not a duration: write a number and ms, s, m, h or d, as in 500ms or 1.5h",
	 "hosts.bats: S34: a host that is cut in mid-step: its tree ends, the step runs again, and the third time it is the step"},
	{JL_IN_EXECUTOR, "connect", "5s", "soon", 0,
	 "\"connect\": \"soon\" is not a duration: write a number and ms, s, m, h or d, as in 500ms or 1.5h",
	 "hosts.bats: S36: a host that cannot be had is told and left alone; without any the steps fail and say why"},
	{JL_IN_EXECUTOR, "sync", "shared", "maybe", 0, "\"sync\" wants content or shared, not \"maybe\"",
	 "cargo.bats: sync: shared: a step runs in the workspace itself, as it would here"},
	{JL_IN_HOST, "host", "carol", "[a]", -7, "a host wants \"host\", its name",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_HOST, "slots", "2", "few", 0, "\"slots\" wants a whole number in decimal, not \"few\"",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_HOST, "tags", "[big]", "{a: b}", 0, "\"tags\" wants a name or a list of names, not a mapping",
	 "hosts.bats: the same keys, records and outputs here and there; a result made there is a hit here"},
	{JL_IN_STORE, "remotes", "[]", "[a]", 1, "\"remotes\" wants mappings with name and url, not a text",
	 "remote.bats: main writes, pull requests read"},
	{JL_IN_REMOTE, "name", "ci", "[a]", 0, "\"name\" wants a text, not a list",
	 "remote.bats: main writes, pull requests read"},
	{JL_IN_REMOTE, "url", "file:///srv/jl", "[a]", 0, "\"url\" wants a text, not a list",
	 "remote.bats: main writes, pull requests read"},
	{JL_IN_REMOTE, "mode", "read", "sometimes", -54, "\"mode\" wants read, write or readwrite, not \"sometimes\"",
	 "remote.bats: main writes, pull requests read"},
	{JL_IN_REMOTE, "namespace", "team", "[a]", 0, "\"namespace\" wants a text, not a list",
	 "remote.bats: namespaces are apart"},
	{JL_IN_REMOTE, "sign", "key", "[a]", 0, "\"sign\" wants a text, not a list",
	 "remote.bats: S41 what is not signed by a known key, or was altered, is a miss"},
	{JL_IN_REMOTE, "allow_insecure_hash", "true", "maybe", 0,
	 "\"allow_insecure_hash\" wants true or false, not \"maybe\"",
	 "remote.bats: results that others may write are named by SHA-256 unless it is allowed otherwise"},
};

static const struct sample *sample_of(const struct jl_schema_key *key, unsigned where)
{
	if (where == JL_IN_DEFAULTS)
		where = JL_IN_STEP;
	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		if (samples[i].where == where && strcmp(samples[i].key, key->name) == 0)
			return &samples[i];
	}
	return NULL;
}

/* A manifest in which the key stands at that place, and where its value begins. */
static void write_manifest(struct jl_buf *out, const struct sample *s, unsigned where, const char *value, unsigned *line,
			   unsigned *column)
{
	const bool top = where == JL_IN_TOP, command = where == JL_IN_STEP && strcmp(s->key, "command") == 0;
	const bool hosts = strcmp(s->key, "hosts") == 0;
	char before[200] = "";

	jl_buf_clear(out);
	jl_buf_str(out, top && strcmp(s->key, "version") == 0 ? "" : "version: 1\n");
	jl_buf_str(out, top && strcmp(s->key, "steps") == 0 ? "" : command ? "steps:\n  s:\n" : "steps:\n  s:\n    command: x\n");
	switch (where) {
	case JL_IN_DEFAULTS: snprintf(before, sizeof(before), "defaults:\n  %s", hosts ? "executor: lab\n  " : ""); break;
	case JL_IN_STORE: snprintf(before, sizeof(before), "store:\n  "); break;
	case JL_IN_STEP: snprintf(before, sizeof(before), "    %s", hosts ? "executor: lab\n    " : ""); break;
	case JL_IN_FOREACH:
		snprintf(before, sizeof(before), "    foreach: {%s",
			 strcmp(s->key, "lines") == 0  ? ""
			 : strcmp(s->key, "from") == 0 ? "to: 5, "
			 : strcmp(s->key, "to") == 0   ? "from: 1, "
						       : "from: 1, to: 5, ");
		break;
	case JL_IN_INCLUDE: snprintf(before, sizeof(before), "include: {%s", strcmp(s->key, "as") == 0 ? "file: a, " : ""); break;
	case JL_IN_PORT:
		snprintf(before, sizeof(before), "    inputs: {%s",
		         strcmp(s->key, "optional") == 0                                   ? "path: a, "
			 : strcmp(s->key, "digest") == 0 || strcmp(s->key, "max_age") == 0 ? "url: \"https://example.org/a\", "
											   : "");
		break;
	case JL_IN_EXECUTOR:
		snprintf(before, sizeof(before), "executors: {lab: {%s%s",
			 strcmp(s->key, "type") == 0     ? ""
			 : strcmp(s->key, "launch") == 0 ? "type: command, "
							 : "type: ssh, ",
			 strcmp(s->key, "hosts") == 0 || strcmp(s->key, "launch") == 0 ? "" : "hosts: [a], ");
		break;
	case JL_IN_HOST:
		snprintf(before, sizeof(before), "executors: {lab: {type: ssh, hosts: [{%s",
		         strcmp(s->key, "host") == 0 ? "" : "host: a, ");
		break;
	case JL_IN_REMOTE:
		snprintf(before, sizeof(before), "store: {remotes: [{%s%s", strcmp(s->key, "name") == 0 ? "" : "name: ci, ",
			 strcmp(s->key, "url") == 0 ? "" : "url: \"https://cache.example.org/jl\", ");
		break;
	case JL_IN_RETRIES:
		snprintf(before, sizeof(before), "    retries: {%s",
		         strcmp(s->key, "delay") == 0 ? "times: 1, " : "");
		break;
	default: break;
	}
	jl_buf_str(out, before);
	*line = 1;
	for (size_t i = 0; i < out->len; i++)
		*line += out->data[i] == '\n';
	*column = (unsigned)(out->len - (size_t)((strrchr(out->data ? out->data : "", '\n') ?: out->data - 1) + 1 - out->data) +
			     strlen(s->key) + 3);
	jl_buf_printf(out, "%s: %s%s\n", s->key, value,
		      where == JL_IN_EXECUTOR                      ? "}}"
		      : where == JL_IN_HOST                        ? "}]}}"
		      : where == JL_IN_REMOTE                      ? "}]}"
		      : strchr(before, '{')                        ? "}"
								   : "");
	if (where == JL_IN_STEP || where == JL_IN_DEFAULTS) /* for who names it */
		jl_buf_str(out, "executors: {lab: {type: ssh, hosts: [{host: a, tags: big}]}}\n");
}

/* Included files are as good as there. */
static int nothing(void *ctx, const char *path, struct jl_buf *out, struct jl_err *err)
{
	(void)ctx;
	(void)path;
	(void)err;
	return jl_buf_str(out, "version: 1\nsteps: {t: {command: x}}\n");
}

/* The first message, or "". */
static void read_text(const struct jl_buf *text, char *got, size_t size)
{
	const struct jl_manifest_source source = {.read = nothing};
	struct jl_messages msgs = {0};
	struct jl_manifest *m = NULL;

	got[0] = '\0';
	if (jl_manifest_read("m.yaml", text->data, text->len, &source, NULL, 0, &m, &msgs) != JL_OK)
		snprintf(got, size, "%u:%u: %s", msgs.at[0].mark.line, msgs.at[0].mark.column, msgs.at[0].text);
	jl_manifest_free(m);
	jl_messages_release(&msgs);
}

static bool title_is_there(const char *shown)
{
	const char *colon = strchr(shown, ':'), *source = getenv("JL_SOURCE");
	struct jl_buf path = JL_BUF_INIT, text = JL_BUF_INIT, title = JL_BUF_INIT;
	bool there;

	jl_buf_printf(&path, "%s/test/bats/%.*s", source ? source : ".", (int)(colon - shown), shown);
	jl_buf_printf(&title, "@test \"%s\" {", colon + 2);
	there = jl_file_read(&jl_io_system, AT_FDCWD, path.data, &text, NULL) == JL_OK && strstr(text.data, title.data);
	jl_buf_release(&path);
	jl_buf_release(&text);
	jl_buf_release(&title);
	return there;
}

static unsigned faults_of(const struct jl_schema_key *key, unsigned where, const struct sample *s)
{
	struct jl_buf text = JL_BUF_INIT;
	char got[400], wanted[400];
	unsigned line, column, faults = 0;

	write_manifest(&text, s, where, s->good, &line, &column);
	read_text(&text, got, sizeof(got));
	/* Whether a step that is named is there is not the question. */
	if (got[0] && ++faults)
		print_error("\"%s\" of %s: refused:\n%s%s\n", key->name, jl_schema_place(where), text.data, got);
	write_manifest(&text, s, where, s->bad, &line, &column);
	read_text(&text, got, sizeof(got));
	snprintf(wanted, sizeof(wanted), "%u:%u: %s", line, (unsigned)((int)column + s->at), s->message);
	if (strcmp(got, wanted) != 0 && ++faults)
		print_error("\"%s\" of %s:\n%swanted %s\ngot    %s\n", key->name, jl_schema_place(where), text.data, wanted, got);
	jl_buf_release(&text);
	return faults;
}

static void each_key_has_its_samples(void **state)
{
	unsigned faults = 0;

	(void)state;
	for (uint32_t i = 0; i < jl_schema_count(); i++) {
		const struct jl_schema_key *key = jl_schema_at(i);

		for (unsigned where = 1; where <= key->where; where <<= 1) {
			const struct sample *s = sample_of(key, where);

			if (!(key->where & where))
				continue;
			if (!s) {
				print_error("\"%s\" of %s has no sample in %s\n", key->name, jl_schema_place(where), __FILE__);
				faults++;
				continue;
			}
			faults += faults_of(key, where, s);
			if (!title_is_there(s->shown) && ++faults)
				print_error("\"%s\": there is no test %s\n", key->name, s->shown);
		}
	}
	assert_int_equal(faults, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_key_has_its_samples)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
