/*
 * Local programs.  A plat_proc is one child in a process group of its own, its three streams and
 * its end, watched on the loop by a pidfd.
 *
 * Two ways to use one.  *Collected*: all output is kept up to a ceiling, and the end waits for it.
 * *Streamed*: output is read in pieces; a child whose output nobody reads is stopped by its pipe.
 *
 * Ending early (timeout, ceiling, cancel, free): SIGTERM to the group; after `grace` seconds, or
 * as soon as the leader has ended and the pipes are closed, SIGKILL to what is left; then it is
 * reaped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/op.h"

struct plat_loop;
struct plat_proc;

struct plat_proc_opts {
    const char *const *argv; /* all strings and lists are needed during the start only */
    const char *const *envp; /* the child's whole environment */
    const char *cwd;         /* NULL: ours */
    bool pipe_stdin;         /* else /dev/null */
    int *ret_socket; /* not NULL: the other end of its stdin and stdout, the caller's; -1: none */
    bool collect;
    bool tail;                 /* collected: keeps the last max_output bytes instead of ending it */
    size_t max_output;         /* collected: ceiling of each stream; streamed: bytes read ahead */
    double timeout;            /* seconds, 0: none */
    double grace;              /* seconds between SIGTERM and SIGKILL */
    void (*on_end)(void *arg); /* from the loop, when its end and its output are known */
    void *arg;
};

/* Starts it.  NULL: failed.  The caller owns the result. */
struct plat_proc *plat_proc_start(struct plat_loop *loop, const struct plat_proc_opts *opts,
                                  struct plat_err *err);

/* Gives it up: ends the child if it runs, and wakes who waits.  NULL is fine. */
void plat_proc_free(struct plat_proc *proc);

/* What a wait of each kind is.  Set op->proc before the start of the wait. */
struct plat_proc_op {
    struct plat_op op;
    struct plat_proc *proc;
};

extern const struct plat_op_class plat_proc_run_class;  /* cancel ends the child */
extern const struct plat_op_class plat_proc_wait_class; /* cancel leaves it alone */
extern const struct plat_op_class plat_proc_read_class;
extern const struct plat_op_class plat_proc_write_class;

/* Each kind of wait has one waiter at a time: false and PLAT_ERR_USAGE if there is one. */
bool plat_proc_await_end(struct plat_proc *proc, struct plat_proc_op *op, struct plat_err *err);
bool plat_proc_await_output(struct plat_proc *proc, struct plat_proc_op *op, struct plat_err *err);

/* Queues bytes for stdin.  True: op will be ready when the child's pipe has taken all of them, or
 * never will (then plat_proc_error says why).  op may be NULL. */
bool plat_proc_write(struct plat_proc *proc, struct plat_proc_op *op, const char *data, size_t len,
                     struct plat_err *err);

/* No more input: the child sees the end of the file once the queue is written. */
void plat_proc_end_input(struct plat_proc *proc);

bool plat_proc_signal(struct plat_proc *proc, int signo, struct plat_err *err); /* to the group */

/* Output read so far: stream 0 is stdout, 1 stderr.  Take bytes with plat_proc_consume. */
const struct plat_buf *plat_proc_output(const struct plat_proc *proc, int stream);
void plat_proc_consume(struct plat_proc *proc, int stream, size_t n);

bool plat_proc_output_ended(const struct plat_proc *proc); /* both streams, nothing left to take */
bool plat_proc_ended(const struct plat_proc *proc);
int plat_proc_status(const struct plat_proc *proc); /* as of waitpid, once it has ended */
pid_t plat_proc_pid(const struct plat_proc *proc);

/* Why it was ended early, or why stdin failed; kind 0: nothing went wrong on our side. */
const struct plat_err *plat_proc_error(const struct plat_proc *proc);

/* The same for all that live, blocking, within two seconds: for the end of the process. */
void plat_proc_end_all(void);
