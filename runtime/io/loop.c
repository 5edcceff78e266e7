/*
 * The loop.  libuv polls; we keep the timers ourselves, because virtual time needs a clock that can
 * jump, and because 10,000 sleeping tasks then cost one uv_timer instead of 10,000.
 */
#include "io/loop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "io/heap.h"
#include "io/signals.h"

#include "base/banned.h"

#define VIRTUAL_START 1000000000000ull /* ns */

struct plat_loop {
    uv_loop_t uv;
    uv_timer_t tick; /* fires at the top of the heap that runs on real time */
    bool tick_open;  /* until its close callback ran */

    struct plat_heap clock; /* timers on the loop's clock */
    struct plat_heap real;  /* deadlines of real ops, monotonic */
    uint64_t seq;
    uint64_t armed; /* what tick is set to; 0: not set */

    struct plat_op *ready, **ready_tail;
    size_t pending;  /* started ops that did not end */
    size_t inflight; /* real ones among them */
    int busy;

    bool virtual;
    bool stop;
    bool polling;     /* inside uv_run() */
    double wall0;     /* unix time at clock0 */
    uint64_t clock0;  /* loop clock at wall0 */
    uint64_t vnow;    /* the virtual clock */
    uint64_t vnow_at; /* monotonic time when vnow was last set, for paced mode */
    double speed;

    plat_resume_fn *resume;
    plat_release_fn *release;
    void *arg;
};

static uint64_t mono(void)
{
    return uv_hrtime();
}

static void on_tick(uv_timer_t *timer)
{
    ((struct plat_loop *)timer->data)->armed = 0;
}

struct plat_loop *plat_loop_new(void)
{
    struct plat_loop *loop = calloc(1, sizeof(*loop));
    struct timespec ts;

    if (!loop)
        return NULL;
    if (uv_loop_init(&loop->uv)) {
        free(loop);
        return NULL;
    }
    uv_timer_init(&loop->uv, &loop->tick);
    uv_unref((uv_handle_t *)&loop->tick);
    loop->tick_open = true;
    loop->tick.data = loop;
    loop->ready_tail = &loop->ready;
    clock_gettime(CLOCK_REALTIME, &ts);
    loop->wall0 = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
    loop->clock0 = mono();
    return loop;
}

static void on_closed(uv_handle_t *handle)
{
    ((struct plat_loop *)handle->data)->tick_open = false;
}

void plat_loop_free(struct plat_loop *loop)
{
    if (!loop)
        return;
    plat_signals_stop();
    uv_close((uv_handle_t *)&loop->tick, on_closed);
    while (loop->tick_open)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    plat_heap_done(&loop->clock);
    plat_heap_done(&loop->real);
    /* Handles of engines that are still open (the process is ending) keep the loop's memory. */
    if (!uv_loop_close(&loop->uv))
        free(loop);
}

void plat_loop_hooks(struct plat_loop *loop, plat_resume_fn *resume, plat_release_fn *release,
                     void *arg)
{
    loop->resume = resume;
    loop->release = release;
    loop->arg = arg;
}

struct uv_loop_s *plat_loop_uv(struct plat_loop *loop)
{
    return &loop->uv;
}

/* ---- clock ---- */

uint64_t plat_loop_now(const struct plat_loop *loop)
{
    return loop->virtual ? loop->vnow : mono();
}

double plat_loop_wall(const struct plat_loop *loop)
{
    struct timespec ts;

    if (loop->virtual)
        return loop->wall0 + (double)(loop->vnow - loop->clock0) / 1e9;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void plat_loop_virtual(struct plat_loop *loop, double wall, double speed)
{
    loop->virtual = true;
    loop->wall0 = wall;
    loop->clock0 = loop->vnow = VIRTUAL_START; /* the same in every run, to the last bit */
    loop->vnow_at = mono();
    loop->speed = speed;
}

bool plat_loop_is_virtual(const struct plat_loop *loop)
{
    return loop->virtual;
}

void plat_loop_busy(struct plat_loop *loop, int delta)
{
    loop->busy += delta;
}

/* ---- ops ---- */

static void push_ready(struct plat_op *op)
{
    struct plat_loop *loop = op->loop;

    op->state = PLAT_OP_READY;
    op->next = NULL;
    *loop->ready_tail = op;
    loop->ready_tail = &op->next;
    if (loop->polling) /* from a timer's callback: uv_run() must not go on to block in its poll */
        uv_stop(&loop->uv);
}

static struct plat_heap *heap_of(struct plat_loop *loop, const struct plat_timer *timer)
{
    return timer->real ? &loop->real : &loop->clock;
}

static void finish(struct plat_op *op, enum plat_op_end end)
{
    struct plat_loop *loop = op->loop;

    op->end = (uint8_t)end;
    if (op->timer.index)
        plat_heap_remove(heap_of(loop, &op->timer), &op->timer);
    if (op->inflight) {
        op->inflight = false;
        loop->inflight--;
    }
    loop->pending--;
    push_ready(op);
}

void plat_op_start(struct plat_op *op, uint64_t scope_deadline)
{
    struct plat_loop *loop = op->loop;
    uint64_t now, at = 0;

    loop->pending++;
    if (op->state == PLAT_OP_READY) { /* the engine was faster than the wait */
        loop->pending--;
        push_ready(op);
        return;
    }
    op->state = PLAT_OP_PENDING;
    if (op->cls->real) {
        op->inflight = true;
        loop->inflight++;
    }
    if (op->timeout <= 0 && !scope_deadline)
        return;
    now = plat_loop_now(loop);
    if (op->timeout > 0) { /* at least a nanosecond: a clock that jumps would stand still else */
        uint64_t span = (uint64_t)(op->timeout * 1e9);
        at = now + (span ? span : 1);
    }
    if (scope_deadline && (!at || scope_deadline < at)) {
        at = scope_deadline > now ? scope_deadline : now;
        op->by_scope = true;
    }
    op->timer.real = op->cls->real && loop->virtual;
    op->timer.at = op->timer.real ? mono() + (at - now) : at;
    op->timer.seq = ++loop->seq;
    if (!plat_heap_reserve(heap_of(loop, &op->timer), heap_of(loop, &op->timer)->n + 1)) {
        plat_op_cancel(op, op->by_scope ? PLAT_END_DEADLINE : PLAT_END_TIMEOUT);
        return;
    }
    plat_heap_push(heap_of(loop, &op->timer), &op->timer);
}

void plat_op_ready(struct plat_op *op)
{
    if (op->state == PLAT_OP_NEW) {
        op->state = PLAT_OP_READY; /* plat_op_start will queue it */
        op->end = PLAT_END_OK;
    } else if (op->state == PLAT_OP_PENDING) {
        finish(op, PLAT_END_OK);
    }
}

void plat_op_cancel(struct plat_op *op, enum plat_op_end end)
{
    if (op->state != PLAT_OP_PENDING)
        return;
    finish(op, end);
    if (op->cls->cancel)
        op->cls->cancel(op);
}

void plat_op_release(struct plat_op *op)
{
    if (op->released)
        return;
    op->released = true;
    op->loop->release(op, op->loop->arg);
}

/* ---- running ---- */

/* Wakes what is ready now; what becomes ready meanwhile waits for the next turn, after a poll. */
static void drain(struct plat_loop *loop)
{
    struct plat_op **end = loop->ready_tail;
    bool last = false;

    while (loop->ready && !loop->stop && !last) {
        struct plat_op *op = loop->ready;

        last = end == &op->next;
        loop->ready = op->next;
        if (!loop->ready)
            loop->ready_tail = &loop->ready;
        op->next = NULL;
        op->state = PLAT_OP_DONE;
        loop->resume(op, loop->arg);
    }
}

static void expire(const struct plat_heap *heap, uint64_t now)
{
    struct plat_timer *top;

    while ((top = plat_heap_top(heap)) && top->at <= now) {
        struct plat_op *op = (struct plat_op *)((char *)top - offsetof(struct plat_op, timer));
        plat_op_cancel(op, op->by_scope ? PLAT_END_DEADLINE : PLAT_END_TIMEOUT);
    }
}

static void arm(struct plat_loop *loop, uint64_t at)
{
    uint64_t now = mono(), ms;

    if (at == loop->armed)
        return;
    loop->armed = at;
    ms = at > now ? (at - now + 999999) / 1000000 : 0;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->tick, on_tick, ms, 0);
}

static bool world_waits(const struct plat_loop *loop)
{
    return loop->inflight > 0 || loop->busy > 0;
}

bool plat_loop_is_quiet(const struct plat_loop *loop)
{
    return !world_waits(loop);
}

bool plat_loop_forked(struct plat_loop *loop)
{
    return uv_loop_fork(&loop->uv) == 0;
}

/*
 * Virtual mode: lets the clock stand, walk or jump.  Returns the monotonic time to wake at, 0:
 * none.
 */
static uint64_t step_virtual(struct plat_loop *loop)
{
    struct plat_timer *top = plat_heap_top(&loop->clock);
    uint64_t now = mono(), due;

    if (!top || loop->ready)
        return 0;
    if (loop->speed <= 0) {
        if (world_waits(loop))
            return 0;
        if (top->at > loop->vnow)
            loop->vnow = top->at;
        expire(&loop->clock, loop->vnow);
        return 0;
    }
    loop->vnow += (uint64_t)((double)(now - loop->vnow_at) * loop->speed);
    loop->vnow_at = now;
    expire(&loop->clock, loop->vnow);
    top = plat_heap_top(&loop->clock);
    if (!top)
        return 0;
    due = (uint64_t)((double)(top->at - loop->vnow) / loop->speed);
    return now + due + 1;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return !a ? b : !b ? a : a < b ? a : b;
}

/* Fires what is due and returns the monotonic time of what comes next, 0: nothing is set. */
static uint64_t fire(struct plat_loop *loop)
{
    uint64_t wake = 0;
    const struct plat_timer *top;

    if (loop->virtual) {
        wake = step_virtual(loop);
    } else {
        expire(&loop->clock, mono());
        top = plat_heap_top(&loop->clock);
        wake = top ? top->at : 0;
    }
    expire(&loop->real, mono());
    top = plat_heap_top(&loop->real);
    return sooner(wake, top ? top->at : 0);
}

static bool stuck(const struct plat_loop *loop)
{
    return !loop->ready && !world_waits(loop) && !plat_heap_top(&loop->clock) &&
           !uv_loop_alive(&loop->uv);
}

/* One round of libuv; blocks only when nothing is ready. */
static void poll_once(struct plat_loop *loop, uint64_t wake)
{
    if (wake) {
        arm(loop, wake);
        uv_ref((uv_handle_t *)&loop->tick); /* else uv_run() would not wait for it */
    } else if (loop->armed) {
        uv_timer_stop(&loop->tick);
        loop->armed = 0;
    }
    loop->polling = true;
    uv_run(&loop->uv, loop->ready ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    loop->polling = false;
    uv_unref((uv_handle_t *)&loop->tick);
}

enum plat_loop_end plat_loop_run(struct plat_loop *loop)
{
    loop->stop = false;
    for (;;) {
        uint64_t wake;

        drain(loop);
        if (loop->stop)
            return PLAT_LOOP_STOPPED;
        wake = fire(loop);
        if (!wake && stuck(loop))
            return PLAT_LOOP_STUCK;
        poll_once(loop, wake);
    }
}

void plat_loop_stop(struct plat_loop *loop)
{
    loop->stop = true;
}
