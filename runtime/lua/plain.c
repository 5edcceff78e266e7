#include "lua/plain.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define ARRAY_META "plat.json.array"

static int l_light_tostring(lua_State *L)
{
    lua_pushstring(L, lua_touserdata(L, 1) ? "light userdata" : "null");
    return 1;
}

/* All light userdata share one metatable; null is the only one that Lua code gets to see. */
void plat_plain_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
    if (lua_getmetatable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, l_light_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "null");
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
}

bool plat_plain_is_null(lua_State *L, int idx)
{
    return lua_islightuserdata(L, idx) && lua_touserdata(L, idx) == NULL;
}

void plat_plain_push_array_meta(lua_State *L)
{
    luaL_newmetatable(L, ARRAY_META);
}

bool plat_plain_is_array(lua_State *L, int idx)
{
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return false;
    plat_plain_push_array_meta(L);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static bool is_word(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", s[i]) ||
            s[i] == '\0')
            return false;
    }
    return len > 0;
}

static void add_path(luaL_Buffer *b, const struct plat_plain_at *at)
{
    char index[32];
    if (!at)
        return;
    add_path(b, at->up);
    if (!at->key) {
        snprintf(index, sizeof(index), "[%lld]", (long long)at->index);
        luaL_addstring(b, index);
    } else if (is_word(at->key, at->key_len)) {
        luaL_addchar(b, '.');
        luaL_addlstring(b, at->key, at->key_len);
    } else {
        luaL_addstring(b, "[\"");
        luaL_addlstring(b, at->key, at->key_len);
        luaL_addstring(b, "\"]");
    }
}

int plat_plain_raise(lua_State *L, const char *op, const struct plat_plain_at *at, const char *fmt,
                     ...)
{
    char msg[200];
    luaL_Buffer b;
    va_list args;
    va_start(args, fmt);
    vsnprintf(msg, sizeof(msg), fmt, args);
    va_end(args);

    luaL_checkstack(L, LUA_MINSTACK, "path of an error");
    luaL_buffinit(L, &b);
    luaL_addstring(&b, op);
    luaL_addstring(&b, ": ");
    add_path(&b, at);
    if (at)
        luaL_addstring(&b, ": ");
    luaL_addstring(&b, msg);
    luaL_pushresult(&b);
    lua_error(L);
    abort(); /* lua_error does not return, but is not declared so */
}

/* Counts text keys and integer keys; the greatest of the latter goes to *ret_max. */
static size_t count_keys(lua_State *L, int idx, const char *op, const struct plat_plain_at *up,
                         size_t *ret_texts, lua_Integer *ret_max)
{
    size_t integers = 0, texts = 0;
    lua_Integer max = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING) {
            texts++;
        } else if (lua_isinteger(L, -1)) {
            lua_Integer i = lua_tointeger(L, -1);
            if (i < 1)
                plat_plain_raise(L, op, up, "the key %lld is not text", (long long)i);
            max = i > max ? i : max;
            integers++;
        } else {
            plat_plain_raise(L, op, up, "a key of type %s is not text", luaL_typename(L, -1));
        }
    }
    *ret_texts = texts;
    *ret_max = max;
    return integers;
}

/* Fills *at; raises for cycles, and for nesting that is too deep. */
static void begin(lua_State *L, int idx, const char *op, const struct plat_plain_at *up,
                  struct plat_plain_at *at)
{
    *at = (struct plat_plain_at){ .up = up, .table = lua_topointer(L, idx) };
    at->depth = up ? up->depth + 1 : 1;
    for (const struct plat_plain_at *p = up; p; p = p->up) {
        if (p->table == at->table)
            plat_plain_raise(L, op, up, "the value contains itself");
    }
    if (at->depth > PLAT_PLAIN_DEPTH)
        plat_plain_raise(L, op, up, "nested deeper than %d", PLAT_PLAIN_DEPTH);
    luaL_checkstack(L, 2 * PLAT_PLAIN_FEW + LUA_MINSTACK, "nested value");
}

enum plat_plain_shape plat_plain_enter(lua_State *L, int idx, const char *op,
                                       const struct plat_plain_at *up, struct plat_plain_at *at,
                                       size_t *ret_n)
{
    size_t texts;
    lua_Integer max;
    begin(L, idx, op, up, at);

    size_t integers = count_keys(L, idx, op, up, &texts, &max);
    if (integers > 0 && texts > 0)
        plat_plain_raise(L, op, up, "mixed keys: %zu numbers and %zu texts", integers, texts);
    if ((lua_Integer)integers != max)
        plat_plain_raise(L, op, up, "array with holes: %zu elements up to index %lld", integers,
                         (long long)max);
    bool marked = plat_plain_is_array(L, idx);
    if (marked && texts > 0)
        plat_plain_raise(L, op, up, "an array with text keys");
    *ret_n = integers > 0 ? integers : texts;
    return integers > 0 || marked ? PLAT_PLAIN_ARRAY : PLAT_PLAIN_OBJECT;
}

static int compare_keys(const void *a, const void *b)
{
    const struct plat_plain_key *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->text, y->text, n);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static bool is_before(const struct plat_plain_field *a, const struct plat_plain_field *b)
{
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order ? order < 0 : a->len < b->len;
}

bool plat_plain_fields(lua_State *L, int idx, const char *op, const struct plat_plain_at *up,
                       struct plat_plain_at *at, struct plat_plain_field few[PLAT_PLAIN_FEW],
                       size_t *ret_n)
{
    int top = lua_gettop(L);
    size_t n = 0;
    begin(L, idx, op, up, at);
    if (plat_plain_is_array(L, idx))
        return false;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        struct plat_plain_field field = { .value = lua_gettop(L) };
        size_t i = n++;
        if (i == PLAT_PLAIN_FEW || lua_type(L, -2) != LUA_TSTRING) {
            lua_settop(L, top);
            return false;
        }
        field.text = lua_tolstring(L, -2, &field.len);
        for (; i > 0 && is_before(&field, &few[i - 1]); i--)
            few[i] = few[i - 1];
        few[i] = field;
        lua_pushvalue(L, -2); /* for lua_next; the lower one stays */
    }
    *ret_n = n;
    return true;
}

/* Few keys stay on the stack, and are sorted as they come. */
static void take_few(lua_State *L, int idx, size_t n, struct plat_plain_key *keys)
{
    size_t i = 0;
    luaL_checkstack(L, (int)n + LUA_MINSTACK, "keys of a table");
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        struct plat_plain_key key;
        size_t at = i;
        lua_pop(L, 1);
        if (i == n)
            luaL_error(L, "a table grew while it was written");
        lua_pushvalue(L, -1); /* the lower one stays */
        key.idx = lua_gettop(L) - 1;
        key.text = lua_tolstring(L, -1, &key.len);
        for (; at > 0 && compare_keys(&keys[at - 1], &key) > 0; at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
        i++;
    }
    if (i < n)
        luaL_error(L, "a table shrank while it was written");
}

const struct plat_plain_key *plat_plain_keys(lua_State *L, int idx, size_t n,
                                             struct plat_plain_key few[PLAT_PLAIN_FEW])
{
    idx = lua_absindex(L, idx);
    if (n <= PLAT_PLAIN_FEW) {
        take_few(L, idx, n, few);
        return few;
    }
    lua_createtable(L, (int)n, 0); /* holds the strings, whatever finalizers do to the table */
    int anchor = lua_gettop(L);
    struct plat_plain_key *keys = lua_newuserdatauv(L, n * sizeof(*keys) + 1, 0);
    size_t i = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        if (i == n)
            luaL_error(L, "a table grew while it was written");
        keys[i].idx = 0;
        keys[i].text = lua_tolstring(L, -1, &keys[i].len);
        lua_pushvalue(L, -1);
        lua_rawseti(L, anchor, (lua_Integer)++i);
    }
    if (i < n)
        luaL_error(L, "a table shrank while it was written");
    qsort(keys, n, sizeof(*keys), compare_keys);
    return keys;
}

void plat_plain_push_key(lua_State *L, const struct plat_plain_key *key)
{
    if (key->idx)
        lua_pushvalue(L, key->idx);
    else
        lua_pushlstring(L, key->text, key->len);
}
