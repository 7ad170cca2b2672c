/* See about.h. */
#include "store/about.h"

#include "base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define ABOUT_MAX ((size_t)8 << 10)

void jl_about_release(struct jl_about *a)
{
	free(a->etag);
	free(a->modified);
	free(a->boot);
	*a = (struct jl_about){0};
}

static bool take_line(struct jl_about *a, char *name, const char *value)
{
	char **const texts[] = {&a->etag, &a->modified, &a->boot};
	static const char *const names[] = {"etag", "modified", "boot"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		free(*texts[i]);
		*texts[i] = jl_strdup(value);
		return true;
	}
	if (strcmp(name, "digest") == 0)
		return jl_digest_parse(value, &a->digest, NULL) == JL_OK;
	if (strcmp(name, "size") == 0)
		a->size = strtoull(value, NULL, 10);
	if (strcmp(name, "asked") == 0)
		a->asked_ns = strtoll(value, NULL, 10);
	return true; /* a later version may know more */
}

int jl_about_read(int dir_fd, const char *name, struct jl_about *ret)
{
	struct jl_buf text;
	int r;

	*ret = (struct jl_about){0};
	jl_buf_init(&text, ABOUT_MAX);
	r = jl_file_read(&jl_io_system, dir_fd, name, &text, NULL);
	if (r == JL_OK && (strlen(text.data) != text.len || text.len == 0))
		r = JL_ECORRUPT;
	for (char *at = text.data; r == JL_OK && *at;) {
		char *end = strchr(at, '\n'), *blank = strchr(at, ' ');

		if (!end || !blank || blank > end) {
			r = JL_ECORRUPT;
			break;
		}
		*end = *blank = '\0';
		if (!take_line(ret, at, blank + 1))
			r = JL_ECORRUPT;
		at = end + 1;
	}
	jl_buf_release(&text);
	if (r == JL_OK)
		return JL_OK;
	jl_about_release(ret);
	return JL_ENOTFOUND;
}

static void add(struct jl_buf *out, const char *name, const char *value)
{
	if (value && !strpbrk(value, "\r\n"))
		jl_buf_printf(out, "%s %s\n", name, value);
}

int jl_about_write(int dir_fd, const char *name, const struct jl_about *a, struct jl_err *err)
{
	struct jl_buf text = JL_BUF_INIT;
	char digest[JL_DIGEST_TEXT];
	int r;

	add(&text, "etag", a->etag);
	add(&text, "modified", a->modified);
	add(&text, "boot", a->boot);
	if (a->digest.algo != JL_DIGEST_NONE)
		add(&text, "digest", jl_digest_text(&a->digest, digest));
	jl_buf_printf(&text, "size %llu\nasked %lld\n", (unsigned long long)a->size, (long long)a->asked_ns);
	r = jl_file_write(&jl_io_system, dir_fd, name, text.data, text.len, 0666, false, err);
	jl_buf_release(&text);
	return r;
}

char *jl_about_boot(void)
{
	struct jl_buf text;
	char *id = NULL;

	jl_buf_init(&text, 200);
	if (jl_file_read(&jl_io_system, AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, NULL) == JL_OK) {
		text.data[strcspn(text.data, "\n")] = '\0';
		id = jl_strdup(text.data);
	}
	jl_buf_release(&text);
	return id;
}
