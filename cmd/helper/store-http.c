/* jl-store-http: a shared store behind HTTP: http://, https:// (GET, HEAD and PUT, as WebDAV and object gateways have them),
 * and s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&style=path|host] (the same, signed). Speaks docs/formats/helper.md; what
 * it does of it is lib/http. */
#include "http/objects.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEPT (64 << 20)

static int say(const char *text)
{
	fprintf(stderr, "%s\n", text);
	return 1;
}

static int open_place(struct jl_place *p, const struct jl_talk *hello, struct jl_err *err)
{
	char *url = jl_strndup(hello->name, hello->name_len), *name = jl_talk_setting(hello, "name");
	int r = jl_place_open(p, url, name ? name : "", err);

	free(url);
	free(name);
	return r;
}

static int serve(struct jl_serve *s, struct jl_place *place, struct jl_transport *transport)
{
	struct jl_err err = JL_ERR_INIT;
	struct jl_objects objects;
	int r;

	jl_objects_open(&objects, place, transport, s);
	while ((r = jl_objects_turn(&objects, &err)) > 0)
		jl_transport_wait(transport, &s->in, 1, jl_objects_wait_ms(&objects));
	jl_objects_release(&objects);
	return r == JL_OK ? 0 : say(err.text);
}

int main(void)
{
	struct jl_serve s;
	struct jl_err err = JL_ERR_INIT;
	struct jl_transport transport;
	struct jl_place place;
	struct jl_talk hello;
	int status = 1;

	/* libcurl takes and gives back a large buffer for each request: memory that was had once is kept. */
	mallopt(M_MMAP_THRESHOLD, KEPT);
	mallopt(M_TRIM_THRESHOLD, KEPT);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* jl ends us when it has had enough */
	if (jl_serve_open(&s, STDIN_FILENO, STDOUT_FILENO, &hello, &err) != JL_OK)
		return say(err.text);
	if (open_place(&place, &hello, &err) != JL_OK) {
		(void)!jl_serve_fail(&s, 0, JL_TALK_PERMANENT, "%s", err.text);
		say(err.text);
		goto out;
	}
	if (jl_transport_open(&transport, &err) != JL_OK) {
		say(err.text);
		jl_place_release(&place);
		goto out;
	}
	if (jl_serve_welcome(&s, "http", JL_TALK_CAN_PUT | JL_TALK_CAN_RANGE | JL_TALK_CAN_FETCH) == JL_OK)
		status = serve(&s, &place, &transport);
	jl_place_release(&place); /* it may ask for credentials still */
	jl_transport_release(&transport);
out:
	jl_serve_release(&s);
	return status;
}
