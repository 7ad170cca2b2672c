/* What jl and an agent say to each other, each message a frame or several (wire.h). Grammar and order: docs/formats/agent.md.
 *
 * Encoding is jl_msg_put(); decoding jl_msg_read(), which trusts nothing: every length, count and path is looked at. Pure.
 */
#ifndef JL_EXEC_MESSAGE_H
#define JL_EXEC_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "exec/cargo.h"

#define JL_AGENT_VERSION 2u          /* of the protocol; both sides say from which to which they speak */
#define JL_AGENT_SLOTS_MAX 4096u
#define JL_MSG_INLINE_MAX 4096u      /* contents up to here go along in START and ENDED */
#define JL_MSG_DATA_MAX   61440u     /* bytes of content in one DATA or OUTPUT, unpacked */
#define JL_MSG_WINDOW     (4u << 20) /* bytes of one content, JL_MSG_OUTPUT_WINDOW of one job's output, that may be sent */
#define JL_MSG_OUTPUT_WINDOW (1u << 20) /* ... before the other side says CREDIT */

enum jl_msg_type {
	JL_MSG_CALL = 1, /* to the agent: who speaks which versions; the nonce that its answer begins with */
	JL_MSG_HELLO,    /* to jl */
	JL_MSG_START,    /* to the agent: a job */
	JL_MSG_NEED,     /* to jl: inputs of a job that are not there */
	JL_MSG_DATA,     /* both ways: a piece of an input's or output's content */
	JL_MSG_CREDIT,   /* both ways: so many bytes more may come */
	JL_MSG_STARTED,  /* to jl */
	JL_MSG_OUTPUT,   /* to jl: of stdout or stderr */
	JL_MSG_ENDED,    /* to jl: how, and which outputs there are */
	JL_MSG_FETCH,    /* to the agent: outputs of an ended job that are wanted */
	JL_MSG_CANCEL,   /* to the agent */
	JL_MSG_FORGET,   /* to the agent: nothing more is wanted of an ended job */
	JL_MSG_PING,     /* to the agent */
	JL_MSG_PONG,     /* to jl */
	JL_MSG_FAULT,    /* to jl: it cannot work here, and ends */
};

struct jl_msg_call {
	uint32_t version_min, version_max;
	const char *nonce;
	uint64_t silence_ms; /* nothing heard for so long: the other side is gone */
	uint64_t cache_bytes; /* what the contents kept there may take; 0: the agent's own default */
	uint32_t slots;      /* jobs at once; 0: as many as it has processors */
	uint32_t umask;      /* of jobs */
	const char *shared;  /* a file for the agent to read (exec/same.h); "": none */
};
struct jl_msg_hello {
	uint32_t version;
	uint32_t slots;
	uint64_t memory;     /* bytes */
	uint64_t pid;
	const char *arch, *host, *boot_id, *program; /* "linux-x86_64", its name, the kernel's, the agent's version */
	const char *shared;  /* what is in the file that CALL names; "": it cannot be read */
};
struct jl_msg_in {
	struct jl_cargo_in in;
	const void *bytes;   /* the content, when it goes along (in.size bytes), else NULL */
};
struct jl_msg_start {
	const char *label, *workdir;
	const char *shared;  /* as of struct jl_cargo; NULL: a folder of its own */
	const char *const *argv, *const *envp; /* NULL-terminated */
	const char *stream[3];
	bool script;         /* as of struct jl_job */
	enum jl_digest_algo algo; /* of the outputs' digests */
	int64_t timeout_ns, kill_after_ns;
	uint32_t slots;      /* that it takes; 0: one */
	uint64_t memory;     /* bytes that it is said to need; 0: not said */
	const struct jl_msg_in *ins;
	const struct jl_cargo_out *outs;
	uint32_t n_ins, n_outs;
};
struct jl_msg_want {         /* of NEED and FETCH */
	uint32_t index;      /* among the inputs or outputs */
	uint64_t from;       /* bytes that are there already */
};
#define JL_MSG_RECALL 2u     /* of CANCEL: only if it has not begun; it ends as JL_JOB_TAKEN_BACK then */
enum jl_msg_data_flag { JL_DATA_LAST = 1, JL_DATA_PACKED = 2, JL_DATA_FAILED = 4, JL_DATA_DEFLATED = 8 };
struct jl_msg_out {          /* an output that is there */
	const char *path;
	uint32_t declared;   /* of which of the declared outputs */
	enum jl_kind kind;
	uint32_t mode;       /* permission bits */
	uint64_t size;
	struct jl_digest digest; /* of a file */
	const void *bytes;   /* a small file's content, a link's text; else NULL */
};
struct jl_msg_ended {
	uint8_t end;         /* enum jl_job_end */
	bool pipe_held;
	int32_t exit_code, signal;
	int64_t wall_ns, user_ns, sys_ns, max_rss_kib;
	const char *why;     /* "" for nothing to say */
	const struct jl_msg_out *outs;
	uint32_t n_outs;
};

struct jl_msg {
	enum jl_msg_type type;
	uint64_t id;         /* of the job: unique on this connection, never used again; of PING and PONG: any number */
	union {
		struct jl_msg_call call;
		struct jl_msg_hello hello;
		struct jl_msg_start start;
		struct {
			const struct jl_msg_want *at;
			uint32_t n;
		} want;      /* NEED, FETCH */
		struct {
			uint32_t index;
			uint8_t flags;
			const void *bytes;
			size_t len;
		} data;      /* DATA; `index` is that of the input (to the agent) or output */
		struct {
			uint32_t index; /* JL_NONE: of the job's output streams */
			uint64_t bytes;
		} credit;
		struct {
			uint64_t pid;
		} started;
		struct {
			uint8_t stream;
			const void *bytes;
			size_t len;
		} output;
		struct jl_msg_ended ended;
		uint8_t cancel; /* enum jl_cancel, or JL_MSG_RECALL */
		const char *fault;
	};
};

/* Append the message, framed. JL_ELIMIT: too long. */
int jl_msg_put(struct jl_buf *out, const struct jl_msg *m, struct jl_err *err) JL_MUST_CHECK;
/* Texts and tables of *ret are in the arena, bytes are borrowed from `data`. JL_ECORRUPT: not a message of ours. */
int jl_msg_read(uint8_t type, const void *data, size_t len, struct jl_arena *arena, struct jl_msg *ret,
                struct jl_err *err) JL_MUST_CHECK;

#endif
