/*
 * bare_threads N ROUNDS: what Lua itself needs for tasks: per round, N coroutines are made, each
 * runs to its first yield and is kept, then each is resumed to its end.  The peer of tasks.lua.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

static const char BODY[] = "local yield = coroutine.yield return function() yield() end";

static void one_round(lua_State *L, int n, int *refs)
{
    int count;

    for (int i = 0; i < n; i++) {
        lua_State *co = lua_newthread(L);

        refs[i] = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_pushvalue(L, 1);
        lua_xmove(L, co, 1);
        if (lua_resume(co, L, 0, &count) != LUA_YIELD)
            abort();
        lua_pop(co, count);
    }
    for (int i = 0; i < n; i++) {
        lua_State *co;

        lua_rawgeti(L, LUA_REGISTRYINDEX, refs[i]);
        co = lua_tothread(L, -1);
        if (lua_resume(co, L, 0, &count) != LUA_OK)
            abort();
        lua_pop(L, 1);
        luaL_unref(L, LUA_REGISTRYINDEX, refs[i]);
    }
}

int main(int argc, char **argv)
{
    int n = argc > 2 ? atoi(argv[1]) : 0;
    int rounds = argc > 2 ? atoi(argv[2]) : 0;
    int *refs = malloc(((size_t)n + 1) * sizeof(*refs));
    lua_State *L = luaL_newstate();

    if (!refs || !L)
        return 1;
    luaL_openlibs(L);
    if (luaL_loadstring(L, BODY) || lua_pcall(L, 0, 1, 0)) {
        fputs(lua_tostring(L, -1), stderr);
        return 1;
    }
    for (int i = 0; i < rounds; i++)
        one_round(L, n, refs);
    lua_close(L);
    free(refs);
    return 0;
}
