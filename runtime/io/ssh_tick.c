/* What a session looks after by the clock, while other things happen. */
#include "io/loop.h"
#include "io/ssh_impl.h"

#include "base/banned.h"

static void (*const handlers[SSH_TICKS])(struct plat_ssh *) = {
    [SSH_TICK_PROXY] = ssh_way_give_up,
    [SSH_TICK_PATIENCE] = ssh_exec_impatient,
    [SSH_TICK_ALIVE] = ssh_alive_look,
};

static void on_tick(uv_timer_t *timer);

static void arm(struct plat_ssh *s)
{
    uint64_t now = uv_hrtime(), first = 0;

    for (int i = 0; i < SSH_TICKS; i++)
        if (s->ticks[i] && (!first || s->ticks[i] < first))
            first = s->ticks[i];
    if (!first || s->phase == SSH_LOST) {
        uv_timer_stop(&s->tick);
        return;
    }
    uv_update_time(plat_loop_uv(s->loop));
    uv_timer_start(&s->tick, on_tick, first > now ? (first - now + 999999) / 1000000 : 0, 0);
}

static void on_tick(uv_timer_t *timer)
{
    struct plat_ssh *s = timer->data;
    uint64_t now = uv_hrtime();

    for (int i = 0; i < SSH_TICKS && s->phase != SSH_LOST; i++) {
        if (!s->ticks[i] || s->ticks[i] > now)
            continue;
        s->ticks[i] = 0;
        handlers[i](s);
    }
    arm(s);
    ssh_exec_deliver(s);
}

void ssh_tick_in(struct plat_ssh *s, enum ssh_tick which, double seconds)
{
    s->ticks[which] = seconds > 0 ? uv_hrtime() + (uint64_t)(seconds * 1e9) : 0;
    arm(s);
}
