/* What the commands share: their table, their settings, and how they print errors and end. cmd/ is the only place that
 * prints errors or exits; every line that is not a command's output goes to stderr as "jl: message". */
#ifndef JL_CMD_CMD_H
#define JL_CMD_CMD_H

#include "opt.h"

#include "manifest/manifest.h"
#include "run/memo.h"
#include "run/run.h"

enum jl_exit {
	JL_EXIT_OK = 0,
	JL_EXIT_FAILED = 1,  /* a step failed */
	JL_EXIT_USAGE = 2,   /* usage or manifest error */
	JL_EXIT_SELF = 125,  /* map, memo: jl itself failed; what is below is the commands' */
	JL_EXIT_MACHINE = 3, /* the store or the machine failed in a way that left the work undone */
};

enum jl_progress { JL_PROGRESS_AUTO, JL_PROGRESS_BAR, JL_PROGRESS_PLAIN, JL_PROGRESS_NONE };
enum jl_color { JL_COLOR_AUTO, JL_COLOR_ALWAYS, JL_COLOR_NEVER };

/* What options set; each command reads what its tables can set. */
struct jl_settings {
	/* where */
	const char *directory, *manifest, *store, *max_size;
	struct jl_opt_list vars;
	/* run, plan, adopt */
	uint32_t jobs;
	int cache, fail, progress, color; /* enum jl_cache_mode, jl_fail_mode, jl_progress, jl_color */
	int64_t timeout_ns, kill_after_ns;
	uint32_t retries;
	bool quiet, dry_run, force, no_wait, offline;
	struct jl_opt_list force_steps; /* NULL: all that was asked for */
	const char *from, *shuffle, *executor;
	double max_load;
	uint64_t min_memory;
	unsigned verbose;
	const char *events, *junit, *trace;
	/* graph */
	struct {
		int format; /* enum format, of graph.c */
		bool instances;
	} graph;
	/* report */
	struct {
		const char *output, *from;
	} report;
	/* clean */
	bool orphans;
	/* map */
	struct {
		struct jl_opt_list files, hosts;
		const char *colsep, *header, *halt, *joblog, *results, *workdir;
		uint32_t per_job, retries;
		int64_t delay_ns;
		bool null, fill, context, keep_order, line_buffer, ungroup, tag, eta, resume, resume_failed, skip_blank, memo;
	} map;
	/* memo */
	struct {
		struct jl_opt_list inputs, outputs, env, tools, ignore;
		const char *ttl, *failures, *label, *depfile;
		int feed; /* enum jl_feed_mode */
		bool check, shelve;
	} memo;
	/* dump, load */
	struct {
		const char *output, *compress;
		bool extract;
	} archive;
	/* cache */
	struct {
		bool json, repair, yes;
		int64_t older_ns;
	} cache_care;
	/* every command */
	bool help, version;

	struct jl_opt_list operands;
	const char *command_line; /* what was typed, for whoever has to wait for it */
};

struct jl_command {
	const char *name;
	const char *operands;  /* as the usage line shows them */
	const char *summary;   /* one line */
	const char *about;     /* more for --help, lines of at most 79 columns; NULL: none */
	const struct jl_opt *const *tables;
	uint32_t min_operands, max_operands; /* max UINT32_MAX: any number */
	int (*run)(struct jl_settings *s);   /* returns the exit status */
	bool prefix;           /* options end at the first operand, and what is wrong with them is JL_EXIT_SELF */
};

extern const struct jl_command *const jl_commands[]; /* in the order of help, NULL at the end */
extern const struct jl_command jl_command_run, jl_command_plan, jl_command_hosts, jl_command_adopt, jl_command_list, jl_command_log,
	jl_command_why, jl_command_cat, jl_command_graph, jl_command_report, jl_command_hash, jl_command_clean, jl_command_init,
	jl_command_map, jl_command_memo, jl_command_schema, jl_command_completion,
	jl_command_dump, jl_command_load, jl_command_cache,
	jl_command_help, jl_command_version;

/* Tables that several commands take (common.c). */
extern const struct jl_opt jl_opts_help[];      /* --help */
extern const struct jl_opt jl_opts_directory[]; /* -C */
extern const struct jl_opt jl_opts_manifest[];  /* -f, --var */
extern const struct jl_opt jl_opts_store[];     /* --store */
extern const struct jl_opt jl_opts_max_size[];  /* --max-size: of what writes to the store */
extern const struct jl_opt jl_opts_common[];    /* of run, plan and adopt */
extern const struct jl_opt jl_opts_reports[];   /* of run and map: --junit, --trace */

/* What may stand in a command's place (main.c). */
extern const struct jl_opt *const jl_opts_main_tables[];

/* Free what the options put there. */
void jl_settings_release(struct jl_settings *s);

/* The command of that name, or NULL. */
const struct jl_command *jl_command_find(const char *name);
int jl_command_unknown(const char *name); /* says so with the nearest name; JL_EXIT_USAGE */
void jl_command_show(const struct jl_command *c, struct jl_buf *out);

/* "jl: " and a line, on stderr. */
void jl_say(const char *fmt, ...) JL_PRINTF(1, 2);
/* The error as a line; the exit status that its kind asks for. */
int jl_say_error(const struct jl_err *err);
/* Messages about the manifest, one a line, each with its place. */
void jl_say_messages(const struct jl_messages *msgs);
/* End by the signal that ended the work, so that the shell and make see it. */
void jl_end_by_signal(int sig);
/* jl_say_messages, then jl_say_error unless the messages told it; the exit status. For what jl_run() and
 * jl_project_open() gave back. */
int jl_say_fault(const struct jl_messages *msgs, const struct jl_err *err);
/* Write to stdout, all of it. */
int jl_print(const void *data, size_t len, struct jl_err *err) JL_MUST_CHECK;
/* jl_print and release the buffer; the exit status. */
int jl_print_buf(struct jl_buf *out);

/* What the settings and the environment say, for jl_run() and jl_project_open(). The strings are in the arena. */
int jl_settings_run_opts(const struct jl_settings *s, struct jl_arena *arena, struct jl_run_opts *ret,
                         struct jl_err *err) JL_MUST_CHECK;
/* The same for what is memoized, without its command. */
int jl_settings_memo_opts(const struct jl_settings *s, struct jl_arena *arena, struct jl_memo_opts *ret,
                          struct jl_err *err) JL_MUST_CHECK;

#endif
