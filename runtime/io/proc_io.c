/* The streams of a child, and who waits for them. */
#include <errno.h>
#include <unistd.h>

#include "io/proc_impl.h"

#include "base/banned.h"

enum { CHUNK = 64 * 1024 };

/* ---- output ---- */

static void end_stream(struct plat_proc *proc, int which)
{
    plat_proc_unwatch(&proc->watch[which]);
    if (plat_proc_streams_closed(proc))
        plat_proc_wake(&proc->read_op);
    plat_proc_stream_closed(proc);
}

static void overflow(struct plat_proc *proc, const struct plat_buf *buf, int which)
{
    if (!proc->err.kind)
        plat_err_set(&proc->err, PLAT_ERR_REFUSED, 0, "proc.run", "more than %zu bytes on %s",
                     buf->max, which == STDOUT ? "stdout" : "stderr");
    uv_poll_stop(&proc->watch[which].poll);
    plat_proc_end_early(proc);
}

static void drop_old(struct plat_buf *buf, size_t n)
{
    if (buf->len + n > buf->max)
        plat_buf_drop(buf, buf->len + n - buf->max);
}

void plat_proc_on_output(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct plat_proc *proc = watch->proc;
    int which = (int)(watch - proc->watch);
    struct plat_buf *buf = &proc->out[which - STDOUT];
    size_t space = buf->max - buf->len;
    char scratch[CHUNK];
    ssize_t n;

    (void)status; /* an error shows in read */
    (void)events;
    if (proc->tail)
        space = buf->max;
    else if (proc->collect)
        space = CHUNK;
    n = read(watch->fd, scratch, space > CHUNK ? CHUNK : space);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end_stream(proc, which);
        return;
    }
    if (proc->tail)
        drop_old(buf, (size_t)n);
    if (!plat_buf_add(buf, scratch, (size_t)n)) {
        overflow(proc, buf, which);
        return;
    }
    if (!proc->collect && buf->len == buf->max)
        uv_poll_stop(poll); /* until somebody consumes */
    plat_proc_wake(&proc->read_op);
}

const struct plat_buf *plat_proc_output(const struct plat_proc *proc, int stream)
{
    return &proc->out[stream];
}

void plat_proc_consume(struct plat_proc *proc, int stream, size_t n)
{
    struct watch *watch = &proc->watch[STDOUT + stream];

    plat_buf_drop(&proc->out[stream], n);
    if (watch->live)
        uv_poll_start(&watch->poll, UV_READABLE, plat_proc_on_output);
}

bool plat_proc_output_ended(const struct plat_proc *proc)
{
    return plat_proc_streams_closed(proc) && !proc->out[0].len && !proc->out[1].len;
}

/* ---- input ---- */

static void input_failed(struct plat_proc *proc, int code)
{
    /* a program may well end without reading all of its input: not an error of a collected one */
    if (!proc->collect && !proc->err.kind)
        plat_err_errno(&proc->err, code, "proc.write", "the program does not read");
    plat_buf_clear(&proc->in);
    plat_proc_unwatch(&proc->watch[STDIN]);
    plat_proc_wake(&proc->write_op);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct plat_proc *proc = watch->proc;

    (void)status;
    (void)events;
    while (proc->in.len) {
        ssize_t n = write(watch->fd, plat_buf_bytes(&proc->in), proc->in.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            input_failed(proc, errno);
            return;
        }
        plat_buf_drop(&proc->in, (size_t)n);
    }
    uv_poll_stop(poll);
    if (proc->input_done)
        plat_proc_unwatch(watch);
    plat_proc_wake(&proc->write_op);
}

bool plat_proc_write(struct plat_proc *proc, struct plat_proc_op *op, const char *data, size_t len,
                     struct plat_err *err)
{
    if (proc->write_op)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "proc.write", "another task writes");
    if (!proc->watch[STDIN].live || proc->input_done)
        return plat_err_set(err, PLAT_ERR_IO, EPIPE, "proc.write", "its input is closed");
    if (!plat_buf_add(&proc->in, data, len))
        return plat_err_set(err, PLAT_ERR_IO, ENOMEM, "proc.write", "no memory for %zu bytes", len);
    uv_poll_start(&proc->watch[STDIN].poll, UV_WRITABLE, on_input);
    proc->write_op = op;
    return true;
}

void plat_proc_end_input(struct plat_proc *proc)
{
    proc->input_done = true;
    if (!proc->in.len)
        plat_proc_unwatch(&proc->watch[STDIN]);
}

/* ---- waits ---- */

static bool take_slot(struct plat_proc_op **slot, struct plat_proc_op *op, const char *name,
                      struct plat_err *err)
{
    if (*slot)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, name, "another task waits for the same");
    *slot = op;
    return true;
}

bool plat_proc_await_end(struct plat_proc *proc, struct plat_proc_op *op, struct plat_err *err)
{
    if (!take_slot(&proc->end_op, op, "proc.wait", err))
        return false;
    plat_proc_settle(proc);
    return true;
}

bool plat_proc_await_output(struct plat_proc *proc, struct plat_proc_op *op, struct plat_err *err)
{
    if (!take_slot(&proc->read_op, op, "proc.read", err))
        return false;
    if (proc->out[0].len || proc->out[1].len || plat_proc_streams_closed(proc))
        plat_proc_wake(&proc->read_op);
    return true;
}

static void drop_waiter(struct plat_op *base)
{
    struct plat_proc_op *op = (struct plat_proc_op *)base;
    struct plat_proc *proc = op->proc;

    if (proc->end_op == op)
        proc->end_op = NULL;
    if (proc->read_op == op)
        proc->read_op = NULL;
    if (proc->write_op == op)
        proc->write_op = NULL;
}

static void cancel_run(struct plat_op *base)
{
    drop_waiter(base);
    plat_proc_end_early(((struct plat_proc_op *)base)->proc);
}

const struct plat_op_class plat_proc_run_class = { .name = "proc.run",
                                                   .real = true,
                                                   .cancel = cancel_run };
const struct plat_op_class plat_proc_wait_class = { .name = "proc.wait",
                                                    .real = true,
                                                    .cancel = drop_waiter };
const struct plat_op_class plat_proc_read_class = { .name = "proc.read",
                                                    .real = true,
                                                    .cancel = drop_waiter };
const struct plat_op_class plat_proc_write_class = { .name = "proc.write",
                                                     .real = true,
                                                     .cancel = drop_waiter };
