/* A session's life: what drives it, what ends it, who waits for it. */
#include "io/ssh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/loop.h"
#include "io/ssh_impl.h"

#include "base/banned.h"

void ssh_wake(struct plat_op **slot)
{
    struct plat_op *op = *slot;

    *slot = NULL;
    if (op)
        plat_op_ready(op);
}

const char *plat_ssh_version(void)
{
    return libssh2_version(0);
}

/* ---- handles ---- */

static void maybe_delete(struct plat_ssh *s)
{
    if (!s->freed || s->handles)
        return;
    plat_buf_done(&s->out);
    plat_buf_done(&s->tap);
    plat_buf_done(&s->notice);
    for (size_t i = 0; i < s->env_n; i++)
        free(s->env[i]);
    free(s->env);
    free(s->methods);
    free(s->host_key);
    free(s->host);
    free(s->over_name);
    for (size_t i = 0; i < sizeof(s->prefs) / sizeof(s->prefs[0]); i++)
        free(s->prefs[i]);
    free(s);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct plat_ssh *s = handle->data;

    s->handles--;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (s->phase == SSH_CONNECTING && !s->freed)
        ssh_connect_event(s); /* the next address */
    else
        maybe_delete(s);
}

static void on_closed(uv_handle_t *handle)
{
    struct plat_ssh *s = handle->data;

    s->handles--;
    maybe_delete(s);
}

/* The descriptor closes with the handle, so that its number is not reused under the poll. */
void ssh_unwatch(struct plat_ssh *s)
{
    if (!s->polled)
        return;
    s->polled = false;
    s->events = 0;
    uv_close((uv_handle_t *)&s->poll, on_poll_closed);
}

/* Takes over fd. */
bool ssh_watch(struct plat_ssh *s, int fd)
{
    int rc = uv_poll_init(plat_loop_uv(s->loop), &s->poll, fd);

    if (rc) {
        close(fd);
        return false;
    }
    s->poll.data = s;
    s->fd = fd;
    s->polled = true;
    s->handles++;
    return true;
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *timer)
{
    struct plat_ssh *s = timer->data;
    struct plat_err err;

    if (s->phase <= SSH_CONNECTING) {
        ssh_connect_timeout(s);
        return;
    }
    if (s->phase == SSH_READY) {
        s->resting = false;
        ssh_drive(s);
        return;
    }
    if (s->phase == SSH_HANDSHAKE)
        plat_err_set(&err, PLAT_ERR_TIMEOUT, 0, "ssh.handshake", "%.100s port %d: %s", s->host,
                     s->port,
                     s->tap.len ? "the key exchange came to no end"
                                : "connected, but no SSH server answers");
    else
        plat_err_set(&err, PLAT_ERR_TIMEOUT, 0, "ssh.auth",
                     "%.100s port %d: the server does not answer the login", s->host, s->port);
    ssh_lose(s, &err);
}

void ssh_set_timer(struct plat_ssh *s, double seconds)
{
    if (seconds <= 0) {
        uv_timer_stop(&s->timer);
        return;
    }
    uv_update_time(plat_loop_uv(s->loop));
    uv_timer_start(&s->timer, on_timer, (uint64_t)(seconds * 1000 + 0.5), 0);
}

/* ---- the owners of channels ---- */

/* From the loop: nobody is inside a call. */
static void on_idle(uv_idle_t *idle)
{
    struct plat_ssh *s = idle->data;

    uv_idle_stop(idle);
    ssh_exec_deliver(s);
    if (s->freed && !uv_is_closing((uv_handle_t *)idle))
        uv_close((uv_handle_t *)idle, on_closed);
}

void ssh_deliver_soon(struct plat_ssh *s)
{
    if (!uv_is_closing((uv_handle_t *)&s->idle))
        uv_idle_start(&s->idle, on_idle);
}

/* ---- the end ---- */

/* Frees the library's half.  It waits for the server's answers to closed channels, unless reading
 * fails: so it does, from now on. */
static void free_lib(struct plat_ssh *s)
{
    s->dead = true;
    if (s->lib)
        libssh2_session_free(s->lib);
    s->lib = NULL;
    s->spare = NULL;
    ssh_exec_unforget(s);
    ssh_memory_sweep(s);
}

void ssh_lose(struct plat_ssh *s, const struct plat_err *err)
{
    if (s->phase == SSH_LOST)
        return;
    ssh_said_collect(s);
    s->phase = SSH_LOST;
    s->err = *err;
    plat_resolve_abandon(&s->lookup);
    ssh_set_timer(s, 0);
    ssh_auth_end(s);
    ssh_exec_lost(s);
    ssh_forward_lost(s);
    free_lib(s);
    ssh_way_end(s);
    uv_timer_stop(&s->tick);
    ssh_wake(&s->waiting);
}

void ssh_lose_lib(struct plat_ssh *s, int rc, const char *op)
{
    struct plat_err err;

    ssh_lost_explain(s, rc, op, &err);
    ssh_lose(s, &err);
}

void plat_ssh_abort(struct plat_ssh *s)
{
    struct plat_err err;

    s->waiting = NULL;
    plat_err_set(&err, PLAT_ERR_CANCELLED, 0, "ssh", "the session was given up");
    ssh_lose(s, &err);
}

void plat_ssh_free(struct plat_ssh *s)
{
    struct plat_err err;

    if (!s)
        return;
    if (s->lib && s->phase >= SSH_KEYED && s->phase <= SSH_READY) {
        s->dry = true;
        libssh2_session_disconnect(s->lib, "done");
        ssh_queue_flush(s);
    }
    plat_err_set(&err, PLAT_ERR_IO, 0, "ssh", "the session was closed");
    ssh_lose(s, &err);
    s->freed = true;
    uv_close((uv_handle_t *)&s->timer, on_closed);
    uv_close((uv_handle_t *)&s->tick, on_closed);
    if (!s->due) /* else when they know */
        uv_close((uv_handle_t *)&s->idle, on_closed);
}

/* ---- driving ---- */

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct plat_ssh *s = poll->data;

    (void)events;
    if (status < 0)
        s->events = 0; /* libuv has stopped it; the error shows when it is read */
    if (s->phase == SSH_CONNECTING)
        ssh_connect_event(s);
    else
        ssh_drive(s);
    ssh_exec_deliver(s);
}

static void update_poll(struct plat_ssh *s)
{
    int events = UV_READABLE;

    if (!s->polled)
        return;
    if (s->phase == SSH_CONNECTING)
        events = UV_WRITABLE;
    else if ((s->phase == SSH_READY && s->execs && !s->tried) || s->proxy_eof)
        events = 0; /* all wait for their readers, or for a timer */
    if (s->out.len)
        events |= UV_WRITABLE;
    if (events == s->events)
        return;
    s->events = events;
    if (events)
        uv_poll_start(&s->poll, events, on_event);
    else
        uv_poll_stop(&s->poll);
}

static void other_host_key(struct plat_ssh *s)
{
    struct plat_err err;

    plat_err_set(&err, PLAT_ERR_AUTH, 0, "ssh", "%.100s changed its host key in the middle",
                 s->host);
    ssh_lose(s, &err);
}

void ssh_drive(struct plat_ssh *s)
{
    bool idle = false;

    s->dry = false;
    s->tried = false;
    if (s->phase == SSH_HANDSHAKE)
        ssh_handshake(s);
    else if (s->phase == SSH_AUTH)
        ssh_auth_step(s);
    else if (s->phase == SSH_READY && s->execs)
        ssh_exec_step(s);
    else
        idle = s->phase == SSH_KEYED || s->phase == SSH_READY;
    if (s->other_host_key)
        other_host_key(s);
    if (s->phase == SSH_LOST)
        return;
    ssh_queue_flush(s);
    update_poll(s);
    if (idle)
        ssh_way_idle(s);
}

/* ---- the start ---- */

static bool make_lib(struct plat_ssh *s, struct plat_err *err)
{
    s->lib = ssh_memory_session(s);
    if (!s->lib)
        return plat_err_errno(err, ENOMEM, "ssh.connect", "cannot make a session");
    libssh2_session_set_blocking(s->lib, 0);
    ssh_queue_hook(s);
    return ssh_kex_set(s, err);
}

struct plat_ssh *plat_ssh_new(struct plat_loop *loop, const struct plat_ssh_opts *opts,
                              struct plat_op *op, struct plat_err *err)
{
    static bool ready;
    struct plat_ssh *s = calloc(1, sizeof(*s));

    if (!ready)
        ready = libssh2_init(0) == 0;
    if (s)
        s->host = strdup(opts->host);
    if (!ready || !s || !s->host || !ssh_kex_want(s, opts)) {
        if (s) {
            s->freed = true;
            maybe_delete(s);
        }
        plat_err_errno(err, ENOMEM, "ssh.connect", "cannot make a session");
        return NULL;
    }
    s->loop = loop;
    s->fd = -1;
    s->port = opts->port;
    s->family = opts->family;
    plat_buf_init(&s->notice, SSH_NOTICE_MAX);
    s->max_channels = PLAT_SSH_CHANNELS;
    s->handshake_timeout = opts->handshake_timeout;
    uv_timer_init(plat_loop_uv(loop), &s->timer);
    s->timer.data = s;
    uv_idle_init(plat_loop_uv(loop), &s->idle);
    s->idle.data = s;
    uv_timer_init(plat_loop_uv(loop), &s->tick);
    s->tick.data = s;
    s->handles = 3;
    s->connect_timeout = opts->connect_timeout;
    s->alive_interval = opts->alive_interval;
    s->alive_count = opts->alive_count;
    if (opts->connect_timeout > 0)
        s->connect_by = uv_hrtime() + (uint64_t)(opts->connect_timeout * 1e9);
    if (!make_lib(s, err) || !ssh_way_start(s, opts, err)) {
        plat_ssh_free(s);
        return NULL;
    }
    if (plat_ssh_failed(s, err)) { /* at once */
        plat_ssh_free(s);
        return NULL;
    }
    s->waiting = op;
    update_poll(s);
    return s;
}

/* ---- questions ---- */

bool plat_ssh_failed(const struct plat_ssh *s, struct plat_err *err)
{
    if (s->phase == SSH_LOST)
        *err = s->err;
    return s->phase == SSH_LOST;
}

const char *plat_ssh_mismatch(const struct plat_ssh *s)
{
    return s->mismatch;
}

const char *plat_ssh_host_key(const struct plat_ssh *s, size_t *ret_len)
{
    *ret_len = s->host_key_len;
    return s->host_key;
}

const char *plat_ssh_banner(const struct plat_ssh *s)
{
    return s->lib && s->phase >= SSH_KEYED ? libssh2_session_banner_get(s->lib) : NULL;
}
