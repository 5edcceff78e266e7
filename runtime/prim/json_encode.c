/* Encoding: sorted keys, exact floats, integers and floats kept apart. */
#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/json_text.h"
#include "base/redact.h"
#include "lua/args.h"
#include "lua/plain.h"
#include "lua/secret.h"
#include "prim/json.h"

#include "base/banned.h"

#define BOX      "plat.json.writer"
#define OP       "json.encode"
#define KEPT     "plat.json.writer.kept"
#define MAX_SIZE (1 << 30)           /* of the result */
#define KEEP     ((size_t)64 * 1024) /* bytes of memory that a kept writer may hold */

enum secrets_mode {
    SECRETS_WRITE,     /* the whole text is a secret then */
    SECRETS_REFERENCE, /* where it comes from stands for it */
    SECRETS_REFUSE,
};

struct writer {
    bool busy;
    struct plat_buf buf;
    int indent; /* spaces a level; 0: all on one line */
    bool lossy;
    enum secrets_mode secrets;
    bool is_secret;             /* a secret is in the text */
    struct plat_redact *redact; /* NULL: texts are written as they are */
    struct plat_buf clean;      /* a text without secrets */
};

static int writer_gc(lua_State *L)
{
    struct writer *w = luaL_checkudata(L, 1, BOX);
    if (w->is_secret && w->buf.data)
        explicit_bzero(w->buf.data, w->buf.cap);
    plat_buf_done(&w->buf);
    plat_buf_done(&w->clean);
    return 0;
}

/* Pushes a writer.  The last one is kept for the next time; one that an error left is not. */
static struct writer *push_writer(lua_State *L)
{
    struct writer *w;

    if (lua_getfield(L, LUA_REGISTRYINDEX, KEPT) == LUA_TUSERDATA) {
        w = lua_touserdata(L, -1);
        if (!w->busy) {
            w->busy = true;
            plat_buf_clear(&w->buf);
            return w;
        }
    }
    lua_pop(L, 1);
    w = lua_newuserdatauv(L, sizeof(*w), 0);
    *w = (struct writer){ .busy = true };
    plat_buf_init(&w->buf, MAX_SIZE);
    plat_buf_init(&w->clean, MAX_SIZE);
    luaL_setmetatable(L, BOX);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, KEPT);
    return w;
}

static void put_writer(struct writer *w)
{
    if (w->buf.cap > KEEP || w->is_secret)
        plat_buf_done(&w->buf);
    if (w->clean.cap > KEEP)
        plat_buf_done(&w->clean);
    w->busy = false;
}

static void add(lua_State *L, struct writer *w, const char *s, size_t n)
{
    if (!plat_buf_add(&w->buf, s, n))
        luaL_error(L, OP ": no room for a result of %d bytes and more", (int)w->buf.len);
}

/* Returns room for n bytes, which are added. */
static char *add_room(lua_State *L, struct writer *w, size_t n)
{
    char *out = plat_buf_room(&w->buf, n);
    if (!out)
        luaL_error(L, OP ": no room for a result of %d bytes and more", (int)w->buf.len);
    plat_buf_grew(&w->buf, n);
    return out;
}

static void quote(lua_State *L, struct writer *w, const char *s, size_t n,
                  const struct plat_plain_at *at)
{
    switch (plat_json_quote(&w->buf, s, n, w->lossy)) {
    case PLAT_JSON_OK:
        return;
    case PLAT_JSON_FULL:
        luaL_error(L, OP ": no room for a result of %d bytes and more", (int)w->buf.len);
        return;
    case PLAT_JSON_NOT_UTF8:
        plat_plain_raise(L, OP, at, "the text is not UTF-8");
    }
}

/* Redaction happens before quoting: afterwards a secret could be a piece of the JSON itself. */
static void write_text(lua_State *L, struct writer *w, const char *s, size_t n,
                       const struct plat_plain_at *at)
{
    struct plat_redact_stream stream;
    if (!w->redact || !plat_redact_finds(w->redact, s, n)) {
        quote(L, w, s, n, at);
        return;
    }
    plat_buf_clear(&w->clean);
    plat_redact_begin(&stream, w->redact);
    bool ok = plat_redact_feed(&stream, s, n, &w->clean);
    ok = ok && plat_redact_finish(&stream, &w->clean);
    plat_redact_done(&stream);
    if (!ok)
        luaL_error(L, OP ": no memory to look for secrets");
    quote(L, w, plat_buf_bytes(&w->clean), w->clean.len, at);
}

/* A name of ours, of small letters, stays: a weak secret may be the same word. */
static void write_key(lua_State *L, struct writer *w, const char *key, size_t len,
                      struct plat_plain_at *at)
{
    size_t i = 0;
    at->key = key;
    at->key_len = len;
    while (i < len && (key[i] == '_' || (key[i] >= 'a' && key[i] <= 'z')))
        i++;
    if (i < len) {
        if (memchr(key, '\0', len)) /* jansson would not read it back */
            plat_plain_raise(L, OP, at->up, "a key contains a zero byte");
        write_text(L, w, key, len, at);
        add(L, w, ": ", w->indent ? 2 : 1);
        return;
    }
    char *out = add_room(L, w, len + (w->indent ? 4 : 3));
    out[0] = out[len + 1] = '"';
    memcpy(out + 1, key, len);
    memcpy(out + len + 2, ": ", w->indent ? 2 : 1);
}

static void write_integer(lua_State *L, struct writer *w, lua_Integer value)
{
    char text[24], *end = text + sizeof(text), *p = end;
    lua_Unsigned rest = value < 0 ? 0 - (lua_Unsigned)value : (lua_Unsigned)value;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    add(L, w, p, (size_t)(end - p));
}

static void write_number(lua_State *L, struct writer *w, int idx, const struct plat_plain_at *at)
{
    char text[PLAT_JSON_FLOAT];
    if (lua_isinteger(L, idx)) {
        write_integer(L, w, lua_tointeger(L, idx));
        return;
    }
    double value = lua_tonumber(L, idx);
    if (isfinite(value))
        plat_json_float(text, value);
    else
        plat_plain_raise(L, OP, at, "JSON has no %s", isnan(value) ? "NaN" : "infinity");
    add(L, w, text, strlen(text));
}

/* {"$secret": "REFERENCE"}: where it comes from is no secret. */
static void write_reference(lua_State *L, struct writer *w, int idx, const struct plat_plain_at *at)
{
    bool derived;
    size_t n;
    plat_secret_push_reference(L, idx, &derived);
    const char *s = lua_tolstring(L, -1, &n);
    add(L, w, "{\"$secret\":", 11);
    if (derived)
        add(L, w, s, n);
    else
        write_text(L, w, s, n, at);
    add(L, w, "}", 1);
    lua_pop(L, 1);
}

static void write_secret(lua_State *L, struct writer *w, int idx, const struct plat_plain_at *at)
{
    size_t n;
    const char *s = plat_secret_bytes(L, idx, &n);
    switch (w->secrets) {
    case SECRETS_REFUSE:
        plat_plain_raise(L, OP, at, "a secret may not stand here");
    case SECRETS_REFERENCE:
        write_reference(L, w, idx, at);
        return;
    case SECRETS_WRITE:
        w->is_secret = true;
        write_text(L, w, s, n, at);
    }
}

static void new_line(lua_State *L, struct writer *w, int depth)
{
    if (w->indent == 0)
        return;
    add(L, w, "\n", 1);
    for (int i = 0; i < depth * w->indent; i++)
        add(L, w, " ", 1);
}

static void write_value(lua_State *L, struct writer *w, int idx, const struct plat_plain_at *up);

static void write_array(lua_State *L, struct writer *w, int idx, struct plat_plain_at *at, size_t n)
{
    add(L, w, "[", 1);
    for (size_t i = 1; i <= n; i++) {
        if (i > 1)
            add(L, w, ",", 1);
        new_line(L, w, at->depth);
        at->index = (lua_Integer)i;
        lua_rawgeti(L, idx, at->index);
        write_value(L, w, lua_gettop(L), at);
        lua_pop(L, 1);
    }
    if (n > 0)
        new_line(L, w, at->depth - 1);
    add(L, w, "]", 1);
}

static void write_object(lua_State *L, struct writer *w, int idx, struct plat_plain_at *at,
                         size_t n)
{
    struct plat_plain_key few[PLAT_PLAIN_FEW];
    int top = lua_gettop(L);
    const struct plat_plain_key *keys = plat_plain_keys(L, idx, n, few);
    add(L, w, "{", 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            add(L, w, ",", 1);
        new_line(L, w, at->depth);
        write_key(L, w, keys[i].text, keys[i].len, at);
        plat_plain_push_key(L, &keys[i]);
        lua_rawget(L, idx);
        write_value(L, w, lua_gettop(L), at);
        lua_pop(L, 1);
    }
    if (n > 0)
        new_line(L, w, at->depth - 1);
    add(L, w, "}", 1);
    lua_settop(L, top);
}

/* Writes a table with few text keys, as nearly all are; false: it is another one. */
static bool write_small_object(lua_State *L, struct writer *w, int idx,
                               const struct plat_plain_at *up)
{
    struct plat_plain_field few[PLAT_PLAIN_FEW];
    struct plat_plain_at at;
    int top = lua_gettop(L);
    size_t n;
    if (!plat_plain_fields(L, idx, OP, up, &at, few, &n))
        return false;
    add(L, w, "{", 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            add(L, w, ",", 1);
        new_line(L, w, at.depth);
        write_key(L, w, few[i].text, few[i].len, &at);
        write_value(L, w, few[i].value, &at);
    }
    if (n > 0)
        new_line(L, w, at.depth - 1);
    add(L, w, "}", 1);
    lua_settop(L, top);
    return true;
}

static void write_value(lua_State *L, struct writer *w, int idx, const struct plat_plain_at *up)
{
    struct plat_plain_at at;
    const char *s;
    size_t n;
    switch (lua_type(L, idx)) {
    case LUA_TTABLE:
        if (write_small_object(L, w, idx, up))
            break;
        if (plat_plain_enter(L, idx, OP, up, &at, &n) == PLAT_PLAIN_ARRAY)
            write_array(L, w, idx, &at, n);
        else
            write_object(L, w, idx, &at, n);
        break;
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &n);
        write_text(L, w, s, n, up);
        break;
    case LUA_TNUMBER:
        write_number(L, w, idx, up);
        break;
    case LUA_TBOOLEAN:
        add(L, w, lua_toboolean(L, idx) ? "true" : "false", lua_toboolean(L, idx) ? 4 : 5);
        break;
    default:
        if (plat_secret_is(L, idx))
            write_secret(L, w, idx, up);
        else if (plat_plain_is_null(L, idx))
            add(L, w, "null", 4);
        else
            plat_plain_raise(L, OP, up, "a %s is not data", luaL_typename(L, idx));
    }
}

/* The option `secrets`: what becomes of a secret in the value. */
static enum secrets_mode mode_of(lua_State *L, int opts)
{
    static const char *const words[] = { "secret", "reference", "refuse" };
    const char *word = plat_args_string(L, opts, "secrets", words[0]);
    for (int i = 0; i < 3; i++) {
        if (!strcmp(word, words[i]))
            return (enum secrets_mode)i;
    }
    return (enum secrets_mode)luaL_argerror(L, opts, "secrets: secret, reference or refuse");
}

struct options {
    int indent;
    bool lossy, redact;
    enum secrets_mode secrets;
};

static struct options options_of(lua_State *L, int idx)
{
    lua_Integer indent = plat_args_integer(L, idx, "indent", 0);
    luaL_argcheck(L, indent >= 0 && indent <= 8, idx, "indent is not from 0 to 8");
    return (struct options){
        .indent = (int)indent,
        .lossy = plat_args_bool(L, idx, "lossy", false),
        .secrets = mode_of(L, idx),
        .redact = plat_args_bool(L, idx, "redact", false),
    };
}

/* Writes the value at 1. */
static int encode(lua_State *L, const struct options *o)
{
    struct writer *w = push_writer(L);
    w->indent = o->indent;
    w->lossy = o->lossy;
    w->secrets = o->secrets;
    w->is_secret = false;
    w->redact = o->redact ? plat_secret_redactor(L) : NULL;
    write_value(L, w, 1, NULL);
    if (w->is_secret) {
        memcpy(plat_secret_new(L, w->buf.len), plat_buf_bytes(&w->buf), w->buf.len);
        explicit_bzero(w->buf.data, w->buf.cap);
    } else {
        lua_pushlstring(L, plat_buf_bytes(&w->buf), w->buf.len);
    }
    put_writer(w);
    return 1;
}

int plat_json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    struct options o = options_of(L, 2);
    return encode(L, &o);
}

static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    return encode(L, lua_touserdata(L, lua_upvalueindex(1))); /* as encoder() was told */
}

int plat_json_encoder(lua_State *L)
{
    lua_settop(L, 1);
    struct options *kept = lua_newuserdatauv(L, sizeof(*kept), 0);
    *kept = options_of(L, 1);
    lua_pushcclosure(L, l_encode, 1);
    return 1;
}

void plat_json_encode_open(lua_State *L)
{
    luaL_newmetatable(L, BOX);
    lua_pushcfunction(L, writer_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
