/*
 * Coroutines and the loop.  The invariants: a live task is exactly one of running, ready (its op is
 * in the ready queue) and waiting (task->op is pending); waking clears op->waiter, so a late
 * completion has nobody to wake.
 */
#include "lua/task.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "io/loop.h"
#include "io/signals.h"
#include "lua/fail.h"
#include "lua/task_impl.h"
#include "lua/watch.h"

#include "base/banned.h"

static const struct plat_op_class start_class = { .name = "task.start" };

struct plat_runtime *plat_runtime_of(lua_State *L)
{
    return *(struct plat_runtime **)lua_getextraspace(L);
}

struct plat_loop *plat_loop_of(lua_State *L)
{
    return plat_runtime_of(L)->loop;
}

struct plat_task *plat_task_check(lua_State *L, int idx)
{
    return luaL_checkudata(L, idx, PLAT_TASK);
}

/* ---- life of a task ---- */

static void bury(struct plat_runtime *rt, struct plat_task *task)
{
    task->dead = true;
    task->prev->next = task->next;
    task->next->prev = task->prev;
    luaL_unref(rt->L, LUA_REGISTRYINDEX, task->self);
    if (task == rt->main)
        plat_loop_stop(rt->loop);
}

/* A task's body is always run by Lua code that catches: an error here is ours. */
static void fatal(struct plat_runtime *rt, const struct plat_task *task, const char *text)
{
    const char *msg = text ? text : lua_tostring(task->co, -1);

    if (!rt->fatal[0])
        snprintf(rt->fatal, sizeof(rt->fatal), "%s", msg ? msg : "error object is not a string");
    plat_loop_stop(rt->loop);
}

static void run(struct plat_runtime *rt, struct plat_task *task, int nargs)
{
    int nres = 0, status;

    rt->current = task;
    plat_watch_begin(rt, task->co);
    status = lua_resume(task->co, rt->L, nargs, &nres);
    rt->current = NULL;
    plat_watch_end(rt, task->co);
    if (status == LUA_YIELD && task->op)
        return;
    if (status == LUA_YIELD)
        fatal(rt, task, "a task yielded without waiting for anything");
    else if (status != LUA_OK)
        fatal(rt, task, NULL);
    bury(rt, task);
}

static void on_ready(struct plat_op *op, void *arg)
{
    struct plat_task *task = op->waiter;

    if (!task)
        return;
    op->waiter = NULL;
    task->op = NULL;
    run(arg, task, op->cls == &start_class ? lua_gettop(task->co) - 1 : 0);
}

static void on_release(struct plat_op *op, void *arg)
{
    struct plat_runtime *rt = arg;
    int anchor = op->anchor;

    op->anchor = 0;
    if (anchor)
        luaL_unref(rt->L, LUA_REGISTRYINDEX, anchor);
}

struct plat_task *plat_task_spawn(lua_State *L, int nargs)
{
    struct plat_runtime *rt = plat_runtime_of(L);
    struct plat_task *task = lua_newuserdatauv(L, sizeof(*task), 2);

    memset(task, 0, sizeof(*task));
    luaL_setmetatable(L, PLAT_TASK);
    task->dead = true;
    task->co = lua_newthread(L);
    plat_watch_task(task->co);
    lua_setiuservalue(L, -2, 1);
    lua_insert(L, -nargs - 2); /* below the function */
    lua_pushvalue(L, -nargs - 2);
    task->self = luaL_ref(L, LUA_REGISTRYINDEX);
    luaL_checkstack(task->co, nargs + 1, "too many arguments");
    lua_xmove(L, task->co, nargs + 1);
    task->dead = false;
    task->prev = &rt->all;
    task->next = rt->all.next;
    task->next->prev = rt->all.next = task;
    if (rt->current)
        task->deadline = rt->current->deadline;
    task->own = (struct plat_op){ .cls = &start_class, .loop = rt->loop, .waiter = task };
    task->op = &task->own;
    plat_op_ready(&task->own);
    plat_op_start(&task->own, 0);
    return task;
}

void plat_task_cancel(lua_State *L, struct plat_task *task, int task_idx, int reason_idx)
{
    if (task->dead || task->cancelled)
        return;
    task->cancelled = true;
    if (reason_idx) {
        lua_pushvalue(L, reason_idx);
        lua_setiuservalue(L, task_idx, 2);
    }
    if (task->op && !task->shield)
        plat_op_cancel(task->op, PLAT_END_CANCELLED);
}

/* ---- waiting ---- */

static int raise_cancel(lua_State *L, const struct plat_task *task)
{
    static const struct plat_err plain = { .kind = PLAT_ERR_CANCELLED, .msg = "cancelled" };

    lua_rawgeti(L, LUA_REGISTRYINDEX, task->self);
    if (lua_getiuservalue(L, -1, 2) == LUA_TNIL)
        plat_push_err(L, &plain);
    return lua_error(L);
}

/* The current task, if it can wait here and now; raises otherwise. */
static struct plat_task *check_can_wait(lua_State *L)
{
    struct plat_task *task = plat_runtime_of(L)->current;

    if (!task)
        luaL_error(L, "cannot wait outside a task");
    else if (task->co != L)
        luaL_error(L, "cannot wait inside coroutine.wrap or coroutine.resume; use task.spawn");
    if (!lua_isyieldable(L))
        luaL_error(L, "cannot wait inside string.gsub, table.sort, require or a metamethod");
    if (task->cancelled && !task->shield)
        raise_cancel(L, task);
    return task;
}

void *plat_op_new(lua_State *L, size_t size, const struct plat_op_class *cls)
{
    struct plat_op *op;

    check_can_wait(L);
    luaL_checkstack(L, 4, NULL);
    op = lua_newuserdatauv(L, size, 1);
    memset(op, 0, size);
    op->cls = cls;
    op->loop = plat_loop_of(L);
    if (cls->held) {
        lua_pushvalue(L, -1);
        op->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    return op;
}

struct plat_op *plat_task_own_op(lua_State *L, const struct plat_op_class *cls, double timeout)
{
    struct plat_task *task = check_can_wait(L);

    task->own = (struct plat_op){ .cls = cls, .loop = plat_loop_of(L), .timeout = timeout };
    return &task->own;
}

static int k_await(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_op *op = (struct plat_op *)ctx;

    if (op->end == PLAT_END_CANCELLED)
        return raise_cancel(L, plat_runtime_of(L)->current);
    return ((lua_KFunction)op->cont)(L, status, ctx);
}

int plat_await(lua_State *L, struct plat_op *op, lua_KFunction k)
{
    struct plat_task *task = plat_runtime_of(L)->current;

    op->waiter = task;
    op->cont = (void (*)(void))k;
    task->op = op;
    plat_op_start(op, task->deadline);
    return lua_yieldk(L, 0, (lua_KContext)op, k_await);
}

bool plat_op_failed(const struct plat_op *op, struct plat_err *err)
{
    if (op->end == PLAT_END_OK)
        return false;
    if (op->end == PLAT_END_DEADLINE)
        plat_err_set(err, PLAT_ERR_TIMEOUT, 0, op->cls->name, "the enclosing deadline passed");
    else
        plat_err_set(err, PLAT_ERR_TIMEOUT, 0, op->cls->name, "no answer in %g s", op->timeout);
    return true;
}

/* ---- signals and set-up ---- */

static void on_signal(int signo, void *arg)
{
    struct plat_runtime *rt = arg;

    if (!rt->on_signal)
        return;
    lua_rawgeti(rt->L, LUA_REGISTRYINDEX, rt->on_signal);
    lua_pushinteger(rt->L, signo);
    if (lua_pcall(rt->L, 1, 0, 0)) {
        snprintf(rt->fatal, sizeof(rt->fatal), "%s", luaL_tolstring(rt->L, -1, NULL));
        lua_pop(rt->L, 2);
        plat_loop_stop(rt->loop);
    }
}

void plat_task_open(lua_State *L, struct plat_loop *loop)
{
    struct plat_runtime *rt = lua_newuserdatauv(L, sizeof(*rt), 0);
    struct plat_err err;

    memset(rt, 0, sizeof(*rt));
    lua_setfield(L, LUA_REGISTRYINDEX, "plat.runtime");
    rt->loop = loop;
    rt->L = L;
    rt->all.next = rt->all.prev = &rt->all;
    *(struct plat_runtime **)lua_getextraspace(L) = rt;
    luaL_newmetatable(L, PLAT_TASK);
    lua_pop(L, 1);
    plat_loop_hooks(loop, on_ready, on_release, rt);
    plat_watch_open(L);
    if (!plat_signals_start(loop, on_signal, rt, &err))
        luaL_error(L, "%s", err.msg);
}
