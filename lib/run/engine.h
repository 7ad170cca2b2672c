/* struct jl_engine: a run while it goes on; shared by the files of lib/run, nobody else's. See engine.c for the loop.
 *
 * Each live instance is a node of the graph; a rule has a barrier node (done when all its instances are) once somebody waits
 * for the whole rule, and a settle node if it is late (expanded when what it waits for is done). A ready instance is decided
 * at once (decide.c): fresh and restorable ones are done on the spot, the rest wait on a heap for a slot.
 */
#ifndef JL_RUN_ENGINE_H
#define JL_RUN_ENGINE_H

#include "exec/hosts.h"
#include "graph/graph.h"
#include "memo/record.h"
#include "run/cargo.h"
#include "run/local.h"
#include "run/project.h"
#include "run/slots.h"
#include "run/tools.h"
#include "run/trouble.h"
#include "store/store.h"

#include "base/arena.h"

struct jl_joblog;
struct jl_tier;
struct waiter;

struct jl_job_input {          /* what an input was when the key was made */
	uint32_t file;
	uint32_t port;
	struct jl_digest digest; /* of a folder: its tree digest; NONE: absent */
	enum jl_kind kind;
	bool executable;
};

struct jl_decided {            /* what decide.c found out about an instance */
	struct jl_table inputs;  /* struct jl_job_input */
	struct jl_table found;   /* the same: what its depfile named (run/found.h), by path; port is JL_NONE */
	struct jl_digest base;   /* the key without `found` */
	struct jl_digest key;
	bool same;               /* the key is that of the last success here */
	bool later;              /* the hit is not the variant that was used last */
	char reason[200];        /* why it runs; "" for nothing to say */
};

struct jl_running {            /* an instance that is executed */
	struct jl_slot_job job;  /* first */
	uint32_t inst, node;
	uint32_t attempt;        /* from 1 */
	bool checking;           /* its valid_if is what runs */
	struct jl_buf script, script_word; /* run/script.h: the path of its script, and what the shell is told; or empty */
	struct jl_buf masking[2]; /* of stdout and stderr: what may be the beginning of a secret */
	bool takes;              /* its needs are counted as taken: run/needs.h */
	int64_t again_ns;        /* while it waits for its next attempt: when that begins */
	struct jl_running *next; /* ... and who waits, too */
	int64_t since_ns;        /* with a depfile: the file system's clock at the start */
	struct jl_decided what;  /* inputs and key as they were when it was decided */
	struct jl_joblog *log;
};

struct jl_trashed {            /* what went to the trash since it was last told */
	uint32_t n;
	struct jl_buf first, to; /* of the first: its path and where it went */
};

struct jl_tree_known {         /* a folder's tree digest of this run */
	uint32_t folder;
	uint64_t forgets;        /* files->forgets then: nothing was looked at anew since */
	struct jl_digest digest;
};

struct jl_starting {           /* room for what a start needs until the executor has it */
	struct jl_table argv, env; /* const char * */
	struct jl_buf text, workdir;
	int fds[3];              /* its stdin, stdout, stderr where they are files; else -1 */
};

enum jl_valid { JL_VALID_UNKNOWN, JL_VALID_YES, JL_VALID_NO }; /* what valid_if said */

struct jl_secret_state {       /* run/secrets.h */
	struct jl_table values;
	size_t longest;
	bool first[256];         /* bytes that some value begins with */
	bool has_key;
	uint8_t key[32];
};

struct jl_need_state {         /* run/needs.h */
	struct jl_table parked;
	uint32_t cpus;           /* taken, as all here */
	uint64_t memory;
	uint32_t *used;          /* by pool */
	uint64_t memory_total;   /* 0: not looked at yet */
	uint32_t turn;           /* the parked node whose turn it is: those behind it do not count; else JL_NONE */
	bool stuck;              /* none of the parked may run before something is given back */
	uint8_t stuck_lanes;     /* ... and who was held then: bits */
	bool alone;              /* an interactive step runs */
	bool room;               /* of the machine, when it was looked at */
	int64_t looked_ns;
};

struct jl_shared_watch {
	struct jl_watch watch;   /* first */
	struct jl_engine *e;
};
struct jl_asked {
	struct jl_digest key;
	bool found;
};
struct jl_shared_state {       /* run/shared.h */
	struct jl_tier *tier;    /* NULL: none */
	bool wants;              /* what the local store lacks is of interest */
	bool would_ask;          /* a plan: for the present step a run would ask somebody first */
	struct jl_shared_watch watch;
	struct jl_table asked;   /* struct jl_asked: keys that were asked for in this run */
	struct jl_map asked_map;
	struct jl_digest missed; /* the first key that the present decision lacks and that may be asked for; or none */
	struct waiter *waiters;
	uint32_t n_waiting;
};

struct jl_fetched {            /* an input by URL in this run */
	enum { JL_FETCHED_NOT_YET, JL_FETCHED_ASKED, JL_FETCHED_HERE, JL_FETCHED_NOT } state;
	char *why;               /* it is not here */
};
struct jl_fetch_waiter {
	uint32_t url, node;
};
struct jl_fetching_state {     /* run/fetching.h */
	struct jl_table of;      /* struct jl_fetched, by the plan's URL; as long as needed */
	struct jl_table waiters; /* struct jl_fetch_waiter: nodes, each for one of its URLs */
	struct fetching *open;
	uint32_t n_open;
};

struct jl_elsewhere {          /* run/elsewhere.h */
	struct jl_exec *exec;    /* hosts and this machine as one; NULL: every step runs here */
	struct jl_host *hosts;
	uint32_t n_hosts;
	struct jl_agent_files agents;
	bool has_agents;
	struct jl_arena arena;   /* of the hosts' texts */
	struct jl_table troubles; /* struct jl_trouble by instance; as long as it needs to be */
	const struct jl_host *avoid[JL_AVOID_MOST]; /* of `where` */
	struct jl_table tags;    /* const char *: of `where` */
	struct jl_where where;   /* room for one start */
	struct jl_cargo_room cargo;
};

enum jl_rule_state_flag {
	JL_RS_ALL = 1,         /* all its instances are wanted */
	JL_RS_ASKED = 2,       /* ... by the user */
	JL_RS_SETTLED = 4,     /* late, and expanded in this run */
	JL_RS_NAMED = 16,      /* ... by its name */
	JL_RS_WARNED = 8,      /* of variables that its script uses and that are not passed */
};
struct jl_rule_state {
	uint32_t barrier, settle; /* nodes, or JL_NONE */
	uint32_t users;           /* the same, of temp.h */
	uint32_t flags;
};

struct jl_temp_state {         /* run/temp.h */
	struct jl_table of;      /* private, by instance; as long as it needs to be */
	struct jl_table held_back; /* uint32_t: fresh instances that are not told of yet */
	bool remade;             /* something was brought back in this run */
	uint32_t gate;           /* node: all late rules are expanded; JL_NONE: there are none */
};

struct jl_engine {
	struct jl_project *p;
	const struct jl_run_opts *opts;
	const struct jl_clock *clock;
	struct jl_local local;   /* not open with an executor of the caller's */
	struct jl_exec *exec;
	struct jl_store *store;  /* NULL until needed; see jl_engine_store */
	bool own_store, store_failed;
	bool had_logs;           /* .jl/logs exists from before */
	uint32_t threads;        /* for hashing many files at once */

	struct jl_graph graph;   /* nodes: run/node.h */
	struct jl_urgent queue;  /* ready nodes by urgency, once something has to run; before that the graph's own order serves */
	bool by_urgency;
	struct jl_table node_of; /* uint32_t by instance: its node, or JL_NONE */
	struct jl_rule_state *rule; /* by rule */
	struct jl_table want_inst; /* uint8_t by instance: 1 wanted, 2 asked for, 4 by its name or a path */
	struct jl_table worklist; /* uint32_t: newly wanted instances */
	struct jl_table below;   /* uint8_t by file: a folder with outputs of somebody in it */

	struct jl_decided deciding; /* room for one decision */
	struct jl_slots slots;   /* run/slots.h: the loop */
	struct jl_starting starting;
	struct jl_need_state needs;
	struct jl_elsewhere elsewhere;
	uint32_t n_here;         /* slots of this machine */
	struct jl_secret_state secrets;
	struct jl_temp_state temp;
	struct jl_table valid;   /* enum jl_valid in uint8_t, by instance; as long as it needs to be */
	const struct jl_machine *machine;
	uint64_t oom_kills;      /* of the machine, when the first step was started */
	bool oom_known;
	struct jl_running *again; /* those that wait for their next attempt: run/again.h */
	struct jl_tools tools;   /* what `tools` name; opened with the first */
	struct jl_trashed trash;
	struct jl_table bases;   /* struct jl_digest: base keys of steps that ended well by a full one; for note.c */
	struct jl_shared_state shared;
	struct jl_fetching_state fetching;
	struct jl_table trees;   /* struct jl_tree_known: many instances may share an input folder */

	struct jl_counts counts;
	uint32_t n_off;          /* of counts.skipped: those whose `if` is false */
	const char *stamps;      /* the store's folder, if what is known of files outside is kept there (run/stamps.h); else NULL */
	int64_t began_stamp_ns;  /* what a file written before the run may bear as its stamp at most, by our clock */
	int64_t began_ns, now_ns; /* the run's start; the time of the last event */
	int64_t first_ns;        /* durations of what ran here for the first time, and how many those are */
	uint32_t n_first;
	int64_t flushed_ns;      /* last journal write */
	char run_id[40];
	char mark[64];           /* "JL_RUN=...", once the run has commands (run/left.h); else "" */
	bool void_plan;          /* a late expansion failed: the plan is not kept */
	bool state_told;         /* that the state cannot be written */
	struct jl_table env;     /* const char *: the environment every command sees */
	struct jl_buf env_text;
	struct jl_buf scratch;   /* key input pieces */
	struct jl_table ids;     /* uint32_t scratch */
	int64_t placed_ns;       /* the mtime of files that are being restored */
	struct jl_table safe;    /* uint8_t by file: a folder that is known to lie beneath the workspace */
};

/* run.c: everything empty, the clock read; what an engine holds, freed. Project and executor are the caller's. */
void jl_engine_init(struct jl_engine *e, const struct jl_run_opts *opts);
void jl_engine_release(struct jl_engine *e);
/* What comes before the first event: words to graph, no cycle, every input there or made by somebody. */
int jl_engine_prepare(struct jl_engine *e, struct jl_err *err) JL_MUST_CHECK;

/* events.c */
void jl_engine_emit(struct jl_engine *e, struct jl_event *ev); /* fills t_ns and counts */
/* JL_EVENT_PROGRESS; `step` as there, or NULL. */
void jl_engine_progress(struct jl_engine *e, const char *step);
void jl_engine_warn(struct jl_engine *e, const char *step, const char *fmt, ...) JL_PRINTF(3, 4);

/* The store, opened at the first use; NULL if it cannot be (told once). */
struct jl_store *jl_engine_store(struct jl_engine *e);
/* Expand a late rule: visit its node. */
void jl_engine_settle(struct jl_engine *e, uint32_t rule, uint32_t node);
/* A node that stepped aside takes its turn again. */
void jl_engine_again(struct jl_engine *e, uint32_t node);
/* A stored result was found and is used now: told to the store, if that is what the cache mode allows. */
void jl_engine_used(struct jl_engine *e, const struct jl_digest *key);
/* note.c: the run is over: tell the store what it was good for and, of a run of the graph, that the results of all its steps
 * were used: as one time stamp if they are the same as in an earlier run. A no-op opens no store for it. */
void jl_engine_note(struct jl_engine *e);
/* This is what a step ended well by: if it was found by a base key, that one's record is of use, too. */
void jl_engine_note_base(struct jl_engine *e, const struct jl_decided *d);

static inline struct jl_inst *jl_engine_inst(const struct jl_engine *e, uint32_t inst)
{
	return jl_plan_inst(&e->p->plan, inst);
}
static inline struct jl_rule *jl_engine_rule(const struct jl_engine *e, uint32_t inst)
{
	return jl_plan_rule(&e->p->plan, jl_engine_inst(e, inst)->rule);
}
static inline const char *jl_engine_label(const struct jl_engine *e, uint32_t inst)
{
	return jl_project_text(e->p, jl_engine_inst(e, inst)->label);
}
/* Is it the instance, or one of the step, that the word names? */
bool jl_engine_is(const struct jl_engine *e, uint32_t inst, const char *word);
/* Named by the user, not only needed by what is. */
static inline bool jl_engine_asked(const struct jl_engine *e, uint32_t inst)
{
	return *JL_AT(e->want_inst, uint8_t, inst) & 2;
}
/* ... by its name or its step's or the path of an output, not only by having a tag or being there. */
static inline bool jl_engine_named(const struct jl_engine *e, uint32_t inst)
{
	return *JL_AT(e->want_inst, uint8_t, inst) & 4;
}
static inline struct jl_files *jl_engine_files(const struct jl_engine *e)
{
	return &e->p->state->files;
}

/* select.c: from the words of the user to what is wanted, its nodes and edges. JL_EINVAL: a word names nothing. */
int jl_select(struct jl_engine *e, struct jl_err *err) JL_MUST_CHECK;
/* A late rule has been expanded: its wanted instances join the graph. */
void jl_select_settled(struct jl_engine *e, uint32_t rule);
/* After a run that went well: a word that has turned out to name nothing counts as failed. */
void jl_select_missing(struct jl_engine *e);
/* All of a rule is wanted, too, and what it needs. */
void jl_select_rule(struct jl_engine *e, uint32_t rule);
/* Put what an instance needs into e->ids: JL_NODE of an instance, or of a rule's barrier for all of that rule. */
void jl_select_needs(struct jl_engine *e, uint32_t inst);
/* Does an instance wait for another one, directly or not? */
bool jl_select_waits(struct jl_engine *e, uint32_t inst, uint32_t other);
/* A path as the user gave it (relative to where he is), relative to the workspace. */
void jl_select_path(const struct jl_engine *e, const char *word, struct jl_buf *out);

/* decide.c */
enum jl_decision { JL_DECIDE_FRESH, JL_DECIDE_HIT, JL_DECIDE_RUN, JL_DECIDE_FAIL };
/* Work out the key and compare with the state and the store. JL_DECIDE_HIT: *ret_record is the stored result (owned by the
 * caller). JL_DECIDE_FAIL: an input is missing or cannot be read: `reason` says it. */
enum jl_decision jl_decide(struct jl_engine *e, uint32_t inst, struct jl_decided *ret, struct jl_record **ret_record);
/* What the store has under a key, for the caller to free; NULL: nothing that can be used. */
struct jl_record *jl_decide_record(struct jl_engine *e, uint32_t inst, const struct jl_digest *key);
/* Does one of n ports from `first` on exclude the path? */
bool jl_decide_excluded(const struct jl_engine *e, uint32_t first, uint32_t n, const char *path);
/* Fill in what an input is now. Its port is JL_NONE for a file that a depfile named, which may be anything. */
int jl_decide_look(struct jl_engine *e, const struct jl_inst *t, struct jl_job_input *in, struct jl_err *err) JL_MUST_CHECK;
/* Is the file one that the instance is declared to make? */
bool jl_decide_own_output(const struct jl_engine *e, uint32_t inst, const struct jl_inst *t, uint32_t file);
/* Are the inputs still what they were when decided? false: `reason` names the one that is not. */
bool jl_decide_same(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, char *reason, size_t size);
void jl_decide_manifest(struct jl_engine *e, uint32_t inst, const struct jl_decided *d, struct jl_buf *out);

/* outputs.c: what is there now, what a command left. */
/* The files of an instance's outputs as they are (ids, uint32_t): the declared ones, there or not, and all below an owned
 * folder. `declared` of each goes to `ports`. */
int jl_outputs_list(struct jl_engine *e, uint32_t inst, struct jl_table *ids, struct jl_table *ports,
                    struct jl_err *err) JL_MUST_CHECK;
/* Digest over the outputs as they are; false when one that must be there is absent or cannot be looked at. */
bool jl_outputs_hash(struct jl_engine *e, uint32_t inst, struct jl_digest *ret);
struct jl_outputs {
	struct jl_table at;      /* struct jl_record_output, paths in `arena` */
	struct jl_arena arena;
};
/* Look at what the command left: everything declared must be there and be a file, folder or inward link. Contents up to
 * JL_RECORD_INLINE_MAX are read in. JL_EINVAL: the text says what is wrong with which output. */
int jl_outputs_collect(struct jl_engine *e, uint32_t inst, struct jl_outputs *ret, struct jl_err *err) JL_MUST_CHECK;
/* Take out of `ids` (file ids), from index `from` on, what an exclusion among the outputs names. */
void jl_outputs_exclude(const struct jl_engine *e, const struct jl_inst *t, struct jl_table *ids, uint32_t from);
/* Append what a glob among the outputs means now: not what is excluded, another's output, the manifest or an input. */
int jl_outputs_globbed(struct jl_engine *e, uint32_t inst, const struct jl_pport *port, struct jl_table *ids,
                       struct jl_err *err) JL_MUST_CHECK;
void jl_outputs_release(struct jl_outputs *o);
/* Put the blobs and the record into the store. The framed log is `log`'s bytes, or without those the file `log_fd`'s. */
int jl_outputs_store(struct jl_engine *e, const struct jl_running *r, const struct jl_outputs *o, const struct jl_content *log,
                     int log_fd, struct jl_err *err) JL_MUST_CHECK;

/* room.c makes room (more of it in run/room.h), place.c compares and puts back. */
int jl_place_prepare(struct jl_engine *e, uint32_t inst, struct jl_err *err) JL_MUST_CHECK; /* before a run */
int jl_place_restore(struct jl_engine *e, uint32_t inst, const struct jl_record *rec, struct jl_err *err) JL_MUST_CHECK;
/* The same without taking anything away: each file and link of the record is replaced, as the command itself would, and what
 * else is in an output folder stays. All are staged before the first is put in place. *ret_fresh: everything was there. */
int jl_place_merge(struct jl_engine *e, uint32_t inst, const struct jl_record *rec, bool *ret_fresh,
                   struct jl_err *err) JL_MUST_CHECK;
/* Is every output on disk what the record says (and nothing else in an owned folder)? */
bool jl_place_matches(struct jl_engine *e, uint32_t inst, const struct jl_record *rec);
void jl_place_failed(struct jl_engine *e, uint32_t inst); /* outputs of a failure go to .jl/failed/ */
void jl_place_gone(struct jl_engine *e);                   /* outputs of instances that left */

/* joblog.c: captured output: framed in memory for the record, plain and live under .jl/logs/. */
struct jl_joblog *jl_joblog_new(struct jl_engine *e, uint32_t inst);
void jl_joblog_add(struct jl_joblog *log, int stream, const void *data, size_t len);
void jl_joblog_close(struct jl_joblog *log);             /* the live file */
const struct jl_buf *jl_joblog_framed(const struct jl_joblog *log);
void jl_joblog_content(const struct jl_joblog *log, struct jl_content *ret); /* the same, as a record has it */
const char *jl_joblog_path(const struct jl_joblog *log); /* workspace-relative; NULL when nothing was written */
void jl_joblog_free(struct jl_joblog *log);
/* Send the framed log as events. */
void jl_joblog_show(struct jl_engine *e, const char *step, const void *framed, size_t len, bool replayed);

/* environ.c: what a command sees (the manual's list). */
void jl_environ_base(struct jl_engine *e);
/* Is it ("NAME" or "NAME=VALUE") on the list that every command sees? */
bool jl_environ_passes(const char *entry);
/* The environment of one instance: pointers valid until the next call. */
const char *const *jl_environ_of(struct jl_engine *e, uint32_t inst, const struct jl_spec *spec, uint32_t slot,
                                 struct jl_buf *text, struct jl_table *at);

#endif
