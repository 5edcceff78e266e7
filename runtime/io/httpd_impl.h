/* Shared by the files of the server. */
#pragma once

#include <microhttpd.h>
#include <uv.h>

#include "io/httpd.h"

struct plat_httpd {
    struct plat_loop *loop;
    struct MHD_Daemon *daemon;
    uv_poll_t poll; /* on the daemon's epoll descriptor */
    uv_timer_t timer;
    uv_idle_t idle; /* active while libmicrohttpd has more to do */
    int turns;
    int handles;                     /* not yet closed */
    struct plat_httpd_req *requests; /* all that have a connection */
    struct plat_httpd_req *ready, **ready_tail;
    struct plat_httpd_pipe *pipes;
    struct plat_httpd_op *accept_op;
    size_t max_body;
    int port;
    char *unix_socket; /* removed at the end; NULL: none */
    char why[160];     /* what libmicrohttpd said last */
};

enum {
    PLAT_HTTPD_HIGH_WATER = 256 * 1024,  /* a writer waits above this */
    PLAT_HTTPD_PIECE = 64 * 1024 * 1024, /* the largest single piece */
};

enum req_phase {
    REQ_ARRIVING, /* head or body */
    REQ_OPEN,     /* complete, to be answered */
    REQ_ANSWERED, /* `response` is set or queued */
};

struct plat_httpd_req {
    struct plat_httpd *server;           /* NULL: the connection is finished */
    struct MHD_Connection *conn;         /* likewise */
    struct plat_httpd_req *next, **link; /* in server->requests */
    struct plat_httpd_req *next_ready;
    struct MHD_Response *response; /* to be queued when libmicrohttpd calls next */
    unsigned status;
    enum req_phase phase;
    int refs;  /* the connection, the owner, the watch */
    bool seen; /* the handler was called */
    bool suspended;
    bool streams, finished, gone, complete, too_large;
    size_t discarded; /* bytes of a body that is too large */
    char *target;
    char method[32];
    char peer[64];
    struct plat_buf headers, body, out;
    struct plat_httpd_op *write_op, *gone_op, *upgrade_op;
    uv_poll_t watch; /* notices the client's end while the connection sleeps */
    bool watching;
};

/* Puts the op into its slot. */
bool plat_httpd_hold(struct plat_httpd_op **slot, struct plat_httpd_op *op, struct plat_err *err);
void plat_httpd_wake(struct plat_httpd_op **slot);
void plat_httpd_drop(struct plat_op *op); /* the cancel of all waits */

/* Lets libmicrohttpd work soon. */
void plat_httpd_kick(struct plat_httpd *server);

/* Hands a complete request to who accepts. */
void plat_httpd_deliver(struct plat_httpd *server, struct plat_httpd_req *req);

/* httpd_req.c: libmicrohttpd's callbacks */
void *plat_httpd_on_target(void *cls, const char *target, struct MHD_Connection *conn);
enum MHD_Result plat_httpd_on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                      const char *method, const char *version, const char *data,
                                      size_t *size, void **ctx);
void plat_httpd_on_complete(void *cls, struct MHD_Connection *conn, void **ctx,
                            enum MHD_RequestTerminationCode code);
void plat_httpd_req_cut(struct plat_httpd_req *req); /* breaks the connection off */
void plat_httpd_req_resume(struct plat_httpd_req *req);
void plat_httpd_req_watch(struct plat_httpd_req *req); /* notices when the client goes */

/* Common to answers: checks that one is due and adds the headers; takes over `response`. */
bool plat_httpd_answer(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                       unsigned status, struct MHD_Response *response, struct plat_err *err);

/* httpd_pipe.c */
void plat_httpd_on_upgrade(void *cls, struct MHD_Connection *conn, void *ctx, const char *extra,
                           size_t extra_len, MHD_socket fd,
                           struct MHD_UpgradeResponseHandle *handle);
void plat_httpd_pipe_cut(struct plat_httpd_pipe *pipe); /* the server ends */
