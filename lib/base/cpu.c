/* Counting processors: the affinity mask and the quotas of control groups. */
#include "base/cpu.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static unsigned affinity(void)
{
	/* The kernel refuses a set that is smaller than its own. */
	for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
		cpu_set_t *set = CPU_ALLOC((size_t)cpus);
		size_t size = CPU_ALLOC_SIZE((size_t)cpus);
		int count = 0, e;

		if (!set)
			jl_oom();
		e = sched_getaffinity(0, size, set) < 0 ? errno : 0;
		if (!e)
			count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (!e)
			return count > 0 ? (unsigned)count : 1;
		if (e != EINVAL)
			break;
	}
	return 1;
}

/* Read a small file; "" if it cannot be read. */
static const char *read_text(struct jl_buf *b, const char *path)
{
	jl_buf_clear(b);
	if (jl_file_read(&jl_io_system, AT_FDCWD, path, b, NULL) != JL_OK)
		jl_buf_clear(b);
	return b->data;
}

static unsigned round_up(long long quota, long long period)
{
	if (quota <= 0 || period <= 0 || quota / period > 1 << 20)
		return 0;
	return (unsigned)((quota + period - 1) / period);
}

/* "QUOTA PERIOD" or "max PERIOD" in cpu.max, -1 for none in cpu.cfs_quota_us. */
static unsigned quota_of(const char *folder, bool v2)
{
	struct jl_buf path = JL_BUF_INIT, text = JL_BUF_INIT;
	long long quota = -1, period = 100000;

	jl_buf_printf(&path, "%s/%s", folder, v2 ? "cpu.max" : "cpu.cfs_quota_us");
	if (sscanf(read_text(&text, path.data), "%lld %lld", &quota, &period) < 1)
		quota = -1;
	if (!v2 && quota > 0) {
		jl_buf_clear(&path);
		jl_buf_printf(&path, "%s/cpu.cfs_period_us", folder);
		if (sscanf(read_text(&text, path.data), "%lld", &period) < 1)
			period = 100000;
	}
	jl_buf_release(&text);
	jl_buf_release(&path);
	return round_up(quota, period);
}

/* The smallest quota from mount + group up to the mount itself. In a container without a namespace of its own the group
 * does not exist below the mount, whose root is then the container's group. */
static unsigned quota_above(const char *mount, const char *group, size_t len, bool v2)
{
	struct jl_buf folder = JL_BUF_INIT;
	size_t root = strlen(mount);
	unsigned least = 0;

	jl_buf_str(&folder, mount);
	/* "/../x" is a group outside of this namespace. */
	if (len > 1 && !memmem(group, len, "/..", 3))
		jl_buf_add(&folder, group, len);
	for (;;) {
		unsigned q = quota_of(folder.data, v2);

		if (q && (!least || q < least))
			least = q;
		if (folder.len <= root)
			break;
		jl_buf_truncate(&folder, (size_t)((char *)memrchr(folder.data, '/', folder.len) - folder.data));
	}
	jl_buf_release(&folder);
	return least;
}

/* Is `cpu` among the controllers "cpu,cpuacct"? */
static bool has_cpu(const char *list, size_t len)
{
	for (size_t i = 0, n; i < len; i += n + 1) {
		n = strcspn(list + i, ",:");
		if (n == 3 && memcmp(list + i, "cpu", 3) == 0)
			return true;
	}
	return false;
}

unsigned jl_cpu_quota(const char *cgroups, const char *mount)
{
	unsigned least = 0;

	/* Lines of "ID:CONTROLLERS:PATH"; version 2 has ID 0 and no controllers. */
	for (const char *line = cgroups, *end; *line; line = *end ? end + 1 : end) {
		const char *list, *group;
		unsigned q;

		end = line + strcspn(line, "\n");
		list = memchr(line, ':', (size_t)(end - line));
		group = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
		if (!group)
			continue;
		list++;
		if (list == group) {
			q = quota_above(mount, group + 1, (size_t)(end - group - 1), true);
		} else if (has_cpu(list, (size_t)(group - list))) {
			struct jl_buf at = JL_BUF_INIT;

			jl_buf_printf(&at, "%s/%.*s", mount, (int)(group - list), list);
			q = quota_above(at.data, group + 1, (size_t)(end - group - 1), false);
			jl_buf_release(&at);
		} else {
			continue;
		}
		if (q && (!least || q < least))
			least = q;
	}
	return least;
}

unsigned jl_cpu_count(void)
{
	struct jl_buf cgroups = JL_BUF_INIT;
	unsigned count = affinity(), quota;

	quota = jl_cpu_quota(read_text(&cgroups, "/proc/self/cgroup"), "/sys/fs/cgroup");
	jl_buf_release(&cgroups);
	return quota && quota < count ? quota : count;
}
