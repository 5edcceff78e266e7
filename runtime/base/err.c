#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

static const char *const kind_names[] = {
    [PLAT_OK] = "ok",
    [PLAT_ERR_USAGE] = "usage",
    [PLAT_ERR_CONNECT] = "connect",
    [PLAT_ERR_AUTH] = "auth",
    [PLAT_ERR_TIMEOUT] = "timeout",
    [PLAT_ERR_CANCELLED] = "cancelled",
    [PLAT_ERR_EXIT] = "exit",
    [PLAT_ERR_HTTP] = "http",
    [PLAT_ERR_PARSE] = "parse",
    [PLAT_ERR_REFUSED] = "refused",
    [PLAT_ERR_IO] = "io",
    [PLAT_ERR_BUG] = "bug",
};

bool plat_err_set(struct plat_err *err, enum plat_err_kind kind, int code, const char *op,
                  const char *fmt, ...)
{
    if (err) {
        va_list ap;
        err->kind = kind;
        err->code = code;
        err->op = op;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
    }
    return false;
}

bool plat_err_errno(struct plat_err *err, int code, const char *op, const char *fmt, ...)
{
    if (err) {
        char why[96], scratch[96];
        va_list ap;
        size_t n;
        err->kind = PLAT_ERR_IO;
        err->code = code;
        err->op = op;
        va_start(ap, fmt);
        vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
        va_end(ap);
        n = strlen(err->msg);
        /* GNU's strerror_r (we build with _GNU_SOURCE): the text may not be in the buffer given */
        snprintf(why, sizeof(why), "%s", strerror_r(code, scratch, sizeof(scratch)));
        if (why[0] >= 'A' && why[0] <= 'Z' && !(why[1] >= 'A' && why[1] <= 'Z'))
            why[0] = (char)(why[0] - 'A' + 'a');
        snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", why);
    }
    return false;
}

const char *plat_err_kind_name(enum plat_err_kind kind)
{
    if ((size_t)kind >= sizeof(kind_names) / sizeof(*kind_names))
        return "bug";
    return kind_names[kind];
}
