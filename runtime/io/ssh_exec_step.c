/*
 * Channels that are open.
 *
 * The exit status is believed only when the server has closed the channel: libssh2 calls it 0 until
 * it comes, and 0 as well when the connection breaks.  A channel is forgotten only then, too:
 * libssh2 gives its number to the next one, which late words would be taken for.
 */
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.exec"

enum { UNUSED_STREAM = 2 }; /* of extended data; 1 is stderr */

/* ---- input ---- */

/* Sends what there is room for.  False: the session was lost. */
bool ssh_exec_send(struct plat_ssh_exec *e, const char **data, size_t *len)
{
    struct plat_ssh *s = e->s;

    while (*len) {
        ssize_t n;

        if (s->out.len >= SSH_QUEUE_HIGH) {
            s->held = true;
            return true;
        }
        n = libssh2_channel_write(e->channel, *data, *len);
        if (n == LIBSSH2_ERROR_EAGAIN || n == 0)
            return true;
        if (n < 0) {
            ssh_lose_lib(s, (int)n, OP);
            return false;
        }
        *data += n;
        *len -= (size_t)n;
    }
    return true;
}

/* False: the session was lost. */
static bool send_input(struct plat_ssh_exec *e)
{
    if (e->input_len) {
        if (!ssh_exec_send(e, &e->input, &e->input_len))
            return false;
        if (!e->input_len)
            ssh_exec_wrote(e);
    }
    if (!e->input_len && !e->eof_sent && !e->more_input && !e->broken) {
        int rc = libssh2_channel_send_eof(e->channel);

        if (rc && rc != LIBSSH2_ERROR_EAGAIN) {
            ssh_lose_lib(e->s, rc, OP);
            return false;
        }
        e->eof_sent = rc == 0;
    }
    return true;
}

/* Looks whether there is room again for who has pushed.  False: the session was lost. */
static bool find_room(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    ssize_t n;
    char byte;

    if (!e->wants_room || e->cut)
        return true;
    if (s->out.len >= SSH_QUEUE_HIGH) {
        s->held = true;
    } else if (libssh2_channel_window_write(e->channel)) {
        e->wants_room = false;
        ssh_exec_tell(e);
    } else if (!s->tried) { /* nobody reads its output: still the room must be heard of */
        n = libssh2_channel_read_ex(e->channel, UNUSED_STREAM, &byte, 1);
        if (n < 0 && n != LIBSSH2_ERROR_EAGAIN) {
            ssh_lose_lib(s, (int)n, OP);
            return false;
        }
    }
    return true;
}

/* ---- output ---- */

static void keep(struct plat_ssh_exec *e, int stream, const char *data, size_t n)
{
    if (e->cut)
        return;
    if (plat_buf_add(&e->out[stream], data, n)) {
        if (e->stream)
            ssh_exec_tell(e);
        return;
    }
    plat_err_set(&e->err, PLAT_ERR_REFUSED, 0, OP, "more than %zu bytes on %s", e->out[stream].max,
                 stream ? "stderr" : "stdout");
    ssh_exec_cut(e);
}

/* How much may be read now. */
static size_t room(const struct plat_ssh_exec *e, int stream)
{
    size_t left = e->out[stream].max - e->out[stream].len;

    return e->cut || !e->stream || left > SSH_CHUNK ? SSH_CHUNK : left;
}

/* False: the session was lost. */
static bool take_output(struct plat_ssh_exec *e, int stream)
{
    char chunk[SSH_CHUNK];
    ssize_t n = 0;
    size_t max;

    while ((max = room(e, stream)) > 0 &&
           (n = libssh2_channel_read_ex(e->channel, stream, chunk, max)) > 0)
        keep(e, stream, chunk, (size_t)n);
    if (max == 0) /* the server waits, once its window is full */
        return true;
    if (n == 0 || n == LIBSSH2_ERROR_EAGAIN)
        return true;
    ssh_lose_lib(e->s, (int)n, OP);
    return false;
}

static void take_status(struct plat_ssh_exec *e)
{
    char *name = NULL;
    size_t len = 0;

    if (ssh_exec_connects(e))
        return;
    e->status.code = libssh2_channel_get_exit_status(e->channel);
    libssh2_channel_get_exit_signal(e->channel, &name, &len, NULL, NULL, NULL, NULL);
    if (!name && !e->told && !e->cut)
        plat_err_set(&e->err, PLAT_ERR_CONNECT, 0, OP,
                     "the server closed the channel and told no exit status");
    if (!name)
        return;
    if (len >= sizeof(e->status.signal))
        len = sizeof(e->status.signal) - 1;
    memcpy(e->status.signal, name, len);
    e->status.signal[len] = '\0';
    e->status.code = 128;
    libssh2_free(e->s->lib, name);
}

/* The server has closed the channel. */
static bool finish(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    int rc;

    take_status(e);
    rc = libssh2_channel_close(e->channel);
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (rc) {
        ssh_lose_lib(s, rc, OP);
        return false;
    }
    if (s->spare)
        libssh2_channel_free(s->spare);
    s->spare = e->channel;
    e->channel = NULL;
    ssh_exec_end(e);
    return true;
}

/* ---- steps: true when something changed that another channel may wait for ---- */

static bool step_run(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    int rc = 0;

    if (e->cut)
        rc = libssh2_channel_close(e->channel);
    else if (!send_input(e))
        return false;
    if (rc && rc != LIBSSH2_ERROR_EAGAIN) {
        ssh_lose_lib(s, rc, OP);
        return false;
    }
    if (!take_output(e, 0) || !take_output(e, SSH_EXTENDED_DATA_STDERR) || !find_room(e))
        return false;
    if (!libssh2_channel_eof(e->channel))
        return false;
    if (!e->eof) {
        e->eof = true;
        if (ssh_exec_connects(e))
            ssh_exec_tell(e);
    }
    rc = libssh2_channel_wait_closed(e->channel);
    if (rc == 0)
        return finish(e);
    if (rc != LIBSSH2_ERROR_EAGAIN)
        ssh_lose_lib(s, rc, OP);
    return false;
}

static bool step(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;

    switch (e->state) {
    case SSH_EXEC_WAITING:
        if (e->cut) {
            ssh_exec_end(e);
            return true;
        }
        if (s->opening || !ssh_exec_may_open(e))
            return false;
        return ssh_exec_open(e);
    case SSH_EXEC_OPENING:
        return e->cut && ssh_exec_connects(e) ? ssh_exec_abort_open(e) : ssh_exec_open(e);
    case SSH_EXEC_STARTING:
        return ssh_exec_start(e);
    case SSH_EXEC_RUNNING:
        return step_run(e);
    case SSH_EXEC_ENDED:
        break;
    }
    return false;
}

void ssh_exec_step(struct plat_ssh *s)
{
    bool again = true;

    while (again && s->phase == SSH_READY) {
        struct plat_ssh_exec *e, *next;

        again = false;
        s->held = false;
        s->got = false;
        for (e = s->execs; e && s->phase == SSH_READY; e = next) {
            next = e->next;
            again |= step(e);
        }
        if (s->phase != SSH_READY)
            return;
        ssh_exec_ask_for_room(s);
        ssh_queue_flush(s);
        again |= s->held && s->out.len < SSH_QUEUE_HIGH;
        again |= s->got && s->execs && s->execs->next; /* one may have received for another */
    }
}
