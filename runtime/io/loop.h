/*
 * The one event loop: libuv below, a queue of ready ops and two heaps of timers above.
 *
 * The clock belongs to the loop.  Normally it is CLOCK_MONOTONIC.  In virtual mode it stands still
 * while something is ready or a real op is in flight, and otherwise jumps to the next timer.
 * Deadlines of real ops always run on the monotonic clock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/op.h"

struct uv_loop_s;

typedef void plat_resume_fn(struct plat_op *op, void *arg);  /* wakes op->waiter */
typedef void plat_release_fn(struct plat_op *op, void *arg); /* drops the anchor */

/* Creates the loop; one per process.  NULL: out of memory or descriptors. */
struct plat_loop *plat_loop_new(void);
void plat_loop_free(struct plat_loop *loop);

void plat_loop_hooks(struct plat_loop *loop, plat_resume_fn *resume, plat_release_fn *release,
                     void *arg);

struct uv_loop_s *plat_loop_uv(struct plat_loop *loop); /* for io/ files */

enum plat_loop_end {
    PLAT_LOOP_STOPPED, /* plat_loop_stop() was called */
    PLAT_LOOP_STUCK,   /* tasks wait, but no timer and no real op is left to wake them */
};

/* Runs until plat_loop_stop() or until nothing can ever happen again. */
enum plat_loop_end plat_loop_run(struct plat_loop *loop);
void plat_loop_stop(struct plat_loop *loop);

uint64_t plat_loop_now(const struct plat_loop *loop); /* ns, the loop's clock */
double plat_loop_wall(const struct plat_loop *loop);  /* unix seconds, virtual in virtual mode */

/* Virtual mode from now on; wall is the unix time it starts at; speed 0 jumps, N > 0 paces. */
void plat_loop_virtual(struct plat_loop *loop, double wall, double speed);
bool plat_loop_is_virtual(const struct plat_loop *loop);

/* A reason to keep running that is not an op (a listening server with a client, a child process).
 * Counted; virtual time stands still while it is above zero. */
void plat_loop_busy(struct plat_loop *loop, int delta);

/* True when no engine has anything under way. */
bool plat_loop_is_quiet(const struct plat_loop *loop);

/* To be called in the child of a fork: what the kernel keeps for the loop becomes its own. */
bool plat_loop_forked(struct plat_loop *loop);
