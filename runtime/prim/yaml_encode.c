/*
 * Encoding in block style: sorted keys, two spaces a level, lists at the level of their key, as
 * kubectl writes them.  The text reads back the same in every dialect, so whatever one of them
 * would take for something else is quoted.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_text.h"
#include "base/yaml_resolve.h"
#include "lua/args.h"
#include "lua/plain.h"
#include "lua/secret.h"
#include "prim/yaml.h"

#include "base/banned.h"

#define BOX        "plat.yaml.writer"
#define OP         "yaml.encode"
#define MAX_SIZE   (1 << 30) /* of the result */
#define SIMPLE_KEY 256       /* parsers allow 1024 characters; beyond: `? key` */

struct writer {
    struct plat_buf buf; /* first: the functions below know the buffer alone */
    bool is_secret;      /* a secret is in the text */
};

static int writer_gc(lua_State *L)
{
    struct writer *w = luaL_checkudata(L, 1, BOX);
    if (w->is_secret && w->buf.data)
        explicit_bzero(w->buf.data, w->buf.cap);
    plat_buf_done(&w->buf);
    return 0;
}

static void add(lua_State *L, struct plat_buf *buf, const char *s, size_t n)
{
    if (!plat_buf_add(buf, s, n))
        luaL_error(L, OP ": no room for a result of %d bytes and more", (int)buf->len);
}

static void add_indent(lua_State *L, struct plat_buf *buf, int indent)
{
    for (int i = 0; i < indent; i++)
        add(L, buf, " ", 1);
}

/* ---- scalars ---- */

enum style { STYLE_PLAIN, STYLE_LITERAL, STYLE_QUOTED };

/* True if all characters may stand unescaped; line ends only where `lines` allows them. */
static bool is_printable(const char *s, size_t n, bool lines)
{
    while (n > 0) {
        unsigned code;
        size_t step = plat_json_utf8(s, n, &code);
        if (step == 0 || (plat_json_is_control(code) && !(lines && (code == '\n' || code == '\t'))))
            return false;
        s += step;
        n -= step;
    }
    return true;
}

/* True if the first characters are, or may be taken for, something of YAML's own. */
static bool starts_special(const char *s, size_t n)
{
    if (strchr(" ?:,[]{}#&*!|>'\"%@`=~", s[0]) || (s[0] == '-' && (n == 1 || s[1] == ' ')))
        return true;
    return strncmp(s, "---", 3) == 0 || strncmp(s, "...", 3) == 0;
}

static bool is_plain(const char *s, size_t n)
{
    if (n == 0 || s[n - 1] == ' ' || s[n - 1] == ':' || starts_special(s, n))
        return false;
    for (size_t i = 0; i + 1 < n; i++) {
        if ((s[i] == ':' && s[i + 1] == ' ') || (s[i] == ' ' && s[i + 1] == '#'))
            return false;
    }
    return is_printable(s, n, false) && plat_yaml_is_text(s, n);
}

/* A literal block needs no escapes, no white space at its start, none alone on a line. */
static bool is_literal(const char *s, size_t n)
{
    if (!memchr(s, '\n', n) || strchr(" \t\n", s[0]) || !is_printable(s, n, true))
        return false;
    for (const char *line = s; line < s + n;) {
        const char *end = memchr(line, '\n', (size_t)(s + n - line));
        size_t len = (size_t)((end ? end : s + n) - line);
        if (len > 0 && strspn(line, " \t") >= len)
            return false;
        line += len + 1;
    }
    return true;
}

static void write_literal(lua_State *L, struct plat_buf *buf, const char *s, size_t n, int indent)
{
    const char *chomp = s[n - 1] != '\n' ? "|-" : n > 1 && s[n - 2] == '\n' ? "|+" : "|";
    add(L, buf, chomp, strlen(chomp));
    for (const char *line = s; line < s + n;) {
        const char *end = memchr(line, '\n', (size_t)(s + n - line));
        size_t len = (size_t)((end ? end : s + n) - line);
        add(L, buf, "\n", 1);
        if (len > 0)
            add_indent(L, buf, indent);
        add(L, buf, line, len);
        line += len + 1;
    }
}

static void write_text(lua_State *L, struct plat_buf *buf, const char *s, size_t n, int indent,
                       const struct plat_plain_at *at)
{
    if (is_plain(s, n)) {
        add(L, buf, s, n);
    } else if (indent > 0 && is_literal(s, n)) {
        write_literal(L, buf, s, n, indent);
    } else {
        enum plat_json_text done = plat_json_quote(buf, s, n, false);
        if (done == PLAT_JSON_NOT_UTF8)
            plat_plain_raise(L, OP, at, "the text is not UTF-8");
        if (done == PLAT_JSON_FULL)
            luaL_error(L, OP ": no room for a result of %d bytes and more", (int)buf->len);
    }
}

static void write_number(lua_State *L, struct plat_buf *buf, int idx,
                         const struct plat_plain_at *at)
{
    char text[PLAT_JSON_FLOAT];
    double value = lua_tonumber(L, idx);
    if (lua_isinteger(L, idx))
        snprintf(text, sizeof(text), "%lld", (long long)lua_tointeger(L, idx));
    else if (isfinite(value))
        plat_json_float(text, value);
    else
        plat_plain_raise(L, OP, at, "not every dialect has %s", isnan(value) ? "NaN" : "infinity");
    add(L, buf, text, strlen(text));
}

/* Writes what is no table; literal lines are indented by `indent`, which is at least 2. */
static void write_scalar(lua_State *L, struct plat_buf *buf, int idx, int indent,
                         const struct plat_plain_at *at)
{
    const char *s;
    size_t n;
    switch (lua_type(L, idx)) {
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &n);
        write_text(L, buf, s, n, indent, at);
        return;
    case LUA_TNUMBER:
        write_number(L, buf, idx, at);
        return;
    case LUA_TBOOLEAN:
        add(L, buf, lua_toboolean(L, idx) ? "true" : "false", lua_toboolean(L, idx) ? 4 : 5);
        return;
    default:
        if (plat_secret_is(L, idx)) {
            ((struct writer *)buf)->is_secret = true;
            s = plat_secret_bytes(L, idx, &n);
            write_text(L, buf, s, n, indent, at);
        } else if (plat_plain_is_null(L, idx)) {
            add(L, buf, "null", 4);
        } else {
            plat_plain_raise(L, OP, at, "a %s is not data", luaL_typename(L, idx));
        }
    }
}

/* ---- nodes: each ends its last line ---- */

/* Where a node starts: behind "- ", "? " or nothing, or behind "key:". */
enum place { PLACE_LINE, PLACE_KEY };

static void write_node(lua_State *L, struct plat_buf *buf, int idx, enum place place, int indent,
                       const struct plat_plain_at *up);

static void write_array(lua_State *L, struct plat_buf *buf, int idx, int indent,
                        struct plat_plain_at *at, size_t n)
{
    for (size_t i = 1; i <= n; i++) {
        if (i > 1)
            add_indent(L, buf, indent);
        add(L, buf, "- ", 2);
        at->index = (lua_Integer)i;
        lua_rawgeti(L, idx, at->index);
        write_node(L, buf, lua_gettop(L), PLACE_LINE, indent + 2, at);
        lua_pop(L, 1);
    }
}

static void write_object(lua_State *L, struct plat_buf *buf, int idx, int indent,
                         struct plat_plain_at *at, size_t n)
{
    struct plat_plain_key few[PLAT_PLAIN_FEW];
    int top = lua_gettop(L);
    const struct plat_plain_key *keys = plat_plain_keys(L, idx, n, few);
    for (size_t i = 0; i < n; i++) {
        bool simple = keys[i].len <= SIMPLE_KEY;
        if (i > 0)
            add_indent(L, buf, indent);
        at->key = keys[i].text;
        at->key_len = keys[i].len;
        if (!simple)
            add(L, buf, "? ", 2);
        write_text(L, buf, keys[i].text, keys[i].len, 0, at);
        if (!simple) {
            add(L, buf, "\n", 1);
            add_indent(L, buf, indent);
        }
        add(L, buf, ": ", simple ? 1 : 2);
        plat_plain_push_key(L, &keys[i]);
        lua_rawget(L, idx);
        write_node(L, buf, lua_gettop(L), simple ? PLACE_KEY : PLACE_LINE, indent + 2, at);
        lua_pop(L, 1);
    }
    lua_settop(L, top);
}

static void write_node(lua_State *L, struct plat_buf *buf, int idx, enum place place, int indent,
                       const struct plat_plain_at *up)
{
    struct plat_plain_at at;
    size_t n = 0;
    bool behind_key = place == PLACE_KEY;
    bool table = lua_istable(L, idx);
    bool array = table && plat_plain_enter(L, idx, OP, up, &at, &n) == PLAT_PLAIN_ARRAY;
    if (n == 0) {
        add(L, buf, " ", behind_key);
        if (table)
            add(L, buf, array ? "[]" : "{}", 2);
        else
            write_scalar(L, buf, idx, indent > 0 ? indent : 2, up);
        add(L, buf, "\n", 1);
        return;
    }
    if (behind_key) {
        indent -= array ? 2 : 0; /* a list's dashes stand below its key */
        add(L, buf, "\n", 1);
        add_indent(L, buf, indent);
    }
    if (array)
        write_array(L, buf, idx, indent, &at, n);
    else
        write_object(L, buf, idx, indent, &at, n);
}

/* The list at index 1 as a stream of documents. */
static void write_documents(lua_State *L, struct plat_buf *buf)
{
    struct plat_plain_at at;
    size_t n;
    luaL_checktype(L, 1, LUA_TTABLE);
    if (plat_plain_enter(L, 1, OP, NULL, &at, &n) != PLAT_PLAIN_ARRAY && n > 0)
        luaL_argerror(L, 1, "a list of documents expected");
    for (size_t i = 1; i <= n; i++) {
        add(L, buf, "---\n", 4);
        at.index = (lua_Integer)i;
        lua_rawgeti(L, 1, at.index);
        write_node(L, buf, lua_gettop(L), PLACE_LINE, 0, &at);
        lua_pop(L, 1);
    }
}

int plat_yaml_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    bool documents = plat_args_bool(L, 2, "documents", false);
    struct writer *w = lua_newuserdatauv(L, sizeof(*w), 0);
    struct plat_buf *buf = &w->buf;
    plat_buf_init(buf, MAX_SIZE);
    w->is_secret = false;
    luaL_setmetatable(L, BOX);
    if (documents)
        write_documents(L, buf);
    else
        write_node(L, buf, 1, PLACE_LINE, 0, NULL);
    if (w->is_secret) {
        memcpy(plat_secret_new(L, buf->len), plat_buf_bytes(buf), buf->len);
        explicit_bzero(buf->data, buf->cap);
    } else {
        lua_pushlstring(L, plat_buf_bytes(buf), buf->len);
    }
    plat_buf_done(buf);
    return 1;
}

void plat_yaml_encode_open(lua_State *L)
{
    luaL_newmetatable(L, BOX);
    lua_pushcfunction(L, writer_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
