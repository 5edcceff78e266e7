/* Shared by the fuzz targets: one Lua state with one primitive, and calls that may raise. */
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A state with the primitive's table at index 1. */
static inline lua_State *fuzz_state(lua_CFunction open)
{
    lua_State *L = luaL_newstate();

    if (!L)
        abort();
    luaL_openlibs(L);
    lua_pushcfunction(L, open);
    lua_call(L, 0, 1);
    return L;
}

/* Pushes the function `name` of the primitive. */
static inline void fuzz_function(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (!lua_isfunction(L, -1))
        abort();
}

/* Ends the process with a message that the fuzzer reports. */
static inline void fuzz_fail(const char *what, const char *text)
{
    fprintf(stderr, "fuzz: %s: %s\n", what, text ? text : "?");
    abort();
}
