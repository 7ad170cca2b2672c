/* See login.h. */
#include "http/login.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)64 << 10)
#define TRIES      3u
#define DELAY_NS   (100 * JL_NS_MS)  /* before the second try; four times that before the third */
#define REST_NS    (5000 * JL_NS_MS) /* when all of them failed */

static int64_t now_s(void)
{
	return jl_clock_real_ns() / JL_NS_S;
}

int jl_login_open(struct jl_login *l, struct jl_err *err)
{
	*l = (struct jl_login){0};
	jl_buf_init(&l->answer, ANSWER_MAX);
	return jl_aws_open(&l->aws, err);
}

void jl_login_release(struct jl_login *l)
{
	jl_transfer_release(&l->transfer);
	explicit_bzero(l->answer.data, l->answer.len);
	jl_buf_release(&l->answer);
	jl_aws_release(&l->aws);
}

bool jl_login_is_good(const struct jl_login *l)
{
	return jl_aws_is_good(&l->aws, now_s());
}

static bool take(struct jl_transfer *t, const void *data, size_t len)
{
	struct jl_login *l = t->ctx;

	(void)!jl_buf_add(&l->answer, data, len); /* what is too long is no answer */
	return true;
}

static void done(struct jl_transfer *t, const char *error, enum jl_talk_error kind)
{
	struct jl_login *l = t->ctx;
	struct jl_err err = JL_ERR_INIT;
	const long status = jl_transfer_status(t);
	int64_t delay = DELAY_NS;

	(void)kind;
	l->asking = false;
	if (error)
		jl_err_set(&err, JL_EIO, "%s", error);
	else if (status != 200)
		jl_err_set(&err, JL_EIO, "HTTP %ld", status);
	else if (jl_aws_take(&l->aws, l->answer.data, now_s(), &err) == JL_OK && !jl_login_is_good(l))
		jl_err_set(&err, JL_EIO, "they have expired");
	explicit_bzero(l->answer.data, l->answer.len);
	jl_buf_clear(&l->answer);
	l->due_ns = 0;
	if (err.status == JL_OK) {
		l->tries = 0;
		return;
	}
	for (unsigned i = 0; i < l->tries; i++)
		delay *= 4;
	if (++l->tries == TRIES) {
		snprintf(l->fault, sizeof(l->fault), "credentials of the container: %.200s", err.text);
		l->tries = 0;
		delay = REST_NS;
	}
	l->due_ns = jl_clock_system.now_ns(&jl_clock_system) + delay;
}

static void prepare(struct jl_transfer *t)
{
	const struct jl_login *l = t->ctx;

	if (l->header)
		jl_transfer_add(t, "Authorization", l->header);
}

void jl_login_turn(struct jl_login *l, struct jl_transport *transport)
{
	struct jl_err err = JL_ERR_INIT;
	char *header;

	if (l->asking || !jl_aws_is_due(&l->aws, now_s()) || l->due_ns > jl_clock_system.now_ns(&jl_clock_system))
		return;
	l->fault[0] = '\0';
	if (jl_aws_header(&header, &err) != JL_OK) {
		snprintf(l->fault, sizeof(l->fault), "%.290s", err.text);
		l->due_ns = jl_clock_system.now_ns(&jl_clock_system) + REST_NS;
		return;
	}
	l->transfer.method = JL_TRANSFER_GET;
	l->transfer.direct = true;
	l->header = header;
	l->transfer.prepare = prepare;
	l->transfer.take = take;
	l->transfer.done = done;
	l->transfer.ctx = l;
	l->asking = true;
	jl_transfer_start(transport, &l->transfer, l->aws.url);
	free(header);
	l->header = NULL;
}
