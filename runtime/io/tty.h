/*
 * The terminal: complete writes, its size, and lines read from standard input with or without echo.
 * Echo is put back whatever happens: end of the line, cancel, SIGQUIT, SIGTSTP (and hidden again on
 * SIGCONT), exit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "io/op.h"

enum { PLAT_TTY_LINE = 4096 };

/* Writes everything, also to a non-blocking descriptor; blocks while the reader is slow. */
bool plat_tty_write(int fd, const char *data, size_t len, struct plat_err *err);

bool plat_tty_size(int fd, int *ret_cols, int *ret_rows, struct plat_err *err);

/* A line on its way in: the first member of the waiting op. */
struct plat_tty_line {
    struct plat_op op;
    struct plat_err err; /* kind 0: the line is complete */
    size_t len;
    char line[PLAT_TTY_LINE]; /* without the newline, no '\0' at the end */
};

extern const struct plat_op_class plat_tty_line_class;

/* Starts to read one line of `fd`; nothing behind its newline is consumed.  One at a time.  False:
 * line->err says why, the op has been released. */
bool plat_tty_read_line(struct plat_tty_line *line, int fd, bool echo);
