/* One object of a server brought into a file, from where it was cut on: struct jl_tier_get of tier.h. Each server
 * has a helper, as a remote has. The bytes go into ".part"; which content they are of is in ".part-of", written
 * before the first of them. */
#include "base/clock.h"
#include "base/file.h"
#include "store/about.h"
#include "store/tier_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PATIENCE_NS (20 * JL_NS_S)       /* of a server that does not answer */
#define LOOK_BYTES  ((uint64_t)64 << 20) /* after so much the room on the disk is looked at */

struct jl_tier_site {
	struct jl_peer peer;
	uint32_t n_open;
	struct jl_tier_site *next;
};

struct download {
	struct jl_peer_call call; /* first */
	struct jl_tier *t;
	struct jl_tier_site *site;
	struct jl_tier_get *g;
	struct jl_buf settings;
	struct jl_about part;
	int fd;
	bool begun;       /* some of it was answered */
	bool anew;        /* what is there of it is not to be used */
	uint64_t look_at; /* bytes */
};

static void begin(struct jl_tier *t, struct jl_tier_site *s, struct jl_tier_get *g);

static void answer(struct jl_tier *t, struct jl_tier_get *g)
{
	g->next = NULL;
	pthread_mutex_lock(&t->lock);
	*t->gotten_last = g;
	t->gotten_last = &g->next;
	pthread_mutex_unlock(&t->lock);
	jl_tier_signal(t->event_fd);
}

/* ---- the part ---- */

/* How much of it is there and can be gone on from: of a content that the server can still be asked for by name. Where the digest
 * tells in the end, anything can. */
static uint64_t usable(struct download *d)
{
	char *boot = jl_about_boot();
	struct stat st;
	bool good = fstat(d->fd, &st) == 0 && st.st_size > 0 && !d->anew;

	jl_about_release(&d->part);
	good = good && jl_about_read(d->g->dir_fd, ".part-of", &d->part) == JL_OK;
	if (good && d->g->want.algo == JL_DIGEST_NONE)
		good = (d->part.modified || (d->part.etag && strncmp(d->part.etag, "W/", 2) != 0)) && boot && d->part.boot &&
		       strcmp(boot, d->part.boot) == 0;
	free(boot);
	if (!good)
		jl_about_release(&d->part);
	return good ? (uint64_t)st.st_size : 0;
}

static void add(struct jl_buf *settings, const char *name, const char *value)
{
	if (value)
		jl_talk_add_setting(settings, name, value);
}

static void restart(struct jl_peer_call *c)
{
	struct download *d = (struct download *)c;
	const struct jl_tier_get *g = d->g;

	if (d->fd < 0)
		d->fd = openat(g->dir_fd, ".part", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
	c->from = usable(d);
	jl_buf_clear(&d->settings);
	add(&d->settings, "path", g->path);
	add(&d->settings, "have-etag", g->have_etag);
	add(&d->settings, "have-modified", g->have_modified);
	add(&d->settings, "part-etag", d->part.etag);
	add(&d->settings, "part-modified", d->part.modified);
	add(&d->settings, "any-host", g->any_host ? "1" : NULL);
}

static bool differ(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

static void set(char **to, char *value)
{
	free(*to);
	*to = value;
}

/* The content begins: which one it is stands beside it before its first byte. */
static int begin_part(struct download *d, struct jl_err *err)
{
	struct jl_about about = {.etag = d->g->etag, .modified = d->g->modified, .boot = jl_about_boot()};
	int r = JL_OK;

	if (ftruncate(d->fd, 0) != 0)
		r = jl_err_sys(err, errno, "cannot write");
	if (r == JL_OK)
		r = jl_about_write(d->g->dir_fd, ".part-of", &about, err);
	free(about.boot);
	return r;
}

static int check_room(const struct download *d, struct jl_err *err)
{
	const uint64_t size = d->call.found;
	struct statvfs vfs;

	if (size == JL_TALK_UNKNOWN || fstatvfs(d->fd, &vfs) != 0)
		return JL_OK;
	if ((size - d->call.from) / vfs.f_frsize < vfs.f_bavail)
		return JL_OK;
	return jl_err_set(err, JL_ELIMIT, "its %.1f MB do not fit on the disk", (double)size / 1e6);
}

static int about(struct jl_peer_call *c, const struct jl_talk *found, struct jl_err *err)
{
	struct download *d = (struct download *)c;
	struct jl_tier_get *g = d->g;
	char *from = jl_talk_setting(found, "from");
	const uint64_t begins = from ? strtoull(from, NULL, 10) : 0;

	free(from);
	set(&g->etag, jl_talk_setting(found, "etag"));
	set(&g->modified, jl_talk_setting(found, "modified"));
	if (d->fd < 0)
		return jl_err_sys(err, errno, "cannot make a file for it");
	if (begins && (begins != c->from || differ(g->etag, d->part.etag) || differ(g->modified, d->part.modified)))
		return jl_err_set(err, JL_ECHANGED, "it changed while it was brought");
	c->from = begins;
	if (!d->begun)
		g->resumed = begins;
	d->begun = true;
	g->got = begins;
	g->size = c->found;
	if (begins && c->found < begins)
		return jl_err_set(err, JL_ECHANGED, "it is shorter than before");
	if (check_room(d, err) != JL_OK)
		return JL_ELIMIT;
	return begins ? JL_OK : begin_part(d, err);
}

static int take(struct jl_peer_call *c, const void *data, size_t len, struct jl_err *err)
{
	struct download *d = (struct download *)c;
	const char *at = data;
	uint64_t to = d->g->got;

	while (len > 0) {
		ssize_t n = pwrite(d->fd, at, len, (off_t)to);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return jl_err_sys(err, errno, "cannot write what comes");
		at += n;
		to += (uint64_t)n;
		len -= (size_t)n;
	}
	d->g->got = to;
	if (to < d->look_at)
		return JL_OK;
	d->look_at = to + LOOK_BYTES;
	return jl_file_has_room(d->fd) ? JL_OK : jl_err_set(err, JL_ELIMIT, "the disk is almost full");
}

/* ---- the end ---- */

static int check(const struct download *d, const struct jl_digest *is, struct jl_err *err)
{
	const struct jl_digest *want = &d->g->want;
	char a[JL_DIGEST_TEXT], b[JL_DIGEST_TEXT];

	if (want->algo == JL_DIGEST_NONE || jl_digest_equal(want, is))
		return JL_OK;
	return jl_err_set(err, JL_ECORRUPT, "its content is %s, not %s", jl_digest_text(is, a), jl_digest_text(want, b));
}

/* All came: is it what it must be, what is it, and into the store with it. */
static int settle(struct download *d, struct jl_err *err)
{
	struct jl_tier_get *g = d->g;
	struct jl_store *local = d->t->local;
	struct jl_digest is = {.algo = JL_DIGEST_NONE};
	uint64_t size = 0;
	int r = JL_OK;

	if (g->want.algo != JL_DIGEST_NONE) {
		r = jl_digest_fd_as((enum jl_digest_algo)g->want.algo, &jl_io_system, d->fd, &is, &size, err);
		if (r == JL_OK)
			r = check(d, &is, err);
		if (r != JL_OK)
			return r;
	}
	if (is.algo == g->algo)
		g->digest = is;
	else
		r = jl_digest_fd_as(g->algo, &jl_io_system, d->fd, &g->digest, &size, err);
	g->got = g->size = r == JL_OK ? size : g->got;
	/* Without it there, it is brought once more another time. */
	g->keep = g->keep && r == JL_OK && local &&
		  local->ops->put_blob(local, &g->digest, size, d->fd, NULL) == JL_OK;
	return r;
}

static void done(struct jl_peer_call *c, int status, const struct jl_err *err)
{
	struct download *d = (struct download *)c;
	struct jl_tier_get *g = d->g;
	const bool part = c->from > 0;

	g->err = err ? *err : (struct jl_err)JL_ERR_INIT;
	g->unchanged = c->unchanged;
	if (status == JL_OK && !c->unchanged && d->fd < 0)
		status = jl_err_set(&g->err, JL_EIO, "cannot make a file for it");
	if (status == JL_OK && !c->unchanged)
		status = settle(d, &g->err);
	if (status == JL_ECORRUPT || status == JL_ECHANGED || status == JL_ELIMIT) {
		unlinkat(g->dir_fd, ".part", 0);
		unlinkat(g->dir_fd, ".part-of", 0);
	}
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	/* What was cut and what went on do not fit: once more, from the start. */
	if (!d->anew && ((status == JL_ECORRUPT && part) || status == JL_ECHANGED)) {
		d->anew = true;
		c->unchanged = false;
		jl_peer_start(&d->site->peer, c);
		return;
	}
	g->status = status;
	d->site->n_open--;
	answer(d->t, g);
	jl_about_release(&d->part);
	jl_buf_release(&d->settings);
	free(d);
}

static void begin(struct jl_tier *t, struct jl_tier_site *s, struct jl_tier_get *g)
{
	struct download *d = jl_calloc(1, sizeof(*d));
	struct jl_digest name;
	char hex[JL_DIGEST_TEXT];

	*d = (struct download){.t = t, .site = s, .g = g, .settings = JL_BUF_INIT, .fd = -1, .look_at = LOOK_BYTES};
	d->call = (struct jl_peer_call){.op = JL_TALK_GET,
					.size = UINT64_MAX,
					.restart = restart,
					.data = take,
					.done = done,
					.about = about,
					.settings = &d->settings};
	jl_digest_bytes(g->path, strlen(g->path), &name);
	snprintf(d->call.name, sizeof(d->call.name), "%s", jl_digest_hex(&name, hex));
	s->n_open++;
	jl_peer_start(&s->peer, &d->call);
}

/* ---- servers ---- */

static struct jl_tier_site *find(struct jl_tier *t, const char *url)
{
	struct jl_tier_site *s = t->sites;

	while (s && strcmp(s->peer.url, url) != 0)
		s = s->next;
	return s;
}

/* Let go of one that nobody needs at present: better one that lives, so that what is dead is remembered. */
static bool make_room(struct jl_tier *t)
{
	struct jl_tier_site **found = NULL, *s;

	for (struct jl_tier_site **at = &t->sites; *at; at = &(*at)->next)
		if (!(*at)->n_open && (!found || !(*at)->peer.dead))
			found = at;
	if (!found)
		return false;
	s = *found;
	*found = s->next;
	jl_peer_release(&s->peer);
	free(s);
	t->n_sites--;
	return true;
}

static struct jl_tier_site *site_of(struct jl_tier *t, const struct jl_tier_get *g)
{
	struct jl_tier_site *s = find(t, g->site);

	if (s || (t->n_sites >= JL_TIER_SITES && !make_room(t)))
		return s;
	s = jl_calloc(1, sizeof(*s));
	jl_peer_init(&s->peer, g->host, g->site, false, t->patience_ns ? t->patience_ns : PATIENCE_NS);
	s->peer.lenient = true;
	s->next = t->sites;
	t->sites = s;
	t->n_sites++;
	return s;
}

void jl_tier_sites_take(struct jl_tier *t, struct jl_tier_get *gets)
{
	*t->queued_last = gets;
	while (*t->queued_last)
		t->queued_last = &(*t->queued_last)->next;
}

void jl_tier_sites_turn(struct jl_tier *t)
{
	struct jl_tier_get **at = &t->queued, *g;

	while ((g = *at)) {
		struct jl_tier_site *s = site_of(t, g);

		if (!s) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		begin(t, s, g);
	}
	t->queued_last = at;
	for (struct jl_tier_site *s = t->sites; s; s = s->next)
		jl_peer_turn(&s->peer);
}

unsigned jl_tier_sites_poll(struct jl_tier *t, struct pollfd *ret, int64_t *until_ns)
{
	unsigned n = 0;

	*until_ns = JL_FOREVER;
	for (struct jl_tier_site *s = t->sites; s; s = s->next) {
		int64_t one;

		n += jl_peer_poll(&s->peer, ret + n, &one);
		*until_ns = one < *until_ns ? one : *until_ns;
		if (t->queued && !s->n_open)
			*until_ns = 0; /* there is room for another */
	}
	return n;
}

void jl_tier_sites_end(struct jl_tier *t)
{
	while (t->sites) {
		struct jl_tier_site *s = t->sites;

		t->sites = s->next;
		jl_peer_give_up(&s->peer, "the run ended before");
		jl_peer_release(&s->peer);
		free(s);
	}
}
