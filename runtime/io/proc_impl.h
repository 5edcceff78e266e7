/* Shared by proc.c (life and end of a child) and proc_io.c (its streams and who waits). */
#pragma once

#include <uv.h>

#include "io/proc.h"

enum { STDIN, STDOUT, STDERR, EXIT, WATCHED };

struct watch {
    uv_poll_t poll;
    struct plat_proc *proc;
    int fd;
    bool live; /* open and watched */
};

enum phase {
    RUNNING,
    ENDING, /* SIGTERM was sent */
    KILLED, /* SIGKILL was sent */
    ENDED,  /* reaped */
};

struct plat_proc {
    struct plat_loop *loop;
    struct plat_proc *next, **link; /* all that are not reaped */
    struct watch watch[WATCHED];
    struct plat_buf in, out[2];
    uv_timer_t timer;
    struct plat_proc_op *end_op, *read_op, *write_op;
    struct plat_err err;
    void (*on_end)(void *arg);
    void *arg;
    double grace;
    pid_t pid;
    enum phase phase;
    int status;
    int handles; /* not yet closed */
    bool collect;
    bool tail;
    bool input_done; /* close stdin when `in` is empty */
    bool zombie;     /* the leader has ended and is not reaped yet */
    bool lingered;   /* the output of a collected child that has ended was waited for */
    bool orphan;     /* the owner has given it up */
};

void plat_proc_wake(struct plat_proc_op **slot);

/* Closes the handle and then its descriptor. */
void plat_proc_unwatch(struct watch *watch);

/* Starts the ending, if it has not begun. */
void plat_proc_end_early(struct plat_proc *proc);

/* To be called when stdout or stderr was closed. */
void plat_proc_stream_closed(struct plat_proc *proc);

/* Wakes who waits for the end, if this is it. */
void plat_proc_settle(struct plat_proc *proc);

bool plat_proc_streams_closed(const struct plat_proc *proc); /* stdout and stderr */

void plat_proc_on_output(uv_poll_t *poll, int status, int events);
