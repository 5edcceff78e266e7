/* prim.ssh: forwarding for tools that speak to a socket here. */
#include "io/ssh_forward.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/task.h"
#include "prim/ssh.h"

#include "base/banned.h"

#define FORWARD_TYPE "prim.ssh.forward"

struct forward_box {
    struct plat_ssh_forward *f; /* NULL: closed */
};

static const char *text(lua_State *L, const char *name)
{
    size_t len = 0;
    const char *s = plat_args_bytes(L, 2, name, NULL, &len);

    if (s && (!len || strlen(s) != len))
        luaL_error(L, "bad option '%s' (it is empty, or contains a NUL)", name);
    return s;
}

static void read_opts(lua_State *L, struct plat_ssh_forward_opts *opts)
{
    const char *path = text(L, "unix"), *host = text(L, "host");
    lua_Integer port = plat_args_integer(L, 2, "port", 0);

    luaL_argcheck(L, !path != !host, 2, "either unix or host and port expected");
    luaL_argcheck(L, path ? port == 0 : port > 0 && port < 65536, 2,
                  "port is 1 to 65535, of a host");
    opts->listen = text(L, "listen");
    opts->kind = path ? PLAT_SSH_UNIX : PLAT_SSH_TCP;
    opts->to = path ? path : host;
    opts->port = (int)port;
}

int prim_ssh_forward(lua_State *L)
{
    struct prim_ssh_box *session = prim_ssh_check(L, 1);
    struct plat_ssh_forward_opts opts;
    struct forward_box *box;
    struct plat_err err;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    read_opts(L, &opts);
    box = lua_newuserdatauv(L, sizeof(*box), 1);
    box->f = NULL;
    luaL_setmetatable(L, FORWARD_TYPE);
    lua_pushvalue(L, 1); /* lives as long as what goes through it */
    lua_setiuservalue(L, -2, 1);
    box->f = plat_ssh_forward_new(plat_loop_of(L), session->s, &opts, &err);
    return box->f ? 1 : plat_fail(L, &err);
}

static struct forward_box *check(lua_State *L)
{
    struct forward_box *box = luaL_checkudata(L, 1, FORWARD_TYPE);

    if (!box->f)
        luaL_error(L, "attempt to use a closed forwarding");
    return box;
}

static int l_port(lua_State *L)
{
    int port = plat_ssh_forward_port(check(L)->f);

    if (port)
        lua_pushinteger(L, port);
    return port != 0;
}

static int l_problem(lua_State *L)
{
    const struct plat_err *err = plat_ssh_forward_error(check(L)->f);

    if (err->kind)
        plat_push_err(L, err);
    return err->kind != PLAT_OK;
}

static int l_close(lua_State *L)
{
    struct forward_box *box = luaL_checkudata(L, 1, FORWARD_TYPE);
    struct plat_ssh_forward *f = box->f;

    box->f = NULL;
    plat_ssh_forward_free(f);
    return 0;
}

static const luaL_Reg methods[] = {
    { "port", l_port },
    { "problem", l_problem },
    { "close", l_close },
    { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { NULL, NULL },
};

void prim_ssh_forward_open(lua_State *L)
{
    luaL_newmetatable(L, FORWARD_TYPE);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
