/* A sink that writes JUnit XML, as GitHub, GitLab and Jenkins read it: one test suite, a case for each step that ended.
 *
 *     <testsuites name="jl run" tests="3" failures="1" errors="0" skipped="1" time="1.240">
 *     <testsuite name="jl run" ...>
 *     <testcase classname="clean" name="clean[a]" time="0.250"/>
 *     <testcase ...><failure message="exit 3" type="failed">the last 64 KiB of its output</failure></testcase>
 *     <testcase ...><skipped message="something it needs failed"/></testcase>
 *     <testcase ...><properties><property name="jl.status" value="fresh"/></properties>
 *     <system-out>fresh: not run again, its outputs are what they would become</system-out></testcase>
 *
 * What failed or timed out is a failure; what was skipped, cancelled or only planned is skipped; all else is a success, with
 * the time that it took in this run. Text is XML whatever the step wrote: colours are left out, other control characters and
 * what is not UTF-8 become \xNN. Cases go to the file as they come; the counts in front are filled in at the end. Output is
 * held until its step has ended: at most 128 KiB for each step that shows output while it runs. */
#ifndef JL_REPORT_JUNIT_H
#define JL_REPORT_JUNIT_H

#include "report/file.h"
#include "run/event.h"

struct jl_junit {
	struct jl_sink sink; /* first: the engine gives it back */
	struct jl_report_file file;
	/* private */
	char *suite, *classname;
	struct jl_junit_held *held; /* output of steps that have not ended */
	struct jl_buf text;
	uint64_t tests, failures, skipped;
	int64_t began_ns, end_ns;   /* real time; since the run began */
	bool ended;
};

/* `suite` is what ran ("jl run"). `classname` is that of all cases; NULL: a step's name without its [ITEM]. Both are copied.
 * Fails when the file cannot be written. */
int jl_junit_open(struct jl_junit *j, const char *path, const char *suite, const char *classname, struct jl_err *err)
	JL_MUST_CHECK;
/* The file takes its place if the run had begun (it saw its first and last event), else it is dropped. */
int jl_junit_close(struct jl_junit *j, struct jl_err *err) JL_MUST_CHECK;

#endif
