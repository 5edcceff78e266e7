#include "lua/args.h"

#include <lauxlib.h>

#include "lua/secret.h"

#include "base/banned.h"

/* Pushes field `name`; false (nothing pushed) when it is absent or there is no table. */
static bool push(lua_State *L, int idx, const char *name)
{
    if (lua_isnoneornil(L, idx))
        return false;
    luaL_checktype(L, idx, LUA_TTABLE);
    if (lua_getfield(L, idx, name) != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

static void wrong(lua_State *L, const char *name, const char *want)
{
    luaL_error(L, "bad option '%s' (%s expected, got %s)", name, want, luaL_typename(L, -1));
}

double plat_args_number(lua_State *L, int idx, const char *name, double def)
{
    if (push(L, idx, name)) {
        if (lua_type(L, -1) != LUA_TNUMBER)
            wrong(L, name, "number");
        def = lua_tonumber(L, -1);
        lua_pop(L, 1);
    }
    return def;
}

lua_Integer plat_args_integer(lua_State *L, int idx, const char *name, lua_Integer def)
{
    if (push(L, idx, name)) {
        int ok = 0;
        def = lua_tointegerx(L, -1, &ok);
        if (!ok || lua_type(L, -1) != LUA_TNUMBER)
            wrong(L, name, "integer");
        lua_pop(L, 1);
    }
    return def;
}

bool plat_args_bool(lua_State *L, int idx, const char *name, bool def)
{
    if (push(L, idx, name)) {
        if (!lua_isboolean(L, -1))
            wrong(L, name, "boolean");
        def = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    return def;
}

static const char *get_string(lua_State *L, int idx, const char *name, const char *def,
                              size_t *ret_len)
{
    size_t n = 0;

    if (push(L, idx, name)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            wrong(L, name, "string");
        def = lua_tolstring(L, -1, &n);
        lua_pop(L, 1); /* the table still holds it */
    } else if (def) {
        while (def[n])
            n++;
    }
    if (ret_len)
        *ret_len = n;
    return def;
}

const char *plat_args_bytes(lua_State *L, int idx, const char *name, const char *def,
                            size_t *ret_len)
{
    const char *bytes = NULL;

    if (push(L, idx, name)) {
        bytes = plat_secret_bytes(L, -1, ret_len);
        lua_pop(L, 1); /* the table still holds it */
    }
    return bytes ? bytes : get_string(L, idx, name, def, ret_len);
}

const char *plat_args_string(lua_State *L, int idx, const char *name, const char *def)
{
    size_t n;
    const char *s = get_string(L, idx, name, def, &n);

    for (size_t i = 0; s && i < n; i++) {
        if (!s[i])
            luaL_error(L, "bad option '%s' (it contains a zero byte)", name);
    }
    return s;
}
