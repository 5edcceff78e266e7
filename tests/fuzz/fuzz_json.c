/*
 * prim.json: whatever bytes come, decode gives a value or a fault; what was decoded can be encoded,
 * and decoding and encoding that again gives the same text.
 */
#include <string.h>

#include "fuzz.h"

int luaopen_prim_json(lua_State *L);

/* Replaces the value on the top by its text. */
static void encode(lua_State *L)
{
    fuzz_function(L, "encode");
    lua_insert(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        fuzz_fail("what was decoded cannot be encoded", luaL_tolstring(L, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L;
    const char *first, *second;

    if (!L)
        L = fuzz_state(luaopen_prim_json);
    fuzz_function(L, "decode");
    lua_pushlstring(L, (const char *)data, size);
    if (lua_pcall(L, 1, 2, 0) != LUA_OK)
        fuzz_fail("decode raised", lua_tostring(L, -1));
    if (lua_isnil(L, -2)) {
        if (!lua_istable(L, -1))
            fuzz_fail("nil without a fault", NULL);
        lua_settop(L, 1);
        return 0;
    }
    lua_pop(L, 1);
    encode(L);
    first = lua_tostring(L, -1);
    fuzz_function(L, "decode");
    lua_pushvalue(L, -2);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK || lua_isnil(L, -1))
        fuzz_fail("our own text cannot be decoded", first);
    encode(L);
    second = lua_tostring(L, -1);
    if (strcmp(first, second) != 0)
        fuzz_fail("the text changed on its second way", second);
    lua_settop(L, 1);
    return 0;
}
