/* Counting processors: quotas of control groups in a made-up hierarchy, the affinity mask for real. */
#include "base/cpu.h"

#include "base/file.h"

#include "tmpdir.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put(const struct tmpdir *t, const char *dir, const char *name, const char *text)
{
	char path[200];

	assert_int_equal(jl_file_mkdirs(&jl_io_system, t->fd, dir, 0777, NULL), JL_OK);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	tmpdir_write(t, path, text, strlen(text));
}

static void reads_version_2(void **state)
{
	const struct tmpdir *t = *state;

	assert_int_equal(jl_cpu_quota("0::/a/b\n", t->path), 0);
	put(t, "a/b", "cpu.max", "max 100000\n");
	assert_int_equal(jl_cpu_quota("0::/a/b\n", t->path), 0);
	put(t, "a/b", "cpu.max", "250000 100000\n");
	assert_int_equal(jl_cpu_quota("0::/a/b\n", t->path), 3);
	put(t, "a", "cpu.max", "150000 100000\n"); /* the smallest on the way up */
	assert_int_equal(jl_cpu_quota("0::/a/b\n", t->path), 2);
	put(t, "a", "cpu.max", "900000 100000\n");
	assert_int_equal(jl_cpu_quota("0::/a/b\n", t->path), 3);
	put(t, ".", "cpu.max", "1000 100000\n"); /* a container's own root */
	assert_int_equal(jl_cpu_quota("0::/\n", t->path), 1);
	assert_int_equal(jl_cpu_quota("0::/a/b", t->path), 1);
	assert_int_equal(jl_cpu_quota("0::/not/here\n", t->path), 1);
	assert_int_equal(jl_cpu_quota("0::/../a/b\n", t->path), 1);
}

static void reads_version_1(void **state)
{
	static const char groups[] = "3:memory:/m\n2:cpuacct,cpu:/g/h\n1:name=systemd:/\n0::/\n";
	const struct tmpdir *t = *state;

	put(t, "cpuacct,cpu/g/h", "cpu.cfs_quota_us", "-1\n");
	put(t, "cpuacct,cpu/g/h", "cpu.cfs_period_us", "50000\n");
	assert_int_equal(jl_cpu_quota(groups, t->path), 0);
	put(t, "cpuacct,cpu/g/h", "cpu.cfs_quota_us", "200000\n");
	assert_int_equal(jl_cpu_quota(groups, t->path), 4);
	put(t, "cpuacct,cpu/g", "cpu.cfs_quota_us", "100000\n");
	put(t, "cpuacct,cpu/g", "cpu.cfs_period_us", "100000\n");
	assert_int_equal(jl_cpu_quota(groups, t->path), 1);
}

static void survives_nonsense(void **state)
{
	const struct tmpdir *t = *state;

	put(t, "a", "cpu.max", "what ever\n");
	assert_int_equal(jl_cpu_quota("0::/a\n", t->path), 0);
	put(t, "a", "cpu.max", "100 0\n");
	assert_int_equal(jl_cpu_quota("0::/a\n", t->path), 0);
	put(t, "a", "cpu.max", "");
	assert_int_equal(jl_cpu_quota("0::/a\n\n::\n:\nx\n0::", t->path), 0);
	assert_int_equal(jl_cpu_quota("", t->path), 0);
}

static void obeys_affinity(void **state)
{
	cpu_set_t old, one;
	int cpu = 0;

	(void)state;
	assert_true(jl_cpu_count() >= 1);
	assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
	while (!CPU_ISSET(cpu, &old))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(jl_cpu_count(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(old), &old), 0);
}

#define IN_TMPDIR(f) cmocka_unit_test_setup_teardown(f, tmpdir_setup, tmpdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TMPDIR(reads_version_2),
		IN_TMPDIR(reads_version_1),
		IN_TMPDIR(survives_nonsense),
		cmocka_unit_test(obeys_affinity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
