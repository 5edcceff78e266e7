/*
 * Blocking work on libuv's thread pool, as an op.  `run` is called on a pool thread: it may touch
 * only the op's own memory.  The class must be held and real.  When the wait ends early the work
 * goes on to its end, unobserved, and the op is released then.
 */
#pragma once

#include "base/err.h"
#include "io/op.h"

/* False: *err says why, and the op has been released. */
bool plat_work_start(struct plat_op *op, void (*run)(struct plat_op *op), struct plat_err *err);

/* Waits, at the end of the program, for the work that is still under way: it uses the ops' memory,
 * and half of a file operation is worse than none. */
void plat_work_finish(struct plat_loop *loop);
