/* jl-store-http: a shared store behind HTTP: http://, https:// (GET, HEAD and PUT, as WebDAV and object gateways have them),
 * and s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&style=path|host] (the same, signed). Speaks docs/formats/helper.md; all
 * transfers go through one multi handle, so connections are kept and shared.
 *
 * Secrets come from the environment or ~/.netrc, see joblib.yaml(5). They are sent to the host of the URL alone: redirects
 * are followed by hand, within the hosts that are allowed, without them to any other. Certificates are always checked. */
#include "store/s3.h"
#include "store/serve.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS   32L
#define REDIRECTS_MAX 5u
#define CONNECT_MS    10000L
#define IDLE_MS       60000

struct request {
	struct request *next;
	struct http *h;
	CURL *easy;
	struct curl_slist *headers;
	uint32_t id;
	enum jl_talk_type op;
	uint64_t size, from;
	uint64_t credit;    /* GET: bytes that may be sent on */
	struct jl_buf body; /* PUT: what came and was not read yet, from body_at on */
	size_t body_at;
	bool ended, paused; /* PUT: all came; the transfer waits for more, or for credit */
	bool found;         /* FOUND was sent */
	bool broken;        /* jl has gone */
	unsigned redirects;
	char error[CURL_ERROR_SIZE];
};

struct http {
	struct jl_serve serve;
	CURLM *multi;
	struct request *first;
	char *base;  /* with no slash at its end */
	char *name;  /* the remote's, for variables */
	char *hosts; /* a list of hosts that redirects may lead to; NULL: none but the base's */
	char *token, *user, *password, *cert, *key, *ca; /* NULL: none */
	char *sign, *session;                            /* s3: what curl is to sign as; a token that goes along */
};

static int say(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

/* ---- settings ---- */

/* $JL_REMOTE_NAME_WHAT; NULL: not set. */
static char *variable(const struct http *h, const char *what)
{
	char name[200];
	const char *value;

	snprintf(name, sizeof(name), "JL_REMOTE_%s_%s", h->name ? h->name : "", what);
	for (char *s = name; *s; s++)
		*s = isalnum((unsigned char)*s) ? (char)toupper((unsigned char)*s) : '_';
	value = getenv(name);
	return value && value[0] ? jl_strdup(value) : NULL;
}

/* What the URL and the environment say of a bucket. */
static int open_s3(struct http *h, const char *url, struct jl_err *err)
{
	struct jl_s3 at;
	int r = jl_s3_open(url, &at, err);

	if (r != JL_OK)
		return r;
	h->base = at.base;
	h->sign = at.sign;
	h->user = at.user;
	h->password = at.password;
	h->session = at.session;
	return JL_OK;
}

static int open_url(struct http *h, const struct jl_talk *hello, struct jl_err *err)
{
	char *url = jl_strndup(hello->name, hello->name_len);
	int r = JL_OK;

	h->name = jl_talk_setting(hello, "name");
	h->hosts = variable(h, "HOSTS");
	h->cert = variable(h, "CERT");
	h->key = variable(h, "KEY");
	h->ca = variable(h, "CACERT");
	if (strncmp(url, "s3://", 5) == 0) {
		r = open_s3(h, url, err);
	} else if (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0) {
		h->base = jl_strdup(url);
		h->token = variable(h, "TOKEN");
		h->user = variable(h, "USER");
		h->password = variable(h, "PASSWORD");
	} else {
		r = jl_err_set(err, JL_EINVAL, "the URL begins with http://, https:// or s3://");
	}
	for (size_t n = h->base ? strlen(h->base) : 0; n > 0 && h->base[n - 1] == '/';)
		h->base[--n] = '\0';
	free(url);
	return r;
}

static void forget_settings(struct http *h)
{
	char *all[] = {h->base, h->name, h->hosts, h->token, h->user,   h->password,
		       h->cert, h->key,  h->ca,    h->sign,  h->session};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]);
}

/* ---- one transfer ---- */

static void end(struct request *q)
{
	struct request **at = &q->h->first;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	curl_multi_remove_handle(q->h->multi, q->easy);
	curl_easy_cleanup(q->easy);
	curl_slist_free_all(q->headers);
	jl_buf_release(&q->body);
	free(q);
}

static bool tell(struct request *q, const struct jl_talk *m)
{
	if (!q->broken && jl_serve_send(&q->h->serve, m) != JL_OK)
		q->broken = true;
	return !q->broken;
}

static long status_of(const struct request *q)
{
	long status = 0;

	curl_easy_getinfo(q->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool is_good(const struct request *q)
{
	const long status = status_of(q);

	if (q->op == JL_TALK_GET && q->from)
		return status == 206;
	return q->op == JL_TALK_PUT ? status >= 200 && status < 300 : status == 200;
}

static bool tell_found(struct request *q)
{
	curl_off_t length = -1;
	struct jl_talk m = {.type = JL_TALK_FOUND, .id = q->id, .size = JL_TALK_UNKNOWN};

	if (q->found)
		return true;
	q->found = true;
	curl_easy_getinfo(q->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length >= 0)
		m.size = (uint64_t)length + q->from;
	return tell(q, &m);
}

static size_t on_body(char *data, size_t one, size_t n, void *ctx)
{
	struct request *q = ctx;
	const size_t len = one * n;

	if (!is_good(q) || q->op != JL_TALK_GET) /* a page that says what is wrong */
		return len;
	if (q->credit < len) {
		q->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (!tell_found(q))
		return 0;
	q->credit -= len;
	for (size_t at = 0; at < len;) {
		const size_t piece = len - at < JL_TALK_PIECE ? len - at : JL_TALK_PIECE;

		if (!tell(q, &(struct jl_talk){.type = JL_TALK_DATA, .id = q->id, .data = data + at, .len = piece}))
			return 0;
		at += piece;
	}
	return len;
}

static size_t on_read(char *to, size_t one, size_t n, void *ctx)
{
	struct request *q = ctx;
	size_t len = q->body.len - q->body_at;

	if (len == 0 && !q->ended) {
		q->paused = true;
		return CURL_READFUNC_PAUSE;
	}
	if (len > one * n)
		len = one * n;
	if (len == 0)
		return 0;
	memcpy(to, q->body.data + q->body_at, len);
	q->body_at += len;
	if (q->body_at == q->body.len) {
		jl_buf_clear(&q->body);
		q->body_at = 0;
	}
	if (!tell(q, &(struct jl_talk){.type = JL_TALK_CREDIT, .id = q->id, .count = (uint32_t)len}))
		return CURL_READFUNC_ABORT;
	return len;
}

/* "scheme://host:port" of both is one. */
static bool same_origin(const char *a, const char *b)
{
	const char *host = strstr(a, "://");
	const size_t len = host ? (size_t)(host - a) + 3 + strcspn(host + 3, "/?#") : strlen(a);

	return strncasecmp(a, b, len) == 0 && strchr("/?#", b[len]);
}

static void authorize(struct request *q, const char *url)
{
	const struct http *h = q->h;
	struct jl_buf line = JL_BUF_INIT;

	if (!same_origin(h->base, url)) {
		curl_easy_setopt(q->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
		return;
	}
	if (h->cert)
		curl_easy_setopt(q->easy, CURLOPT_SSLCERT, h->cert);
	if (h->key)
		curl_easy_setopt(q->easy, CURLOPT_SSLKEY, h->key);
	if (h->sign) {
		curl_easy_setopt(q->easy, CURLOPT_AWS_SIGV4, h->sign);
		q->headers = curl_slist_append(q->headers, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
	}
	if (h->session) {
		jl_buf_printf(&line, "x-amz-security-token: %s", h->session);
		q->headers = curl_slist_append(q->headers, line.data);
	}
	if (h->user) {
		curl_easy_setopt(q->easy, CURLOPT_USERNAME, h->user);
		curl_easy_setopt(q->easy, CURLOPT_PASSWORD, h->password ? h->password : "");
		if (!h->sign)
			curl_easy_setopt(q->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	} else if (h->token) {
		jl_buf_clear(&line);
		jl_buf_printf(&line, "Authorization: Bearer %s", h->token);
		q->headers = curl_slist_append(q->headers, line.data);
	} else {
		curl_easy_setopt(q->easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	}
	jl_buf_release(&line);
}

static void set_up(struct request *q, const char *url)
{
	CURL *c = q->easy;
	char range[40];

	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_PRIVATE, q);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, q->error);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, q);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "jl/" JL_VERSION);
	if (q->h->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, q->h->ca);
	if (!q->h->sign) /* libcurl would sign it, and not send it */
		q->headers = curl_slist_append(q->headers, "Expect:");
	authorize(q, url);
	if (q->op == JL_TALK_HEAD)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	if (q->op == JL_TALK_PUT) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->size);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(c, CURLOPT_READDATA, q);
		q->headers = curl_slist_append(q->headers, "Content-Type: application/octet-stream");
	}
	if (q->op == JL_TALK_GET && q->from) {
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)q->from);
		curl_easy_setopt(c, CURLOPT_RANGE, range);
	}
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, q->headers);
	curl_multi_add_handle(q->h->multi, c);
}

static void begin(struct http *h, const struct jl_talk *m)
{
	struct request *q = jl_calloc(1, sizeof(*q));
	struct jl_buf url = JL_BUF_INIT;

	*q = (struct request){.next = h->first,
			      .h = h,
			      .easy = curl_easy_init(),
			      .id = m->id,
			      .op = m->type,
			      .size = m->type == JL_TALK_PUT ? m->size : 0,
			      .from = m->type == JL_TALK_GET ? m->size : 0,
			      .credit = JL_TALK_WINDOW,
			      .body = JL_BUF_INIT};
	if (!q->easy)
		jl_oom();
	h->first = q;
	jl_buf_printf(&url, "%s/%.*s", h->base, (int)m->name_len, m->name);
	set_up(q, url.data);
	jl_buf_release(&url);
}

/* ---- how it ended ---- */

/* Is HOST one of "a,b"? */
static bool is_allowed(const char *hosts, const char *host)
{
	const size_t len = strlen(host);

	for (const char *at = hosts; at && *at; at = *strchrnul(at, ',') ? strchrnul(at, ',') + 1 : NULL)
		if (strcspn(at, ",") == len && strncasecmp(at, host, len) == 0)
			return true;
	return false;
}

/* May what is asked for be asked for there? To the base's own host, or one that is allowed, and never from https to http. */
static bool may_follow(const struct request *q, const char *url)
{
	CURLU *from = curl_url(), *to = curl_url();
	char *from_host = NULL, *to_host = NULL, *from_scheme = NULL, *to_scheme = NULL;
	bool ok = false;

	if (from && to && curl_url_set(from, CURLUPART_URL, q->h->base, 0) == CURLUE_OK &&
	    curl_url_set(to, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(from, CURLUPART_HOST, &from_host, 0) == CURLUE_OK &&
	    curl_url_get(to, CURLUPART_HOST, &to_host, 0) == CURLUE_OK &&
	    curl_url_get(from, CURLUPART_SCHEME, &from_scheme, 0) == CURLUE_OK &&
	    curl_url_get(to, CURLUPART_SCHEME, &to_scheme, 0) == CURLUE_OK)
		ok = (strcasecmp(from_host, to_host) == 0 || is_allowed(q->h->hosts, to_host)) &&
		     (strcmp(to_scheme, "https") == 0 || strcmp(from_scheme, to_scheme) == 0) &&
		     strncmp(to_scheme, "http", 4) == 0;
	curl_free(from_host);
	curl_free(to_host);
	curl_free(from_scheme);
	curl_free(to_scheme);
	curl_url_cleanup(from);
	curl_url_cleanup(to);
	return ok;
}

/* true: it goes on elsewhere. */
static bool follow(struct request *q)
{
	char *url = NULL, *copy;

	curl_easy_getinfo(q->easy, CURLINFO_REDIRECT_URL, &url);
	if (!url || q->op == JL_TALK_PUT || ++q->redirects > REDIRECTS_MAX || !may_follow(q, url))
		return false;
	copy = jl_strdup(url);
	curl_multi_remove_handle(q->h->multi, q->easy);
	curl_easy_reset(q->easy);
	curl_slist_free_all(q->headers);
	q->headers = NULL;
	set_up(q, copy);
	free(copy);
	return true;
}

static enum jl_talk_error kind_of_status(long status)
{
	if (status == 404 || status == 410)
		return JL_TALK_NOT_FOUND;
	if (status == 401 || status == 403 || status == 407)
		return JL_TALK_REFUSED;
	return status == 408 || status == 423 || status == 425 || status == 429 || status >= 500 ? JL_TALK_TEMPORARY
												 : JL_TALK_PERMANENT;
}

static enum jl_talk_error kind_of_failure(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_LOGIN_DENIED:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT: return JL_TALK_PERMANENT;
	default: return JL_TALK_TEMPORARY;
	}
}

static void ended(struct request *q, CURLcode code)
{
	const long status = status_of(q);
	struct jl_serve *s = &q->h->serve;

	if (code != CURLE_OK) {
		(void)!jl_serve_fail(s, q->id, kind_of_failure(code), "%s",
				     q->error[0] ? q->error : curl_easy_strerror(code));
	} else if (is_good(q)) {
		if (q->op == JL_TALK_PUT || tell_found(q))
			tell(q, &(struct jl_talk){.type = JL_TALK_END, .id = q->id});
	} else if (status >= 300 && status < 400) {
		if (follow(q))
			return;
		(void)!jl_serve_fail(s, q->id, JL_TALK_REFUSED, "HTTP %ld to a place that is not allowed", status);
	} else {
		(void)!jl_serve_fail(s, q->id, kind_of_status(status), "HTTP %ld", status);
	}
	end(q);
}

/* ---- what jl says ---- */

static struct request *find(struct http *h, uint32_t id)
{
	struct request *q = h->first;

	while (q && q->id != id)
		q = q->next;
	return q;
}

static void go_on(struct request *q)
{
	if (q->paused) {
		q->paused = false;
		curl_easy_pause(q->easy, CURLPAUSE_CONT);
	}
}

static int take(struct http *h, const struct jl_talk *m)
{
	struct request *q = find(h, m->id);

	if (m->type == JL_TALK_GET || m->type == JL_TALK_HEAD || m->type == JL_TALK_PUT) {
		if (q)
			return JL_ECORRUPT;
		begin(h, m);
		return JL_OK;
	}
	if (!q) /* its answer is on its way */
		return JL_OK;
	switch (m->type) {
	case JL_TALK_CREDIT:
		q->credit += m->count;
		go_on(q);
		return JL_OK;
	case JL_TALK_DATA:
		if (q->op != JL_TALK_PUT || jl_buf_add(&q->body, m->data, m->len) != JL_OK)
			return JL_ECORRUPT;
		go_on(q);
		return JL_OK;
	case JL_TALK_END:
		q->ended = true;
		go_on(q);
		return JL_OK;
	case JL_TALK_CANCEL: end(q); return jl_serve_fail(&h->serve, m->id, JL_TALK_PERMANENT, "cancelled");
	default: return JL_ECORRUPT;
	}
}

/* All that goes without waiting. What ends may begin something else, and what is begun may end at once. */
static bool work(struct http *h)
{
	bool some = true;
	int left;

	while (some) {
		CURLMsg *msg;

		some = false;
		if (curl_multi_perform(h->multi, &left) != CURLM_OK)
			return false;
		while ((msg = curl_multi_info_read(h->multi, &left))) {
			struct request *q;

			if (msg->msg != CURLMSG_DONE)
				continue;
			curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &q);
			ended(q, msg->data.result);
			some = true;
		}
	}
	return true;
}

static int serve(struct http *h)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_talk m;
	int r = JL_OK;

	for (;;) {
		struct curl_waitfd in = {.fd = STDIN_FILENO, .events = CURL_WAIT_POLLIN};

		/* First what has come already, with the hello perhaps: no descriptor tells of that. */
		while (r == JL_OK && (r = jl_serve_next(&h->serve, false, &m, &err)) == 1)
			r = take(h, &m);
		if (r != JL_OK || h->serve.ended)
			break;
		if (!work(h))
			r = jl_err_set(&err, JL_EIO, "libcurl failed");
		else
			curl_multi_poll(h->multi, &in, 1, IDLE_MS, NULL);
	}
	while (h->first)
		end(h->first);
	return r == JL_OK ? 0 : say(err.text[0] ? err.text : "cannot talk to jl");
}

int main(void)
{
	struct http h = {0};
	struct jl_err err = JL_ERR_INIT;
	struct jl_talk hello;
	int status = 1;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* jl ends us when it has had enough */
	if (jl_serve_open(&h.serve, STDIN_FILENO, STDOUT_FILENO, &hello, &err) != JL_OK)
		return say(err.text);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return say("libcurl cannot be used");
	if (open_url(&h, &hello, &err) != JL_OK) {
		(void)!jl_serve_fail(&h.serve, 0, JL_TALK_PERMANENT, "%s", err.text);
		say(err.text);
	} else {
		h.multi = curl_multi_init();
		curl_multi_setopt(h.multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS);
		curl_multi_setopt(h.multi, CURLMOPT_MAXCONNECTS, CONNECTIONS);
		curl_multi_setopt(h.multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
		if (jl_serve_welcome(&h.serve, "http", JL_TALK_CAN_PUT | JL_TALK_CAN_RANGE) == JL_OK)
			status = serve(&h);
		curl_multi_cleanup(h.multi);
	}
	jl_serve_release(&h.serve);
	forget_settings(&h);
	curl_global_cleanup();
	return status;
}
