/* Make's rule for when a command needs a shell, and sh quoting. */
#include "manifest/shell.h"

#include <string.h>

static const char special[] = "#;\"'*?[]&|<>(){}$`^~!\\\n";

/* Builtins and keywords that are no programs of their own, or do something else there (make's list and bash's additions).
 * echo, printf, true, false, pwd and kill are programs too and do the same. */
static const char *const builtins[] = {
	".",       ":",       "alias",   "bg",       "bind",      "break",    "builtin",  "caller",  "case",
	"cd",      "command", "compgen", "complete", "compopt",   "continue", "coproc",   "declare", "dirs",
	"disown",  "do",      "done",    "elif",     "else",      "enable",   "esac",     "eval",    "exec",
	"exit",    "export",  "fc",      "fg",       "fi",        "for",      "function", "getopts", "hash",
	"help",    "history", "if",      "in",       "jobs",      "let",      "local",    "login",   "logout",
	"mapfile", "popd",    "pushd",   "read",     "readarray", "readonly", "return",   "select",  "set",
	"shift",   "shopt",   "source",  "suspend",  "test",      "then",     "time",     "times",   "trap",
	"type",    "typeset", "ulimit",  "umask",    "unalias",   "unset",    "until",    "wait",    "while",
};

bool jl_shell_needed(const char *command)
{
	const char *word = command + strspn(command, " \t");
	size_t len = strcspn(word, " \t");

	if (command[strcspn(command, special)] != '\0')
		return true;
	if (memchr(word, '=', len))
		return true;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++) {
		if (builtins[i][0] == *word && strncmp(builtins[i], word, len) == 0 && builtins[i][len] == '\0')
			return true;
	}
	return false;
}

uint32_t jl_shell_split(const char *command, struct jl_buf *out)
{
	uint32_t n = 0;

	for (;;) {
		size_t len;

		command += strspn(command, " \t");
		len = strcspn(command, " \t");
		if (len == 0)
			return n;
		jl_buf_add(out, command, len);
		jl_buf_char(out, '\0');
		command += len;
		n++;
	}
}

static bool is_bare(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = value[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c != '\0' && strchr("_@%+=:,./-", c))))
			return false;
	}
	return len > 0;
}

int jl_shell_quote(struct jl_buf *out, const char *value, size_t len)
{
	size_t from = 0, old = out->len;
	int rc;

	if (is_bare(value, len))
		return jl_buf_add(out, value, len);
	rc = jl_buf_char(out, '\'');
	for (size_t i = 0; i <= len && rc == JL_OK; i++) {
		if (i < len && value[i] != '\'')
			continue;
		rc = jl_buf_add(out, value + from, i - from);
		if (rc == JL_OK)
			rc = jl_buf_str(out, i < len ? "'\\''" : "'");
		from = i + 1;
	}
	if (rc != JL_OK)
		jl_buf_truncate(out, old);
	return rc;
}
