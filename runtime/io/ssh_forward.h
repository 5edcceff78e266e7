/*
 * Forwarding: a listener here, on a unix socket or on a port of 127.0.0.1, whose connections go
 * through a session to a unix socket or a port there.  Each half ends by itself, and each side
 * waits for the other one.  A listener ends with its session.
 */
#pragma once

#include "io/ssh.h"

struct plat_ssh_forward;

struct plat_ssh_forward_opts {
    const char *listen; /* the path of a unix socket here; NULL: a free port of 127.0.0.1 */
    enum plat_ssh_kind kind;
    const char *to; /* a host, or a path, there */
    int port;
};

/* NULL: *err says why.  The caller owns the result; all strings are copied. */
struct plat_ssh_forward *plat_ssh_forward_new(struct plat_loop *loop, struct plat_ssh *s,
                                              const struct plat_ssh_forward_opts *opts,
                                              struct plat_err *err);

/* Ends the listener and all that goes through it.  NULL is fine. */
void plat_ssh_forward_free(struct plat_ssh_forward *f);

int plat_ssh_forward_port(const struct plat_ssh_forward *f); /* here; 0: a unix socket */

/* Why the last connection that failed did so; kind 0: none has. */
const struct plat_err *plat_ssh_forward_error(const struct plat_ssh_forward *f);
