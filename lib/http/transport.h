/* struct jl_transport: requests over HTTP and HTTPS, many at once, over connections that are kept and shared. The one file that
 * knows libcurl. Nothing is followed, tried again or decided here: how a transfer ended is its owner's business. Blocks nowhere
 * but in jl_transport_wait(). Single-threaded.
 *
 *     jl_transport_open(&all, &err);
 *     t->method = JL_TRANSFER_GET; t->take = …; t->done = …;
 *     jl_transfer_start(&all, t, url);
 *     while (jl_transport_work(&all))          callbacks are called from here
 *             jl_transport_wait(&all, fd, ms);
 */
#ifndef JL_HTTP_TRANSPORT_H
#define JL_HTTP_TRANSPORT_H

#include "store/talk.h"

#include <sys/types.h>

struct jl_transport {
	void *multi;
	char local[16];
	unsigned local_len;
	bool greeted;
};

/* Who asks. NULL: not by that. */
struct jl_transfer_who {
	const char *user, *password; /* basic; with `sign` the key's name and secret */
	const char *token;           /* bearer */
	const char *sign;            /* "aws:amz:REGION:s3" */
	const char *session;         /* signed, too */
	const char *cert, *key;      /* files of a client's certificate */
	bool netrc;                  /* ~/.netrc is looked at when there is neither user nor token */
};

enum jl_transfer_method {
	JL_TRANSFER_GET,
	JL_TRANSFER_HEAD,
	JL_TRANSFER_PUT,
	JL_TRANSFER_POST,
	JL_TRANSFER_DELETE,
};

struct jl_transfer {
	/* The owner's, filled in before jl_transfer_start() and valid until done(). */
	enum jl_transfer_method method;
	uint64_t size;                     /* PUT, POST: of the body */
	uint64_t from;                     /* GET: the first byte wanted */
	const struct jl_transfer_who *who; /* NULL: nobody */
	const char *ca;                    /* a file of certificates to believe; NULL: the system's */
	const char *digest;                /* signed: the SHA-256 of the body in hex; NULL: it is not signed */
	bool direct;                       /* never through a proxy */
	/* Add headers of its own by jl_transfer_add(); NULL: none. */
	void (*prepare)(struct jl_transfer *t);
	/* Of the answer's body, after its head: false, not now, and jl_transfer_go_on() is called later. NULL: not wanted. */
	bool (*take)(struct jl_transfer *t, const void *data, size_t len);
	/* PUT, POST with a body: fill in the next bytes: how many; 0: none now, and jl_transfer_go_on() is called later;
	 * -1: give it up. */
	ssize_t (*give)(struct jl_transfer *t, void *room, size_t len);
	/* It is over and may be started again or released, from in here, too. NULL: an answer came as a whole, whatever its
	 * status; else why not, and of what kind that is. */
	void (*done)(struct jl_transfer *t, const char *error, enum jl_talk_error kind);
	void *ctx;
	/* private */
	struct jl_transport *all;
	void *easy;
	struct curl_slist *headers;
	bool paused, running;
	char error[256];
};

int jl_transport_open(struct jl_transport *all, struct jl_err *err) JL_MUST_CHECK;
/* From now on all goes over one connection to this address of AF_UNIX (16 bytes at most), whatever host a URL names, and is
 * HTTP/2 from the first byte. */
void jl_transport_over(struct jl_transport *all, const void *address, unsigned len);
void jl_transport_release(struct jl_transport *all); /* no transfer may be open */
/* All that goes without waiting. false: it does not work any more. */
bool jl_transport_work(struct jl_transport *all);
/* Until something can go on, one of n descriptors (4 at most; below 0: none) is readable or so many milliseconds went by. */
void jl_transport_wait(struct jl_transport *all, const int *fds, unsigned n, int ms);

/* A transfer is all zero at first. The URL, and all that the transfer points to, is copied. */
void jl_transfer_start(struct jl_transport *all, struct jl_transfer *t, const char *url);
void jl_transfer_add(struct jl_transfer *t, const char *name, const char *value); /* only in prepare() */
void jl_transfer_go_on(struct jl_transfer *t);
/* Ends it, if it runs, without done(). */
void jl_transfer_release(struct jl_transfer *t);

/* Of the answer, in take() and done(). */
long jl_transfer_status(const struct jl_transfer *t);     /* 0: there was none */
uint64_t jl_transfer_length(const struct jl_transfer *t); /* of its body; JL_TALK_UNKNOWN */
/* What a status of 300 or more says of another try. */
enum jl_talk_error jl_transfer_kind(long status);
/* The value of a header; valid until the transfer starts again. NULL: it has none of that name. */
const char *jl_transfer_header(const struct jl_transfer *t, const char *name);
/* Where a redirect leads; valid until the transfer starts again. NULL: nowhere. */
const char *jl_transfer_redirect(const struct jl_transfer *t);

/* Is the scheme, host and port of both the same? */
bool jl_url_same_origin(const char *a, const char *b);
/* May what is asked for at `base` be asked for at `url`? On the same host or one of `hosts` ("a,b"; NULL: none; "*": any), and
 * never from https to http. */
bool jl_url_may_follow(const char *base, const char *url, const char *hosts);

#endif
