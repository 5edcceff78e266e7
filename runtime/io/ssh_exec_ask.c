/*
 * Asking for a channel, and answers that come late.
 *
 * When we have given up an open, its answer may still come.  libssh2 takes any answer to an open
 * for the end of its waiting, looks whether it has the right number, and fails if not.  So it must
 * not be the one that receives: all that has come is received by reading from another channel
 * before, and the socket counts as empty then.  An answer with a number that nobody waits for lies
 * where it is put, and harms nobody, since libssh2 uses no number twice.
 *
 * There may be no other channel.  But there is the one that was given up: libssh2 frees its memory
 * last, and that is ours to keep.  It is in no list any more, and all that it does when it is read
 * from is to receive for its session.
 */
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

enum { CHANNEL_MIN = 128, UNUSED_STREAM = 2 };

/* The first memory that an open takes is the channel's. */
void ssh_exec_on_alloc(struct plat_ssh *s, void *p, size_t n)
{
    if (s->asking && !s->asked && n >= CHANNEL_MIN)
        s->asked = p;
}

bool ssh_exec_on_free(struct plat_ssh *s, void *p)
{
    if (!p || p != s->asked)
        return false;
    s->asked = NULL;
    if (!s->asking || s->dead)
        return false;
    ssh_exec_unforget(s);
    s->forgotten = p;
    return true;
}

void ssh_exec_unforget(struct plat_ssh *s)
{
    free(s->forgotten);
    s->forgotten = NULL;
}

/* Errors show again in what follows. */
static void receive(struct plat_ssh *s)
{
    LIBSSH2_CHANNEL *channel = s->forgotten;
    char byte;

    if (channel && !s->abort)
        libssh2_channel_read_ex(channel, UNUSED_STREAM, &byte, 1);
}

LIBSSH2_CHANNEL *ssh_exec_ask(struct plat_ssh_exec *e)
{
    static const char *const types[] = { "session", "session", "direct-tcpip",
                                         "direct-streamlocal@openssh.com" };
    struct plat_ssh *s = e->s;
    const char *type = types[e->kind];
    bool connects = ssh_exec_connects(e);
    LIBSSH2_CHANNEL *channel;

    receive(s);
    s->asking = true;
    channel = libssh2_channel_open_ex(s->lib, type, (unsigned)strlen(type),
                                      LIBSSH2_CHANNEL_WINDOW_DEFAULT,
                                      LIBSSH2_CHANNEL_PACKET_DEFAULT, connects ? e->command : NULL,
                                      connects ? (unsigned)e->command_len : 0);
    s->asking = false;
    if (channel)
        s->asked = NULL;
    return channel;
}
