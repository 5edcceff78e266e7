#include "io/ssh_forward.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/listen.h"
#include "io/loop.h"
#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.forward"

enum { LINKS = 256, /* connections at once: more wait to be accepted */ AHEAD = 256 * 1024 };

struct link {                   /* one connection */
    struct plat_ssh_forward *f; /* NULL: it is being closed */
    struct link *next, **self;
    struct plat_ssh_exec *e;
    uv_poll_t poll;
    int fd;
    int events;         /* what the poll waits for */
    struct plat_buf up; /* read here, not yet taken there */
    bool up_ended;      /* nothing more comes from here */
    bool down_ended;    /* nor from there */
};

struct plat_ssh_forward {
    struct plat_ssh *s; /* NULL: lost */
    struct plat_loop *loop;
    struct plat_ssh_forward *next, **self; /* of the session */
    struct link *links;
    int count;
    uv_poll_t poll;
    int fd; /* -1: does not listen any more */
    bool listening, handle, freed;
    int here; /* port */
    enum plat_ssh_kind kind;
    char *path; /* of the socket here */
    char *to;
    int port;
    struct plat_err err;
};

/* ---- one connection ---- */

static void listen_again(struct plat_ssh_forward *f);

static void on_link_closed(uv_handle_t *handle)
{
    struct link *link = handle->data;

    close(link->fd);
    plat_buf_done(&link->up);
    free(link);
}

static void cut(struct link *link)
{
    struct plat_ssh_forward *f = link->f;

    *link->self = link->next;
    if (link->next)
        link->next->self = link->self;
    link->f = NULL;
    plat_ssh_exec_free(link->e);
    link->e = NULL;
    uv_close((uv_handle_t *)&link->poll, on_link_closed);
    f->count--;
    listen_again(f);
}

/* Whoever connected has closed it all, and not only his half. */
static bool hung_up(int fd)
{
    struct pollfd look = { .fd = fd };

    return poll(&look, 1, 0) == 1 && look.revents & (POLLHUP | POLLERR);
}

/* From here to there.  False: the connection is gone. */
static bool pump_up(struct link *link)
{
    struct plat_buf *up = &link->up;

    while (!link->up_ended || up->len) {
        ssize_t n;
        char *room;

        if (up->len) {
            plat_buf_drop(up, plat_ssh_exec_push(link->e, plat_buf_bytes(up), up->len));
            if (up->len) /* there will be an event */
                return true;
        }
        if (link->up_ended)
            break;
        room = plat_buf_room(up, SSH_CHUNK);
        n = room ? recv(link->fd, room, SSH_CHUNK, 0) : -1;
        if (n < 0)
            return room && (errno == EAGAIN || errno == EINTR);
        plat_buf_grew(up, (size_t)n);
        link->up_ended = n == 0;
    }
    plat_ssh_exec_finish(link->e);
    return link->down_ended || !hung_up(link->fd);
}

/* From there to here. */
static bool pump_down(struct link *link)
{
    const struct plat_buf *out = plat_ssh_exec_output(link->e, 0);

    while (out->len) {
        ssize_t n = send(link->fd, plat_buf_bytes(out), out->len, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        plat_ssh_exec_consume(link->e, 0, (size_t)n);
    }
    if (!link->down_ended && plat_ssh_exec_eof(link->e)) {
        link->down_ended = true;
        shutdown(link->fd, SHUT_WR);
    }
    return true;
}

static void on_poll(uv_poll_t *handle, int status, int events);

static void pump(struct link *link)
{
    struct plat_ssh_status status;
    int events = 0;

    if (!plat_ssh_exec_opened(link->e)) {
        if (!plat_ssh_exec_ended(link->e))
            return;
        plat_ssh_exec_result(link->e, &status, &link->f->err);
        cut(link);
        return;
    }
    if (!pump_down(link) || (!plat_ssh_exec_ended(link->e) && !pump_up(link)) ||
        (plat_ssh_exec_ended(link->e) && link->down_ended)) {
        cut(link);
        return;
    }
    if (!link->up_ended && !link->up.len && !plat_ssh_exec_ended(link->e))
        events |= UV_READABLE;
    if (plat_ssh_exec_output(link->e, 0)->len)
        events |= UV_WRITABLE;
    if (events == link->events)
        return;
    link->events = events;
    if (events)
        uv_poll_start(&link->poll, events, on_poll);
    else
        uv_poll_stop(&link->poll);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct link *link = handle->data;

    (void)events;
    if (status < 0)
        cut(link);
    else
        pump(link);
}

static void on_channel(void *arg)
{
    pump(arg);
}

/* Takes over fd. */
static void connect_there(struct plat_ssh_forward *f, int fd)
{
    struct plat_ssh_exec_opts opts = {
        .kind = f->kind,
        .command = f->to,
        .command_len = strlen(f->to),
        .port = f->port,
        .max_output = AHEAD,
        .stream = true,
        .more_input = true,
        .on_event = on_channel,
    };
    struct link *link = calloc(1, sizeof(*link));

    if (link)
        opts.arg = link;
    if (!link || uv_poll_init(plat_loop_uv(f->loop), &link->poll, fd)) {
        free(link);
        close(fd);
        return;
    }
    link->poll.data = link;
    link->fd = fd;
    plat_buf_init(&link->up, SSH_CHUNK);
    link->e = plat_ssh_exec_new(f->s, &opts, NULL, &f->err);
    if (!link->e) {
        uv_close((uv_handle_t *)&link->poll, on_link_closed);
        return;
    }
    link->f = f;
    link->next = f->links;
    link->self = &f->links;
    if (f->links)
        f->links->self = &link->next;
    f->links = link;
    f->count++;
}

/* ---- the listener ---- */

static void maybe_delete(struct plat_ssh_forward *f)
{
    if (!f->freed || f->handle)
        return;
    free(f->path);
    free(f->to);
    free(f);
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct plat_ssh_forward *f = handle->data;

    close(f->fd);
    f->fd = -1;
    f->handle = false;
    maybe_delete(f);
}

static void on_client(uv_poll_t *handle, int status, int events)
{
    struct plat_ssh_forward *f = handle->data;

    (void)status;
    (void)events;
    while (f->s && f->count < LINKS) {
        int fd = accept4(f->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            connect_there(f, fd);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (errno != ECONNABORTED && errno != EINTR) { /* out of descriptors, say */
            plat_err_errno(&f->err, errno, OP, "cannot take a connection");
            break;
        }
    }
    if (!f->s)
        return;
    f->listening = false; /* until one has ended */
    uv_poll_stop(&f->poll);
}

static void listen_again(struct plat_ssh_forward *f)
{
    if (f->listening || !f->s || !f->handle)
        return;
    f->listening = true;
    uv_poll_start(&f->poll, UV_READABLE, on_client);
}

static void unlisten(struct plat_ssh_forward *f)
{
    if (!f->s)
        return;
    f->s = NULL;
    *f->self = f->next;
    if (f->next)
        f->next->self = f->self;
    if (!f->handle)
        return;
    if (f->path)
        unlink(f->path);
    uv_close((uv_handle_t *)&f->poll, on_listener_closed);
}

void ssh_forward_lost(struct plat_ssh *s)
{
    while (s->forwards) {
        s->forwards->err = s->err;
        unlisten(s->forwards);
    }
}

static bool start(struct plat_ssh_forward *f, const struct plat_ssh_forward_opts *opts,
                  struct plat_err *err)
{
    struct plat_listen_opts listen = { .unix_socket = opts->listen, .host = "127.0.0.1", .op = OP };

    f->to = strdup(opts->to);
    f->path = opts->listen ? strdup(opts->listen) : NULL;
    if (!f->to || (opts->listen && !f->path))
        return plat_err_errno(err, ENOMEM, OP, "cannot forward");
    f->fd = plat_listen(&listen, &f->here, err);
    if (f->fd < 0)
        return false;
    if (uv_poll_init(plat_loop_uv(f->loop), &f->poll, f->fd)) {
        close(f->fd);
        return plat_err_errno(err, ENOMEM, OP, "cannot forward");
    }
    f->poll.data = f;
    f->handle = true;
    listen_again(f);
    return true;
}

struct plat_ssh_forward *plat_ssh_forward_new(struct plat_loop *loop, struct plat_ssh *s,
                                              const struct plat_ssh_forward_opts *opts,
                                              struct plat_err *err)
{
    struct plat_ssh_forward *f;

    if (plat_ssh_failed(s, err))
        return NULL;
    f = calloc(1, sizeof(*f));
    if (!f) {
        plat_err_errno(err, ENOMEM, OP, "cannot forward");
        return NULL;
    }
    f->loop = loop;
    f->s = s;
    f->kind = opts->kind;
    f->port = opts->port;
    f->next = s->forwards;
    f->self = &s->forwards;
    if (f->next)
        f->next->self = &f->next;
    s->forwards = f;
    if (start(f, opts, err))
        return f;
    plat_ssh_forward_free(f);
    return NULL;
}

void plat_ssh_forward_free(struct plat_ssh_forward *f)
{
    if (!f)
        return;
    unlisten(f);
    while (f->links)
        cut(f->links);
    f->freed = true;
    maybe_delete(f);
}

int plat_ssh_forward_port(const struct plat_ssh_forward *f)
{
    return f->here;
}

const struct plat_err *plat_ssh_forward_error(const struct plat_ssh_forward *f)
{
    return &f->err;
}
