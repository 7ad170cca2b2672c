/* See transport.h. */
#include "http/transport.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECTIONS 64L
#define CONNECT_MS  10000L
#define BUFFER      (256L << 10)
#define WAIT_MAX    4

_Static_assert(CURL_ERROR_SIZE <= sizeof(((struct jl_transfer *)0)->error), "room for libcurl's words");

int jl_transport_open(struct jl_transport *all, struct jl_err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return jl_err_set(err, JL_EUNSUPPORTED, "libcurl cannot be used");
	*all = (struct jl_transport){.multi = curl_multi_init()};
	if (!all->multi)
		jl_oom();
	curl_multi_setopt(all->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS);
	curl_multi_setopt(all->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS);
	curl_multi_setopt(all->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	return JL_OK;
}

void jl_transport_over(struct jl_transport *all, const void *address, unsigned len)
{
	jl_bug_if(len > sizeof(all->local));
	memcpy(all->local, address, len);
	all->local_len = len;
	curl_multi_setopt(all->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 1L);
}

void jl_transport_release(struct jl_transport *all)
{
	curl_multi_cleanup(all->multi);
	curl_global_cleanup();
}

/* ---- how it ends ---- */

static enum jl_talk_error kind_of(CURLcode code)
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

static void ended(CURL *easy, CURLcode code)
{
	struct jl_transfer *t;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
	curl_multi_remove_handle(t->all->multi, easy);
	t->running = false;
	if (code == CURLE_OK)
		t->done(t, NULL, JL_TALK_PERMANENT);
	else
		t->done(t, t->error[0] ? t->error : curl_easy_strerror(code), kind_of(code));
}

/* What ends may begin something else, and what is begun may end at once. */
bool jl_transport_work(struct jl_transport *all)
{
	bool some = true;
	int left;

	while (some) {
		CURLMsg *msg;

		some = false;
		if (curl_multi_perform(all->multi, &left) != CURLM_OK)
			return false;
		while ((msg = curl_multi_info_read(all->multi, &left))) {
			if (msg->msg != CURLMSG_DONE)
				continue;
			ended(msg->easy_handle, msg->data.result);
			some = true;
		}
	}
	return true;
}

void jl_transport_wait(struct jl_transport *all, const int *fds, unsigned n, int ms)
{
	struct curl_waitfd in[WAIT_MAX];
	unsigned used = 0;

	jl_bug_if(n > WAIT_MAX);
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			in[used++] = (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
	curl_multi_poll(all->multi, in, used, ms, NULL);
}

/* ---- one transfer ---- */

static size_t on_body(char *data, size_t one, size_t n, void *ctx)
{
	struct jl_transfer *t = ctx;

	if (t->take && !t->take(t, data, one * n)) {
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	return one * n;
}

static size_t on_read(char *to, size_t one, size_t n, void *ctx)
{
	struct jl_transfer *t = ctx;
	ssize_t len = t->give(t, to, one * n);

	t->paused = len == 0;
	return len > 0 ? (size_t)len : len == 0 ? CURL_READFUNC_PAUSE : CURL_READFUNC_ABORT;
}

void jl_transfer_add(struct jl_transfer *t, const char *name, const char *value)
{
	struct jl_buf line = JL_BUF_INIT;
	struct curl_slist *list;

	jl_buf_printf(&line, "%s: %s", name, value);
	list = curl_slist_append(t->headers, line.data);
	if (!list)
		jl_oom();
	t->headers = list;
	jl_buf_release(&line);
}

/* libcurl connects what it is given, to the address that we put in place of the host's. */
static curl_socket_t on_connect(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct jl_transport *all = ctx;

	(void)purpose;
	address->family = AF_UNIX;
	address->protocol = 0;
	address->addrlen = all->local_len;
	memcpy(&address->addr, all->local, all->local_len);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* How the host is reached. */
static void set_connection(struct jl_transport *all, CURL *c, const char *url)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* Where a connection may take many at once the others wait until that is known; else they would wait for its end. */
	curl_easy_setopt(c, CURLOPT_PIPEWAIT, (long)(all->local_len || strncmp(url, "https:", 6) == 0));
	if (!all->local_len)
		return;
	/* Before 8.0 libcurl says its greeting once more when another transfer joins the connection that had it. */
	if (!all->greeted || curl_version_info(CURLVERSION_NOW)->version_num >= 0x080000)
		curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
	all->greeted = true;
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_connect);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, all);
}

static void identify(struct jl_transfer *t)
{
	const struct jl_transfer_who *who = t->who;
	struct jl_buf bearer = JL_BUF_INIT;
	CURL *c = t->easy;

	if (!who) {
		curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
		return;
	}
	if (who->cert)
		curl_easy_setopt(c, CURLOPT_SSLCERT, who->cert);
	if (who->key)
		curl_easy_setopt(c, CURLOPT_SSLKEY, who->key);
	if (who->sign) {
		curl_easy_setopt(c, CURLOPT_AWS_SIGV4, who->sign);
		jl_transfer_add(t, "x-amz-content-sha256", t->digest ? t->digest : "UNSIGNED-PAYLOAD");
	}
	if (who->session)
		jl_transfer_add(t, "x-amz-security-token", who->session);
	if (who->user) {
		curl_easy_setopt(c, CURLOPT_USERNAME, who->user);
		curl_easy_setopt(c, CURLOPT_PASSWORD, who->password ? who->password : "");
		if (!who->sign)
			curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	} else if (who->token) {
		jl_buf_printf(&bearer, "Bearer %s", who->token);
		jl_transfer_add(t, "Authorization", bearer.data);
		explicit_bzero(bearer.data, bearer.len);
	} else {
		curl_easy_setopt(c, CURLOPT_NETRC, (long)(who->netrc ? CURL_NETRC_OPTIONAL : CURL_NETRC_IGNORED));
	}
	jl_buf_release(&bearer);
}

static void set_method(struct jl_transfer *t)
{
	CURL *c = t->easy;
	char range[40];

	if (t->method == JL_TRANSFER_HEAD)
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	if (t->method == JL_TRANSFER_DELETE)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "DELETE");
	if (t->method == JL_TRANSFER_PUT || t->method == JL_TRANSFER_POST) {
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		if (t->method == JL_TRANSFER_POST)
			curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, "POST");
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->size);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(c, CURLOPT_READDATA, t);
		jl_transfer_add(t, "Content-Type", "application/octet-stream");
	}
	if (t->method == JL_TRANSFER_GET && t->from) {
		snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->from);
		curl_easy_setopt(c, CURLOPT_RANGE, range);
	}
}

void jl_transfer_start(struct jl_transport *all, struct jl_transfer *t, const char *url)
{
	char *copy = jl_strdup(url); /* it may be of the answer before */
	CURL *c = t->easy ? t->easy : curl_easy_init();

	if (!c)
		jl_oom();
	curl_easy_reset(c);
	curl_slist_free_all(t->headers);
	t->headers = NULL;
	t->all = all;
	t->easy = c;
	t->paused = false;
	t->error[0] = '\0';
	set_connection(all, c, copy);
	curl_easy_setopt(c, CURLOPT_URL, copy);
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, BUFFER);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "jl/" JL_VERSION);
	if (t->direct)
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	if (t->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, t->ca);
	if (!t->who || !t->who->sign) /* libcurl would sign it, and not send it */
		jl_transfer_add(t, "Expect", "");
	identify(t);
	set_method(t);
	if (t->prepare)
		t->prepare(t);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	t->running = curl_multi_add_handle(all->multi, c) == CURLM_OK;
	jl_bug_if(!t->running);
	free(copy);
}

void jl_transfer_go_on(struct jl_transfer *t)
{
	if (t->paused && t->running) {
		t->paused = false;
		curl_easy_pause(t->easy, CURLPAUSE_CONT);
	}
}

void jl_transfer_release(struct jl_transfer *t)
{
	if (t->running)
		curl_multi_remove_handle(t->all->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	t->easy = NULL;
	t->headers = NULL;
	t->running = false;
}

/* ---- its answer ---- */

long jl_transfer_status(const struct jl_transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

uint64_t jl_transfer_length(const struct jl_transfer *t)
{
	curl_off_t length = -1;

	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	return length < 0 ? JL_TALK_UNKNOWN : (uint64_t)length;
}

const char *jl_transfer_header(const struct jl_transfer *t, const char *name)
{
	struct curl_header *header;

	return curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : NULL;
}

enum jl_talk_error jl_transfer_kind(long status)
{
	if (status == 404 || status == 410)
		return JL_TALK_NOT_FOUND;
	if (status == 401 || status == 403 || status == 407)
		return JL_TALK_REFUSED;
	return status == 408 || status == 423 || status == 425 || status == 429 || status >= 500 ? JL_TALK_TEMPORARY
												 : JL_TALK_PERMANENT;
}

const char *jl_transfer_redirect(const struct jl_transfer *t)
{
	char *url = NULL;

	curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &url);
	return url;
}

/* ---- URLs ---- */

bool jl_url_same_origin(const char *a, const char *b)
{
	const char *host = strstr(a, "://");
	const size_t len = host ? (size_t)(host - a) + 3 + strcspn(host + 3, "/?#") : strlen(a);

	return strncasecmp(a, b, len) == 0 && strchr("/?#", b[len]);
}

/* Is HOST one of "a,b"? */
static bool is_listed(const char *hosts, const char *host)
{
	const size_t len = strlen(host);

	if (hosts && strcmp(hosts, "*") == 0)
		return true;
	for (const char *at = hosts; at && *at; at = *strchrnul(at, ',') ? strchrnul(at, ',') + 1 : NULL)
		if (strcspn(at, ",") == len && strncasecmp(at, host, len) == 0)
			return true;
	return false;
}

bool jl_url_may_follow(const char *base, const char *url, const char *hosts)
{
	CURLU *from = curl_url(), *to = curl_url();
	char *from_host = NULL, *to_host = NULL, *from_scheme = NULL, *to_scheme = NULL;
	bool ok = false;

	if (from && to && curl_url_set(from, CURLUPART_URL, base, 0) == CURLUE_OK &&
	    curl_url_set(to, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(from, CURLUPART_HOST, &from_host, 0) == CURLUE_OK &&
	    curl_url_get(to, CURLUPART_HOST, &to_host, 0) == CURLUE_OK &&
	    curl_url_get(from, CURLUPART_SCHEME, &from_scheme, 0) == CURLUE_OK &&
	    curl_url_get(to, CURLUPART_SCHEME, &to_scheme, 0) == CURLUE_OK)
		ok = (strcasecmp(from_host, to_host) == 0 || is_listed(hosts, to_host)) &&
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
