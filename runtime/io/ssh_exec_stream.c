/* Streamed channels: output and input in pieces, and telling the owner. */
#include <errno.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

/* ---- telling ---- */

void ssh_exec_tell(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;

    if (e->stream)
        ssh_wake(&e->waiting);
    if (!e->on_event || e->due_link)
        return;
    e->due_next = s->due;
    if (s->due)
        s->due->due_link = &e->due_next;
    e->due_link = &s->due;
    s->due = e;
    ssh_deliver_soon(s);
}

void ssh_exec_untell(struct plat_ssh_exec *e)
{
    if (!e->due_link)
        return;
    *e->due_link = e->due_next;
    if (e->due_next)
        e->due_next->due_link = e->due_link;
    e->due_link = NULL;
}

/* Whoever is told may free any channel, and the session. */
void ssh_exec_deliver(struct plat_ssh *s)
{
    struct plat_ssh_exec *e, *batch = s->due;

    if (!batch)
        return;
    batch->due_link = &batch;
    s->due = NULL; /* what comes meanwhile waits for the next turn */
    while ((e = batch)) {
        ssh_exec_untell(e);
        e->on_event(e->arg);
    }
}

static bool room_is_wanted(const struct plat_ssh *s)
{
    const struct plat_ssh_exec *e;

    if (s->channels < s->max_channels)
        return false;
    for (e = s->execs; e; e = e->next)
        if (e->state == SSH_EXEC_WAITING && ssh_exec_counts(e))
            return true;
    return false;
}

/* A subsystem that is idle gives its channel to the command that waits for one. */
void ssh_exec_ask_for_room(struct plat_ssh *s)
{
    if (!room_is_wanted(s))
        return;
    for (struct plat_ssh_exec *e = s->execs; e; e = e->next)
        if (e->kind == PLAT_SSH_SUBSYSTEM && e->state == SSH_EXEC_RUNNING)
            ssh_exec_tell(e);
}

bool plat_ssh_exec_wanted(const struct plat_ssh_exec *e)
{
    return e->s && room_is_wanted(e->s);
}

/* ---- output ---- */

static bool await(struct plat_ssh_exec *e, struct plat_op *op, bool open, struct plat_err *err)
{
    if (e->waiting)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "ssh.read", "another task is reading");
    e->waiting = op;
    e->await_open = open;
    if (e->out[0].len || e->out[1].len || plat_ssh_exec_ended(e) || (open && e->opened) ||
        (e->eof && ssh_exec_connects(e)))
        ssh_wake(&e->waiting);
    return true;
}

bool plat_ssh_exec_await(struct plat_ssh_exec *e, struct plat_op *op, struct plat_err *err)
{
    return await(e, op, false, err);
}

bool plat_ssh_exec_await_open(struct plat_ssh_exec *e, struct plat_op *op, struct plat_err *err)
{
    return await(e, op, true, err);
}

void plat_ssh_exec_forget(struct plat_ssh_exec *e)
{
    e->waiting = NULL;
}

void plat_ssh_exec_consume(struct plat_ssh_exec *e, int stream, size_t n)
{
    plat_buf_drop(&e->out[stream], n);
    if (e->s) /* there may be more, in libssh2 */
        ssh_drive(e->s);
}

/* ---- input ---- */

void ssh_exec_wrote(struct plat_ssh_exec *e)
{
    e->broken |= e->input_len > 0;
    e->input = NULL;
    e->input_len = 0;
    ssh_wake(&e->writing);
}

static bool writable(const struct plat_ssh_exec *e, struct plat_err *err)
{
    if (e->err.kind)
        *err = e->err;
    else if (plat_ssh_exec_ended(e))
        plat_err_errno(err, EPIPE, "ssh.write", "it takes no more input");
    else if (e->broken)
        plat_err_set(err, PLAT_ERR_IO, 0, "ssh.write", "an earlier piece was given up half sent");
    else
        return true;
    return false;
}

bool plat_ssh_exec_write(struct plat_ssh_exec *e, const char *data, size_t len, struct plat_op *op,
                         struct plat_err *err)
{
    if (e->writing)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "ssh.write", "another task is writing");
    if (!e->more_input)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "ssh.write", "its input has ended");
    if (!writable(e, err))
        return false;
    if (e->input_len) /* of its start */
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "ssh.write", "its first input is being sent");
    e->input = data;
    e->input_len = len;
    e->writing = op;
    if (!len)
        ssh_wake(&e->writing);
    ssh_drive(e->s);
    return true;
}

bool plat_ssh_exec_written(const struct plat_ssh_exec *e, struct plat_err *err)
{
    return !e->broken || writable(e, err);
}

void plat_ssh_exec_unwrite(struct plat_ssh_exec *e)
{
    e->writing = NULL;
    ssh_exec_wrote(e);
}

void plat_ssh_exec_finish(struct plat_ssh_exec *e)
{
    if (!e->more_input)
        return;
    e->more_input = false;
    if (e->s)
        ssh_drive(e->s);
}

size_t plat_ssh_exec_push(struct plat_ssh_exec *e, const char *data, size_t len)
{
    struct plat_ssh *s = e->s;
    size_t left = len;

    if (e->state != SSH_EXEC_RUNNING || e->cut || !e->more_input || s->phase != SSH_READY) {
        e->wants_room = true;
        return 0;
    }
    s->dry = false;
    s->got = false;
    e->wants_room = !ssh_exec_send(e, &data, &left) || left > 0;
    if (s->got || s->out.len) /* something of others, or to be sent */
        ssh_drive(s);
    return len - left;
}
