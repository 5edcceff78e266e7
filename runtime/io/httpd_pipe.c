/*
 * The connection after a switch of protocols: bytes both ways.  Inside TLS the descriptor is one
 * end of a socket pair, and libmicrohttpd 0.9.75 copies between it and the client four bytes at a
 * time (the head of the answer has taken all of the connection's memory): right, but slow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/httpd_impl.h"
#include "io/loop.h"

#include "base/banned.h"

enum { READ_AHEAD = 256 * 1024, CHUNK = 64 * 1024 };

struct plat_httpd_pipe {
    struct plat_httpd *server; /* NULL: closed */
    struct plat_httpd_pipe *next, **link;
    struct MHD_UpgradeResponseHandle *handle;
    uv_poll_t poll;
    int fd;
    struct plat_buf in, out;
    struct plat_err err;
    struct plat_httpd_op *read_op, *write_op;
    bool eof, finished;
    int refs; /* the owner, the poll handle */
};

const struct plat_op_class plat_httpd_pipe_read_class = { .name = "httpd.read",
                                                          .real = true,
                                                          .cancel = plat_httpd_drop };
const struct plat_op_class plat_httpd_pipe_write_class = { .name = "httpd.write",
                                                           .real = true,
                                                           .cancel = plat_httpd_drop };

static void unref(struct plat_httpd_pipe *pipe)
{
    if (--pipe->refs)
        return;
    plat_buf_done(&pipe->in);
    plat_buf_done(&pipe->out);
    free(pipe);
}

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

/* Gives the connection back; libmicrohttpd closes its descriptor. */
static void close_pipe(struct plat_httpd_pipe *pipe)
{
    struct plat_httpd *server = pipe->server;

    if (!server)
        return;
    pipe->server = NULL;
    pipe->eof = true;
    *pipe->link = pipe->next;
    if (pipe->next)
        pipe->next->link = pipe->link;
    uv_close((uv_handle_t *)&pipe->poll, on_closed);
    MHD_upgrade_action(pipe->handle, MHD_UPGRADE_ACTION_CLOSE);
    plat_httpd_kick(server);
    plat_httpd_wake(&pipe->read_op);
    plat_httpd_wake(&pipe->write_op);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void set_events(struct plat_httpd_pipe *pipe)
{
    int events = (!pipe->eof && pipe->in.len < READ_AHEAD ? UV_READABLE : 0) |
                 (pipe->out.len ? UV_WRITABLE : 0);

    if (!pipe->server)
        return;
    if (events)
        uv_poll_start(&pipe->poll, events, on_event);
    else
        uv_poll_stop(&pipe->poll);
}

static void broken(struct plat_httpd_pipe *pipe, const char *op)
{
    plat_err_set(&pipe->err, PLAT_ERR_CONNECT, errno, op, "the connection is lost: %s",
                 strerror(errno));
    close_pipe(pipe);
}

static void read_some(struct plat_httpd_pipe *pipe)
{
    size_t space = READ_AHEAD - pipe->in.len;
    char *room = plat_buf_room(&pipe->in, space < CHUNK ? space : CHUNK);
    ssize_t n;

    if (!room) {
        errno = ENOMEM;
        broken(pipe, "httpd.read");
        return;
    }
    n = recv(pipe->fd, room, space < CHUNK ? space : CHUNK, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        broken(pipe, "httpd.read");
        return;
    }
    if (n > 0)
        plat_buf_grew(&pipe->in, (size_t)n);
    else
        pipe->eof = true;
    plat_httpd_wake(&pipe->read_op);
}

static void write_some(struct plat_httpd_pipe *pipe)
{
    while (pipe->out.len) {
        ssize_t n = send(pipe->fd, plat_buf_bytes(&pipe->out), pipe->out.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            broken(pipe, "httpd.write");
            return;
        }
        plat_buf_drop(&pipe->out, (size_t)n);
    }
    if (!pipe->out.len && pipe->finished)
        shutdown(pipe->fd, SHUT_WR);
    if (pipe->out.len <= PLAT_HTTPD_HIGH_WATER)
        plat_httpd_wake(&pipe->write_op);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct plat_httpd_pipe *pipe = poll->data;

    if (status < 0)
        events = UV_READABLE; /* the error shows in recv */
    if (events & UV_READABLE && pipe->in.len < READ_AHEAD)
        read_some(pipe);
    if (pipe->server && events & UV_WRITABLE)
        write_some(pipe);
    set_events(pipe);
}

/* libmicrohttpd hands the connection over.  Without memory it is closed again. */
void plat_httpd_on_upgrade(void *cls, struct MHD_Connection *conn, void *ctx, const char *extra,
                           size_t extra_len, MHD_socket fd,
                           struct MHD_UpgradeResponseHandle *handle)
{
    struct plat_httpd_req *req = cls;
    struct plat_httpd *server = req->server;
    struct plat_httpd_pipe *pipe = req->upgrade_op ? calloc(1, sizeof(*pipe)) : NULL;

    (void)conn;
    (void)ctx;
    if (!pipe || uv_poll_init(plat_loop_uv(server->loop), &pipe->poll, fd)) {
        free(pipe);
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
        plat_httpd_wake(&req->upgrade_op);
        return;
    }
    pipe->refs = 2;
    pipe->poll.data = pipe;
    pipe->server = server;
    pipe->handle = handle;
    pipe->fd = fd;
    plat_buf_init(&pipe->in, READ_AHEAD + CHUNK);
    plat_buf_init(&pipe->out, PLAT_HTTPD_PIECE + PLAT_HTTPD_HIGH_WATER);
    pipe->link = &server->pipes;
    pipe->next = server->pipes;
    if (pipe->next)
        pipe->next->link = &pipe->next;
    server->pipes = pipe;
    if (!plat_buf_add(&pipe->in, extra, extra_len)) {
        errno = ENOMEM;
        broken(pipe, "httpd.upgrade");
    }
    set_events(pipe);
    req->upgrade_op->pipe = pipe;
    plat_httpd_wake(&req->upgrade_op);
}

void plat_httpd_pipe_cut(struct plat_httpd_pipe *pipe)
{
    plat_err_set(&pipe->err, PLAT_ERR_CONNECT, 0, "httpd.read", "the server was closed");
    close_pipe(pipe);
}

void plat_httpd_pipe_free(struct plat_httpd_pipe *pipe)
{
    if (!pipe)
        return;
    close_pipe(pipe);
    unref(pipe);
}

bool plat_httpd_pipe_read(struct plat_httpd_pipe *pipe, struct plat_httpd_op *op,
                          struct plat_err *err)
{
    if (!plat_httpd_hold(&pipe->read_op, op, err))
        return false;
    if (pipe->in.len || pipe->eof)
        plat_httpd_wake(&pipe->read_op);
    return true;
}

const struct plat_buf *plat_httpd_pipe_input(const struct plat_httpd_pipe *pipe)
{
    return &pipe->in;
}

void plat_httpd_pipe_consume(struct plat_httpd_pipe *pipe, size_t n)
{
    plat_buf_drop(&pipe->in, n);
    set_events(pipe);
}

bool plat_httpd_pipe_write(struct plat_httpd_pipe *pipe, struct plat_httpd_op *op, const char *data,
                           size_t len, struct plat_err *err)
{
    if (pipe->finished)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "httpd.write", "it was finished");
    if (!pipe->server) {
        if (pipe->err.kind)
            *err = pipe->err;
        else
            plat_err_set(err, PLAT_ERR_CONNECT, 0, "httpd.write", "the connection is closed");
        return false;
    }
    if (!plat_httpd_hold(&pipe->write_op, op, err))
        return false;
    if (len > PLAT_HTTPD_PIECE || !plat_buf_add(&pipe->out, data, len)) {
        plat_httpd_drop(&op->op);
        return plat_err_set(err, PLAT_ERR_REFUSED, 0, "httpd.write", "a piece of %zu bytes", len);
    }
    write_some(pipe);
    set_events(pipe);
    return true;
}

void plat_httpd_pipe_finish(struct plat_httpd_pipe *pipe)
{
    if (!pipe->server || pipe->finished)
        return;
    pipe->finished = true;
    if (!pipe->out.len)
        shutdown(pipe->fd, SHUT_WR);
}

const struct plat_err *plat_httpd_pipe_error(const struct plat_httpd_pipe *pipe)
{
    return &pipe->err;
}
