/* prim.httpd: servers. */
#include "prim/httpd.h"

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/task.h"

#include "base/banned.h"

#define SERVER_TYPE "prim.httpd.server"

enum { MAX_BODY = 32 * 1024 * 1024 };

struct server {
    struct plat_httpd *httpd; /* NULL: closed */
};

static struct plat_httpd *check_server(lua_State *L)
{
    struct server *s = luaL_checkudata(L, 1, SERVER_TYPE);

    if (!s->httpd)
        luaL_error(L, "attempt to use a closed server");
    return s->httpd;
}

int prim_httpd_fail(lua_State *L, const struct plat_err *err)
{
    if (err->kind == PLAT_ERR_USAGE)
        return luaL_error(L, "%s: %s", err->op, err->msg);
    return plat_fail(L, err);
}

void prim_httpd_type(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, meta, 0);
    if (methods) {
        lua_newtable(L);
        luaL_setfuncs(L, methods, 0);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

static int l_listen(lua_State *L)
{
    lua_Integer port = plat_args_integer(L, 1, "port", 0);
    lua_Integer max_body = plat_args_integer(L, 1, "max_body", MAX_BODY);
    struct plat_httpd_opts opts = {
        .host = plat_args_string(L, 1, "host", "127.0.0.1"),
        .unix_socket = plat_args_string(L, 1, "unix_socket", NULL),
        .cert = plat_args_string(L, 1, "cert", NULL),
        .key = plat_args_string(L, 1, "key", NULL),
    };
    struct plat_err err;
    struct server *s;

    luaL_argcheck(L, port >= 0 && port <= 65535, 1, "port out of range");
    luaL_argcheck(L, max_body >= 0, 1, "max_body is negative");
    luaL_argcheck(L, !opts.cert == !opts.key, 1, "cert and key go together");
    opts.port = (int)port;
    opts.max_body = (size_t)max_body;
    s = lua_newuserdatauv(L, sizeof(*s), 0);
    s->httpd = NULL;
    luaL_setmetatable(L, SERVER_TYPE);
    s->httpd = plat_httpd_listen(plat_loop_of(L), &opts, &err);
    if (!s->httpd)
        return prim_httpd_fail(L, &err);
    return 1;
}

static int l_port(lua_State *L)
{
    lua_pushinteger(L, plat_httpd_port(check_server(L)));
    return 1;
}

/* Stack: server, request. */
static int k_accept(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_httpd_op *op = (struct plat_httpd_op *)ctx;
    struct request *r = lua_touserdata(L, 2);
    struct plat_err err;

    (void)status;
    r->req = op->accepted;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (!r->req) { /* the server was closed */
        lua_pushnil(L);
        return 1;
    }
    prim_httpd_fill(L, 2);
    lua_settop(L, 2);
    return 1;
}

static int l_accept(lua_State *L)
{
    struct server *s = luaL_checkudata(L, 1, SERVER_TYPE);
    struct plat_httpd_op *op;
    struct plat_err err;

    lua_settop(L, 1);
    if (!s->httpd)
        return 0; /* closed: nil, as for those who waited */
    prim_httpd_push_request(L);
    op = plat_op_new(L, sizeof(*op), &plat_httpd_accept_class);
    if (!plat_httpd_accept(s->httpd, op, &err))
        return prim_httpd_fail(L, &err);
    return plat_await(L, &op->op, k_accept);
}

static int l_close(lua_State *L)
{
    struct server *s = luaL_checkudata(L, 1, SERVER_TYPE);
    struct plat_httpd *httpd = s->httpd;

    s->httpd = NULL;
    plat_httpd_free(httpd);
    return 0;
}

static int l_text(lua_State *L)
{
    struct server *s = luaL_checkudata(L, 1, SERVER_TYPE);

    if (s->httpd)
        lua_pushfstring(L, SERVER_TYPE " (port %d)", plat_httpd_port(s->httpd));
    else
        lua_pushstring(L, SERVER_TYPE " (closed)");
    return 1;
}

static const luaL_Reg functions[] = {
    { "listen", l_listen },
    { NULL, NULL },
};

static const luaL_Reg methods[] = {
    { "port", l_port },
    { "accept", l_accept },
    { "close", l_close },
    { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { "__tostring", l_text },
    { NULL, NULL },
};

int luaopen_prim_httpd(lua_State *L);

int luaopen_prim_httpd(lua_State *L)
{
    prim_httpd_type(L, SERVER_TYPE, methods, meta);
    prim_httpd_open_request(L);
    prim_httpd_open_pipe(L);
    luaL_newlib(L, functions);
    return 1;
}
