/* Commands: their life, and what their owner does with them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.exec"

/* ---- life ---- */

static void discard(struct plat_ssh_exec *e)
{
    plat_buf_done(&e->out[0]);
    plat_buf_done(&e->out[1]);
    free(e->command);
    free(e);
}

/* The channel is closed, or there is none. */
void ssh_exec_end(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;

    *e->link = e->next;
    if (e->next)
        e->next->link = e->link;
    if (s->opening == e)
        s->opening = NULL;
    if (e->state != SSH_EXEC_WAITING)
        s->channels--;
    e->state = SSH_EXEC_ENDED;
    e->s = NULL;
    e->input = NULL;
    ssh_wake(&e->waiting);
    if (e->orphan)
        discard(e);
}

/* Its answer is known; what the channel still has to say is thrown away. */
void ssh_exec_cut(struct plat_ssh_exec *e)
{
    e->cut = true;
    e->input = NULL;
    ssh_wake(&e->waiting);
}

void ssh_exec_lost(struct plat_ssh *s)
{
    struct plat_ssh_exec *e, *next;

    for (e = s->execs; e; e = next) {
        next = e->next;
        if (!e->err.kind)
            e->err = s->err;
        ssh_exec_end(e);
    }
}

/* ---- for the owner ---- */

struct plat_ssh_exec *plat_ssh_exec_new(struct plat_ssh *s, const struct plat_ssh_exec_opts *opts,
                                        struct plat_op *op, struct plat_err *err)
{
    struct plat_ssh_exec *e, **link = &s->execs;

    if (plat_ssh_failed(s, err))
        return NULL;
    if (s->phase != SSH_READY) {
        plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "not authenticated");
        return NULL;
    }
    e = calloc(1, sizeof(*e));
    if (e)
        e->command = malloc(opts->command_len + 1);
    if (!e || !e->command) {
        free(e);
        plat_err_errno(err, ENOMEM, OP, "cannot run a command");
        return NULL;
    }
    memcpy(e->command, opts->command, opts->command_len);
    e->command_len = opts->command_len;
    e->input = opts->input;
    e->input_len = opts->input_len;
    e->leash = opts->leash;
    e->stream = opts->stream;
    e->pty = opts->pty;
    plat_buf_init(&e->out[0], opts->max_output);
    plat_buf_init(&e->out[1], opts->max_output);
    e->waiting = op;
    e->s = s;
    while (*link)
        link = &(*link)->next;
    *link = e;
    e->link = link;
    ssh_drive(s);
    return e;
}

void plat_ssh_exec_cancel(struct plat_ssh_exec *e)
{
    e->waiting = NULL;
    if (e->state == SSH_EXEC_ENDED || e->cut)
        return;
    ssh_exec_cut(e);
    ssh_drive(e->s);
}

void plat_ssh_exec_free(struct plat_ssh_exec *e)
{
    if (!e)
        return;
    ssh_wake(&e->waiting);
    if (e->state == SSH_EXEC_ENDED) {
        discard(e);
        return;
    }
    e->orphan = true;
    plat_ssh_exec_cancel(e);
}

bool plat_ssh_exec_result(const struct plat_ssh_exec *e, struct plat_ssh_status *status,
                          struct plat_err *err)
{
    if (e->err.kind) {
        *err = e->err;
        return false;
    }
    *status = e->status;
    return true;
}

bool plat_ssh_exec_ended(const struct plat_ssh_exec *e)
{
    return e->state == SSH_EXEC_ENDED || e->cut;
}

bool plat_ssh_exec_await(struct plat_ssh_exec *e, struct plat_op *op, struct plat_err *err)
{
    if (e->waiting)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "ssh.read", "another task is reading");
    e->waiting = op;
    if (e->out[0].len || e->out[1].len || plat_ssh_exec_ended(e))
        ssh_wake(&e->waiting);
    return true;
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

bool plat_ssh_exec_sent(const struct plat_ssh_exec *e)
{
    return e->sent;
}

const struct plat_buf *plat_ssh_exec_output(const struct plat_ssh_exec *e, int stream)
{
    return &e->out[stream];
}
