/*
 * Tables: sorted keys, copies and comparison.  The same in Lua is a tenth as fast, and the models
 * of the sandbox do little else.
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum { MAX_DEPTH = 190, FEW = 16 }; /* depth: LUAI_MAXCCALLS is 200 */

struct key {
    const char *text; /* NULL: a number */
    size_t len;
    lua_Number number;
    lua_Integer at; /* where it stands in the list as it was found */
};

static int compare(const struct key *a, const struct key *b)
{
    int order;

    if (!a->text || !b->text) {
        if (a->text || b->text)
            return a->text ? 1 : -1; /* numbers come first */
        return a->number < b->number ? -1 : a->number > b->number;
    }
    order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    if (order)
        return order;
    return a->len < b->len ? -1 : a->len > b->len;
}

static int by_key(const void *a, const void *b)
{
    return compare(a, b);
}

static void sort(struct key *keys, size_t n)
{
    if (n > FEW) {
        qsort(keys, n, sizeof(*keys), by_key);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct key key = keys[i];
        size_t j = i;

        for (; j > 0 && compare(&keys[j - 1], &key) > 0; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static void read_key(lua_State *L, int idx, struct key *key)
{
    int type = lua_type(L, idx);

    if (type == LUA_TSTRING) { /* no conversion: that would confuse lua_next */
        key->text = lua_tolstring(L, idx, &key->len);
    } else if (type == LUA_TNUMBER) {
        key->text = NULL;
        key->number = lua_tonumber(L, idx);
    } else {
        luaL_error(L, "cannot iterate in order: a key is a %s", lua_typename(L, type));
    }
}

static size_t count(lua_State *L, int idx)
{
    size_t n = 0;

    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        n++;
    }
    return n;
}

/* keys(t) -> its keys in order: numbers, then strings; others are refused */
static int l_keys(lua_State *L)
{
    struct key few[FEW], *keys = few;
    bool sorted = true;
    size_t n;
    lua_Integer i = 0;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    n = count(L, 1);
    lua_createtable(L, n < 1000000 ? (int)n : 1000000, 0); /* 2: as they are found */
    if (n > FEW) /* a userdata, so that an error frees it */
        keys = lua_newuserdatauv(L, n * sizeof(*keys), 0);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        read_key(L, -1, &keys[i]);
        keys[i].at = i + 1;
        sorted = sorted && (i == 0 || compare(&keys[i - 1], &keys[i]) < 0);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, ++i);
    }
    if (sorted) {
        lua_pushvalue(L, 2);
        return 1;
    }
    sort(keys, n);
    lua_createtable(L, (int)n, 0);
    for (size_t k = 0; k < n; k++) {
        lua_rawgeti(L, 2, keys[k].at);
        lua_rawseti(L, -2, (lua_Integer)k + 1);
    }
    return 1;
}

/* One step of each(): upvalues are the keys and how many of them were given. */
static int l_step(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));

    lua_settop(L, 1);
    do { /* a key that the loop's body removed is left out */
        lua_settop(L, 1);
        if (lua_rawgeti(L, lua_upvalueindex(1), ++i) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, 2);
    } while (lua_gettable(L, 1) == LUA_TNIL);
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(2));
    return 2;
}

/* each(t) -> iterator, t: for a loop over the table in the order of its keys */
static int l_each(lua_State *L)
{
    lua_settop(L, 1);
    l_keys(L);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, l_step, 2);
    lua_pushvalue(L, 1);
    return 2;
}

static void check_depth(lua_State *L, int depth)
{
    if (depth > MAX_DEPTH)
        luaL_error(L, "a table is nested deeper than %d levels, or in itself", MAX_DEPTH);
    luaL_checkstack(L, 6, "nested tables");
}

/* Replaces the table on top by its copy. */
static void copy_top(lua_State *L, int depth) /* NOLINT(misc-no-recursion): as deep as the value */
{
    int from = lua_gettop(L);

    check_depth(L, depth);
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, from)) {
        if (lua_istable(L, -1))
            copy_top(L, depth + 1);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, from + 1);
    }
    if (lua_getmetatable(L, from))
        lua_setmetatable(L, from + 1);
    lua_remove(L, from);
}

/* Puts all elements of the table at `from` into that at `to`. */
static void put_all(lua_State *L, int from, int to)
{
    lua_pushnil(L);
    while (lua_next(L, from)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, to);
    }
}

/* Pushes a table with room for so many elements, numbered and others. */
static void push_room(lua_State *L, size_t list, size_t rest)
{
    enum { MOST = 1000000 };

    lua_createtable(L, list < MOST ? (int)list : MOST, rest < MOST ? (int)rest : MOST);
}

/* shallow(t) -> a copy of the first level; the metatable is shared */
static int l_shallow(lua_State *L)
{
    size_t list, n;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    list = lua_rawlen(L, 1);
    n = count(L, 1);
    push_room(L, list, n > list ? n - list : 0);
    put_all(L, 1, 2);
    if (lua_getmetatable(L, 1))
        lua_setmetatable(L, 2);
    return 1;
}

/* merge(t?...) -> a table with the elements of all; later ones win */
static int l_merge(lua_State *L)
{
    int last = lua_gettop(L);
    size_t n = 0;

    for (int i = 1; i <= last; i++) {
        if (lua_toboolean(L, i)) {
            luaL_checktype(L, i, LUA_TTABLE);
            n += count(L, i);
        }
    }
    luaL_checkstack(L, 4, "merged tables");
    push_room(L, 0, n);
    for (int i = 1; i <= last; i++) {
        if (lua_toboolean(L, i))
            put_all(L, i, last + 1);
    }
    return 1;
}

/* copy(v) -> a copy of all levels; metatables are shared */
static int l_copy(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_istable(L, 1))
        copy_top(L, 0);
    return 1;
}

/* Whether the values at two absolute indices are equal, tables by content. */
static bool equal(lua_State *L, int a, int b, int depth) /* NOLINT(misc-no-recursion) */
{
    bool same = true;

    if (lua_compare(L, a, b, LUA_OPEQ))
        return true;
    if (!lua_istable(L, a) || !lua_istable(L, b))
        return false;
    check_depth(L, depth);
    lua_pushnil(L);
    while (lua_next(L, a)) {
        lua_pushvalue(L, -2);
        lua_gettable(L, b);
        same = equal(L, lua_gettop(L) - 1, lua_gettop(L), depth + 1);
        if (!same) {
            lua_pop(L, 3);
            return false;
        }
        lua_pop(L, 2);
    }
    lua_pushnil(L);
    while (lua_next(L, b)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        if (lua_gettable(L, a) == LUA_TNIL) {
            lua_pop(L, 2);
            return false;
        }
        lua_pop(L, 1);
    }
    return true;
}

/* equal(a, b) -> whether two values are equal, tables by content */
static int l_equal(lua_State *L)
{
    luaL_checkany(L, 1);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_pushboolean(L, equal(L, 1, 2, 0));
    return 1;
}

static const luaL_Reg functions[] = {
    { "keys", l_keys }, { "each", l_each },   { "shallow", l_shallow }, { "merge", l_merge },
    { "copy", l_copy }, { "equal", l_equal }, { NULL, NULL },
};

int luaopen_prim_table(lua_State *L);

int luaopen_prim_table(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
