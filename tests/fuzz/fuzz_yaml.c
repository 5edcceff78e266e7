/*
 * prim.yaml: the first byte chooses the dialect.  Whatever bytes come, decode gives documents or a
 * fault; a decoded document can be encoded, and the dialect `core` reads the text back and writes
 * it the same again.
 */
#include <string.h>

#include "fuzz.h"

int luaopen_prim_yaml(lua_State *L);

static const char *const DIALECTS[] = { "core", "ansible", "kubernetes" };

/* Pushes decode(text at the top, dialect)'s first document, or nil; pops the text. */
static int decode_first(lua_State *L, const char *dialect)
{
    fuzz_function(L, "decode");
    lua_insert(L, -2);
    lua_newtable(L);
    lua_pushstring(L, dialect);
    lua_setfield(L, -2, "dialect");
    if (lua_pcall(L, 2, 2, 0) != LUA_OK)
        fuzz_fail("decode raised", luaL_tolstring(L, -1, NULL));
    if (lua_isnil(L, -2)) {
        if (!lua_istable(L, -1))
            fuzz_fail("nil without a fault", NULL);
        return 0;
    }
    lua_pop(L, 1);
    lua_geti(L, -1, 1);
    lua_remove(L, -2);
    return 1;
}

/* Replaces the value on the top by its text; nil when encode refuses it. */
static int encode(lua_State *L)
{
    fuzz_function(L, "encode");
    lua_insert(L, -2);
    return lua_pcall(L, 1, 1, 0) == LUA_OK && lua_isstring(L, -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static lua_State *L;
    const char *dialect;

    if (!L)
        L = fuzz_state(luaopen_prim_yaml);
    lua_settop(L, 1);
    if (size == 0)
        return 0;
    dialect = DIALECTS[data[0] % 3];
    lua_pushlstring(L, (const char *)data + 1, size - 1);
    if (!decode_first(L, dialect) || lua_isnil(L, -1))
        return 0;
    if (!encode(L))
        return 0; /* values that only a dialect has */
    lua_pushvalue(L, -1);
    if (!decode_first(L, "core") || lua_isnil(L, -1))
        fuzz_fail("our own text cannot be decoded", lua_tostring(L, 2));
    if (!encode(L) || strcmp(lua_tostring(L, 2), lua_tostring(L, -1)) != 0)
        fuzz_fail("the text changed on its second way", lua_tostring(L, 2));
    return 0;
}
