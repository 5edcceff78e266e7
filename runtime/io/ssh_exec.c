/* Channels: their life, and what their owner does with them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.exec"

/* ---- life ---- */

static void discard(struct plat_ssh_exec *e)
{
    ssh_exec_untell(e);
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
    if (s->starting == e)
        s->starting = NULL;
    if (e->state != SSH_EXEC_WAITING && ssh_exec_counts(e))
        s->channels--;
    e->state = SSH_EXEC_ENDED;
    ssh_exec_wrote(e);
    ssh_exec_tell(e);
    ssh_wake(&e->waiting);
    e->s = NULL;
    if (e->orphan)
        discard(e);
}

/* Its answer is known; what the channel still has to say is thrown away. */
void ssh_exec_cut(struct plat_ssh_exec *e)
{
    e->cut = true;
    ssh_exec_wrote(e);
    ssh_exec_tell(e);
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

static struct plat_ssh_exec *new_exec(const struct plat_ssh_exec_opts *opts)
{
    struct plat_ssh_exec *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->kind = opts->kind;
    e->command = ssh_exec_message(opts, &e->command_len);
    if (!e->command) {
        free(e);
        return NULL;
    }
    e->input = opts->input;
    e->input_len = opts->input_len;
    e->more_input = opts->more_input || opts->leash;
    e->stream = opts->stream;
    e->pty = opts->pty;
    e->on_event = opts->on_event;
    e->arg = opts->arg;
    plat_buf_init(&e->out[0], opts->max_output);
    plat_buf_init(&e->out[1], opts->max_output);
    return e;
}

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
    e = new_exec(opts);
    if (!e) {
        plat_err_errno(err, ENOMEM, OP, "cannot open a channel");
        return NULL;
    }
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
    ssh_exec_wrote(e);
    e->on_event = NULL;
    ssh_exec_untell(e);
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

bool plat_ssh_exec_opened(const struct plat_ssh_exec *e)
{
    return e->opened;
}

bool plat_ssh_exec_ended(const struct plat_ssh_exec *e)
{
    return e->state == SSH_EXEC_ENDED || e->cut;
}

bool plat_ssh_exec_eof(const struct plat_ssh_exec *e)
{
    return e->eof || plat_ssh_exec_ended(e);
}

bool plat_ssh_exec_sent(const struct plat_ssh_exec *e)
{
    return e->sent;
}

const struct plat_buf *plat_ssh_exec_output(const struct plat_ssh_exec *e, int stream)
{
    return &e->out[stream];
}
