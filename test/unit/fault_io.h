/* A struct jl_io that counts the calls and fails one of them: for loops of the form "fail call 1, 2, 3, … until a run
 * needs no fault".
 *
 *     for (unsigned n = 1; ; n++) {
 *             struct fault_io f;
 *             fault_io_init(&f, n, EIO);
 *             … work with &f.io …
 *             if (!f.failed)
 *                     break;
 *     }
 * Threads may share it; which of them meets the fault is then open. */
#ifndef TEST_FAULT_IO_H
#define TEST_FAULT_IO_H

#include "base/io.h"

#include <stdatomic.h>
#include <stdbool.h>

enum fault_op {
	FAULT_OPEN = 1 << 0,
	FAULT_CLOSE = 1 << 1, /* the descriptor is closed all the same, as the kernel does */
	FAULT_READ = 1 << 2,  /* read and pread */
	FAULT_WRITE = 1 << 3, /* write and pwrite */
	FAULT_FSYNC = 1 << 4,
	FAULT_STAT = 1 << 5, /* fstat, fstatat, fstatfs */
	FAULT_RENAME = 1 << 6,
	FAULT_LINK = 1 << 7,
	FAULT_UNLINK = 1 << 8,
	FAULT_MKDIR = 1 << 9,
	FAULT_TRUNCATE = 1 << 10,
	FAULT_REFLINK = 1 << 11,
	FAULT_TIMES = 1 << 12,
	FAULT_LOCK = 1 << 13,
	FAULT_ALL = (1 << 14) - 1,
};

struct fault_io {
	struct jl_io io;  /* what the code under test gets */
	unsigned fail_at; /* which counted call fails, from 1; 0: none */
	int fail_errno;
	unsigned ops;     /* enum fault_op: which calls are counted and may fail; FAULT_ALL at first */
	bool sticky;      /* every counted call from then on fails too */
	bool half_write;  /* a failing write first writes half of its bytes */
	bool short_io;    /* reads and writes give 1 byte less than they could, when they could give 2 */
	bool clone;       /* reflink works, by a copy: for machines whose file system has none */
	bool no_locks;    /* the file system has no locks */
	bool network;     /* the file system is one of the network */
	atomic_uint calls;  /* counted so far */
	atomic_uint failed; /* failed so far */
	atomic_uint writes, renames, reflinks, fsyncs;
};

void fault_io_init(struct fault_io *f, unsigned fail_at, int fail_errno);

#endif
