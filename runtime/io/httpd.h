/*
 * An HTTP/1.1 server: GNU libmicrohttpd on the loop.  It serves tests, simulated systems and web
 * hooks; it is not built to face the internet.
 *
 * A request is handed out when all of its body is here; its connection sleeps until the answer.
 * The answer is one response, or a stream of pieces (chunked), or a switch of protocols after which
 * both sides exchange bytes.  A request that is let go of unanswered is answered 500.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/op.h"

struct plat_loop;
struct plat_httpd;
struct plat_httpd_req;
struct plat_httpd_pipe;

struct plat_httpd_opts {
    const char *host;        /* address literal or "localhost" */
    int port;                /* 0: a free one */
    const char *unix_socket; /* path, instead of host and port; mode 0600 */
    const char *cert, *key;  /* PEM texts, both or none */
    size_t max_body;         /* larger requests are answered 413 */
};

struct plat_httpd_header {
    const char *name, *value;
};

/* All strings are needed during the call only.  Content-Length and Transfer-Encoding are ours:
 * they are skipped in `headers`. */
struct plat_httpd_head {
    unsigned status;
    const struct plat_httpd_header *headers;
    size_t n_headers;
};

/* What every wait here embeds.  Zeroed by the caller; `accepted` and `pipe` are results. */
struct plat_httpd_op {
    struct plat_op op;
    struct plat_httpd_op **slot;     /* where the engine keeps it */
    struct plat_httpd_req *accepted; /* NULL: the server was closed; else the caller's */
    struct plat_httpd_pipe *pipe;    /* the caller's */
};

extern const struct plat_op_class plat_httpd_accept_class;
extern const struct plat_op_class plat_httpd_write_class;
extern const struct plat_op_class plat_httpd_gone_class;
extern const struct plat_op_class plat_httpd_upgrade_class;
extern const struct plat_op_class plat_httpd_pipe_read_class;
extern const struct plat_op_class plat_httpd_pipe_write_class;

/* Every wait below has one waiter at a time; a second one is PLAT_ERR_USAGE. */

/* ---- server ---- */

/* NULL: failed.  The caller owns the result. */
struct plat_httpd *plat_httpd_listen(struct plat_loop *loop, const struct plat_httpd_opts *opts,
                                     struct plat_err *err);

/* Cuts all connections and wakes who waits.  NULL is fine. */
void plat_httpd_free(struct plat_httpd *server);

int plat_httpd_port(const struct plat_httpd *server); /* 0: a unix socket */
bool plat_httpd_accept(struct plat_httpd *server, struct plat_httpd_op *op, struct plat_err *err);

/* ---- request ---- */

void plat_httpd_req_free(struct plat_httpd_req *req); /* NULL is fine */

const char *plat_httpd_method(const struct plat_httpd_req *req);
const char *plat_httpd_target(const struct plat_httpd_req *req); /* as sent, "/a%20b?c=d" */
const char *plat_httpd_peer(const struct plat_httpd_req *req);   /* "127.0.0.1:4711", "unix" */
const struct plat_buf *plat_httpd_body(const struct plat_httpd_req *req);

/* name '\0' value '\0' ..., in the order of arrival */
const struct plat_buf *plat_httpd_headers(const struct plat_httpd_req *req);

/* The client has closed its side, or the connection is lost. */
bool plat_httpd_is_gone(struct plat_httpd_req *req);

bool plat_httpd_is_sent(const struct plat_httpd_req *req); /* the answer, completely */

/* Ready when the client is gone or the answer was sent completely. */
bool plat_httpd_await_gone(struct plat_httpd_req *req, struct plat_httpd_op *op,
                           struct plat_err *err);

/* False: already answered (PLAT_ERR_USAGE), client gone (PLAT_ERR_CONNECT), bad header
 * (PLAT_ERR_USAGE: the request is still to be answered). */
bool plat_httpd_respond(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                        const char *body, size_t len, struct plat_err *err);
bool plat_httpd_start(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                      struct plat_err *err);

/* Queues a piece of a started answer.  op is ready when the client keeps up, or is gone. */
bool plat_httpd_write(struct plat_httpd_req *req, struct plat_httpd_op *op, const char *data,
                      size_t len, struct plat_err *err);
void plat_httpd_finish(struct plat_httpd_req *req); /* ends a started answer; else nothing */

/* Answers 101 (head->status is ignored) and waits for the connection to be ours: op->pipe, NULL if
 * the client has gone. */
bool plat_httpd_upgrade(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                        struct plat_httpd_op *op, struct plat_err *err);

/* ---- pipe: the connection after an upgrade ---- */

void plat_httpd_pipe_free(struct plat_httpd_pipe *pipe); /* closes; NULL is fine */

/* Ready when plat_httpd_pipe_input has bytes, or none will come. */
bool plat_httpd_pipe_read(struct plat_httpd_pipe *pipe, struct plat_httpd_op *op,
                          struct plat_err *err);
const struct plat_buf *plat_httpd_pipe_input(const struct plat_httpd_pipe *pipe);
void plat_httpd_pipe_consume(struct plat_httpd_pipe *pipe, size_t n);
bool plat_httpd_pipe_write(struct plat_httpd_pipe *pipe, struct plat_httpd_op *op, const char *data,
                           size_t len, struct plat_err *err);
void plat_httpd_pipe_finish(struct plat_httpd_pipe *pipe); /* half-close, after what is queued */
const struct plat_err *plat_httpd_pipe_error(const struct plat_httpd_pipe *pipe); /* kind 0: none */
