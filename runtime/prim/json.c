/* prim.json: JSON text to plain data and back.  Parsing is jansson's, writing is ours. */
#include "prim/json.h"

#include <lauxlib.h>

#include "lua/plain.h"

#include "base/banned.h"

/* array(t?) -> t, marked so that it is an array even when it is empty */
static int l_array(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_getmetatable(L, 1) && !plat_plain_is_array(L, 1))
        return luaL_argerror(L, 1, "the table has a metatable of its own");
    lua_settop(L, 1);
    plat_plain_push_array_meta(L);
    lua_setmetatable(L, 1);
    return 1;
}

static int l_is_array(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, plat_plain_is_array(L, 1));
    return 1;
}

static const luaL_Reg functions[] = {
    { "decode", plat_json_decode },   { "encode", plat_json_encode },
    { "encoder", plat_json_encoder }, { "array", l_array },
    { "is_array", l_is_array },       { NULL, NULL },
};

int luaopen_prim_json(lua_State *L);

int luaopen_prim_json(lua_State *L)
{
    plat_json_decode_open(L);
    plat_json_encode_open(L);
    luaL_newlib(L, functions);
    plat_plain_push_null(L);
    lua_setfield(L, -2, "null");
    return 1;
}
