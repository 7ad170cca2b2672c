/* Finding, signalling and reaping what descends from a job. */
#include "proc/tree.h"

#include "base/err.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct walk {
	const struct jl_tree *tree;
	int sig;
	pid_t own_group;
	unsigned long long since; /* the first process's start */
	unsigned living;
};

struct seen {
	char state;
	pid_t group;
	unsigned long long start; /* clock ticks after boot */
};

/* A small file of /proc, NUL-terminated; its length, or -1. */
static ssize_t read_proc(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, out, size - 1);
	close(fd);
	if (n >= 0)
		out[n] = '\0';
	return n;
}

static bool look_at(pid_t pid, struct seen *ret)
{
	char path[64], text[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (read_proc(path, text, sizeof(text)) <= 0)
		return false;
	/* The name stands in brackets and may hold any byte, brackets too: the fields begin after the last one. */
	const char *rest = strrchr(text, ')');
	int group;
	if (!rest || sscanf(rest + 1, " %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	                    &ret->state, &group, &ret->start) != 3)
		return false;
	ret->group = group;
	return true;
}

static bool spared(const struct walk *w, pid_t pid)
{
	for (size_t i = 0; i < w->tree->spare_count; i++)
		if (w->tree->spare[i] == pid)
			return true;
	return false;
}

static void walk_children(struct walk *w, pid_t parent);

static void visit(struct walk *w, pid_t pid)
{
	struct seen p;
	/* A number that was taken anew since it was read is no danger here: at worst the process is not ours to look at,
	 * and a child of ours keeps its number until we reap it. */
	if (spared(w, pid) || !look_at(pid, &p) || spared(w, p.group) || p.group == w->own_group || p.start < w->since)
		return;
	/* Children first: a dead parent would hand them on to us in the middle of the walk. */
	walk_children(w, pid);
	if (p.state == 'Z' || p.state == 'X')
		return;
	w->living++;
	if (w->sig && p.group != w->tree->group && kill(pid, w->sig) == 0 && w->sig != SIGKILL)
		kill(pid, SIGCONT); /* a stopped one would not get to its signal */
}

/* The children that one thread started: numbers and blanks, of any length. */
static void walk_thread(struct walk *w, pid_t parent, const char *thread)
{
	char path[96];
	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", (int)parent, thread);
	FILE *f = fopen(path, "re");
	if (!f)
		return;
	int pid;
	while (fscanf(f, "%d", &pid) == 1)
		visit(w, pid);
	fclose(f);
}

static void walk_children(struct walk *w, pid_t parent)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task", (int)parent);
	DIR *d = opendir(path);
	if (!d)
		return;
	struct dirent *e;
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			walk_thread(w, parent, e->d_name);
	closedir(d);
}

unsigned jl_tree_signal(const struct jl_tree *t, int sig)
{
	struct walk w = {.tree = t, .sig = sig, .own_group = getpgrp()};
	struct seen first;
	if (look_at(t->group, &first))
		w.since = first.start;
	/* The walk comes first: the signal to the group may end the parents by which the rest is found. */
	walk_children(&w, getpid());
	if (sig) {
		kill(-t->group, sig);
		if (sig != SIGKILL)
			kill(-t->group, SIGCONT);
	}
	return w.living;
}

void jl_tree_reap(bool (*ours)(void *ctx, pid_t pid), void *ctx)
{
	for (;;) {
		siginfo_t si = {0};
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 || si.si_pid == 0)
			return;
		if (ours(ctx, si.si_pid) || getpgid(si.si_pid) == getpgrp())
			return;
		waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | WNOHANG);
	}
}
