/* What a step writes to stdout and stderr: framed in memory for the record (chunk = stream u8, length u32 LE, bytes), and
 * plain in a file under .jl/logs/ that can be followed while the step runs. The file is made with the first byte: most steps
 * say nothing. Both are capped: a step that writes without end must not fill memory or disk. */
#include "base/file.h"
#include "base/path.h"
#include "run/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMED_MAX ((size_t)16 << 20)
#define FILE_MAX   ((uint64_t)100 << 20)

struct jl_joblog {
	int root_fd, fd;
	enum jl_digest_algo algo;
	struct jl_buf path;
	struct jl_buf framed;
	size_t chunk; /* where the last chunk begins; SIZE_MAX: none */
	uint64_t written, received;
	bool cut, failed;
};

struct jl_joblog *jl_joblog_new(struct jl_engine *e, uint32_t inst)
{
	struct jl_joblog *log = jl_calloc(1, sizeof(*log));
	log->root_fd = jl_engine_files(e)->root_fd;
	log->fd = -1;
	log->algo = jl_engine_files(e)->algo;
	log->chunk = SIZE_MAX;
	jl_buf_init(&log->path, 4096);
	jl_buf_init(&log->framed, FRAMED_MAX + 256);
	jl_buf_str(&log->path, ".jl/logs/");
	jl_path_escape(&log->path, jl_engine_label(e, inst));
	jl_buf_str(&log->path, ".log");
	if (e->had_logs)
		unlinkat(log->root_fd, log->path.data, 0); /* of an earlier run */
	return log;
}

static void write_file(struct jl_joblog *log, const void *data, size_t len)
{
	log->received += len;
	if (log->failed || log->written >= FILE_MAX)
		return;
	if (log->fd < 0) {
		log->failed = jl_file_mkdirs(&jl_io_system, log->root_fd, ".jl/logs", 0777, NULL) != JL_OK;
		log->fd = log->failed ? -1
				      : openat(log->root_fd, log->path.data,
					       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
		log->failed = log->fd < 0;
		if (log->failed)
			return;
	}
	log->failed = jl_file_write_all(&jl_io_system, log->fd, data, len, NULL) != JL_OK;
	log->written += len;
}

static void put_len(char *at, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		at[i] = (char)(v >> (8 * i));
}

static uint32_t get_len(const char *at)
{
	uint32_t v = 0;
	for (int i = 0; i < 4; i++)
		v |= (uint32_t)(uint8_t)at[i] << (8 * i);
	return v;
}

void jl_joblog_add(struct jl_joblog *log, int stream, const void *data, size_t len)
{
	if (len == 0)
		return;
	write_file(log, data, len);
	if (log->cut || log->framed.len + len + 5 > FRAMED_MAX) {
		log->cut = true;
		return;
	}
	if (log->chunk != SIZE_MAX && log->framed.data[log->chunk] == (char)stream) {
		/* How the bytes were cut into reads is chance: one chunk for a run of one stream. */
		jl_buf_add(&log->framed, data, len);
		put_len(log->framed.data + log->chunk + 1, get_len(log->framed.data + log->chunk + 1) + (uint32_t)len);
		return;
	}
	log->chunk = log->framed.len;
	jl_buf_u8(&log->framed, (uint8_t)stream);
	jl_buf_bytes(&log->framed, data, len);
}

void jl_joblog_close(struct jl_joblog *log)
{
	char note[160];
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
	if (log->cut) {
		/* A first part of it is in the record, a larger one in the file. */
		int n = snprintf(note, sizeof(note),
				 "jl: more output came than is kept: %llu bytes, of them %llu in the log file\n",
				 (unsigned long long)log->received, (unsigned long long)log->written);
		jl_buf_u8(&log->framed, 2);
		jl_buf_bytes(&log->framed, note, (size_t)n);
	}
}

const struct jl_buf *jl_joblog_framed(const struct jl_joblog *log)
{
	return &log->framed;
}

void jl_joblog_content(const struct jl_joblog *log, struct jl_content *ret)
{
	*ret = (struct jl_content){.size = log->framed.len, .bytes = log->framed.data};
	jl_digest_bytes_as(log->algo, log->framed.data, log->framed.len, &ret->digest);
}

const char *jl_joblog_path(const struct jl_joblog *log)
{
	return log->written ? log->path.data : NULL;
}

void jl_joblog_free(struct jl_joblog *log)
{
	if (!log)
		return;
	if (log->fd >= 0)
		close(log->fd);
	jl_buf_release(&log->path);
	jl_buf_release(&log->framed);
	free(log);
}

void jl_joblog_show(struct jl_engine *e, const char *step, const void *framed, size_t len, bool replayed)
{
	struct jl_cur cur = {.at = framed, .end = (const uint8_t *)framed + len};
	while (cur.at < cur.end && !cur.bad) {
		struct jl_event ev = {.type = JL_EVENT_STEP_OUTPUT, .step = step, .replayed = replayed};
		ev.stream = jl_cur_u8(&cur);
		ev.data = jl_cur_bytes(&cur, &ev.len);
		if (!cur.bad && ev.len > 0 && (ev.stream == 1 || ev.stream == 2))
			jl_engine_emit(e, &ev);
	}
}
