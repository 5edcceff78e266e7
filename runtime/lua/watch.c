#include "lua/watch.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lua/task_impl.h"

#include "base/banned.h"

#define TICK       100000000 /* nanoseconds of CPU between looks at what runs */
#define HOOK_EVERY 1000000   /* VM instructions between looks at the clock, once it is in place */
#define BUSY_WARN  0.5       /* CPU seconds without a wait: said once per turn */
#define BUSY_FAIL  20.0      /* CPU seconds without a wait: ended */

static lua_State *volatile running; /* what the timer may put the hook on */
static volatile sig_atomic_t hooked;
static bool always; /* there is no such timer: the hook is everywhere */

/* Of this thread: on a machine that has other work, time passes without anybody computing. */
static double cpu_time(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct plat_runtime *rt = plat_runtime_of(L);
    double now = cpu_time(), busy;

    if (!rt->busy_since)
        rt->busy_since = now; /* its first look since the task was resumed */
    busy = now - rt->busy_since;
    if (!rt->current || busy < BUSY_WARN)
        return;
    if (!rt->busy_said) {
        rt->busy_said = true;
        rt->busy_where[0] = '\0';
        if (lua_getinfo(L, "Sl", ar))
            snprintf(rt->busy_where, sizeof(rt->busy_where), "%s:%d", ar->short_src,
                     ar->currentline);
    }
    if (busy > BUSY_FAIL)
        luaL_error(L, "computed for %d s without waiting: every other task stood still", (int)busy);
}

static void tell_busy(struct plat_runtime *rt)
{
    double busy;

    if (!rt->busy_said)
        return;
    busy = cpu_time() - rt->busy_since;
    rt->busy_said = false;
    if (!rt->on_busy)
        return;
    lua_rawgeti(rt->L, LUA_REGISTRYINDEX, rt->on_busy);
    lua_pushstring(rt->L, rt->busy_where);
    lua_pushnumber(rt->L, busy);
    if (lua_pcall(rt->L, 2, 0, 0))
        lua_pop(rt->L, 1);
}

/* ---- the timer ---- */

/* lua_sethook is made to be called from a signal handler; this one runs in Lua's own thread. */
static void on_tick(int signo)
{
    lua_State *co = running;

    (void)signo;
    if (!co || hooked)
        return;
    hooked = 1;
    lua_sethook(co, on_count, LUA_MASKCOUNT, HOOK_EVERY);
}

static bool start_timer(void)
{
    struct sigaction act = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM };
    struct itimerspec every = { .it_interval.tv_nsec = TICK, .it_value.tv_nsec = TICK };
    timer_t timer;

    event._sigev_un._tid = gettid();
    sigemptyset(&act.sa_mask);
    return !sigaction(SIGVTALRM, &act, NULL) &&
           !timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) &&
           !timer_settime(timer, 0, &every, NULL);
}

void plat_watch_open(lua_State *L)
{
    always = !start_timer();
    if (always)
        lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_EVERY); /* new threads inherit it */
}

void plat_watch_task(lua_State *co)
{
    if (!always)
        lua_sethook(co, NULL, 0, 0);
}

void plat_watch_begin(struct plat_runtime *rt, lua_State *co)
{
    rt->busy_since = 0;
    running = co;
}

void plat_watch_end(struct plat_runtime *rt, lua_State *co)
{
    running = NULL;
    if (hooked && !always)
        lua_sethook(co, NULL, 0, 0);
    hooked = 0;
    tell_busy(rt);
}

/* ---- coroutines of the user's own ---- */

/* Upvalue 1 is coroutine.create or wrap: the thread that it makes inherits the hook. */
static int l_create_watched(lua_State *L)
{
    bool mine = !lua_gethook(L);

    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    if (mine)
        lua_sethook(L, on_count, LUA_MASKCOUNT, HOOK_EVERY);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    if (mine)
        lua_sethook(L, NULL, 0, 0);
    return lua_gettop(L);
}

void plat_watch_coroutines(lua_State *L)
{
    static const char *const names[] = { "create", "wrap" };

    lua_getglobal(L, LUA_COLIBNAME);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        lua_getfield(L, -1, names[i]);
        lua_pushcclosure(L, l_create_watched, 1);
        lua_setfield(L, -2, names[i]);
    }
    lua_pop(L, 1);
}
