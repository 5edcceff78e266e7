/*
 * prim.log: the level filter in front of the one output sink, and the sink itself as a Lua function
 * (installed by plat.out).  The filter is in C so that a disabled log call costs one comparison.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#include "base/banned.h"

static const char *const level_names[] = { "error", "warn", "info", "debug", "trace", NULL };

static const char sink_key; /* its address is the registry key of the sink */
static const char level_key;

enum { DEFAULT_LEVEL = 2 };

static int current_level(lua_State *L)
{
    int level;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &level_key);
    level = lua_isinteger(L, -1) ? (int)lua_tointeger(L, -1) : DEFAULT_LEVEL;
    lua_pop(L, 1);
    return level;
}

static int l_level(lua_State *L)
{
    if (!lua_isnone(L, 1)) {
        lua_pushinteger(L, luaL_checkoption(L, 1, NULL, level_names));
        lua_rawsetp(L, LUA_REGISTRYINDEX, &level_key);
    }
    lua_pushstring(L, level_names[current_level(L)]);
    return 1;
}

static int l_enabled(lua_State *L)
{
    lua_pushboolean(L, luaL_checkoption(L, 1, NULL, level_names) <= current_level(L));
    return 1;
}

static int l_sink(lua_State *L)
{
    if (!lua_isnil(L, 1))
        luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &sink_key);
    lua_insert(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &sink_key);
    return 1;
}

/* write(level, message, fields?): true when a sink took it. */
static int l_write(lua_State *L)
{
    int level = luaL_checkoption(L, 1, NULL, level_names);

    luaL_checkstring(L, 2);
    lua_settop(L, 3);
    if (level > current_level(L) || lua_rawgetp(L, LUA_REGISTRYINDEX, &sink_key) != LUA_TFUNCTION) {
        lua_pushboolean(L, false);
        return 1;
    }
    lua_insert(L, 1);
    lua_call(L, 3, 0);
    lua_pushboolean(L, true);
    return 1;
}

static const luaL_Reg functions[] = {
    { "level", l_level }, { "enabled", l_enabled }, { "sink", l_sink },
    { "write", l_write }, { NULL, NULL },
};

int luaopen_prim_log(lua_State *L);

int luaopen_prim_log(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
