/*
 * Errors of the engines: a kind that code branches on, a number, the operation's name and a text.
 * No allocation: a plat_err is a value.  Functions that can fail take one as their last parameter,
 * fill it and return false; on success it is left alone.
 */
#pragma once

#include <stdbool.h>

enum plat_err_kind {
    PLAT_OK = 0,
    PLAT_ERR_USAGE,     /* the caller's mistake that only the engine could see */
    PLAT_ERR_CONNECT,   /* no connection: refused, unreachable, name unknown, lost */
    PLAT_ERR_AUTH,      /* TLS verification, credentials */
    PLAT_ERR_TIMEOUT,   /* a deadline passed; op names which */
    PLAT_ERR_CANCELLED, /* the task was cancelled while it waited */
    PLAT_ERR_EXIT,      /* a program ended with a failure */
    PLAT_ERR_HTTP,      /* a broken or unwanted HTTP answer */
    PLAT_ERR_PARSE,     /* malformed input */
    PLAT_ERR_REFUSED,   /* a rule of ours says no */
    PLAT_ERR_IO,        /* the operating system said no (code = errno) */
    PLAT_ERR_BUG,       /* must not happen */
};

struct plat_err {
    enum plat_err_kind kind;
    int code;       /* errno, exit status, HTTP status, library code; 0: none */
    const char *op; /* static string, "http.request" */
    char msg[232];  /* lower case, no full stop, cause included */
};

/* Fills *err (NULL is allowed: nothing happens).  Returns false, so that `return plat_err_set(...)`
 * ends a bool function. */
bool plat_err_set(struct plat_err *err, enum plat_err_kind kind, int code, const char *op,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The same with ": <strerror(code)>" appended; kind PLAT_ERR_IO. */
bool plat_err_errno(struct plat_err *err, int code, const char *op, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The name that Lua sees: "connect", "timeout", ... */
const char *plat_err_kind_name(enum plat_err_kind kind);
