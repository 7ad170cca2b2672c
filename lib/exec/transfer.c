/* Contents on their way: see transfer.h. */
#include "exec/transfer.h"

#include "base/clock.h"
#include "base/file.h"
#include "codec/codec.h"
#include "codec/piece.h"
#include "exec/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFLATES_NS 25 /* what deflate takes for a byte, at most: 40 MB a second */

struct jl_send {
	struct jl_send *next;
	uint64_t id;
	uint32_t index;
	int fd;
	bool pack, bare;  /* packed; not by deflate, as that does not pay */
	bool began;
	int64_t began_ns; /* when the first piece went, until its first credit has come; else 0 */
	uint64_t size, at;
	uint64_t credit; /* bytes of content that may go */
};

void jl_sends_add(struct jl_sends *s, uint64_t id, uint32_t index, int fd, uint64_t size, uint64_t from)
{
	struct jl_send *one = jl_calloc(1, sizeof(*one));
	*one = (struct jl_send){.id = id,
				.index = index,
				.fd = fd,
				.pack = jl_codec_sample(&jl_io_system, fd, size),
				.size = size,
				.at = from < size ? from : size,
				.credit = JL_MSG_WINDOW};
	if (s->last)
		s->last->next = one;
	else
		s->first = one;
	s->last = one;
}

static void put_piece(struct jl_buf *out, uint64_t id, uint32_t index, uint8_t flags, const void *data, size_t len)
{
	jl_wire_head(out, JL_MSG_DATA, 13 + len);
	jl_buf_u64(out, id);
	jl_buf_u32(out, index);
	jl_buf_u8(out, flags);
	jl_buf_add(out, data, len);
}

void jl_sends_fail(struct jl_buf *out, uint64_t id, uint32_t index)
{
	put_piece(out, id, index, JL_DATA_FAILED, "", 0);
}

static void free_send(struct jl_send *one)
{
	close(one->fd);
	free(one);
}

void jl_sends_credit(struct jl_sends *s, uint64_t id, uint32_t index, uint64_t bytes)
{
	for (struct jl_send *one = s->first; one; one = one->next)
		if (one->id == id && one->index == index) {
			int64_t took = one->began_ns ? jl_clock_system.now_ns(&jl_clock_system) - one->began_ns : 0;
			s->slow |= took > (int64_t)bytes * DEFLATES_NS;
			one->began_ns = 0;
			one->credit += bytes;
		}
}

/* Take out all, or those of a job. */
static void sift(struct jl_sends *s, uint64_t id, bool all)
{
	struct jl_send *list = s->first;
	s->first = s->last = NULL;
	while (list) {
		struct jl_send *one = list;
		list = one->next;
		one->next = NULL;
		if (all || one->id == id) {
			free_send(one);
			continue;
		}
		*(s->last ? &s->last->next : &s->first) = one;
		s->last = one;
	}
}

void jl_sends_drop(struct jl_sends *s, uint64_t id)
{
	sift(s, id, false);
}

void jl_sends_release(struct jl_sends *s)
{
	sift(s, 0, true);
}

/* What a piece takes when it is packed, and how; 0: it is not. */
static size_t pack(const struct jl_sends *s, struct jl_send *one, const char *data, size_t len, char *packed, uint8_t *ret_flag)
{
	size_t n = 0;
	if (one->pack) {
		*ret_flag = JL_DATA_PACKED;
		n = jl_piece_pack(data, len, packed, JL_MSG_DATA_MAX);
	} else if (s->deflates && s->slow && !one->bare) {
		*ret_flag = JL_DATA_DEFLATED;
		n = jl_piece_deflate(data, len, packed, JL_MSG_DATA_MAX);
		one->bare = n == 0 || n > len - len / 8;
	}
	return n;
}

/* The next piece of one file. false: that was the last. */
static bool send_piece(const struct jl_sends *s, struct jl_send *one, struct jl_buf *out)
{
	char data[JL_MSG_DATA_MAX], packed[JL_MSG_DATA_MAX];
	uint64_t left = one->size - one->at;
	size_t want = left < sizeof(data) ? (size_t)left : sizeof(data), packed_len = 0;
	ssize_t n;
	do
		n = pread(one->fd, data, want, (off_t)one->at);
	while (n < 0 && errno == EINTR);
	if (n < 0 || (size_t)n != want) { /* it was cut meanwhile */
		put_piece(out, one->id, one->index, JL_DATA_FAILED, "", 0);
		return false;
	}
	one->at += want;
	one->credit -= want < one->credit ? want : one->credit;
	uint8_t flags = one->at == one->size ? JL_DATA_LAST : 0, how = 0;
	packed_len = pack(s, one, data, want, packed, &how);
	if (packed_len)
		put_piece(out, one->id, one->index, flags | how, packed, packed_len);
	else
		put_piece(out, one->id, one->index, flags, data, want);
	return !flags;
}

bool jl_sends_pull(struct jl_sends *s, struct jl_buf *out)
{
	struct jl_send *before = NULL, *one = s->first;
	while (one && one->credit == 0 && one->at < one->size) {
		before = one;
		one = one->next;
	}
	if (!one)
		return false;
	*(before ? &before->next : &s->first) = one->next;
	if (s->last == one)
		s->last = before;
	one->next = NULL;
	uint64_t at = one->at;
	if (!one->began && s->deflates) {
		one->began = true;
		one->began_ns = jl_clock_system.now_ns(&jl_clock_system);
	}
	bool more = send_piece(s, one, out);
	s->bytes += one->at - at;
	if (!more) {
		free_send(one);
		return true;
	}
	*(s->last ? &s->last->next : &s->first) = one;
	s->last = one;
	return true;
}

void jl_receive_init(struct jl_receive *r, int fd, uint64_t size, uint64_t at)
{
	*r = (struct jl_receive){.fd = fd, .size = size, .at = at, .credited = at + JL_MSG_WINDOW};
}

int jl_receive_data(struct jl_receive *r, const struct jl_msg *m, uint64_t *ret_credit, struct jl_err *err)
{
	char room[JL_MSG_DATA_MAX];
	const char *data = m->data.bytes;
	size_t len = m->data.len;
	*ret_credit = 0;
	if (m->data.flags & JL_DATA_FAILED)
		return jl_err_set(err, JL_ECHANGED, "it changed while it was sent");
	if (m->data.flags & JL_DATA_PACKED) {
		if (!jl_piece_unpack(data, len, room, sizeof(room), &len))
			return jl_err_set(err, JL_ECORRUPT, "a piece of a file cannot be unpacked");
		data = room;
	} else if (m->data.flags & JL_DATA_DEFLATED) {
		if (!jl_piece_inflate(data, len, room, sizeof(room), &len))
			return jl_err_set(err, JL_ECORRUPT, "a piece of a file cannot be unpacked");
		data = room;
	}
	if (len > r->size - r->at)
		return jl_err_set(err, JL_ECORRUPT, "more of a file came than there is");
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(r->fd, data + done, len - done, (off_t)(r->at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return jl_err_sys(err, errno, "cannot write what was sent");
		done += (size_t)n;
	}
	r->at += len;
	if (m->data.flags & JL_DATA_LAST)
		return r->at == r->size ? 1 : jl_err_set(err, JL_ECORRUPT, "less of a file came than there is");
	if (r->credited - r->at <= JL_MSG_WINDOW / 2) {
		*ret_credit = JL_MSG_WINDOW / 2;
		r->credited += *ret_credit;
	}
	return 0;
}
