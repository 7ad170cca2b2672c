/* Jobs by an agent that a command launches, or that is brought to a host by ssh (JL_TEST_SSH names one, for cargo.bats): the common
 * suite, and what only an agent does: inputs that travel, outputs that come back, folders that are gone. */
#include "exec_conform.h"

#include "base/file.h"
#include "exec/cargo.h"
#include "exec/hosts.h"
#include "exec/remote.h"
#include "proc/loop.h"
#include "proc/spawn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

static struct jl_loop *loop;
static struct jl_exec *exec;
static struct seen seen;
static char dir[4096], cache[4200], agent[4200];
static int root = -1;
static const char *launch[8];
static const char *ssh_host; /* NULL: by a command */
static struct jl_agent_files agents = {.at = JL_TABLE_INIT(struct jl_agent_file)};

static struct jl_exec *make_remote(const char *const *argv)
{
	struct jl_exec *x = NULL;
	const struct jl_remote_config config = {.name = ssh_host ? ssh_host : "far",
						.argv = argv,
						.way = ssh_host ? JL_LAUNCH_SSH : JL_LAUNCH_AGENT,
						.agents = &agents,
						.environ = (const char *const *)environ,
						.slots = 4};
	if (jl_loop_new(&loop, NULL) < 0 || jl_exec_remote_new(loop, &config, &x, NULL) < 0)
		return NULL;
	return x;
}

/* ---- the suite ---- */

static struct jl_exec *make(struct jl_clock *ret_clock)
{
	*ret_clock = jl_clock_system;
	return make_remote(launch);
}

static void unmake(struct jl_exec *x)
{
	(void)x;
	jl_loop_free(loop);
}

/* ---- cargo ---- */

static void write_file(const char *path, const char *text, size_t len, mode_t mode)
{
	assert_int_equal(jl_file_write(&jl_io_system, root, path, text, len, mode, false, NULL), JL_OK);
}

static char *read_file(const char *path)
{
	struct jl_buf b = JL_BUF_INIT;
	struct jl_err err = JL_ERR_INIT;
	if (jl_file_read(&jl_io_system, root, path, &b, &err) != JL_OK)
		fail_msg("%s", err.text);
	return jl_buf_detach(&b, NULL);
}

static struct jl_cargo_in input(const char *path)
{
	struct jl_cargo_in in = {.path = path, .kind = JL_KIND_FILE};
	struct stat st;
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	in.mode = st.st_mode & 0777;
	assert_int_equal(jl_digest_fd(&jl_io_system, fd, &in.digest, &in.size, NULL), JL_OK);
	close(fd);
	return in;
}

static void run(const char *script, const struct jl_cargo *cargo)
{
	static uint64_t id = 0;
	struct jl_err err = JL_ERR_INIT;
	id = id % (SEEN_JOBS - 1) + 1;
	struct jl_job job = sh_job(id, SH(script));
	job.cargo = cargo;
	seen.jobs[id].done = 0;
	jl_buf_clear(&seen.jobs[id].out);
	jl_buf_clear(&seen.jobs[id].err);
	seen.done = 0;
	if (exec->ops->start(exec, &job, NULL, &err) != JL_OK)
		fail_msg("start: %s", err.text);
	seen_wait(&seen, 1);
	seen.jobs[0] = seen.jobs[id]; /* for the caller */
}

static void assert_ok(void)
{
	const struct seen_job *j = &seen.jobs[0];
	if (j->result.end != JL_JOB_EXITED || j->result.exit_code != 0)
		fail_msg("end %d, exit %d: %s%s", j->result.end, j->result.exit_code, j->why, j->err.data);
}

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static int set_up(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof(dir), "%s/jl-remote-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	exec = make_remote(launch);
	seen_init(&seen, exec);
	return exec && root >= 0 ? 0 : -1;
}

static void end(void)
{
	exec->ops->free(exec);
	jl_loop_free(loop);
	memset(&seen.jobs[0], 0, sizeof(seen.jobs[0])); /* another's: see run() */
	jl_buf_init(&seen.jobs[0].out, JL_BUF_MAX);
	jl_buf_init(&seen.jobs[0].err, JL_BUF_MAX);
	seen_release(&seen);
}

static int tear_down(void **state)
{
	(void)state;
	char runs[4300];
	end();
	close(root);
	snprintf(runs, sizeof(runs), "%s/jl/agent/run", cache);
	assert_int_equal(entries(runs), 0); /* nothing of a run stays on the host */
	return jl_file_remove(&jl_io_system, AT_FDCWD, dir, NULL);
}

static void test_inputs_travel(void **state)
{
	(void)state;
	static char big[300000];
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7919 >> 7);
	assert_int_equal(mkdirat(root, "in", 0755), 0);
	write_file("in/small", "hello\n", 6, 0644);
	write_file("in/big", big, sizeof(big), 0644);
	write_file("tool", "#!/bin/sh\ncat \"$1\"\n", 19, 0755);
	write_file("hidden", "not declared\n", 13, 0644);
	const struct jl_cargo_in ins[] = {input("in/small"), input("in/big"), input("tool"),
					  {.path = "empty", .kind = JL_KIND_DIR},
					  {.path = "ln", .kind = JL_KIND_LINK, .text = "in/small"}};
	const struct jl_cargo_out outs[] = {{.path = "out/copy"}, {.path = "all/", .flags = 0}};
	struct jl_cargo cargo = {.root_fd = root, .workdir = ".", .ins = ins, .n_ins = 5, .outs = outs, .n_outs = 1};
	for (int i = 0; i < 3; i++) { /* the second time the big one is there already */
		run("./tool ln; test -d empty && ! test -e hidden && cp in/big out/copy && find . | wc -l", &cargo);
		assert_ok();
		assert_string_equal(seen.jobs[0].out.data, "hello\n9\n");
		char *copy = read_file("out/copy");
		assert_memory_equal(copy, big, sizeof(big));
		free(copy);
	}
	struct jl_remote_info info;
	jl_remote_info(exec, &info);
	assert_true(info.sent < 500000);
	assert_true(info.sent > 10000);
}

static void test_outputs_come_back(void **state)
{
	(void)state;
	const struct jl_cargo_out outs[] = {{.path = "d", .flags = JL_CARGO_FOLDER}, {.path = "x/*.txt", .flags = JL_CARGO_GLOB},
					    {.path = "x/no*", .flags = JL_CARGO_EXCLUDE}, {.path = "absent"},
					    {.path = "log"}};
	struct jl_cargo cargo = {.root_fd = root, .workdir = "sub/dir", .outs = outs, .n_outs = 5,
				 .stream = {NULL, "log", NULL}};
	run("echo to log; cd ../..; test -d d || exit 9; mkdir -p d/empty d/e x; echo 1 >d/e/f; chmod 750 d/e/f; "
	    "ln -s e/f d/l; echo a >x/a.txt; echo b >x/no.txt; echo c >other; head -c 100000 /dev/zero >d/zeros; exit 3",
	    &cargo);
	assert_int_equal(seen.jobs[0].result.end, JL_JOB_EXITED);
	assert_int_equal(seen.jobs[0].result.exit_code, 3);
	struct stat st;
	assert_int_equal(fstatat(root, "d/e/f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(fstatat(root, "d/empty", &st, 0), 0);
	assert_int_equal(fstatat(root, "d/zeros", &st, 0), 0);
	assert_int_equal(st.st_size, 100000);
	char *log = read_file("log"), *link = read_file("d/l"), *a = read_file("x/a.txt");
	assert_string_equal(log, "to log\n");
	assert_string_equal(link, "1\n");
	assert_string_equal(a, "a\n");
	free(log);
	free(link);
	free(a);
	assert_int_not_equal(fstatat(root, "x/no.txt", &st, 0), 0);
	assert_int_not_equal(fstatat(root, "other", &st, 0), 0);
	assert_int_not_equal(fstatat(root, "sub", &st, 0), 0);
}

static int kept(void *ctx, const struct jl_digest *digest, uint64_t size, int dst_fd)
{
	(void)digest;
	assert_int_equal(size, 200000);
	++*(unsigned *)ctx;
	return ftruncate(dst_fd, (off_t)size) == 0 ? JL_OK : JL_EIO;
}

static void test_what_is_at_hand_is_not_fetched(void **state)
{
	(void)state;
	unsigned asked = 0;
	const struct jl_cargo_out outs[] = {{.path = "zeros"}};
	struct jl_cargo cargo = {.root_fd = root, .workdir = ".", .outs = outs, .n_outs = 1, .have = kept, .have_ctx = &asked};
	run("head -c 200000 /dev/zero >zeros", &cargo);
	assert_ok();
	struct jl_remote_info info;
	struct stat st;
	jl_remote_info(exec, &info);
	assert_int_equal(asked, 1);
	assert_true(info.received < 5000);
	assert_int_equal(fstatat(root, "zeros", &st, 0), 0);
	assert_int_equal(st.st_size, 200000);
}

/* What the step reads is what its key says, or it does not run. */
static void test_changed_input(void **state)
{
	(void)state;
	static char big[100000];
	write_file("small", "one", 3, 0644);
	write_file("big", big, sizeof(big), 0644);
	struct jl_cargo_in ins[] = {input("small"), input("big")};
	struct jl_cargo cargo = {.root_fd = root, .workdir = ".", .ins = ins, .n_ins = 1};
	write_file("small", "two", 3, 0644);
	run("echo ran", &cargo);
	assert_int_equal(seen.jobs[0].result.end, JL_JOB_NOT_STARTED);
	assert_non_null(strstr(seen.jobs[0].why, "\"small\""));
	assert_int_equal(seen.jobs[0].out.len, 0);
	big[5] = 'x';
	write_file("big", big, sizeof(big), 0644);
	cargo.ins = ins + 1;
	run("echo ran", &cargo);
	assert_int_equal(seen.jobs[0].result.end, JL_JOB_NOT_STARTED);
	assert_non_null(strstr(seen.jobs[0].why, "\"big\""));
	assert_int_equal(seen.jobs[0].out.len, 0);
}

/* S29: as much as the other side takes, and no more is kept in between. */
static void test_much_output(void **state)
{
	(void)state;
	seen.quiet = true;
	run("head -c 50000000 /dev/zero", NULL);
	assert_ok();
	assert_int_equal(seen.bytes, 50000000);
	seen.quiet = false;
}

static void test_environment(void **state)
{
	(void)state;
	run("echo \"$TMPDIR\"; touch \"$TMPDIR/x\" && pwd && ls -A", NULL);
	assert_ok();
	assert_non_null(strstr(seen.jobs[0].out.data, "/run/"));
	assert_non_null(strstr(seen.jobs[0].out.data, "/tmp\n"));
}

/* The launcher's own end, in the middle of a job: told, and nothing is left of the job. */
static void test_lost(void **state)
{
	(void)state;
	char script[9000];
	snprintf(script, sizeof(script), "'%s' & a=$!; exec <&- >&-; wait", agent);
	run("kill -9 $PPID; exec sleep 1000", NULL);
	assert_int_equal(seen.jobs[0].result.end, JL_JOB_LOST);
	assert_true(seen.jobs[0].why[0] != '\0');
	run("echo again", NULL); /* another agent, which takes away what the first left */
	assert_ok();
}

static void test_no_launcher(void **state)
{
	(void)state;
	const char *const argv[] = {"sh", "-c", "echo noise; echo 'no such host' >&2; exit 255", NULL};
	exec->ops->free(exec);
	jl_loop_free(loop);
	exec = make_remote(argv);
	seen_release(&seen);
	seen_init(&seen, exec);
	run("true", NULL);
	assert_int_equal(seen.jobs[0].result.end, JL_JOB_TAKEN_BACK);
	assert_string_equal(seen.jobs[0].why, "no such host");
}

/* S37: what is printed before the agent speaks. */
static void test_noise(void **state)
{
	(void)state;
	static char script[9000];
	const char *const argv[] = {"sh", "-c", script, NULL};
	snprintf(script, sizeof(script), "echo Welcome; head -c 70000 /dev/zero; printf 'no newline'; exec '%s'", agent);
	exec->ops->free(exec);
	jl_loop_free(loop);
	exec = make_remote(argv);
	seen_release(&seen);
	seen_init(&seen, exec);
	run("echo hello", NULL);
	assert_ok();
	assert_string_equal(seen.jobs[0].out.data, "hello\n");
}

/* What comes by a slow way (64 KiB in 5 ms) is packed, where that pays. */
static void test_slow_way(void **state)
{
	(void)state;
	static char script[9000];
	const char *const argv[] = {"sh", "-c", script, NULL};
	const struct jl_cargo_out outs[] = {{.path = "text"}, {.path = "noise"}};
	struct jl_cargo cargo = {.root_fd = root, .workdir = ".", .outs = outs, .n_outs = 2};
	struct jl_remote_info info;
	struct stat st;
	snprintf(script, sizeof(script),
		 "'%s' | perl -e 'while (sysread(STDIN, my $b, 65536)) { syswrite(STDOUT, $b); "
		 "select(undef, undef, undef, 0.005) }'",
		 agent);
	end();
	exec = make_remote(argv);
	seen_init(&seen, exec);
	run("yes 'words that come again' | head -c 12000000 >text; head -c 3000000 /dev/urandom >noise; cksum <text", &cargo);
	assert_ok();
	jl_remote_info(exec, &info);
	/* The noise, what went before the way was known, and little of the rest. */
	assert_in_range(info.received, 3000000, 3000000 + 2 * JL_MSG_WINDOW);
	assert_int_equal(fstatat(root, "noise", &st, 0), 0);
	assert_int_equal(st.st_size, 3000000);
	char sum[100];
	char *copy = read_file("text");
	assert_int_equal(strlen(copy), 12000000);
	free(copy);
	snprintf(sum, sizeof(sum), "%s", seen.jobs[0].out.data);
	const struct jl_cargo_in in = input("text");
	run("cksum <text", &(struct jl_cargo){.root_fd = root, .workdir = ".", .ins = &in, .n_ins = 1});
	assert_ok();
	assert_string_equal(seen.jobs[0].out.data, sum);
}

/* Over ssh, with the agent in the host's cache: this "ssh" lets nothing back before it has the head of a message. The first
 * time the agent is not there, which takes another way there and back. */
static void test_called_ahead(void **state)
{
	(void)state;
	static char ssh[20000];
	const char *const argv[] = {"sh", "-c", ssh, NULL};
	snprintf(ssh, sizeof(ssh),
		 "for line; do :; done; head -c 8 >'%s/head'; test -s '%s/head' || exit; "
		 "{ cat '%s/head' -; } | XDG_CACHE_HOME='%s/far' sh -c \"$line\"", dir, dir, dir, dir);
	for (int i = 0; i < 2; i++) {
		end();
		const struct jl_remote_config config = {.name = "far", .argv = argv, .way = JL_LAUNCH_SSH, .agents = &agents,
							.environ = (const char *const *)environ, .slots = 4};
		assert_int_equal(jl_loop_new(&loop, NULL), JL_OK);
		assert_int_equal(jl_exec_remote_new(loop, &config, &exec, NULL), JL_OK);
		seen_init(&seen, exec);
		run("echo hello", NULL);
		assert_ok();
		assert_string_equal(seen.jobs[0].out.data, "hello\n");
	}
}

/* The agent that is brought along, as jl finds it beside itself. */
static bool find_agent(const char *machine)
{
	static char system[100];
	struct jl_agent_file *f = jl_table_add(&agents.at, 1);
	struct jl_digest digest;
	int fd = open(agent, O_RDONLY | O_CLOEXEC);
	snprintf(system, sizeof(system), "Linux %s", machine);
	*f = (struct jl_agent_file){.system = system, .path = agent};
	bool ok = fd >= 0 && jl_digest_fd(&jl_io_system, fd, &digest, &f->size, NULL) == JL_OK;
	if (ok)
		jl_digest_hex(&digest, f->hex);
	if (fd >= 0)
		close(fd);
	return ok;
}

static void start_at(uint64_t id, const char *script, const struct jl_where *where)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_job job = sh_job(id, SH(script));
	job.where = where;
	if (exec->ops->start(exec, &job, NULL, &err) != JL_OK)
		fail_msg("start: %s", err.text);
}

/* What takes all slots, or all memory, has the host for itself. */
static void test_slots_and_memory(void **state)
{
	(void)state;
	const struct jl_where all = {.slots = 4}, more = {.slots = 99}, memory = {.memory = UINT64_MAX};
	char script[9000];
	snprintf(script, sizeof(script), "mkdir '%s/alone' || exit 9; sleep 0.02; rmdir '%s/alone'", dir, dir);
	for (uint64_t id = 1; id <= 9; id++)
		start_at(id, script, id % 3 == 0 ? &all : id % 3 == 1 ? &more : &memory);
	start_at(10, "exit 0", NULL);
	start_at(11, "exit 0", NULL);
	seen_wait(&seen, 11);
	for (uint64_t id = 1; id <= 11; id++)
		assert_int_equal(seen.jobs[id].result.exit_code, 0);
}

/* Asked back is only what has not begun; the agent has the last word. */
static void test_recall(void **state)
{
	(void)state;
	const struct jl_where all = {.slots = 4};
	char script[9000], path[4200];
	struct jl_err err = JL_ERR_INIT;
	struct jl_remote_info info;
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	snprintf(script, sizeof(script), "read x <'%s'", path);
	start_at(1, script, &all);
	start_at(2, "echo ran", &all);
	do {
		assert_int_equal(exec->ops->poll(exec, JL_FOREVER, &err), JL_OK);
		jl_remote_info(exec, &info);
	} while (info.waiting != 1);
	assert_false(jl_remote_recall(exec, 1, 0)); /* it runs */
	assert_false(jl_remote_recall(exec, 2, 1000 * JL_NS_S));
	assert_true(jl_remote_recall(exec, 2, 0));
	assert_false(jl_remote_recall(exec, 2, 0));
	seen_wait(&seen, 1);
	assert_int_equal(seen.jobs[2].result.end, JL_JOB_TAKEN_BACK);
	assert_int_equal(seen.jobs[2].out.len, 0);
	start_at(3, "echo ran", &all);
	assert_int_equal(write(fd, "\n", 1), 1); /* too late, as a rule: then it runs */
	jl_remote_recall(exec, 3, 0);
	seen_wait(&seen, 3);
	close(fd); /* not before: what nobody has opened yet is lost then */
	assert_int_equal(seen.jobs[1].result.exit_code, 0);
	assert_true((seen.jobs[3].result.end == JL_JOB_EXITED) == (seen.jobs[3].out.len == 4));
}

int main(void)
{
	struct utsname u;
	char self[4000];
	const char *tmp = getenv("TMPDIR");
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0 || jl_spawn_setup(NULL) != JL_OK)
		return 1;
	self[n] = '\0';
	*strstr(self, "/test/unit/") = '\0';
	uname(&u);
	snprintf(agent, sizeof(agent), "%s/libexec/jl/jl-agent-%s", self, u.machine);
	snprintf(cache, sizeof(cache), "%s/jl-cache-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(cache))
		return 1;
	setenv("XDG_CACHE_HOME", cache, 1);
	ssh_host = getenv("JL_TEST_SSH");
	launch[0] = ssh_host ? "ssh" : agent;
	if (!find_agent(u.machine))
		return 1;
	signal(SIGPIPE, SIG_IGN);
	const struct exec_kind kind = {
		.name = ssh_host ? "ssh" : "agent", .make = make, .unmake = unmake, .host = ssh_host ? ssh_host : "far"};
	int failed = exec_conform(&kind);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_inputs_travel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outputs_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_at_hand_is_not_fetched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_changed_input, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_much_output, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_environment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slots_and_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_recall, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
	};
	const struct CMUnitTest launcher[] = {
		cmocka_unit_test_setup_teardown(test_no_launcher, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_noise, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_called_ahead, set_up, tear_down),
	};
	failed += cmocka_run_group_tests_name("agent alone", tests, NULL, NULL);
	if (!ssh_host)
		failed += cmocka_run_group_tests_name("launcher", launcher, NULL, NULL);
	jl_table_release(&agents.at);
	(void)!jl_file_remove(&jl_io_system, AT_FDCWD, cache, NULL);
	return failed;
}
