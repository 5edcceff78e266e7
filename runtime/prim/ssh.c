/* prim.ssh: sessions.  A box (a userdata) owns each before the next Lua call. */
#include "prim/ssh.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"

#include "base/banned.h"

#define SESSION_TYPE "prim.ssh.session"

struct session_op {
    struct plat_op op;
    struct plat_ssh *s;
};

struct prim_ssh_box *prim_ssh_check(lua_State *L, int idx)
{
    struct prim_ssh_box *box = luaL_checkudata(L, idx, SESSION_TYPE);

    if (!box->s)
        luaL_error(L, "attempt to use a closed session");
    return box;
}

static double seconds(lua_State *L, int idx, const char *name, double def)
{
    double value = plat_args_number(L, idx, name, def);

    if (!(value >= 0) || value > 1e8)
        luaL_error(L, "bad option '%s' (seconds expected)", name);
    return value;
}

/* A string in which a NUL would hide the rest. */
static const char *text(lua_State *L, int idx, const char *name)
{
    size_t len = 0;
    const char *s = plat_args_bytes(L, idx, name, NULL, &len);

    if (s && strlen(s) != len)
        luaL_error(L, "bad option '%s' (it contains a NUL)", name);
    return s;
}

static const char *needed_text(lua_State *L, int idx, const char *name)
{
    const char *s = text(L, idx, name);

    if (!s || !*s)
        luaL_error(L, "bad option '%s' (string expected, got nothing)", name);
    return s;
}

/* ---- waits ---- */

static void on_cancel(struct plat_op *op)
{
    plat_ssh_abort(((struct session_op *)op)->s);
}

static const struct plat_op_class connect_class = {
    .name = "ssh.connect",
    .real = true,
    .cancel = on_cancel,
};

static const struct plat_op_class auth_class = {
    .name = "ssh.auth",
    .real = true,
    .cancel = on_cancel,
};

static bool was_closed(const struct prim_ssh_box *box, struct plat_err *err)
{
    if (!box->s)
        plat_err_set(err, PLAT_ERR_IO, 0, "ssh", "the session was closed by another task");
    return !box->s;
}

/* ---- connect ---- */

/* The session to connect through, and what keeps it: NULL, nothing. */
static struct plat_ssh *read_via(lua_State *L)
{
    lua_getfield(L, 1, "via");
    return lua_isnil(L, -1) ? NULL : prim_ssh_check(L, -1)->s;
}

/* Stack: options, box. */
static int k_connect(lua_State *L, int status, lua_KContext ctx)
{
    struct session_op *op = (struct session_op *)ctx;
    struct prim_ssh_box *box = lua_touserdata(L, 2);
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err) || plat_ssh_failed(box->s, &err)) {
        const char *mismatch = plat_ssh_mismatch(box->s);

        plat_ssh_free(box->s);
        box->s = NULL;
        plat_fail(L, &err);
        lua_pushstring(L, mismatch);
        lua_setfield(L, -2, "mismatch");
        return 2;
    }
    lua_settop(L, 2);
    return 1;
}

static int family(lua_State *L, int idx)
{
    const char *name = text(L, idx, "family");

    if (!name || !strcmp(name, "any"))
        return 0;
    if (!strcmp(name, "inet"))
        return AF_INET;
    if (strcmp(name, "inet6") != 0)
        luaL_error(L, "bad option 'family' (inet, inet6 or any expected)");
    return AF_INET6;
}

static int l_connect(lua_State *L)
{
    struct plat_ssh_opts opts;
    struct prim_ssh_box *box;
    struct session_op *op;
    struct plat_err err;
    lua_Integer port, alive_count;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    port = plat_args_integer(L, 1, "port", 22);
    alive_count = plat_args_integer(L, 1, "alive_count", 3);
    if (alive_count < 0 || alive_count > 1000000)
        return luaL_error(L, "bad option 'alive_count' (0 to 1000000 expected)");
    if (port < 1 || port > 65535)
        return luaL_error(L, "bad option 'port' (1 to 65535 expected)");
    opts = (struct plat_ssh_opts){
        .host = needed_text(L, 1, "host"),
        .port = (int)port,
        .host_keys = text(L, 1, "host_keys"),
        .kex = text(L, 1, "kex"),
        .ciphers = text(L, 1, "ciphers"),
        .macs = text(L, 1, "macs"),
        .family = family(L, 1),
        .proxy = text(L, 1, "proxy"),
        .connect_timeout = seconds(L, 1, "connect_timeout", 10),
        .handshake_timeout = seconds(L, 1, "handshake_timeout", 15),
        .alive_interval = seconds(L, 1, "alive_interval", 30),
        .alive_count = (int)alive_count,
    };
    opts.via = read_via(L);
    luaL_argcheck(L, !opts.via || !opts.proxy, 1, "via and proxy exclude each other");
    box = lua_newuserdatauv(L, sizeof(*box), 1);
    *box = (struct prim_ssh_box){ .s = NULL };
    luaL_setmetatable(L, SESSION_TYPE);
    lua_replace(L, -2);
    lua_getfield(L, 1, "via"); /* lives as long as what goes through it */
    lua_setiuservalue(L, -2, 1);
    op = plat_op_new(L, sizeof(*op), &connect_class);
    box->s = op->s = plat_ssh_new(plat_loop_of(L), &opts, &op->op, &err);
    if (!box->s)
        return plat_fail(L, &err);
    return plat_await(L, &op->op, k_connect);
}

/* ---- the host key ---- */

static int l_host_key(lua_State *L)
{
    struct prim_ssh_box *box = prim_ssh_check(L, 1);
    size_t len;
    const char *blob = plat_ssh_host_key(box->s, &len);
    struct plat_err err = { .kind = PLAT_ERR_CONNECT, .op = "ssh", .msg = "no host key is known" };

    if (!blob) {
        plat_ssh_failed(box->s, &err);
        return plat_fail(L, &err);
    }
    lua_pushlstring(L, blob, len);
    return 1;
}

static int l_trust(lua_State *L)
{
    prim_ssh_check(L, 1)->trusted = true;
    return 0;
}

/* Why it is lost; nil: it is not. */
static int l_lost(lua_State *L)
{
    struct plat_err err;

    if (!plat_ssh_failed(prim_ssh_check(L, 1)->s, &err))
        return 0;
    plat_push_err(L, &err);
    return 1;
}

static int l_banner(lua_State *L)
{
    lua_pushstring(L, plat_ssh_banner(prim_ssh_check(L, 1)->s));
    return 1;
}

static int l_notice(lua_State *L)
{
    size_t len;
    const char *text = plat_ssh_notice(prim_ssh_check(L, 1)->s, &len);

    lua_pushlstring(L, text ? text : "", len);
    return 1;
}

static int l_setenv(lua_State *L)
{
    struct plat_ssh *s = prim_ssh_check(L, 1)->s;

    if (!plat_ssh_setenv(s, luaL_checkstring(L, 2), luaL_checkstring(L, 3)))
        return luaL_error(L, "out of memory");
    return 0;
}

/* ---- authentication ---- */

static int k_auth(lua_State *L, int status, lua_KContext ctx)
{
    struct session_op *op = (struct session_op *)ctx;
    struct prim_ssh_box *box = lua_touserdata(L, 1);
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err) || was_closed(box, &err))
        return plat_fail(L, &err);
    if (plat_ssh_auth_result(box->s, &err)) {
        lua_pushboolean(L, true);
        return 1;
    }
    plat_fail(L, &err);
    lua_pushstring(L, plat_ssh_auth_methods(box->s));
    lua_setfield(L, -2, "methods");
    lua_pushboolean(L, plat_ssh_auth_key_taken(box->s));
    lua_setfield(L, -2, "key_taken");
    lua_pushboolean(L, plat_ssh_auth_partial(box->s));
    lua_setfield(L, -2, "partial");
    lua_pushboolean(L, plat_ssh_auth_answered(box->s));
    lua_setfield(L, -2, "answered");
    lua_pushstring(L, plat_ssh_auth_question(box->s));
    lua_setfield(L, -2, "question");
    return 2;
}

static const char *const methods[] = { "none",      "password", "keyboard-interactive",
                                       "publickey", "agent",    "offer",
                                       NULL };

/* What is borrowed stays in the option table, at stack index 2. */
static void read_auth(lua_State *L, struct plat_ssh_auth *auth)
{
    int method;

    lua_getfield(L, 2, "method");
    method = luaL_checkoption(L, -1, NULL, methods);
    *auth = (struct plat_ssh_auth){
        .method = (enum plat_ssh_method)method,
        .user = needed_text(L, 2, "user"),
        .rsa_sha256 = plat_args_bool(L, 2, "rsa_sha256", false),
        .timeout = seconds(L, 2, "timeout", 60),
    };
    auth->password = plat_args_bytes(L, 2, "password", NULL, &auth->password_len);
    if (!auth->password && (method == PLAT_SSH_PASSWORD || method == PLAT_SSH_KEYBOARD))
        luaL_error(L, "bad option 'password' (string expected, got nothing)");
    if (method == PLAT_SSH_KEY) {
        lua_getfield(L, 2, "key");
        auth->key = prim_ssh_check_key(L, -1);
    }
    if (method == PLAT_SSH_KEY || method == PLAT_SSH_AGENT)
        auth->cert = plat_args_bytes(L, 2, "certificate", NULL, &auth->cert_len);
    if (method == PLAT_SSH_AGENT)
        auth->agent = needed_text(L, 2, "agent");
    if (method == PLAT_SSH_AGENT || method == PLAT_SSH_OFFER) {
        auth->blob = plat_args_bytes(L, 2, "blob", NULL, &auth->blob_len);
        if (!auth->blob)
            luaL_error(L, "bad option 'blob' (string expected, got nothing)");
    }
}

static int l_auth(lua_State *L)
{
    struct prim_ssh_box *box = prim_ssh_check(L, 1);
    struct plat_ssh_auth auth;
    struct session_op *op;
    struct plat_err err;

    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (!box->trusted)
        return luaL_error(L, "ssh.auth: nobody has trusted the host key: session:trust()");
    read_auth(L, &auth);
    op = plat_op_new(L, sizeof(*op), &auth_class);
    op->s = box->s;
    if (!plat_ssh_authenticate(box->s, &auth, &op->op, &err))
        return err.kind == PLAT_ERR_USAGE ? luaL_error(L, "%s: %s", err.op, err.msg)
                                          : plat_fail(L, &err);
    return plat_await(L, &op->op, k_auth);
}

/* ---- the rest ---- */

static int l_close(lua_State *L)
{
    struct prim_ssh_box *box = luaL_checkudata(L, 1, SESSION_TYPE);
    struct plat_ssh *s = box->s;

    box->s = NULL;
    plat_ssh_free(s);
    return 0;
}

static int l_version(lua_State *L)
{
    lua_pushstring(L, plat_ssh_version());
    return 1;
}

/* Nothing here raises while the text is held, except for want of memory. */
static int l_algorithms(lua_State *L)
{
    static const char *const fields[] = { "kex", "host_keys", "ciphers", "macs" };

    lua_createtable(L, 0, 4);
    for (int i = 0; i < 4; i++) {
        char *list = plat_ssh_algorithms((enum plat_ssh_list)i);

        lua_pushstring(L, list ? list : "");
        free(list);
        lua_setfield(L, -2, fields[i]);
    }
    return 1;
}

static const luaL_Reg functions[] = {
    { "connect", l_connect },       { "key", prim_ssh_key },  { "agent_keys", prim_ssh_agent_keys },
    { "algorithms", l_algorithms }, { "version", l_version }, { NULL, NULL },
};

static const luaL_Reg session_methods[] = {
    { "host_key", l_host_key },
    { "trust", l_trust },
    { "lost", l_lost },
    { "banner", l_banner },
    { "notice", l_notice },
    { "setenv", l_setenv },
    { "auth", l_auth },
    { "exec", prim_ssh_exec },
    { "open", prim_ssh_open },
    { "tcp", prim_ssh_tcp },
    { "unix", prim_ssh_unix },
    { "forward", prim_ssh_forward },
    { "sftp", prim_ssh_sftp },
    { "close", l_close },
    { "subsystem", prim_ssh_subsystem },
    { NULL, NULL },
};

static const luaL_Reg session_meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { NULL, NULL },
};

int luaopen_prim_ssh(lua_State *L);

int luaopen_prim_ssh(lua_State *L)
{
    prim_ssh_stream_open(L);
    prim_ssh_sftp_open(L);
    prim_ssh_forward_open(L);
    prim_ssh_key_open(L);
    luaL_newmetatable(L, SESSION_TYPE);
    luaL_setfuncs(L, session_meta, 0);
    luaL_newlib(L, session_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
