/* A sink that writes a Chrome trace (the "JSON object format" of the Trace Event Format), for chrome://tracing and Perfetto:
 * one complete event ("ph":"X") for each step that ended, times in microseconds since the run began.
 *
 *     {"name":"clean[a]","cat":"ran","ph":"X","pid":1,"tid":2,"ts":1000,"dur":250000,"args":{"status":"ran","exit":0,...}}
 *
 * "tid" is the slot, from 1: no two events of one slot overlap. What was not executed (fresh, restored, skipped) has tid 0 and
 * no duration. Events go to the file as they come. */
#ifndef JL_REPORT_TRACE_H
#define JL_REPORT_TRACE_H

#include "report/file.h"
#include "run/event.h"

struct jl_trace {
	struct jl_sink sink; /* first: the engine gives it back */
	struct jl_report_file file;
	/* private */
	uint32_t slots;      /* those that were named */
	bool began, ended;
};

/* Fails when the file cannot be written. */
int jl_trace_open(struct jl_trace *t, const char *path, struct jl_err *err) JL_MUST_CHECK;
/* The file takes its place if the run had begun (it saw its first and last event), else it is dropped. */
int jl_trace_close(struct jl_trace *t, struct jl_err *err) JL_MUST_CHECK;

#endif
