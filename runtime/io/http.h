/*
 * The HTTP client: libcurl's multi interface on the loop.  One struct plat_http is one transfer: a
 * request and its answer, or a stream of bytes in one or both directions.
 *
 * Life: plat_http_new, plat_http_header for each header, plat_http_start, an op that waits for the
 * answer, for streams ops that read and write, plat_http_free.  What a function takes is copied,
 * except the body, which must live until the transfer is freed.
 *
 * A transfer with `stream` becomes a stream when the status is 2xx; other answers are collected
 * whole, so that their explanation can be shown.  `upgrade` becomes a raw duplex stream on a 101.
 * Streams use HTTP/1.1 and a connection each: a slow reader then holds up nobody else.
 *
 * libcurl sends a request again when a kept connection turns out to be dead.  Here that is done for
 * GET, HEAD and OPTIONS alone: whether another request took effect is for the caller to find out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct plat_http;
struct plat_http_engine;
struct plat_loop;
struct plat_op;

struct plat_http_blob {
    const char *data; /* NULL: none */
    size_t len;
};

struct plat_http_spec {
    const char *method; /* a token, upper case by custom */
    const char *url;    /* http or https; no user:password@ */
    struct plat_http_blob body;
    struct plat_http_blob ca;        /* PEM; instead of the system's */
    struct plat_http_blob cert, key; /* PEM */
    const char *server_name;         /* TLS name, if it is not the URL's host */
    const char *unix_socket;
    const char *proxy;                                   /* NULL: the environment's; "": none */
    double connect_timeout, first_byte_timeout, timeout; /* seconds; 0: none */
    size_t max_body;                                     /* decoded bytes */
    int64_t upload_size;                                 /* of a streamed upload; -1: unknown */
    int follow;                                          /* redirects, of GET and HEAD only */
    bool insecure;                                       /* do not verify TLS */
    bool decompress;
    bool http1; /* no HTTP/2 */
    bool stream, upload, upgrade;
};

struct plat_http_answer {
    int status;          /* 0: none yet */
    const char *version; /* "1.0", "1.1", "2" */
    const char *url;     /* after redirects */
    const char *headers; /* "Name: value\r\n" lines without the status line */
    size_t headers_len;
    const char *body;
    size_t body_len;
    bool reused;    /* the connection was a kept one */
    bool is_stream; /* the body is read by plat_http_read() */
};

/* NULL: out of memory. */
struct plat_http_engine *plat_http_engine_new(struct plat_loop *loop);

/* Ends every transfer and closes every connection; the memory goes when the loop has run. */
void plat_http_engine_free(struct plat_http_engine *engine);

struct plat_http *plat_http_new(struct plat_http_engine *engine, struct plat_err *err);

/* Ends the transfer at once, in its middle too: its connection is closed then.  NULL is fine. */
void plat_http_free(struct plat_http *h);

/* Adds "Name: value".  Line ends, and headers that libcurl must set itself, are USAGE errors. */
bool plat_http_header(struct plat_http *h, const char *line, size_t len, struct plat_err *err);

/* Starts.  False: a USAGE error (a malformed URL) or the world's; nothing was sent. */
bool plat_http_start(struct plat_http *h, const struct plat_http_spec *spec, struct plat_err *err);

/* Makes op ready when the answer is there: its headers for a stream, all of it otherwise.
 * Then plat_http_failed() or plat_http_answer() tells. */
void plat_http_wait(struct plat_http *h, struct plat_op *op);

/* Nobody waits any more for the answer, for reading or for writing with this op. */
void plat_http_forget(struct plat_http *h, const struct plat_op *op);

/* The wait for the answer was given up: ends the transfer. */
void plat_http_abort(struct plat_http *h);

bool plat_http_failed(const struct plat_http *h, struct plat_err *err);
void plat_http_answer(struct plat_http *h, struct plat_http_answer *ret);

/* True when the request may have reached the server: it was not surely without effect. */
bool plat_http_left(const struct plat_http *h);

/* ---- streams ---- */

enum plat_http_state {
    PLAT_HTTP_MORE,   /* done; for reading: *ret_len > 0 bytes are there */
    PLAT_HTTP_END,    /* the body has ended; nothing can be written any more */
    PLAT_HTTP_FAILED, /* *err says why */
    PLAT_HTTP_WAIT,   /* op becomes ready; then call again */
};

/* Looks at what has arrived.  Bytes stay borrowed until plat_http_took(). */
enum plat_http_state plat_http_read(struct plat_http *h, struct plat_op *op, const char **ret_data,
                                    size_t *ret_len, struct plat_err *err);
void plat_http_took(struct plat_http *h, size_t n);

/* Queues bytes to be sent.  The queue is bounded: on WAIT the rest stays borrowed until op is ready
 * or forgotten; then a call with n == 0 tells whether it all went. */
enum plat_http_state plat_http_write(struct plat_http *h, struct plat_op *op, const char *data,
                                     size_t n, struct plat_err *err);

/* Nothing more will be written: ends the upload, or shuts our half of an upgraded connection. */
bool plat_http_finish(struct plat_http *h, struct plat_err *err);
