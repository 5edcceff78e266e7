/*
 * Is the server still there?  When nothing came for a while it is asked something that it answers,
 * were it only that it does not know it (ServerAliveInterval, ServerAliveCountMax).
 *
 * libssh2 keeps each such answer, some 150 bytes, as long as the session lives.
 */
#include <sys/ioctl.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

enum { SHORTEST = 3 }; /* seconds: libssh2 sends no sooner again than after two */

/* What has come and nobody has read. */
static size_t unread(const struct plat_ssh *s)
{
    int n = 0;

    if (s->over)
        return plat_ssh_exec_output(s->over, 0)->len;
    return ioctl(s->fd, FIONREAD, &n) || n < 0 ? 0 : (size_t)n;
}

/* An idle session may have nothing to read answers with: then they gather.  With channels, what
 * gathers waits for a slow reader, and an answer would come behind it. */
static bool heard(struct plat_ssh *s)
{
    size_t before = s->unread;

    s->unread = unread(s);
    return s->heard || (s->unread && s->execs) || s->unread > before;
}

static void lost(struct plat_ssh *s)
{
    struct plat_err err;

    plat_err_set(&err, PLAT_ERR_CONNECT, 0, "ssh",
                 "the connection to %.100s was lost: it has not answered for %.0f seconds", s->host,
                 s->alive_interval * (s->unanswered + 1));
    ssh_lose(s, &err);
}

void ssh_alive_start(struct plat_ssh *s)
{
    if (s->alive_interval <= 0)
        return;
    if (s->alive_interval < SHORTEST)
        s->alive_interval = SHORTEST;
    libssh2_keepalive_config(s->lib, 1, 1);
    ssh_tick_in(s, SSH_TICK_ALIVE, s->alive_interval);
}

void ssh_alive_look(struct plat_ssh *s)
{
    int rc, next;

    if (heard(s)) {
        s->unanswered = 0;
    } else if (s->unanswered >= s->alive_count) {
        lost(s);
        return;
    } else {
        s->unanswered++;
        rc = libssh2_keepalive_send(s->lib, &next);
        if (rc && rc != LIBSSH2_ERROR_EAGAIN) {
            ssh_lose_lib(s, rc, "ssh");
            return;
        }
    }
    s->heard = false;
    ssh_tick_in(s, SSH_TICK_ALIVE, s->alive_interval);
    ssh_drive(s);
}
