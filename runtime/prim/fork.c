/* Copies of this process, for `platrun test`: see io/fork.h. */
#include "io/fork.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "lua/fail.h"
#include "lua/task.h"

#include "base/banned.h"

#define CHILD "plat.fork.child"

enum { MAX_AT_ONCE = 256 };

/* A child's process of its own: PLATRUN_RUNS_DIR and their like, from a table of texts. */
static void set_environment(lua_State *L, int idx)
{
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        if (lua_type(L, -2) == LUA_TSTRING && lua_isstring(L, -1))
            setenv(lua_tostring(L, -2), lua_tostring(L, -1), 1);
        lua_pop(L, 1);
    }
}

/* start(env) -> child in the parent, true in the child; or nil, err */
static int l_start(lua_State *L)
{
    struct plat_child *child;
    struct plat_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    child = lua_newuserdatauv(L, sizeof(*child), 0);
    *child = (struct plat_child){ .result_fd = -1, .output_fd = -1 };
    luaL_setmetatable(L, CHILD);
    switch (plat_fork_start(plat_loop_of(L), child, &err)) {
    case PLAT_FORK_CHILD:
        set_environment(L, 1);
        lua_pushboolean(L, 1);
        return 1;
    case PLAT_FORK_PARENT:
        return 1;
    default:
        return plat_fail(L, &err);
    }
}

/* wait(children, seconds) -> index of one that has ended, nil when the time has passed */
static int l_wait(lua_State *L)
{
    struct plat_child *children[MAX_AT_ONCE];
    double seconds = luaL_checknumber(L, 2);
    lua_Integer n;
    size_t found;

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, seconds >= 0 && seconds <= 3600, 2, "not a time to wait");
    n = luaL_len(L, 1);
    luaL_argcheck(L, n <= MAX_AT_ONCE, 1, "too many children");
    for (lua_Integer i = 0; i < n; i++) {
        lua_geti(L, 1, i + 1);
        children[i] = luaL_checkudata(L, -1, CHILD);
        lua_pop(L, 1);
    }
    found = plat_fork_wait(children, (size_t)n, (int)(seconds * 1000));
    if (found == (size_t)n)
        return 0;
    lua_pushinteger(L, (lua_Integer)found + 1);
    return 1;
}

/* finish(text, status): ends the child, without any cleanup */
static int l_finish(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    int status = (int)luaL_checkinteger(L, 2);

    plat_fork_finish(text, n, status);
}

static void push_buf(lua_State *L, const struct plat_buf *buf)
{
    lua_pushlstring(L, buf->len ? plat_buf_bytes(buf) : "", buf->len);
}

/* child:ended() -> { result, output, code, signal, too_much } */
static int m_ended(lua_State *L)
{
    struct plat_child *child = luaL_checkudata(L, 1, CHILD);

    luaL_argcheck(L, child->pid == 0, 1, "the child has not ended");
    lua_createtable(L, 0, 5);
    push_buf(L, &child->result);
    lua_setfield(L, -2, "result");
    push_buf(L, &child->output);
    lua_setfield(L, -2, "output");
    lua_pushboolean(L, child->too_much);
    lua_setfield(L, -2, "too_much");
    if (WIFEXITED(child->status)) {
        lua_pushinteger(L, WEXITSTATUS(child->status));
        lua_setfield(L, -2, "code");
    } else {
        lua_pushinteger(L, WTERMSIG(child->status));
        lua_setfield(L, -2, "signal");
    }
    return 1;
}

static int m_close(lua_State *L)
{
    plat_fork_done(luaL_checkudata(L, 1, CHILD));
    return 0;
}

static const luaL_Reg functions[] = {
    { "start", l_start }, { "wait", l_wait }, { "finish", l_finish }, { NULL, NULL }
};

static const luaL_Reg methods[] = { { "ended", m_ended }, { "close", m_close }, { NULL, NULL } };

static const luaL_Reg meta[] = { { "__gc", m_close }, { "__close", m_close }, { NULL, NULL } };

int luaopen_prim_fork(lua_State *L);

int luaopen_prim_fork(lua_State *L)
{
    luaL_newmetatable(L, CHILD);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
