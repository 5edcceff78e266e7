/*
 * Copies of this process, for tests of playbooks: a copy finds what its parent has prepared, does
 * one thing, says what came of it, and ends as a killed process does, without any cleanup.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct plat_loop;

struct plat_child {
    pid_t pid;
    int result_fd, output_fd; /* read ends; -1: at their end */
    struct plat_buf result;   /* what it gave to plat_fork_finish() */
    struct plat_buf output;   /* its stdout and stderr */
    int status;               /* as of waitpid(), once it has ended */
    bool too_much;            /* it said more than is kept */
};

enum plat_fork_side { PLAT_FORK_ERROR, PLAT_FORK_PARENT, PLAT_FORK_CHILD };

/* Copies the process.  Nothing real may be in flight: the copy could not wait for it.  The child
 * reads nothing from stdin, and dies with its parent.  Fills *child in the parent; then
 * plat_fork_done() frees it. */
enum plat_fork_side plat_fork_start(struct plat_loop *loop, struct plat_child *child,
                                    struct plat_err *err);

/* Waits in place, the loop stands still, until one of the children has ended or some milliseconds
 * have passed.  Returns the index of one that has ended and was reaped, or n. */
size_t plat_fork_wait(struct plat_child *const *children, size_t n, int ms);

/* Ends the child of plat_fork_start() at once, with its result. */
_Noreturn void plat_fork_finish(const char *text, size_t n, int status);

/* Kills the child if it lives, and frees what is kept of it. */
void plat_fork_done(struct plat_child *child);
