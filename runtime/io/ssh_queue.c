/*
 * The bytes between libssh2 and the socket, or what is there instead.
 *
 * What libssh2 sends is always taken whole: when a send is cut short it keeps half of a packet, and
 * every call but the very same one ends the session then.  Who has much to send looks at the
 * queue's length first (SSH_QUEUE_HIGH).
 */
#include <errno.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

enum { KEEP = 64 * 1024 }; /* memory that an empty queue may hold */

static ssize_t on_send(libssh2_socket_t fd, const void *data, size_t len, int flags,
                       void **abstract)
{
    struct plat_ssh *s = *abstract;
    ssize_t n = 0;

    (void)fd;
    (void)flags;
    ssh_memory_watch_host_key(s); /* an exchange sends several packets */
    if (s->dead || s->send_err)
        return (ssize_t)len;       /* it will hear of it when it reads */
    if (!s->out.len && !s->over) { /* a channel gets it in one piece, at the end */
        n = ssh_way_send(s, data, len);
        if (n < 0 && errno != EAGAIN) {
            s->send_err = errno;
            return (ssize_t)len;
        }
        if (n < 0)
            n = 0;
    }
    if (!plat_buf_add(&s->out, (const char *)data + n, len - (size_t)n))
        s->send_err = ENOMEM;
    return (ssize_t)len;
}

static ssize_t on_recv(libssh2_socket_t fd, void *data, size_t len, int flags, void **abstract)
{
    struct plat_ssh *s = *abstract;
    ssize_t n;

    (void)fd;
    (void)flags;
    if (s->dead || s->abort)
        return -ECONNRESET;
    s->tried = true;
    if (s->dry)
        return -EAGAIN;
    n = ssh_way_recv(s, data, len);
    if (n < 0 && errno == EAGAIN && s->send_err) /* all that came before the end was read */
        return -s->send_err;
    if (n < 0) {
        s->dry = errno == EAGAIN;
        if (!s->dry && !s->send_err)
            s->send_err = errno; /* the connection is gone both ways */
        return -errno;
    }
    s->eof = n == 0;
    s->dry = n > 0 && !s->over && (size_t)n < len; /* what comes later to a socket wakes us */
    s->got = true;
    s->heard = true;
    if (s->tapping && !plat_buf_add(&s->tap, data, (size_t)n) && !ssh_said_banner(s)) {
        s->flooded = true; /* the library would read lines for ever, and wait for none */
        return -EPROTO;
    }
    return n;
}

void ssh_queue_hook(struct plat_ssh *s)
{
    plat_buf_init(&s->out, (size_t)1 << 30);
    plat_buf_init(&s->tap, SSH_TAP_MAX);
    s->tapping = true;
    libssh2_session_callback_set(s->lib, LIBSSH2_CALLBACK_SEND, (void *)on_send);
    libssh2_session_callback_set(s->lib, LIBSSH2_CALLBACK_RECV, (void *)on_recv);
    ssh_said_hook(s);
}

void ssh_queue_flush(struct plat_ssh *s)
{
    while (s->out.len && !s->send_err) {
        ssize_t n = ssh_way_send(s, plat_buf_bytes(&s->out), s->out.len);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            s->send_err = errno;
            return;
        }
        plat_buf_drop(&s->out, (size_t)n);
    }
    if (!s->out.len && s->out.cap > KEEP)
        plat_buf_done(&s->out);
}
