/*
 * prim.httpd: requests.  What a request says is in a table (its user value), read by __index after
 * the methods, so that `req.path` stays valid whatever happens to the connection.
 */
#include <ctype.h>
#include <string.h>

#include "lua/fail.h"
#include "lua/task.h"
#include "prim/httpd.h"

#include "base/banned.h"

#define REQUEST_TYPE "prim.httpd.request"

struct request *prim_httpd_push_request(lua_State *L)
{
    struct request *r = lua_newuserdatauv(L, sizeof(*r), 1);

    r->req = NULL;
    luaL_setmetatable(L, REQUEST_TYPE);
    return r;
}

static struct plat_httpd_req *check_request(lua_State *L)
{
    struct request *r = luaL_checkudata(L, 1, REQUEST_TYPE);

    if (!r->req)
        luaL_error(L, "attempt to use a closed request");
    return r->req;
}

/* ---- what it says ---- */

static void push_lower(lua_State *L, const char *s)
{
    luaL_Buffer b;
    size_t n = strlen(s);
    char *to = luaL_buffinitsize(L, &b, n);

    for (size_t i = 0; i < n; i++)
        to[i] = (char)tolower((unsigned char)s[i]);
    luaL_pushresultsize(&b, n);
}

/* Pushes the headers: names in lower case, repeated ones joined as HTTP allows. */
static void push_headers(lua_State *L, const struct plat_buf *headers)
{
    const char *p = plat_buf_bytes(headers), *end = p + headers->len;

    lua_newtable(L);
    while (p < end) {
        const char *value = p + strlen(p) + 1;

        push_lower(L, p);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TSTRING)
            lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
        else
            lua_pushstring(L, value);
        lua_remove(L, -2);
        lua_rawset(L, -3);
        p = value + strlen(value) + 1;
    }
}

void prim_httpd_fill(lua_State *L, int idx)
{
    const struct plat_httpd_req *req = ((struct request *)lua_touserdata(L, idx))->req;
    const char *target = plat_httpd_target(req), *query = strchrnul(target, '?');
    const struct plat_buf *body = plat_httpd_body(req);

    lua_createtable(L, 0, 6);
    lua_pushstring(L, plat_httpd_method(req));
    lua_setfield(L, -2, "method");
    lua_pushlstring(L, target, (size_t)(query - target));
    lua_setfield(L, -2, "path");
    lua_pushstring(L, *query ? query + 1 : "");
    lua_setfield(L, -2, "query");
    push_headers(L, plat_httpd_headers(req));
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, plat_buf_bytes(body), body->len);
    lua_setfield(L, -2, "body");
    lua_pushstring(L, plat_httpd_peer(req));
    lua_setfield(L, -2, "peer");
    lua_setiuservalue(L, idx, 1);
}

/* Upvalue 1: the methods. */
static int l_index(lua_State *L)
{
    luaL_checkudata(L, 1, REQUEST_TYPE);
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
        return 1; /* nil */
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

/* ---- heads of answers ---- */

static void add_header(struct plat_httpd_head *head, struct plat_httpd_header *list, lua_State *L,
                       const char *name, int value)
{
    size_t len;
    const char *text = lua_type(L, value) == LUA_TSTRING ? lua_tolstring(L, value, &len) : NULL;

    if (!text || strlen(text) != len)
        luaL_error(L, "bad header '%s' (string expected, got %s)", name, luaL_typename(L, value));
    if (list)
        list[head->n_headers] = (struct plat_httpd_header){ .name = name, .value = text };
    head->n_headers++;
}

/* Counts the headers of the table at idx; stores them when there is a list.  All strings are held
 * by the table. */
static void walk_headers(lua_State *L, int idx, struct plat_httpd_head *head,
                         struct plat_httpd_header *list)
{
    head->n_headers = 0;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        lua_Integer n = lua_istable(L, -1) ? luaL_len(L, -1) : 0;

        if (!name)
            luaL_error(L, "bad header name (string expected, got %s)", luaL_typename(L, -2));
        if (!lua_istable(L, -1))
            add_header(head, list, L, name, lua_gettop(L));
        for (lua_Integer i = 1; i <= n; i++) {
            lua_geti(L, -1, i);
            add_header(head, list, L, name, lua_gettop(L));
            lua_pop(L, 1);
        }
    }
}

/* Reads { name = value | {values} } at idx and pushes the list that *ret points to. */
static void check_headers(lua_State *L, int idx, struct plat_httpd_head *ret)
{
    struct plat_httpd_header *list;

    if (lua_isnoneornil(L, idx))
        return;
    luaL_checktype(L, idx, LUA_TTABLE);
    walk_headers(L, idx, ret, NULL);
    list = lua_newuserdatauv(L, (ret->n_headers + 1) * sizeof(*list), 0);
    walk_headers(L, idx, ret, list);
    ret->headers = list;
}

static struct plat_httpd_head check_head(lua_State *L)
{
    struct plat_httpd_head head = { 0 };
    lua_Integer status = luaL_checkinteger(L, 2);

    luaL_argcheck(L, status >= 200 && status <= 999, 2, "status out of range");
    head.status = (unsigned)status;
    check_headers(L, 3, &head);
    return head;
}

static int done(lua_State *L, bool ok, const struct plat_err *err)
{
    if (!ok)
        return prim_httpd_fail(L, err);
    lua_pushboolean(L, true);
    return 1;
}

/* ---- methods ---- */

static int l_respond(lua_State *L)
{
    struct plat_httpd_req *req = check_request(L);
    size_t len;
    const char *body = luaL_optlstring(L, 4, "", &len);
    struct plat_httpd_head head = check_head(L);
    struct plat_err err;

    return done(L, plat_httpd_respond(req, &head, body, len, &err), &err);
}

static int l_start(lua_State *L)
{
    struct plat_httpd_req *req = check_request(L);
    struct plat_httpd_head head = check_head(L);
    struct plat_err err;

    return done(L, plat_httpd_start(req, &head, &err), &err);
}

static int k_write(lua_State *L, int status, lua_KContext ctx)
{
    static const struct plat_err gone = { .kind = PLAT_ERR_CONNECT,
                                          .op = "httpd.write",
                                          .msg = "the client has gone" };
    struct plat_httpd_op *op = (struct plat_httpd_op *)ctx;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    return done(L, !plat_httpd_is_gone(check_request(L)), &gone);
}

static int l_write(lua_State *L)
{
    struct plat_httpd_req *req = check_request(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    struct plat_httpd_op *op = plat_op_new(L, sizeof(*op), &plat_httpd_write_class);
    struct plat_err err;

    if (!plat_httpd_write(req, op, data, len, &err))
        return prim_httpd_fail(L, &err);
    return plat_await(L, &op->op, k_write);
}

static int l_finish(lua_State *L)
{
    plat_httpd_finish(check_request(L));
    return 0;
}

static int l_gone(lua_State *L)
{
    lua_pushboolean(L, plat_httpd_is_gone(check_request(L)));
    return 1;
}

/* True: the client left; false: the answer was sent completely. */
static int k_wait_gone(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_httpd_op *op = (struct plat_httpd_op *)ctx;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    lua_pushboolean(L, !plat_httpd_is_sent(check_request(L)));
    return 1;
}

static int l_wait_gone(lua_State *L)
{
    struct plat_httpd_req *req = check_request(L);
    struct plat_httpd_op *op = plat_op_new(L, sizeof(*op), &plat_httpd_gone_class);
    struct plat_err err;

    if (!plat_httpd_await_gone(req, op, &err))
        return prim_httpd_fail(L, &err);
    return plat_await(L, &op->op, k_wait_gone);
}

/* Stack: request, headers, pipe. */
static int k_upgrade(lua_State *L, int status, lua_KContext ctx)
{
    static const struct plat_err gone = { .kind = PLAT_ERR_CONNECT,
                                          .op = "httpd.upgrade",
                                          .msg = "the client has gone" };
    struct plat_httpd_op *op = (struct plat_httpd_op *)ctx;
    struct pipe_box *box = lua_touserdata(L, 3);
    struct plat_err err;

    (void)status;
    box->pipe = op->pipe;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (!box->pipe)
        return plat_fail(L, &gone);
    lua_settop(L, 3);
    return 1;
}

static int l_upgrade(lua_State *L)
{
    struct plat_httpd_req *req = check_request(L);
    struct plat_httpd_head head = { 0 };
    struct plat_httpd_op *op;
    struct plat_err err;

    lua_settop(L, 2);
    prim_httpd_push_pipe(L);
    check_headers(L, 2, &head);
    op = plat_op_new(L, sizeof(*op), &plat_httpd_upgrade_class);
    if (!plat_httpd_upgrade(req, &head, op, &err))
        return prim_httpd_fail(L, &err);
    return plat_await(L, &op->op, k_upgrade);
}

static int l_close(lua_State *L)
{
    struct request *r = luaL_checkudata(L, 1, REQUEST_TYPE);
    struct plat_httpd_req *req = r->req;

    r->req = NULL;
    plat_httpd_req_free(req);
    return 0;
}

static int l_text(lua_State *L)
{
    struct request *r = luaL_checkudata(L, 1, REQUEST_TYPE);

    if (r->req)
        lua_pushfstring(L, REQUEST_TYPE " (%s %s)", plat_httpd_method(r->req),
                        plat_httpd_target(r->req));
    else
        lua_pushstring(L, REQUEST_TYPE " (closed)");
    return 1;
}

static const luaL_Reg methods[] = {
    { "respond", l_respond }, { "start", l_start }, { "write", l_write },
    { "finish", l_finish },   { "gone", l_gone },   { "wait_gone", l_wait_gone },
    { "upgrade", l_upgrade }, { "close", l_close }, { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { "__tostring", l_text },
    { NULL, NULL },
};

void prim_httpd_open_request(lua_State *L)
{
    prim_httpd_type(L, REQUEST_TYPE, NULL, meta);
    luaL_getmetatable(L, REQUEST_TYPE);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_pushcclosure(L, l_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
