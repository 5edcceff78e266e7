/* prim.secret: redaction of texts, whole or in pieces. */
#include <lauxlib.h>

#include "base/buf.h"
#include "base/redact.h"
#include "lua/secret.h"
#include "prim/secret.h"

#include "base/banned.h"

#define STREAM "plat.secret.stream"

struct stream {
    struct plat_redact_stream s; /* s.r is NULL until something is registered */
    struct plat_buf out;
};

static int l_stream_gc(lua_State *L)
{
    struct stream *stream = luaL_checkudata(L, 1, STREAM);

    plat_redact_done(&stream->s);
    plat_buf_done(&stream->out);
    return 0;
}

static struct stream *push_stream(lua_State *L)
{
    struct stream *stream = lua_newuserdatauv(L, sizeof(*stream), 0);

    plat_redact_begin(&stream->s, plat_secret_redactor(L));
    plat_buf_init(&stream->out, SIZE_MAX);
    luaL_setmetatable(L, STREAM);
    return stream;
}

static int give(lua_State *L, struct stream *stream, bool ok)
{
    if (!ok)
        return luaL_error(L, "no memory to look for secrets in output");
    lua_pushlstring(L, plat_buf_bytes(&stream->out), stream->out.len);
    plat_buf_clear(&stream->out);
    return 1;
}

/* stream:feed(text) -> what is safe to show by now */
static int l_feed(lua_State *L)
{
    struct stream *stream = luaL_checkudata(L, 1, STREAM);
    size_t len;
    const char *text = luaL_checklstring(L, 2, &len);

    if (!stream->s.r)
        stream->s.r = plat_secret_redactor(L);
    if (!stream->s.r) {
        lua_settop(L, 2);
        return 1;
    }
    return give(L, stream, plat_redact_feed(&stream->s, text, len, &stream->out));
}

/* stream:finish() -> the rest */
static int l_finish(lua_State *L)
{
    struct stream *stream = luaL_checkudata(L, 1, STREAM);

    if (!stream->s.r) {
        lua_pushliteral(L, "");
        return 1;
    }
    return give(L, stream, plat_redact_finish(&stream->s, &stream->out));
}

int plat_secret_redact(lua_State *L)
{
    struct plat_redact *r = plat_secret_redactor(L);
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct stream *stream;
    bool ok;

    lua_settop(L, 1);
    if (!r || !plat_redact_finds(r, text, len))
        return 1;
    stream = push_stream(L);
    ok = plat_redact_feed(&stream->s, text, len, &stream->out) &&
         plat_redact_finish(&stream->s, &stream->out);
    plat_redact_done(&stream->s);
    give(L, stream, ok);
    plat_buf_done(&stream->out);
    return 1;
}

int plat_secret_stream(lua_State *L)
{
    push_stream(L);
    return 1;
}

static const luaL_Reg stream_methods[] = {
    { "feed", l_feed },
    { "finish", l_finish },
    { NULL, NULL },
};

void plat_secret_stream_open(lua_State *L)
{
    luaL_newmetatable(L, STREAM);
    lua_pushcfunction(L, l_stream_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, stream_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
