#include "io/httpd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/httpd_impl.h"
#include "io/listen.h"
#include "io/loop.h"

#include "base/banned.h"

enum {
    MAX_CONNECTIONS = 16384,
    TURNS = 64,                   /* immediate runs in a row before a pause of 1 ms */
    IDLE_SECONDS = 120,           /* a connection that neither sends nor takes anything */
    CONNECTION_MEMORY = 64 * 1024 /* the largest request head; libmicrohttpd takes it at once */
};

/* ---- waits ---- */

bool plat_httpd_hold(struct plat_httpd_op **slot, struct plat_httpd_op *op, struct plat_err *err)
{
    if (*slot)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, op->op.cls->name,
                            "another task waits for the same");
    *slot = op;
    op->slot = slot;
    return true;
}

void plat_httpd_wake(struct plat_httpd_op **slot)
{
    struct plat_httpd_op *op = *slot;

    *slot = NULL;
    if (op) {
        op->slot = NULL;
        plat_op_ready(&op->op);
    }
}

void plat_httpd_drop(struct plat_op *base)
{
    struct plat_httpd_op *op = (struct plat_httpd_op *)base;

    if (op->slot)
        *op->slot = NULL;
    op->slot = NULL;
}

/* Not real: a listening server alone does not stop virtual time. */
const struct plat_op_class plat_httpd_accept_class = { .name = "httpd.accept",
                                                       .cancel = plat_httpd_drop };

/* ---- libmicrohttpd on the loop ---- */

static void on_timer(uv_timer_t *timer);
static void on_idle(uv_idle_t *idle);

/*
 * libmicrohttpd asks to be called again at once while it has something to send or to parse, but
 * also while a TLS handshake waits for the client.  So after some turns in a row it has to pause.
 * "At once" is an idle handle: a timer of 0 that is set again in its own callback never lets libuv
 * poll.
 */
static void run(struct plat_httpd *server)
{
    MHD_UNSIGNED_LONG_LONG ms;
    bool due;

    MHD_run(server->daemon);
    due = MHD_get_timeout(server->daemon, &ms) == MHD_YES;
    if (due && ms == 0 && ++server->turns < TURNS) {
        plat_httpd_kick(server);
        return;
    }
    server->turns = 0;
    uv_idle_stop(&server->idle);
    if (due)
        uv_timer_start(&server->timer, on_timer, ms ? ms : 1, 0);
    else
        uv_timer_stop(&server->timer);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_idle(uv_idle_t *idle)
{
    run(idle->data);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

void plat_httpd_kick(struct plat_httpd *server)
{
    uv_idle_start(&server->idle, on_idle);
}

/* ---- requests on their way to Lua ---- */

static struct plat_httpd_req *take_ready(struct plat_httpd *server)
{
    struct plat_httpd_req *req = server->ready;

    if (req) {
        server->ready = req->next_ready;
        if (!server->ready)
            server->ready_tail = &server->ready;
        req->next_ready = NULL;
    }
    return req;
}

static void hand_out(struct plat_httpd *server)
{
    if (server->accept_op && server->ready) {
        server->accept_op->accepted = take_ready(server);
        plat_httpd_wake(&server->accept_op);
    }
}

void plat_httpd_deliver(struct plat_httpd *server, struct plat_httpd_req *req)
{
    req->refs++; /* the queue's, then the owner's */
    *server->ready_tail = req;
    server->ready_tail = &req->next_ready;
    hand_out(server);
}

bool plat_httpd_accept(struct plat_httpd *server, struct plat_httpd_op *op, struct plat_err *err)
{
    if (!plat_httpd_hold(&server->accept_op, op, err))
        return false;
    hand_out(server);
    return true;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle)
{
    struct plat_httpd *server = handle->data;

    if (--server->handles)
        return;
    free(server->unix_socket);
    free(server);
}

static void on_log(void *cls, const char *fmt, va_list ap)
{
    struct plat_httpd *server = cls;
    size_t n;

    vsnprintf(server->why, sizeof(server->why), fmt, ap);
    n = strlen(server->why);
    if (n && server->why[n - 1] == '\n')
        server->why[n - 1] = '\0';
}

static struct MHD_Daemon *start_daemon(struct plat_httpd *server, int fd,
                                       const struct plat_httpd_opts *opts)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                     MHD_USE_ERROR_LOG | MHD_USE_PEDANTIC_CHECKS | (opts->cert ? MHD_USE_TLS : 0);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)opts->cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)opts->key },
        { MHD_OPTION_END, 0, NULL },
    };

    return MHD_start_daemon(
        flags, 0, NULL, NULL, plat_httpd_on_request, server,           /* access policy: none */
        MHD_OPTION_EXTERNAL_LOGGER, on_log, server,                    /* first: hears the others */
        MHD_OPTION_LISTEN_SOCKET, fd,                                  /* taken over */
        MHD_OPTION_URI_LOG_CALLBACK, plat_httpd_on_target, server,     /* */
        MHD_OPTION_NOTIFY_COMPLETED, plat_httpd_on_complete, server,   /* */
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS,        /* */
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,         /* */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, /* */
        MHD_OPTION_ARRAY, opts->cert ? tls : tls + 2, MHD_OPTION_END);
}

static bool watch_daemon(struct plat_httpd *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_loop_t *uv = plat_loop_uv(server->loop);

    if (!info || uv_poll_init(uv, &server->poll, info->epoll_fd))
        return false;
    uv_timer_init(uv, &server->timer);
    uv_idle_init(uv, &server->idle);
    server->poll.data = server->timer.data = server->idle.data = server;
    server->handles = 3;
    uv_unref((uv_handle_t *)&server->timer); /* serves connections, which the poll stands for */
    return uv_poll_start(&server->poll, UV_READABLE, on_event) == 0;
}

struct plat_httpd *plat_httpd_listen(struct plat_loop *loop, const struct plat_httpd_opts *opts,
                                     struct plat_err *err)
{
    struct plat_listen_opts where = {
        .unix_socket = opts->unix_socket,
        .host = opts->host,
        .port = opts->port,
        .op = "httpd.listen",
    };
    struct plat_httpd *server;
    int port, fd = plat_listen(&where, &port, err);

    if (fd < 0)
        return NULL;
    server = calloc(1, sizeof(*server));
    if (server) {
        server->loop = loop;
        server->port = port;
        server->max_body = opts->max_body;
        server->ready_tail = &server->ready;
        server->unix_socket = opts->unix_socket ? strdup(opts->unix_socket) : NULL;
        server->daemon = start_daemon(server, fd, opts);
    }
    if (!server || !server->daemon) {
        plat_err_set(err, PLAT_ERR_IO, 0, "httpd.listen", "cannot start the server: %s",
                     server && server->why[0] ? server->why : "out of memory");
        close(fd);
        if (server && server->unix_socket)
            unlink(server->unix_socket);
        free(server ? server->unix_socket : NULL);
        free(server);
        return NULL;
    }
    if (watch_daemon(server))
        return server;
    plat_err_set(err, PLAT_ERR_IO, 0, "httpd.listen", "cannot watch the server");
    plat_httpd_free(server);
    return NULL;
}

void plat_httpd_free(struct plat_httpd *server)
{
    struct plat_httpd_req *req;

    if (!server || !server->daemon)
        return;
    while ((req = take_ready(server)))
        plat_httpd_req_free(req);
    for (struct plat_httpd_pipe *pipe = server->pipes; pipe; pipe = server->pipes)
        plat_httpd_pipe_cut(pipe);
    for (req = server->requests; req; req = req->next)
        plat_httpd_req_cut(req);
    if (server->handles) { /* before the daemon closes the descriptor that is polled */
        uv_close((uv_handle_t *)&server->timer, on_closed);
        uv_close((uv_handle_t *)&server->idle, on_closed);
        uv_close((uv_handle_t *)&server->poll, on_closed);
    }
    MHD_stop_daemon(server->daemon); /* completes all requests */
    server->daemon = NULL;
    if (server->unix_socket)
        unlink(server->unix_socket);
    plat_httpd_wake(&server->accept_op);
    if (!server->handles) {
        free(server->unix_socket);
        free(server);
    }
}

int plat_httpd_port(const struct plat_httpd *server)
{
    return server->port;
}
