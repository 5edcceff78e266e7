/* prim.http: the stream of an answer, an upload or an upgraded connection. */
#include <lauxlib.h>

#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"
#include "prim/http_impl.h"

#include "base/banned.h"

void prim_http_box_close(struct http_box *box)
{
    struct plat_http *h = box->h;

    box->h = NULL;
    plat_http_free(h);
}

static struct http_box *check_open(lua_State *L)
{
    struct http_box *box = luaL_checkudata(L, 1, PRIM_HTTP_STREAM);

    if (!box->h)
        luaL_error(L, "attempt to use a closed stream");
    return box;
}

static void on_cancel(struct plat_op *op)
{
    struct plat_http *h = ((struct http_op *)op)->h;

    plat_http_forget(h, op);
}

static const struct plat_op_class read_class = {
    .name = "http.read",
    .real = true,
    .cancel = on_cancel,
};

static const struct plat_op_class write_class = {
    .name = "http.write",
    .real = true,
    .cancel = on_cancel,
};

static struct http_op *new_op(lua_State *L, struct plat_http *h, const struct plat_op_class *cls)
{
    struct http_op *op = plat_op_new(L, sizeof(*op), cls);

    op->h = h;
    return op;
}

/* USAGE is the caller's mistake and raised; the world's failures are nil, error. */
static int fail(lua_State *L, const struct plat_http *h, const struct plat_err *err)
{
    if (err->kind == PLAT_ERR_USAGE)
        return luaL_error(L, "%s: %s", err->op, err->msg);
    return prim_http_fail(L, h, err);
}

/* Another task may have closed the stream while this one waited. */
static bool was_closed(lua_State *L, struct plat_err *err)
{
    const struct http_box *box = lua_touserdata(L, 1);

    if (box->h)
        return false;
    plat_err_set(err, PLAT_ERR_IO, 0, "http.stream", "the stream was closed by another task");
    return true;
}

/* ---- reading ---- */

static int give(lua_State *L, struct plat_http *h, enum plat_http_state state, const char *data,
                size_t len, const struct plat_err *err)
{
    if (state == PLAT_HTTP_FAILED)
        return fail(L, h, err);
    if (state == PLAT_HTTP_END) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushlstring(L, data, len);
    plat_http_took(h, len);
    return 1;
}

static int k_read(lua_State *L, int status, lua_KContext ctx)
{
    struct http_op *op = (struct http_op *)ctx;
    struct plat_err err;
    const char *data = NULL;
    size_t len = 0;
    enum plat_http_state state;

    (void)status;
    if (was_closed(L, &err) || plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    state = plat_http_read(op->h, NULL, &data, &len, &err);
    return give(L, op->h, state, data, len, &err);
}

static int l_read(lua_State *L)
{
    struct plat_http *h = check_open(L)->h;
    double timeout = luaL_optnumber(L, 2, 0);
    struct http_op *op;
    struct plat_err err;
    const char *data = NULL;
    size_t len = 0;
    enum plat_http_state state;

    luaL_argcheck(L, timeout >= 0 && timeout < 1e8, 2, "seconds expected");
    op = new_op(L, h, &read_class);
    op->op.timeout = timeout;
    state = plat_http_read(h, &op->op, &data, &len, &err);
    if (state != PLAT_HTTP_WAIT)
        return give(L, h, state, data, len, &err);
    return plat_await(L, &op->op, k_read);
}

/* ---- writing ---- */

static int wrote(lua_State *L, struct plat_http *h, enum plat_http_state state,
                 struct plat_err *err)
{
    if (state == PLAT_HTTP_END) {
        plat_err_set(err, PLAT_ERR_CONNECT, 0, "http.write", "the other side has ended the stream");
        state = PLAT_HTTP_FAILED;
    }
    if (state == PLAT_HTTP_FAILED)
        return fail(L, h, err);
    lua_pushboolean(L, true);
    return 1;
}

static int k_write(lua_State *L, int status, lua_KContext ctx)
{
    struct http_op *op = (struct http_op *)ctx;
    struct plat_err err;

    (void)status;
    if (was_closed(L, &err) || plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    return wrote(L, op->h, plat_http_write(op->h, NULL, "", 0, &err), &err);
}

static int l_write(lua_State *L)
{
    struct plat_http *h = check_open(L)->h;
    size_t len;
    const char *data = plat_secret_check_bytes(L, 2, &len); /* borrowed: it stays on this stack */
    struct http_op *op = new_op(L, h, &write_class);
    struct plat_err err;
    enum plat_http_state state = plat_http_write(h, &op->op, data, len, &err);

    if (state != PLAT_HTTP_WAIT)
        return wrote(L, h, state, &err);
    return plat_await(L, &op->op, k_write);
}

static int l_finish(lua_State *L)
{
    struct plat_http *h = check_open(L)->h;
    struct plat_err err;

    if (!plat_http_finish(h, &err))
        return fail(L, h, &err);
    lua_pushboolean(L, true);
    return 1;
}

/* The answer to an upload: stack 1 nothing, 2 the box, as prim_http_await wants it. */
static int l_response(lua_State *L)
{
    struct http_box *box = check_open(L);

    lua_settop(L, 1);
    lua_pushnil(L);
    lua_insert(L, 1);
    return prim_http_await(L, prim_http_op(L, box->h));
}

/* ---- ending ---- */

static int l_close(lua_State *L)
{
    prim_http_box_close(luaL_checkudata(L, 1, PRIM_HTTP_STREAM));
    return 0;
}

static int l_text(lua_State *L)
{
    const struct http_box *box = luaL_checkudata(L, 1, PRIM_HTTP_STREAM);

    lua_pushfstring(L, "%s (%s)", PRIM_HTTP_STREAM, box->h ? "open" : "closed");
    return 1;
}

static const luaL_Reg methods[] = {
    { "read", l_read },         { "write", l_write }, { "finish", l_finish },
    { "response", l_response }, { "close", l_close }, { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { "__tostring", l_text },
    { NULL, NULL },
};

void prim_http_stream_open(lua_State *L)
{
    luaL_newmetatable(L, PRIM_HTTP_STREAM);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
