/*
 * prim.http: one request.  Everything that can be checked is checked before the transfer exists;
 * the transfer belongs to a box (a userdata) before the next Lua call.
 */
#include <ctype.h>
#include <lauxlib.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"
#include "prim/http_impl.h"

#include "base/banned.h"

#define ENGINE_TYPE "prim.http.engine"

enum { MAX_BODY = 64 * 1024 * 1024, MAX_FOLLOW = 20, NAME_LEN = 256 };

static bool planning; /* set once, never unset: see l_set_plan */

struct engine_box {
    struct plat_http_engine *engine; /* NULL until the first request */
};

/* ---- options ---- */

static double seconds(lua_State *L, const char *name, double def)
{
    double value = plat_args_number(L, 1, name, def);

    if (!(value >= 0) || value > 1e8)
        luaL_error(L, "bad option '%s' (seconds expected)", name);
    return value;
}

static lua_Integer bounded(lua_State *L, const char *name, lua_Integer def, lua_Integer max)
{
    lua_Integer value = plat_args_integer(L, 1, name, def);

    if (value < 0 || value > max)
        luaL_error(L, "bad option '%s' (0 to %I expected)", name, max);
    return value;
}

static struct plat_http_blob blob(lua_State *L, const char *name)
{
    struct plat_http_blob b = { NULL, 0 };

    b.data = plat_args_bytes(L, 1, name, NULL, &b.len);
    return b;
}

/* A string in which a NUL would hide the rest. */
static const char *text(lua_State *L, const char *name, const char *def)
{
    size_t len = 0;
    const char *s = plat_args_bytes(L, 1, name, def, &len);

    if (s && s != def && strlen(s) != len)
        luaL_error(L, "bad option '%s' (it contains a NUL)", name);
    return s;
}

/* What is borrowed stays in the option table, at stack index 1. */
static void read_spec(lua_State *L, struct plat_http_spec *s)
{
    const char *upload = text(L, "upload", NULL);
    bool flowing;

    if (upload && strcmp(upload, "stream") != 0)
        luaL_error(L, "bad option 'upload' (\"stream\" expected)");
    *s = (struct plat_http_spec){
        .method = text(L, "method", "GET"),
        .url = text(L, "url", NULL),
        .body = blob(L, "body"),
        .ca = blob(L, "ca"),
        .cert = blob(L, "cert"),
        .key = blob(L, "key"),
        .server_name = text(L, "server_name", NULL),
        .unix_socket = text(L, "unix_socket", NULL),
        .proxy = text(L, "proxy", NULL),
        .max_body = (size_t)bounded(L, "max_body", MAX_BODY, (lua_Integer)1 << 40),
        .follow = (int)bounded(L, "follow", 0, MAX_FOLLOW),
        .insecure = plat_args_bool(L, 1, "insecure", false),
        .http1 = plat_args_bool(L, 1, "http1", false),
        .stream = plat_args_bool(L, 1, "stream", false),
        .upload = upload != NULL,
        .upgrade = plat_args_bool(L, 1, "upgrade", false),
    };
    flowing = s->stream || s->upload || s->upgrade;
    s->decompress = plat_args_bool(L, 1, "decompress", !flowing);
    s->upload_size = plat_args_integer(L, 1, "upload_size", -1);
    s->connect_timeout = seconds(L, "connect_timeout", 5);
    s->first_byte_timeout = seconds(L, "first_byte_timeout", flowing ? 60 : 0);
    s->timeout = seconds(L, "timeout", flowing ? 0 : 60);
    if (!s->url)
        luaL_error(L, "bad option 'url' (string expected, got nothing)");
    if (s->upload && (s->body.data || s->upgrade))
        luaL_error(L, "bad option 'upload' (not together with 'body' or 'upgrade')");
    if (!s->cert.data != !s->key.data)
        luaL_error(L, "options 'cert' and 'key' go together");
}

static void add_headers(lua_State *L, struct plat_http *h)
{
    struct plat_err err;
    lua_Integer i, n;

    if (lua_getfield(L, 1, "headers") == LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    luaL_argcheck(L, lua_istable(L, -1), 1, "option 'headers': list of \"name: value\" expected");
    n = luaL_len(L, -1);
    for (i = 1; i <= n; i++) {
        size_t len;
        const char *line;

        if (lua_geti(L, -1, i) != LUA_TSTRING && !plat_secret_is(L, -1))
            luaL_error(L, "option 'headers': string expected at %I", i);
        line = plat_secret_check_bytes(L, -1, &len);
        if (!plat_http_header(h, line, len, &err))
            luaL_error(L, "http.request: %s", err.msg);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---- the answer ---- */

int prim_http_fail(lua_State *L, const struct plat_http *h, const struct plat_err *err)
{
    plat_fail(L, err);
    lua_pushboolean(L, plat_http_left(h));
    lua_setfield(L, -2, "sent");
    return 2;
}

/* Stack: ..., headers table, value.  Sets headers[name], joined to what is there. */
static void put_header(lua_State *L, const char *name, size_t n)
{
    char lower[NAME_LEN];
    size_t i;

    if (n > sizeof(lower))
        n = sizeof(lower);
    for (i = 0; i < n; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    lua_pushlstring(L, lower, n);
    lua_pushvalue(L, -1);
    lua_rawget(L, -4); /* headers value name old */
    if (n == 10 && !memcmp(lower, "set-cookie", n)) {
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_newtable(L);
        }
        lua_pushvalue(L, -3);
        lua_rawseti(L, -2, luaL_len(L, -2) + 1);
    } else if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -2);
    } else {
        lua_pushliteral(L, ", ");
        lua_pushvalue(L, -4);
        lua_concat(L, 3);
    }
    lua_rawset(L, -4); /* headers value */
    lua_pop(L, 1);
}

static void push_headers(lua_State *L, const char *at, size_t len)
{
    const char *end = at + len;

    lua_newtable(L);
    while (at < end) {
        const char *eol = memchr(at, '\n', (size_t)(end - at)), *stop = eol ? eol : end;
        const char *colon = memchr(at, ':', (size_t)(stop - at)), *value;

        if (colon) {
            for (value = colon + 1; value < stop && (*value == ' ' || *value == '\t'); value++)
                ;
            while (stop > value && strchr(" \t\r", stop[-1]))
                stop--;
            lua_pushlstring(L, value, (size_t)(stop - value));
            put_header(L, at, (size_t)(colon - at));
        }
        at = eol ? eol + 1 : end;
    }
}

int prim_http_answer(lua_State *L, struct plat_http *h, int box_idx)
{
    struct plat_http_answer a;

    plat_http_answer(h, &a);
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, a.status);
    lua_setfield(L, -2, "status");
    push_headers(L, a.headers, a.headers_len);
    lua_setfield(L, -2, "headers");
    if (a.is_stream) {
        lua_pushvalue(L, box_idx);
        lua_setfield(L, -2, "stream");
    } else {
        lua_pushlstring(L, a.body, a.body_len);
        lua_setfield(L, -2, "body");
    }
    lua_pushstring(L, a.url);
    lua_setfield(L, -2, "url");
    lua_pushstring(L, a.version);
    lua_setfield(L, -2, "version");
    lua_pushboolean(L, a.reused);
    lua_setfield(L, -2, "reused");
    return 1;
}

static void on_cancel(struct plat_op *op)
{
    plat_http_abort(((struct http_op *)op)->h);
}

static const struct plat_op_class request_class = {
    .name = "http.request",
    .real = true,
    .cancel = on_cancel,
};

struct http_op *prim_http_op(lua_State *L, struct plat_http *h)
{
    struct http_op *op = plat_op_new(L, sizeof(*op), &request_class);

    op->h = h;
    return op;
}

static int k_request(lua_State *L, int status, lua_KContext ctx)
{
    struct http_op *op = (struct http_op *)ctx;
    struct http_box *box = lua_touserdata(L, 2);
    struct plat_err err;

    (void)status;
    if (!box->h) {
        plat_err_set(&err, PLAT_ERR_IO, 0, "http.response", "the stream was closed meanwhile");
        return plat_fail(L, &err);
    }
    if (plat_op_failed(&op->op, &err) || plat_http_failed(op->h, &err)) {
        prim_http_fail(L, op->h, &err);
        prim_http_box_close(box);
        return 2;
    }
    prim_http_answer(L, op->h, 2);
    if (lua_getfield(L, -1, "stream") == LUA_TNIL)
        prim_http_box_close(box);
    lua_pop(L, 1);
    return 1;
}

int prim_http_await(lua_State *L, struct http_op *op)
{
    plat_http_wait(op->h, &op->op);
    return plat_await(L, &op->op, k_request);
}

/* ---- request ---- */

static struct plat_http_engine *engine_of(lua_State *L)
{
    struct engine_box *box = lua_touserdata(L, lua_upvalueindex(1));

    if (!box->engine)
        box->engine = plat_http_engine_new(plat_loop_of(L));
    if (!box->engine)
        luaL_error(L, "http: out of memory");
    return box->engine;
}

static bool is_read(const struct plat_http_spec *s)
{
    return !s->upgrade && (!strcmp(s->method, "GET") || !strcmp(s->method, "HEAD") ||
                           !strcmp(s->method, "OPTIONS"));
}

/* Pushes the box, with the request body as its user value: the engine borrows it. */
static struct http_box *new_box(lua_State *L)
{
    struct http_box *box = lua_newuserdatauv(L, sizeof(*box), 1);

    box->h = NULL;
    luaL_setmetatable(L, PRIM_HTTP_STREAM);
    lua_getfield(L, 1, "body");
    lua_setiuservalue(L, -2, 1);
    return box;
}

static int refuse(lua_State *L, struct http_box *box, const struct plat_err *err)
{
    prim_http_box_close(box);
    if (err->kind == PLAT_ERR_USAGE)
        return luaL_error(L, "http.request: %s", err->msg);
    plat_fail(L, err);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "sent");
    return 2;
}

static int l_request(lua_State *L)
{
    struct plat_http_spec spec;
    struct http_op *op = NULL;
    struct http_box *box;
    struct plat_err err;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    read_spec(L, &spec);
    if (planning && !is_read(&spec) && !plat_args_bool(L, 1, "declared_read", false)) {
        plat_err_set(&err, PLAT_ERR_REFUSED, 0, "http.request",
                     "plan mode: a %s%s may change something", spec.method,
                     spec.upgrade ? " with upgrade" : "");
        return plat_fail(L, &err);
    }
    box = new_box(L);
    box->h = plat_http_new(engine_of(L), &err);
    if (!box->h)
        return plat_fail(L, &err);
    add_headers(L, box->h);
    if (!spec.upload)
        op = prim_http_op(L, box->h);
    if (!plat_http_start(box->h, &spec, &err))
        return refuse(L, box, &err);
    if (op)
        return prim_http_await(L, op);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "stream");
    return 1;
}

/* From now on, and for ever: only reads. */
static int l_set_plan(lua_State *L)
{
    (void)L;
    planning = true;
    return 0;
}

static int l_engine_gc(lua_State *L)
{
    struct engine_box *box = luaL_checkudata(L, 1, ENGINE_TYPE);

    plat_http_engine_free(box->engine);
    box->engine = NULL;
    return 0;
}

static const luaL_Reg engine_meta[] = {
    { "__gc", l_engine_gc },
    { NULL, NULL },
};

static const luaL_Reg functions[] = {
    { "request", l_request },
    { "set_plan", l_set_plan },
    { NULL, NULL },
};

int luaopen_prim_http(lua_State *L);

int luaopen_prim_http(lua_State *L)
{
    struct engine_box *box;

    prim_http_stream_open(L);
    luaL_newmetatable(L, ENGINE_TYPE);
    luaL_setfuncs(L, engine_meta, 0);
    lua_pop(L, 1);
    luaL_newlibtable(L, functions);
    box = lua_newuserdatauv(L, sizeof(*box), 0);
    box->engine = NULL;
    luaL_setmetatable(L, ENGINE_TYPE);
    luaL_setfuncs(L, functions, 1);
    return 1;
}
