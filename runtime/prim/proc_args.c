/* prim.proc: argument lists and environments, as arrays of pointers that Lua owns. */
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "lua/args.h"
#include "lua/secret.h"
#include "prim/proc.h"

#include "base/banned.h"

enum { MAX_ARGS = 65536 };

static const char *check_text(lua_State *L, int idx, const char *what)
{
    size_t len;
    const char *s;

    if (lua_type(L, idx) != LUA_TSTRING)
        luaL_error(L, "bad %s (string expected, got %s)", what, luaL_typename(L, idx));
    s = lua_tolstring(L, idx, &len);
    if (strlen(s) != len)
        luaL_error(L, "bad %s (it contains a zero byte)", what);
    return s;
}

const char *const *prim_proc_argv(lua_State *L, int idx)
{
    lua_Integer n;
    const char **argv;

    luaL_checktype(L, idx, LUA_TTABLE);
    n = luaL_len(L, idx);
    luaL_argcheck(L, n > 0, idx, "empty list: the program is missing");
    luaL_argcheck(L, n <= MAX_ARGS, idx, "too many arguments");
    argv = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof(*argv), 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, idx, i);
        if (plat_secret_is(L, -1))
            luaL_error(L, "a secret in the arguments of a program can be read by everybody: give "
                          "it by stdin, env or a file");
        argv[i - 1] = check_text(L, -1, "argument");
        lua_pop(L, 1); /* the list still holds it */
    }
    luaL_argcheck(L, *argv[0], idx, "empty program name");
    argv[n] = NULL;
    return argv;
}

/* Fills the table at idx with NAME = "NAME=value" of this process. */
static void inherit_env(lua_State *L, int idx)
{
    for (char **e = environ; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq)
            continue;
        lua_pushlstring(L, *e, (size_t)(eq - *e));
        lua_pushstring(L, *e);
        lua_rawset(L, idx);
    }
}

/* Pushes "NAME=value" of the value on top of the stack, which may be a secret; the strings of an
 * environment are Lua's until the collector takes them. */
static void push_pair(lua_State *L, const char *name)
{
    size_t len;
    const char *value = plat_secret_bytes(L, -1, &len);

    if (value && strlen(value) != len)
        luaL_error(L, "bad environment value (it contains a zero byte)");
    lua_pushfstring(L, "%s=%s", name, value ? value : check_text(L, -1, "environment value"));
}

/* Applies the option env = { NAME = value, GONE = false } to the table at idx. */
static void override_env(lua_State *L, int opts, int idx)
{
    if (lua_getfield(L, opts, "env") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    if (!lua_istable(L, -1))
        luaL_error(L, "bad option 'env' (table expected, got %s)", luaL_typename(L, -1));
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const char *name = check_text(L, -2, "environment name");

        if (!*name || strchr(name, '='))
            luaL_error(L, "bad environment name \"%s\"", name);
        lua_pushvalue(L, -2);
        if (lua_isboolean(L, -2) && !lua_toboolean(L, -2)) {
            lua_pushnil(L);
        } else {
            lua_pushvalue(L, -2);
            push_pair(L, name);
            lua_remove(L, -2);
        }
        lua_rawset(L, idx);
    }
    lua_pop(L, 1);
}

const char *const *prim_proc_env(lua_State *L, int opts)
{
    const char **envp;
    size_t n = 0, i = 0;
    int table;

    lua_newtable(L);
    table = lua_gettop(L);
    if (!plat_args_bool(L, opts, "clear_env", false))
        inherit_env(L, table);
    if (!lua_isnoneornil(L, opts))
        override_env(L, opts, table);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        n++;
    envp = lua_newuserdatauv(L, (n + 1) * sizeof(*envp), 0);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        envp[i++] = lua_tostring(L, -1);
    envp[i] = NULL;
    return envp;
}
