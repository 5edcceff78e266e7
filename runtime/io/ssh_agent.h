/*
 * A client of ssh-agent (draft-miller-ssh-agent): one question a connection, on the loop.  libssh2
 * has one too, which blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct plat_loop;
struct ssh_agent_call;

/* On the loop, once, never from inside the start.  data is NULL when err says why. */
typedef void ssh_agent_fn(void *arg, const unsigned char *data, size_t len,
                          const struct plat_err *err);

/* Sends a question, its type byte first.  NULL: *err says why, and `fn` will not be called. */
struct ssh_agent_call *ssh_agent_ask(struct plat_loop *loop, const char *path,
                                     const unsigned char *question, size_t len, ssh_agent_fn *fn,
                                     void *arg, struct plat_err *err);

/* Not interested any more: `fn` will not be called.  NULL is fine; after `fn` it is forbidden. */
void ssh_agent_drop(struct ssh_agent_call *call);
