/* Starting an agent: see launch.h. */
#include "exec/launch.h"

#include "base/file.h"
#include "base/path.h"
#include "digest/digest.h"
#include "proc/spawn.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "jl-agent-"

/* ---- the agents at hand ---- */

static int add_file(struct jl_agent_files *f, const char *dir, const char *name, struct jl_err *err)
{
	struct jl_digest digest;
	struct jl_agent_file one = {.path = jl_arena_printf(&f->arena, "%s%s", dir, name)};
	int fd = open(one.path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return jl_err_sys(err, errno, "cannot read \"%s\"", one.path);
	int r = jl_digest_fd(&jl_io_system, fd, &digest, &one.size, err);
	close(fd);
	if (r != JL_OK)
		return r;
	jl_digest_hex(&digest, one.hex);
	one.system = jl_arena_printf(&f->arena, "Linux %s", name + strlen(PREFIX));
	*(struct jl_agent_file *)jl_table_add(&f->at, 1) = one;
	return JL_OK;
}

int jl_agent_files_find(struct jl_agent_files *f, struct jl_err *err)
{
	static const char *const places[] = {"libexec/jl/", "../libexec/jl/"};
	char self[PATH_MAX], dir[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int r = JL_OK;
	*f = (struct jl_agent_files){.at = JL_TABLE_INIT(struct jl_agent_file), .arena = JL_ARENA_INIT};
	if (n < 0)
		return jl_err_sys(err, errno, "cannot tell where jl lies");
	self[n] = '\0';
	*(strrchr(self, '/') + 1) = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && f->at.len == 0 && r == JL_OK; i++) {
		snprintf(dir, sizeof(dir), "%s%s", self, places[i]);
		DIR *d = opendir(dir);
		for (struct dirent *one; d && r == JL_OK && (one = readdir(d));)
			if (strncmp(one->d_name, PREFIX, strlen(PREFIX)) == 0)
				r = add_file(f, dir, one->d_name, err);
		if (d)
			closedir(d);
	}
	if (r == JL_OK && f->at.len == 0)
		r = jl_err_set(err, JL_ENOTFOUND, "no agent lies in %slibexec/jl; `make` builds it", self);
	if (r != JL_OK)
		jl_agent_files_release(f);
	return r;
}

void jl_agent_files_release(struct jl_agent_files *f)
{
	jl_table_release(&f->at);
	jl_arena_release(&f->arena);
}

/* ---- the command ---- */

void jl_launch_nonce(char out[JL_NONCE])
{
	uint64_t random[2] = {0};
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random[0] = (uint64_t)time(NULL) ^ (uint64_t)getpid();
	snprintf(out, JL_NONCE, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
}

bool jl_launch_host_ok(const char *host)
{
	if (host[0] == '\0' || host[0] == '-' || strlen(host) > 255)
		return false;
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-:@[]%+", *c))
			return false;
	return true;
}

/* One line that every shell takes as it is in single quotes: no quote, backslash, newline or '!' in it. */
static void script(struct jl_buf *out, const struct jl_agent_files *files, const char *nonce, size_t ahead)
{
	jl_buf_printf(out, "exec sh -c 'umask 077; n=%s; d=\"${XDG_CACHE_HOME:-$HOME/.cache}/jl/agent\"; m=$(uname -sm); ", nonce);
	jl_buf_str(out, "case \"$m\" in ");
	for (uint32_t i = 0; i < files->at.len; i++) {
		const struct jl_agent_file *f = JL_AT(files->at, struct jl_agent_file, i);
		jl_buf_printf(out, "\"%s\") h=%s s=%llu;; ", f->system, f->hex, (unsigned long long)f->size);
	}
	jl_buf_str(out, "*) echo \"$n absent $m\"; exit 3;; esac; a=\"$d/$h\"; ");
	jl_buf_str(out, "if test -x \"$a\"; then :; else t=\"$d/.new-$$\"; ");
	if (ahead)
		jl_buf_printf(out, "head -c %zu >/dev/null; ", ahead);
	jl_buf_str(out, "mkdir -p \"$d\" && echo \"$n send $m\" && "
			"head -c $s >\"$t\" && chmod 700 \"$t\" && \"$t\" check $h && mv -f \"$t\" \"$a\" || "
			"{ rm -f \"$t\"; echo \"$n bad $d\"; exit 3; }; fi; ");
	jl_buf_str(out, "echo \"$n go\"; exec \"$a\"'");
}

void jl_launch_script(struct jl_buf *out, const struct jl_agent_files *files, const char *nonce)
{
	script(out, files, nonce, 0);
	jl_buf_char(out, '\n');
}

enum jl_launch_way jl_launch_way_of(const char *const *argv)
{
	static const char *const shells[] = {"sh", "bash", "dash", "ash"};
	const char *last = "";
	for (size_t i = 0; argv[i]; i++)
		last = argv[i];
	last += jl_path_base(last, strlen(last));
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(last, shells[i]) == 0)
			return JL_LAUNCH_SHELL;
	return JL_LAUNCH_AGENT;
}

const char *const *jl_launch_ssh(struct jl_arena *arena, const char *const *ssh, const char *host,
				 const struct jl_agent_files *files, const char *nonce, size_t ahead)
{
	static const char *const options[] = {"-T", "-o", "BatchMode=yes", "--"};
	const size_t n_options = sizeof(options) / sizeof(options[0]);
	struct jl_buf line = JL_BUF_INIT;
	size_t n = 0, at = 0;
	while (ssh[n])
		n++;
	const char **argv = jl_arena_alloc(arena, (n + n_options + 3) * sizeof(*argv));
	for (size_t i = 0; i < n; i++)
		argv[at++] = ssh[i];
	for (size_t i = 0; i < n_options; i++)
		argv[at++] = options[i];
	script(&line, files, nonce, ahead);
	argv[at++] = host;
	argv[at++] = jl_arena_strdup(arena, line.data);
	jl_buf_release(&line);
	return argv;
}

int jl_launch_start(const char *const *argv, const char *const *envp, const char *workdir, struct jl_launched *ret,
		    struct jl_err *err)
{
	int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}}, r = JL_OK;
	const int deaf_to[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU};
	sigset_t mask;
	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(deaf_to) / sizeof(deaf_to[0]); i++)
		sigaddset(&mask, deaf_to[i]);
	*ret = (struct jl_launched){.pidfd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1};
	/* Its stdin is a socket: what is written to one that has ended makes no signal then. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipes[0]) < 0)
		r = jl_err_sys(err, errno, "cannot make a socket");
	for (int i = 1; i < 3 && r == JL_OK; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			r = jl_err_sys(err, errno, "cannot make a pipe");
	const struct jl_spawn s = {.argv = argv,
				   .envp = envp,
				   .workdir = workdir,
				   .stdin_fd = pipes[0][0],
				   .stdout_fd = pipes[1][1],
				   .stderr_fd = pipes[2][1],
				   .mask = &mask,
				   .die_with_parent = true,
				   .death_signal = SIGTERM};
	if (r == JL_OK)
		r = jl_spawn(&s, &ret->pid, &ret->pidfd, err);
	if (r == JL_OK) {
		ret->out_fd = pipes[0][1];
		ret->in_fd = pipes[1][0];
		ret->err_fd = pipes[2][0];
		pipes[0][1] = pipes[1][0] = pipes[2][0] = -1;
		fcntl(ret->err_fd, F_SETFL, O_NONBLOCK);
	}
	for (int i = 0; i < 6; i++)
		if (pipes[i / 2][i % 2] >= 0)
			close(pipes[i / 2][i % 2]);
	return r;
}

/* ---- what comes back ---- */

enum jl_greeting jl_launch_greeting(const char *nonce, const char *data, size_t len, size_t *ret_used, char word[256])
{
	static const char *const words[] = {"agent", "go", "send", "absent", "bad"};
	const size_t nonce_len = strlen(nonce);
	const char *at = memmem(data, len, nonce, nonce_len);
	*ret_used = 0;
	if (!at) { /* what may be its beginning stays */
		*ret_used = len > nonce_len ? len - nonce_len : 0;
		return JL_GREET_NONE;
	}
	const char *end = memchr(at, '\n', len - (size_t)(at - data));
	if (!end)
		return JL_GREET_NONE;
	*ret_used = (size_t)(end + 1 - data);
	at += nonce_len + (at + nonce_len < end);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);
		if ((size_t)(end - at) < n || strncmp(at, words[i], n) != 0)
			continue;
		at += n + (at + n < end);
		snprintf(word, 256, "%.*s", (int)(end - at), at);
		return (enum jl_greeting)(i + 1);
	}
	return JL_GREET_NONE;
}
