#include "io/proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/proc_exec.h"
#include "io/proc_impl.h"

#include "base/banned.h"

enum {
    LINGER_MS = 1000,    /* for output of what the child left running in the background */
    FAREWELL_MS = 2000,  /* for all children together */
    MAX_QUEUED = 1 << 30 /* bytes of stdin */
};

static struct plat_proc *alive;

void plat_proc_wake(struct plat_proc_op **slot)
{
    struct plat_proc_op *op = *slot;

    *slot = NULL;
    if (op)
        plat_op_ready(&op->op);
}

static void forget(struct plat_proc *proc)
{
    if (!proc->link)
        return;
    *proc->link = proc->next;
    if (proc->next)
        proc->next->link = proc->link;
    proc->link = NULL;
    plat_loop_busy(proc->loop, -1);
}

static void maybe_delete(struct plat_proc *proc)
{
    if (!proc->orphan || proc->handles || (proc->pid && proc->phase != ENDED))
        return;
    plat_buf_done(&proc->in);
    plat_buf_done(&proc->out[0]);
    plat_buf_done(&proc->out[1]);
    free(proc);
}

/* ---- handles ---- */

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct plat_proc *proc = watch->proc;

    close(watch->fd);
    proc->handles--;
    maybe_delete(proc);
}

/* The descriptor closes with the handle, so that its number is not reused under the poll. */
void plat_proc_unwatch(struct watch *watch)
{
    if (!watch->live)
        return;
    watch->live = false;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct plat_proc *proc = handle->data;

    proc->handles--;
    maybe_delete(proc);
}

static void end_timer(struct plat_proc *proc)
{
    if (!uv_is_closing((uv_handle_t *)&proc->timer))
        uv_close((uv_handle_t *)&proc->timer, on_timer_closed);
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct plat_proc *proc, double seconds)
{
    uv_update_time(plat_loop_uv(proc->loop));
    uv_timer_start(&proc->timer, on_timer, (uint64_t)(seconds * 1000 + 0.5), 0);
}

/* ---- the end ---- */

bool plat_proc_streams_closed(const struct plat_proc *proc)
{
    return !proc->watch[STDOUT].live && !proc->watch[STDERR].live;
}

/* Wakes who waits for the end; a collected child ends with its output. */
void plat_proc_settle(struct plat_proc *proc)
{
    if (proc->phase != ENDED ||
        (proc->collect && !plat_proc_streams_closed(proc) && !proc->lingered))
        return;
    if (proc->collect) {
        plat_proc_unwatch(&proc->watch[STDOUT]);
        plat_proc_unwatch(&proc->watch[STDERR]);
    }
    end_timer(proc);
    plat_proc_wake(&proc->end_op);
    if (proc->on_end && !proc->orphan)
        proc->on_end(proc->arg);
    proc->on_end = NULL;
}

static void reap(struct plat_proc *proc)
{
    pid_t pid;

    do
        pid = waitpid(proc->pid, &proc->status, 0);
    while (pid < 0 && errno == EINTR);
    proc->zombie = false;
    proc->phase = ENDED;
    forget(proc);
    plat_proc_unwatch(&proc->watch[STDIN]);
    if (proc->write_op && !proc->err.kind)
        plat_err_set(&proc->err, PLAT_ERR_IO, EPIPE, "proc.write", "the program has ended");
    plat_proc_wake(&proc->write_op);
    if (proc->collect && !plat_proc_streams_closed(proc))
        set_timer(proc, LINGER_MS / 1000.0);
    plat_proc_settle(proc);
    if (proc->orphan) { /* nobody wants the rest */
        plat_proc_unwatch(&proc->watch[STDOUT]);
        plat_proc_unwatch(&proc->watch[STDERR]);
        end_timer(proc);
    }
}

/* When a child is being ended, its zombie keeps the group's number ours until the last of the group
 * was killed: only then it is reaped. */
static void kill_rest(struct plat_proc *proc)
{
    kill(-proc->pid, SIGKILL);
    proc->phase = KILLED;
    if (proc->zombie) {
        proc->lingered = true;
        reap(proc);
    }
}

void plat_proc_end_early(struct plat_proc *proc)
{
    if (proc->phase != RUNNING)
        return;
    proc->phase = ENDING;
    kill(-proc->pid, SIGTERM);
    kill(-proc->pid, SIGCONT); /* a stopped process cannot end */
    set_timer(proc, proc->grace);
}

static void on_exit_event(uv_poll_t *poll, int status, int events)
{
    struct plat_proc *proc = ((struct watch *)poll->data)->proc;

    (void)status;
    (void)events;
    plat_proc_unwatch(&proc->watch[EXIT]);
    proc->zombie = true;
    if (proc->phase == RUNNING)
        reap(proc);
    else if (proc->phase == KILLED || plat_proc_streams_closed(proc))
        kill_rest(proc);
}

static void on_timer(uv_timer_t *timer)
{
    struct plat_proc *proc = timer->data;

    switch (proc->phase) {
    case RUNNING:
        plat_err_set(&proc->err, PLAT_ERR_TIMEOUT, 0, "proc.run", "ended by its timeout");
        plat_proc_end_early(proc);
        break;
    case ENDING:
        kill_rest(proc);
        break;
    case ENDED:
        proc->lingered = true;
        plat_proc_settle(proc);
        break;
    case KILLED:
        break;
    }
}

void plat_proc_stream_closed(struct plat_proc *proc)
{
    if (proc->zombie && proc->phase == ENDING && plat_proc_streams_closed(proc))
        kill_rest(proc);
    else
        plat_proc_settle(proc);
}

/* ---- all that live, at exit ---- */

static int milliseconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)((now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000);
}

void plat_proc_end_all(void)
{
    struct timespec start;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (struct plat_proc *proc = alive; proc; proc = proc->next) {
        if (proc->phase == RUNNING)
            kill(-proc->pid, SIGTERM);
    }
    for (struct plat_proc *proc = alive; proc; proc = alive) { /* the reaped leave the list */
        int left = FAREWELL_MS - milliseconds_since(&start);
        struct pollfd end = { .fd = proc->watch[EXIT].fd, .events = POLLIN };

        if (proc->watch[EXIT].live)
            poll(&end, 1, left > 0 ? left : 0);
        plat_proc_unwatch(&proc->watch[EXIT]);
        proc->zombie = true; /* or will be at once */
        kill_rest(proc);
    }
}

static void remember(struct plat_proc *proc)
{
    proc->next = alive;
    proc->link = &alive;
    if (alive)
        alive->link = &proc->next;
    alive = proc;
    plat_loop_busy(proc->loop, 1);
}

/* ---- the start ---- */

static bool watch(struct plat_proc *proc, int which, int fd, uv_poll_cb fn)
{
    struct watch *w = &proc->watch[which];
    int rc = uv_poll_init(plat_loop_uv(proc->loop), &w->poll, fd);

    if (rc == 0) {
        w->poll.data = w;
        w->proc = proc;
        w->fd = fd;
        w->live = true;
        proc->handles++;
        if (fn)
            rc = uv_poll_start(&w->poll, UV_READABLE, fn);
    } else {
        close(fd);
    }
    return rc == 0 || plat_err_errno(&proc->err, -rc, "proc.start", "cannot watch the program");
}

static struct plat_proc *new_proc(struct plat_loop *loop, const struct plat_proc_opts *opts)
{
    struct plat_proc *proc = calloc(1, sizeof(*proc));

    if (!proc)
        return NULL;
    proc->loop = loop;
    proc->collect = opts->collect;
    proc->tail = opts->tail;
    proc->on_end = opts->on_end;
    proc->arg = opts->arg;
    proc->grace = opts->grace;
    plat_buf_init(&proc->in, MAX_QUEUED);
    plat_buf_init(&proc->out[0], opts->max_output);
    plat_buf_init(&proc->out[1], opts->max_output);
    uv_timer_init(plat_loop_uv(loop), &proc->timer);
    proc->timer.data = proc;
    proc->handles = 1;
    return proc;
}

/* Takes over our ends.  False: *err is set; the child is being ended. */
static bool watch_all(struct plat_proc *proc, int fds[3][2], int pidfd, struct plat_err *err)
{
    bool ok = true;

    ok &= watch(proc, EXIT, pidfd, on_exit_event);
    for (int i = STDIN; i <= STDERR; i++) {
        if (fds[i][PLAT_PROC_OURS] >= 0)
            ok &= watch(proc, i, fds[i][PLAT_PROC_OURS], i == STDIN ? NULL : plat_proc_on_output);
        fds[i][PLAT_PROC_OURS] = -1;
    }
    if (!ok)
        *err = proc->err;
    return ok;
}

struct plat_proc *plat_proc_start(struct plat_loop *loop, const struct plat_proc_opts *opts,
                                  struct plat_err *err)
{
    struct plat_proc_plan plan = { .argv = opts->argv, .envp = opts->envp, .cwd = opts->cwd };
    int fds[3][2];
    struct plat_proc *proc = new_proc(loop, opts);
    int pidfd = -1;
    bool ok;

    ok = opts->ret_socket ? plat_proc_open_socket(fds) : plat_proc_open_fds(opts->pipe_stdin, fds);
    if (!ok || !proc)
        plat_err_errno(err, ok ? ENOMEM : errno, "proc.start", "cannot start \"%s\"",
                       opts->argv[0]);
    for (int i = STDIN; i <= STDERR; i++)
        plan.fds[i] = fds[i][PLAT_PROC_THEIRS];
    ok = ok && proc;
    ok = ok && plat_proc_exec(&plan, &proc->pid, &pidfd, err);
    if (ok) {
        remember(proc);
        if (opts->ret_socket) {
            *opts->ret_socket = fds[STDIN][PLAT_PROC_OURS];
            fds[STDIN][PLAT_PROC_OURS] = -1;
        }
        ok = watch_all(proc, fds, pidfd, err);
        if (ok && opts->timeout > 0)
            set_timer(proc, opts->timeout);
    }
    plat_proc_close_fds(fds);
    if (ok)
        return proc;
    plat_proc_free(proc);
    return NULL;
}

void plat_proc_free(struct plat_proc *proc)
{
    if (!proc || proc->orphan)
        return;
    proc->orphan = true;
    plat_proc_wake(&proc->end_op);
    plat_proc_wake(&proc->read_op);
    plat_proc_wake(&proc->write_op);
    if (proc->pid && proc->phase != ENDED) {
        plat_proc_end_early(proc);
        if (!proc->watch[EXIT].live && !proc->zombie) { /* could not be watched */
            proc->zombie = true;
            kill_rest(proc);
        }
        return;
    }
    for (int i = 0; i < WATCHED; i++)
        plat_proc_unwatch(&proc->watch[i]);
    end_timer(proc);
    maybe_delete(proc); /* when all had been closed before */
}

/* ---- questions ---- */

bool plat_proc_signal(struct plat_proc *proc, int signo, struct plat_err *err)
{
    if (proc->phase == ENDED)
        return plat_err_set(err, PLAT_ERR_IO, ESRCH, "proc.kill", "the program has ended");
    if (kill(-proc->pid, signo))
        return plat_err_errno(err, errno, "proc.kill", "cannot send signal %d", signo);
    return true;
}

bool plat_proc_ended(const struct plat_proc *proc)
{
    return proc->phase == ENDED;
}

int plat_proc_status(const struct plat_proc *proc)
{
    return proc->status;
}

pid_t plat_proc_pid(const struct plat_proc *proc)
{
    return proc->pid;
}

const struct plat_err *plat_proc_error(const struct plat_proc *proc)
{
    return &proc->err;
}
