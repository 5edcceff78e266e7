/*
 * The pending operation: what every wait in the program is.
 *
 * Life: NEW -> PENDING -> READY -> DONE.  An engine finishes an op by plat_op_ready(); a deadline
 * or a cancel does the same with another ending.  Whoever comes first wins, the others are
 * ignored. The waiting task is woken by the loop after polling, never from inside a library's
 * callback.
 *
 * Memory: an op is a Lua userdata that embeds a struct plat_op as its first member.  If the class
 * is `held`, lua/ anchors it from the start of the wait until the engine calls plat_op_release(),
 * which it does exactly once, after the library's last use of it; so an engine may keep a plain
 * pointer.
 *
 * Library callbacks store a result and call plat_op_ready().  They never touch a lua_State and
 * never call back into their library.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/timer.h"

struct plat_loop;
struct plat_op;

enum plat_op_state { PLAT_OP_NEW, PLAT_OP_PENDING, PLAT_OP_READY, PLAT_OP_DONE };

enum plat_op_end {
    PLAT_END_OK,        /* the engine finished; its own result says how */
    PLAT_END_TIMEOUT,   /* the op's own deadline */
    PLAT_END_DEADLINE,  /* the deadline of an enclosing task scope */
    PLAT_END_CANCELLED, /* the task was cancelled */
};

struct plat_op_class {
    const char *name; /* "http.request": for messages and for the list of waits */
    bool real;        /* waits for the outside world: its deadline is real time, and virtual time
                         stands still while it is pending */
    bool held;        /* the engine calls plat_op_release() later */
    /* Called once when the wait ends by deadline or cancel.  Stops the work as soon as possible;
     * a held op is released then or later.  May be NULL.  Must not call plat_op_ready(). */
    void (*cancel)(struct plat_op *op);
};

struct plat_op {
    const struct plat_op_class *cls;
    struct plat_loop *loop;
    void *waiter;         /* the task; NULL: nobody to wake */
    struct plat_op *next; /* in the ready queue */
    struct plat_timer timer;
    void (*cont)(void); /* what lua/ continues with */
    double timeout;     /* seconds from the start of the wait; 0: none of its own */
    int anchor;         /* registry reference while held, else 0 */
    uint8_t state;      /* enum plat_op_state */
    uint8_t end;        /* enum plat_op_end */
    bool by_scope;      /* the timer set is the enclosing scope's deadline */
    bool inflight;      /* counted in the loop's real operations */
    bool released;      /* release came before the wait began */
};

/*
 * Marks the op finished with PLAT_END_OK.  Safe to call at any time, also before the wait started
 * and after it ended (then nothing happens).
 */
void plat_op_ready(struct plat_op *op);

/* The engine's last touch of a held op; its memory may be gone when this returns. */
void plat_op_release(struct plat_op *op);

/* ---- for lua/task.c and the loop only ---- */
void plat_op_start(struct plat_op *op, uint64_t scope_deadline_ns); /* 0: no scope deadline */
void plat_op_cancel(struct plat_op *op, enum plat_op_end end);
