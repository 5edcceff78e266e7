/* Clocks and sleeping. */
#include <lauxlib.h>
#include <time.h>

#include "base/err.h"
#include "io/loop.h"
#include "lua/fail.h"
#include "lua/task_impl.h"

#include "base/banned.h"

static const struct plat_op_class sleep_class = { .name = "time.sleep" };

static int push_clock(lua_State *L, clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    lua_pushnumber(L, (lua_Number)ts.tv_sec + (lua_Number)ts.tv_nsec / 1e9);
    return 1;
}

/* now() -> unix seconds; virtual in virtual mode */
static int l_now(lua_State *L)
{
    lua_pushnumber(L, plat_loop_wall(plat_loop_of(L)));
    return 1;
}

/* mono() -> seconds on the loop's clock, for deadlines and durations */
static int l_mono(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)plat_loop_now(plat_loop_of(L)) / 1e9);
    return 1;
}

/* real() -> unix seconds of the machine, also in virtual mode */
static int l_real(lua_State *L)
{
    return push_clock(L, CLOCK_REALTIME);
}

/* cpu() -> seconds of CPU that this process has used */
static int l_cpu(lua_State *L)
{
    return push_clock(L, CLOCK_PROCESS_CPUTIME_ID);
}

static int l_virtual(lua_State *L)
{
    double wall = luaL_checknumber(L, 1), speed = luaL_optnumber(L, 2, 0);

    luaL_argcheck(L, speed >= 0, 2, "speed is not negative");
    plat_loop_virtual(plat_loop_of(L), wall, speed);
    return 0;
}

static int l_is_virtual(lua_State *L)
{
    lua_pushboolean(L, plat_loop_is_virtual(plat_loop_of(L)));
    return 1;
}

static int k_sleep(lua_State *L, int status, lua_KContext ctx)
{
    const struct plat_op *op = (const struct plat_op *)ctx;
    struct plat_err err;

    (void)status;
    if (op->end == PLAT_END_DEADLINE) {
        plat_op_failed(op, &err);
        return plat_fail(L, &err);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* sleep(seconds) -> true | nil, err (the enclosing deadline passed first) */
static int l_sleep(lua_State *L)
{
    double seconds = luaL_checknumber(L, 1);

    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "not a duration in seconds");
    return plat_await(L, plat_task_own_op(L, &sleep_class, seconds > 0 ? seconds : 1e-9), k_sleep);
}

static const luaL_Reg functions[] = {
    { "now", l_now },     { "mono", l_mono },       { "real", l_real },
    { "cpu", l_cpu },     { "virtual", l_virtual }, { "is_virtual", l_is_virtual },
    { "sleep", l_sleep }, { NULL, NULL },
};

int luaopen_prim_time(lua_State *L);

int luaopen_prim_time(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
