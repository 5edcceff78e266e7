#include "lua/fail.h"

#include "base/err.h"

#include "base/banned.h"

void plat_push_err(lua_State *L, const struct plat_err *err)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, plat_err_kind_name(err->kind));
    lua_setfield(L, -2, "kind");
    if (err->op) {
        lua_pushstring(L, err->op);
        lua_setfield(L, -2, "op");
    }
    lua_pushstring(L, err->msg);
    lua_setfield(L, -2, "msg");
    if (err->code) {
        lua_pushinteger(L, err->code);
        lua_setfield(L, -2, "code");
    }
}

int plat_fail(lua_State *L, const struct plat_err *err)
{
    lua_pushnil(L);
    plat_push_err(L, err);
    return 2;
}
