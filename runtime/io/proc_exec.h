/* Starting a local program.  No loop: used by proc.c. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct plat_proc_plan {
    const char *const *argv; /* [0] is searched in the PATH of envp unless it has a slash */
    const char *const *envp; /* "NAME=value", the child's whole environment */
    const char *cwd;         /* NULL: ours */
    int fds[3];              /* become 0, 1, 2; stay the caller's */
};

/*
 * Starts the program in a process group of its own, with default signals, nothing but fds open, and
 * SIGTERM should this process die.  Returns when exec has succeeded or failed.  *ret_pidfd is
 * close-on-exec and the caller's.
 */
bool plat_proc_exec(const struct plat_proc_plan *plan, pid_t *ret_pid, int *ret_pidfd,
                    struct plat_err *err);

enum { PLAT_PROC_OURS, PLAT_PROC_THEIRS };

/* Opens what becomes 0, 1, 2: pipes, for stdin perhaps /dev/null (then fds[0][PLAT_PROC_OURS] is
 * -1).  All are close-on-exec; our ends do not block.  False with errno; then close them, too. */
bool plat_proc_open_fds(bool pipe_stdin, int fds[3][2]);

/* The same with one socket as 0 and 1; ours is fds[0][PLAT_PROC_OURS]. */
bool plat_proc_open_socket(int fds[3][2]);

void plat_proc_close_fds(int fds[3][2]); /* skips those that are -1 */
