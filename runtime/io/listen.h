/* Listening sockets. */
#pragma once

#include "base/err.h"

struct plat_listen_opts {
    const char *unix_socket; /* NULL, or its path: of mode 0600; a stale one is replaced */
    const char *host;        /* else an address, or "localhost" */
    int port;                /* 0: a free one */
    const char *op;          /* for errors */
};

/* Gives a descriptor that does not block and is closed at exec; -1: *err says why.  *ret_port is 0
 * for a unix socket. */
int plat_listen(const struct plat_listen_opts *opts, int *ret_port, struct plat_err *err);
