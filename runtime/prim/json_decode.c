/*
 * Decoding in two steps: jansson parses to its own tree, the tree becomes tables.  A userdata holds
 * the tree before anything can raise.  The collector rests meanwhile: all that is made is
 * reachable, and marking it again and again costs more than making it.
 */
#include <jansson.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "lua/args.h"
#include "lua/fail.h"
#include "lua/plain.h"
#include "prim/json.h"

#include "base/banned.h"

#define BOX      "plat.json.tree"
#define OP       "json.decode"
#define MAX_SIZE (256 << 20) /* default; the caller may ask for more */
#define LARGE    (64 << 10)  /* bytes of text */

/* Fixed stack slots of convert(). */
enum { SLOT_BOX = 1, SLOT_ARRAY, SLOT_NULL };

struct box {
    json_t *tree;
    int max_depth;
    bool too_deep;
};

static int box_gc(lua_State *L)
{
    struct box *box = luaL_checkudata(L, 1, BOX);
    json_decref(box->tree);
    box->tree = NULL;
    return 0;
}

/* Line and column, both from 1, of the byte that opens level max_depth + 1. */
static void find_depth(const char *s, size_t len, int max_depth, int *ret_line, int *ret_column)
{
    bool in_text = false;
    int depth = 0;
    *ret_line = 1;
    *ret_column = 1;
    for (size_t i = 0; i < len; i++) {
        if (in_text && s[i] == '\\')
            i++, ++*ret_column;
        else if (s[i] == '"')
            in_text = !in_text;
        else if (!in_text && (s[i] == '[' || s[i] == '{') && ++depth > max_depth)
            return;
        else if (!in_text && (s[i] == ']' || s[i] == '}'))
            depth--;
        if (s[i] == '\n') {
            ++*ret_line;
            *ret_column = 1;
        } else if (((unsigned char)s[i] & 0xC0) != 0x80) {
            ++*ret_column;
        }
    }
}

static int fail_deep(lua_State *L, const char *s, size_t len, int max_depth)
{
    struct plat_err err;
    int line, column;
    find_depth(s, len, max_depth, &line, &column);
    plat_err_set(&err, PLAT_ERR_PARSE, 0, OP, "line %d column %d: nested deeper than %d", line,
                 column, max_depth);
    return plat_fail(L, &err);
}

/* jansson's texts quote the input, so they may contain anything. */
static int fail_parse(lua_State *L, const char *s, size_t len, const json_error_t *why,
                      int max_depth)
{
    struct plat_err err;
    char text[JSON_ERROR_TEXT_LENGTH];
    size_t n = 0;
    if (json_error_code(why) == json_error_stack_overflow)
        return fail_deep(L, s, len, max_depth);
    for (const char *p = why->text; *p && n < sizeof(text) - 1; p++) {
        unsigned char c = (unsigned char)*p;
        text[n++] = c < 0x20 || c >= 0x7F ? '?' : *p;
    }
    text[n] = '\0';
    plat_err_set(&err, PLAT_ERR_PARSE, 0, OP, "line %d column %d: %s",
                 why->line > 0 ? why->line : 1, why->column > 0 ? why->column : 1,
                 n ? text : "cannot be parsed");
    return plat_fail(L, &err);
}

static bool push_value(lua_State *L, struct box *box, json_t *value, int depth);

static bool push_array(lua_State *L, struct box *box, const json_t *array, int depth)
{
    size_t n = json_array_size(array);
    lua_createtable(L, (int)n, 0);
    lua_pushvalue(L, SLOT_ARRAY);
    lua_setmetatable(L, -2);
    for (size_t i = 0; i < n; i++) {
        if (!push_value(L, box, json_array_get(array, i), depth))
            return false;
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return true;
}

static bool push_object(lua_State *L, struct box *box, json_t *object, int depth)
{
    lua_createtable(L, 0, (int)json_object_size(object));
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        lua_pushlstring(L, json_object_iter_key(it), json_object_iter_key_len(it));
        if (!push_value(L, box, json_object_iter_value(it), depth))
            return false;
        lua_rawset(L, -3);
    }
    return true;
}

/* [-0, +1, m] False: too deep, the stack is left as it is. */
static bool push_value(lua_State *L, struct box *box, json_t *value, int depth)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (depth == box->max_depth)
            return false;
        luaL_checkstack(L, 6, "nested JSON");
        return json_is_array(value) ? push_array(L, box, value, depth + 1)
                                    : push_object(L, box, value, depth + 1);
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    case JSON_NULL:
        lua_pushvalue(L, SLOT_NULL);
        break;
    }
    return true;
}

/* (box) -> value; called protected, so that the collector is started again whatever happens */
static int convert(lua_State *L)
{
    struct box *box = lua_touserdata(L, SLOT_BOX);
    plat_plain_push_array_meta(L);
    plat_plain_push_null(L);
    box->too_deep = !push_value(L, box, box->tree, 0);
    return 1;
}

/* The collector waits while a large document is built: all of it is in use.  For small ones that
   would cost more than it saves, because starting it again also ends its pause. */
static int convert_unhurried(lua_State *L, struct box *box, int box_idx, size_t len)
{
    bool running = len >= LARGE && lua_gc(L, LUA_GCISRUNNING);
    lua_pushcfunction(L, convert);
    lua_pushvalue(L, box_idx);
    if (running)
        lua_gc(L, LUA_GCSTOP);
    int status = lua_pcall(L, 1, 1, 0);
    if (running)
        lua_gc(L, LUA_GCRESTART);
    json_decref(box->tree);
    box->tree = NULL;
    return status;
}

int plat_json_decode(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer max_depth = plat_args_integer(L, 2, "max_depth", PLAT_PLAIN_DEPTH);
    lua_Integer max_size = plat_args_integer(L, 2, "max_size", MAX_SIZE);
    luaL_argcheck(L, max_depth >= 1 && max_depth <= PLAT_PLAIN_DEPTH, 2, "bad max_depth");
    if ((lua_Unsigned)len > (lua_Unsigned)max_size) {
        struct plat_err err;
        plat_err_set(&err, PLAT_ERR_PARSE, 0, OP,
                     "line 1 column 1: %zu bytes are more than max_size (%lld)", len,
                     (long long)max_size);
        return plat_fail(L, &err);
    }

    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = (struct box){ .max_depth = (int)max_depth };
    luaL_setmetatable(L, BOX);
    int box_idx = lua_gettop(L);

    json_error_t why;
    box->tree = json_loadb(s, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
    if (!box->tree)
        return fail_parse(L, s, len, &why, (int)max_depth);
    if (convert_unhurried(L, box, box_idx, len))
        return lua_error(L);
    if (box->too_deep)
        return fail_deep(L, s, len, (int)max_depth);
    return 1;
}

void plat_json_decode_open(lua_State *L)
{
    luaL_newmetatable(L, BOX);
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
