/* prim.httpd: the bytes of a connection that has switched protocols. */
#include "lua/fail.h"
#include "lua/task.h"
#include "prim/httpd.h"

#include "base/banned.h"

#define PIPE_TYPE "prim.httpd.pipe"

struct pipe_box *prim_httpd_push_pipe(lua_State *L)
{
    struct pipe_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    box->pipe = NULL;
    luaL_setmetatable(L, PIPE_TYPE);
    return box;
}

static struct plat_httpd_pipe *check_pipe(lua_State *L)
{
    struct pipe_box *box = luaL_checkudata(L, 1, PIPE_TYPE);

    if (!box->pipe)
        luaL_error(L, "attempt to use a closed connection");
    return box->pipe;
}

/* Gives bytes, or nil at the end; nil, err when the connection broke. */
static int k_read(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_httpd_op *op = (struct plat_httpd_op *)ctx;
    struct plat_httpd_pipe *pipe = check_pipe(L);
    const struct plat_buf *in = plat_httpd_pipe_input(pipe);
    struct plat_err err = *plat_httpd_pipe_error(pipe);

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (in->len) {
        lua_pushlstring(L, plat_buf_bytes(in), in->len);
        plat_httpd_pipe_consume(pipe, in->len);
        return 1;
    }
    if (err.kind)
        return plat_fail(L, &err);
    lua_pushnil(L);
    return 1;
}

static int l_read(lua_State *L)
{
    struct plat_httpd_pipe *pipe = check_pipe(L);
    struct plat_httpd_op *op = plat_op_new(L, sizeof(*op), &plat_httpd_pipe_read_class);
    struct plat_err err;

    if (!plat_httpd_pipe_read(pipe, op, &err))
        return prim_httpd_fail(L, &err);
    return plat_await(L, &op->op, k_read);
}

static int k_write(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_httpd_op *op = (struct plat_httpd_op *)ctx;
    struct plat_err err = *plat_httpd_pipe_error(check_pipe(L));

    (void)status;
    if (plat_op_failed(&op->op, &err) || err.kind)
        return plat_fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

static int l_write(lua_State *L)
{
    struct plat_httpd_pipe *pipe = check_pipe(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    struct plat_httpd_op *op = plat_op_new(L, sizeof(*op), &plat_httpd_pipe_write_class);
    struct plat_err err;

    if (!plat_httpd_pipe_write(pipe, op, data, len, &err))
        return prim_httpd_fail(L, &err);
    return plat_await(L, &op->op, k_write);
}

static int l_finish(lua_State *L)
{
    plat_httpd_pipe_finish(check_pipe(L));
    return 0;
}

static int l_close(lua_State *L)
{
    struct pipe_box *box = luaL_checkudata(L, 1, PIPE_TYPE);
    struct plat_httpd_pipe *pipe = box->pipe;

    box->pipe = NULL;
    plat_httpd_pipe_free(pipe);
    return 0;
}

static int l_text(lua_State *L)
{
    struct pipe_box *box = luaL_checkudata(L, 1, PIPE_TYPE);

    lua_pushfstring(L, PIPE_TYPE " (%s)", box->pipe ? "open" : "closed");
    return 1;
}

static const luaL_Reg methods[] = {
    { "read", l_read },   { "write", l_write }, { "finish", l_finish },
    { "close", l_close }, { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { "__tostring", l_text },
    { NULL, NULL },
};

void prim_httpd_open_pipe(lua_State *L)
{
    prim_httpd_type(L, PIPE_TYPE, methods, meta);
}
