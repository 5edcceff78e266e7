/*
 * SIGINT, SIGTERM and SIGHUP: the first is told to the program, on the loop, so that it can cancel
 * in order; the second ends the process at once, from inside the handler.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct plat_loop;

/* Calls fn (on the loop, never in the handler) with the signal's number.  One per process. */
bool plat_signals_start(struct plat_loop *loop, void (*fn)(int signo, void *arg), void *arg,
                        struct plat_err *err);

/* Forgets fn; the loop is about to be freed.  Nothing happens when nothing was started. */
void plat_signals_stop(void);
