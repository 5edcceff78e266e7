/* Tasks and gates.  Everything clever (groups, limits, timeouts, retries) is plat/task.lua. */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "io/loop.h"
#include "lua/fail.h"
#include "lua/task_impl.h"

#include "base/banned.h"

#define GATE "plat.gate"

struct plat_gate {
    struct plat_task *waiter;
    bool open;
};

static struct plat_task *check_current(lua_State *L)
{
    struct plat_task *task = plat_runtime_of(L)->current;

    if (!task)
        luaL_error(L, "not inside a task");
    return task;
}

static int l_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    plat_task_spawn(L, lua_gettop(L) - 1);
    return 1;
}

static int l_current(lua_State *L)
{
    struct plat_task *task = plat_runtime_of(L)->current;

    if (task)
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->self);
    else
        lua_pushnil(L);
    return 1;
}

static int l_cancel(lua_State *L)
{
    struct plat_task *task = plat_task_check(L, 1);

    luaL_checkany(L, 2);
    plat_task_cancel(L, task, 1, lua_isnil(L, 2) ? 0 : 2);
    return 0;
}

/* cancelled([task]) -> boolean, reason: true even under a shield. */
static int l_cancelled(lua_State *L)
{
    struct plat_task *task = lua_isnoneornil(L, 1) ? check_current(L) : plat_task_check(L, 1);

    lua_pushboolean(L, task->cancelled);
    if (lua_isnoneornil(L, 1))
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->self);
    else
        lua_pushvalue(L, 1);
    lua_getiuservalue(L, -1, 2);
    lua_remove(L, -2);
    return 2;
}

static int l_dead(lua_State *L)
{
    lua_pushboolean(L, plat_task_check(L, 1)->dead);
    return 1;
}

/* shield(+1 | -1): while above zero a cancel is not felt. */
static int l_shield(lua_State *L)
{
    struct plat_task *task = check_current(L);

    task->shield += (int)luaL_checkinteger(L, 1);
    luaL_argcheck(L, task->shield >= 0, 1, "the shield is not up");
    return 0;
}

static int l_shielded(lua_State *L)
{
    lua_pushboolean(L, check_current(L)->shield > 0);
    return 1;
}

/* deadline() -> seconds on the loop's clock, or nil */
static int l_deadline(lua_State *L)
{
    struct plat_task *task = check_current(L);

    if (task->deadline)
        lua_pushnumber(L, (double)task->deadline / 1e9);
    else
        lua_pushnil(L);
    return 1;
}

static int l_set_deadline(lua_State *L)
{
    struct plat_task *task = check_current(L);

    if (lua_isnoneornil(L, 1)) {
        task->deadline = 0;
    } else {
        double at = luaL_checknumber(L, 1);
        luaL_argcheck(L, at >= 0 && at < 1e10, 1, "not a time on the loop's clock");
        task->deadline = (uint64_t)(at * 1e9);
        if (!task->deadline)
            task->deadline = 1;
    }
    return 0;
}

/* main(task): the loop ends when this task does */
static int l_main(lua_State *L)
{
    plat_runtime_of(L)->main = plat_task_check(L, 1);
    return 0;
}

/* cancel_main(reason): from outside any task */
static int l_cancel_main(lua_State *L)
{
    struct plat_task *task = plat_runtime_of(L)->main;

    luaL_checkany(L, 1);
    if (task && !task->dead) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, task->self);
        plat_task_cancel(L, task, lua_gettop(L), 1);
    }
    return 0;
}

static int set_hook(lua_State *L, int *ref)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_unref(L, LUA_REGISTRYINDEX, *ref);
    lua_settop(L, 1);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static int l_on_signal(lua_State *L)
{
    return set_hook(L, &plat_runtime_of(L)->on_signal);
}

static int l_on_busy(lua_State *L)
{
    return set_hook(L, &plat_runtime_of(L)->on_busy);
}

/* waits() -> { op names }: what every living task waits for, oldest first */
static int l_waits(lua_State *L)
{
    struct plat_runtime *rt = plat_runtime_of(L);
    lua_Integer n = 0;

    lua_newtable(L);
    for (struct plat_task *t = rt->all.prev; t != &rt->all; t = t->prev) {
        lua_pushstring(L, t == rt->current ? "running" : t->op ? t->op->cls->name : "ready");
        lua_seti(L, -2, ++n);
    }
    return 1;
}

/* in_task() -> whether this code runs in a task's own coroutine */
static int l_in_task(lua_State *L)
{
    struct plat_task *task = plat_runtime_of(L)->current;

    lua_pushboolean(L, task && task->co == L);
    return 1;
}

/* ---- gates ---- */

static void gate_cancel(struct plat_op *op)
{
    struct plat_task *task = (struct plat_task *)((char *)op - offsetof(struct plat_task, own));

    if (task->gate)
        task->gate->waiter = NULL;
    task->gate = NULL;
}

static const struct plat_op_class gate_class = { .name = "task.gate", .cancel = gate_cancel };

static struct plat_gate *check_gate(lua_State *L)
{
    return luaL_checkudata(L, 1, GATE);
}

static int l_gate(lua_State *L)
{
    struct plat_gate *gate = lua_newuserdatauv(L, sizeof(*gate), 0);

    *gate = (struct plat_gate){ 0 };
    luaL_setmetatable(L, GATE);
    return 1;
}

static int k_gate_wait(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_op *op = (struct plat_op *)ctx;
    struct plat_gate *gate = check_gate(L);
    struct plat_err err;

    (void)status;
    if (plat_op_failed(op, &err))
        return plat_fail(L, &err);
    gate->open = false;
    lua_pushboolean(L, 1);
    return 1;
}

/* gate:wait([seconds]) -> true | nil, err (timeout) */
static int l_gate_wait(lua_State *L)
{
    struct plat_gate *gate = check_gate(L);
    double timeout = luaL_optnumber(L, 2, 0);
    struct plat_op *op = plat_task_own_op(L, &gate_class, timeout);
    struct plat_task *task = plat_runtime_of(L)->current;

    if (gate->open) {
        gate->open = false;
        lua_pushboolean(L, 1);
        return 1;
    }
    if (gate->waiter)
        return luaL_error(L, "another task waits at this gate already");
    gate->waiter = task;
    task->gate = gate;
    return plat_await(L, op, k_gate_wait);
}

static int l_gate_open(lua_State *L)
{
    struct plat_gate *gate = check_gate(L);
    struct plat_task *task = gate->waiter;

    gate->open = true;
    if (task) {
        gate->waiter = NULL;
        task->gate = NULL;
        plat_op_ready(&task->own);
    }
    return 0;
}

static const luaL_Reg gate_methods[] = {
    { "wait", l_gate_wait },
    { "open", l_gate_open },
    { NULL, NULL },
};

/* place(fn) -> where in a playbook the task is: the lines of its functions from fn inwards, as text
 * that compares as the lines do */
static int l_place(lua_State *L)
{
    enum { MOST = 200 };
    int lines[MOST], n = 0;
    lua_Debug ar;
    luaL_Buffer b;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    for (int level = 1; level < MOST && lua_getstack(L, level, &ar); level++) {
        bool is_first;

        lua_getinfo(L, "Slf", &ar);
        is_first = lua_rawequal(L, -1, 1);
        lua_pop(L, 1);
        if (ar.currentline > 0 && strncmp(ar.source, "@plat/", 6) != 0)
            lines[n++] = ar.currentline;
        if (is_first)
            break;
    }
    luaL_buffinit(L, &b);
    while (n > 0) {
        char text[16];

        snprintf(text, sizeof(text), "%07d/", lines[--n]);
        luaL_addstring(&b, text);
    }
    luaL_pushresult(&b);
    return 1;
}

static const luaL_Reg functions[] = {
    { "spawn", l_spawn },       { "current", l_current },           { "cancel", l_cancel },
    { "dead", l_dead },         { "cancelled", l_cancelled },       { "shield", l_shield },
    { "shielded", l_shielded }, { "deadline", l_deadline },         { "main", l_main },
    { "gate", l_gate },         { "set_deadline", l_set_deadline }, { "on_signal", l_on_signal },
    { "waits", l_waits },       { "on_busy", l_on_busy },           { "in_task", l_in_task },
    { "place", l_place },       { "cancel_main", l_cancel_main },   { NULL, NULL },
};

int luaopen_prim_task(lua_State *L);

int luaopen_prim_task(lua_State *L)
{
    luaL_newmetatable(L, GATE);
    luaL_newlib(L, gate_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
