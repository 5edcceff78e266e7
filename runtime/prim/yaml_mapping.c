/*
 * Mappings: keys that become text, duplicates, and `<<`.  PyYAML lets the mapping's own keys win
 * over merged ones wherever they stand; go-yaml 2 obeys the order of the lines.
 */
#include <lauxlib.h>

#include "lua/plain.h"
#include "prim/yaml_decode.h"

#include "base/banned.h"

/* [-1, +1] Replaces the value on top by the text that is its key in a table. */
static bool key_to_text(lua_State *L, struct plat_yaml_reader *r, yaml_mark_t at)
{
    char text[PLAT_YAML_KEY];
    if (lua_type(L, -1) == LUA_TSTRING)
        return true;
    if (lua_istable(L, -1))
        return plat_yaml_fail(r, at, "only a scalar can be a key");
    if (lua_isboolean(L, -1)) {
        lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
    } else if (lua_isinteger(L, -1)) {
        lua_pushfstring(L, "%I", (LUAI_UACINT)lua_tointeger(L, -1));
    } else if (lua_isnumber(L, -1)) {
        plat_yaml_float_key(text, r->dialect, lua_tonumber(L, -1));
        lua_pushstring(L, text);
    } else if (r->dialect == PLAT_YAML_KUBERNETES) {
        return plat_yaml_fail(r, at, "null cannot be a key");
    } else {
        lua_pushliteral(L, "null");
    }
    lua_remove(L, -2);
    return true;
}

/* [-0, +1] Pushes the key at the current event as text; nil stands for `<<`. */
static bool push_key(lua_State *L, struct plat_yaml_reader *r, int depth)
{
    yaml_mark_t at = r->event.start_mark;
    if (r->event.type == YAML_ALIAS_EVENT) {
        if (!plat_yaml_alias(L, r, depth))
            return false;
    } else if (r->event.type != YAML_SCALAR_EVENT) {
        return plat_yaml_fail(r, at, "only a scalar can be a key");
    } else if (!plat_yaml_scalar_value(L, r, true) || !plat_yaml_remember(L, r)) {
        return false;
    }
    return lua_isnil(L, -1) || key_to_text(L, r, at);
}

/* Puts the entries of the table on top into the table at `into`; `merged` lists their keys. */
static void merge_table(lua_State *L, const struct plat_yaml_reader *r, int into, int merged)
{
    lua_pushnil(L);
    while (lua_next(L, -2)) { /* from key value */
        lua_pushvalue(L, -2);
        bool absent = lua_rawget(L, into) == LUA_TNIL;
        lua_pop(L, 1);
        if (!absent && r->dialect != PLAT_YAML_KUBERNETES) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -2);
        lua_pushboolean(L, true);
        lua_rawset(L, merged);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, into);
    }
}

/* A list merges its members, the first one wins. */
static bool merge_list(lua_State *L, struct plat_yaml_reader *r, int into, int merged,
                       yaml_mark_t at)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    bool backwards = r->dialect == PLAT_YAML_KUBERNETES; /* the later one overwrites there */
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, backwards ? n + 1 - i : i);
        if (!lua_istable(L, -1) || plat_plain_is_array(L, -1))
            return plat_yaml_fail(r, at, "`<<` takes a mapping or a list of mappings");
        merge_table(L, r, into, merged);
        lua_pop(L, 1);
    }
    return true;
}

/* Reads the value of `<<` at the current event. */
static bool read_merge(lua_State *L, struct plat_yaml_reader *r, int into, int depth)
{
    yaml_mark_t at = r->event.start_mark;
    if (lua_isnil(L, into + 1)) {
        lua_newtable(L);
        lua_replace(L, into + 1);
    }
    if (!plat_yaml_node(L, r, depth))
        return false;
    if (!lua_istable(L, -1))
        return plat_yaml_fail(r, at, "`<<` takes a mapping or a list of mappings");
    if (!plat_plain_is_array(L, -1))
        merge_table(L, r, into, into + 1);
    else if (!merge_list(L, r, into, into + 1, at))
        return false;
    lua_pop(L, 1);
    return true;
}

/* False if the key on top is in the table already, other than by a merge. */
static bool check_new(lua_State *L, struct plat_yaml_reader *r, int into, yaml_mark_t at)
{
    lua_pushvalue(L, -1);
    bool absent = lua_rawget(L, into) == LUA_TNIL;
    lua_pop(L, 1);
    if (absent)
        return true;
    if (lua_istable(L, into + 1)) {
        lua_pushvalue(L, -1);
        bool by_merge = lua_rawget(L, into + 1) == LUA_TBOOLEAN;
        lua_pop(L, 1);
        if (by_merge) { /* from now on it is an own key */
            lua_pushvalue(L, -1);
            lua_pushnil(L);
            lua_rawset(L, into + 1);
            return true;
        }
    }
    return plat_yaml_fail(r, at, "duplicate key \"%.60s\"", lua_tostring(L, -1));
}

/* Notes where the key on top stands, if anybody asks. */
static void note_place(lua_State *L, int into, yaml_mark_t at)
{
    if (!lua_istable(L, PLAT_YAML_SLOT_PLACES))
        return;
    lua_pushvalue(L, into);
    if (lua_rawget(L, PLAT_YAML_SLOT_PLACES) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, into);
        lua_pushvalue(L, -2);
        lua_rawset(L, PLAT_YAML_SLOT_PLACES);
    }
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, n + 1);
    lua_pushinteger(L, (lua_Integer)at.line + 1);
    lua_rawseti(L, -2, n + 2);
    lua_pop(L, 1);
}

bool plat_yaml_mapping(lua_State *L, struct plat_yaml_reader *r, int depth)
{
    lua_newtable(L);
    int into = lua_gettop(L);
    lua_pushnil(L); /* into + 1: keys that came by `<<`, a table when there was one */
    if (!plat_yaml_next(r))
        return false;
    while (r->event.type != YAML_MAPPING_END_EVENT) {
        yaml_mark_t at = r->event.start_mark;
        if (!push_key(L, r, depth))
            return false;
        bool merge = lua_isnil(L, -1);
        if (merge && lua_istable(L, into + 1))
            return plat_yaml_fail(r, at, "duplicate key \"<<\": give it a list");
        if (!merge && !check_new(L, r, into, at))
            return false;
        if (!merge)
            note_place(L, into, at);
        if (!plat_yaml_next(r))
            return false;
        if (merge) {
            lua_pop(L, 1);
            if (!read_merge(L, r, into, depth))
                return false;
        } else {
            if (!plat_yaml_node(L, r, depth))
                return false;
            lua_rawset(L, into);
        }
        if (!plat_yaml_next(r))
            return false;
    }
    lua_settop(L, into);
    return true;
}
