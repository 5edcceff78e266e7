/* prim.ssh: private keys, and the keys of an agent. */
#include <lauxlib.h>
#include <string.h>

#include "io/ssh_agent.h"
#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"
#include "prim/ssh.h"

#include "base/banned.h"

#define KEY_TYPE   "prim.ssh.key"
#define AGENT_TYPE "prim.ssh.agent"

enum { AGENT_LIST = 11, AGENT_LISTED = 12, AGENT_MAX = 256 * 1024 };

/* ---- private keys ---- */

struct key_op {
    struct plat_op op;
    struct plat_ssh_key_slot *slot; /* on the waiting task's stack */
};

static void on_key_cancel(struct plat_op *op)
{
    plat_ssh_key_drop(((struct key_op *)op)->slot);
}

static const struct plat_op_class key_class = {
    .name = "ssh.key",
    .real = true,
    .cancel = on_key_cancel,
};

struct plat_ssh_key *prim_ssh_check_key(lua_State *L, int idx)
{
    struct plat_ssh_key_slot *slot = luaL_checkudata(L, idx, KEY_TYPE);

    luaL_argcheck(L, slot->key, idx, "no key");
    return slot->key;
}

/* Stack: text, passphrase, slot. */
static int k_key(lua_State *L, int status, lua_KContext ctx)
{
    struct key_op *op = (struct key_op *)ctx;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (!op->slot->key)
        return plat_fail(L, &op->slot->err);
    lua_settop(L, 3);
    return 1;
}

int prim_ssh_key(lua_State *L)
{
    size_t len, pass_len = 0;
    const char *text = plat_secret_check_bytes(L, 1, &len), *pass = NULL;
    struct plat_ssh_key_slot *slot;
    struct key_op *op;
    struct plat_err err;

    lua_settop(L, 2);
    if (!lua_isnil(L, 2))
        pass = plat_secret_check_bytes(L, 2, &pass_len);
    slot = lua_newuserdatauv(L, sizeof(*slot), 0);
    *slot = (struct plat_ssh_key_slot){ .load = NULL };
    luaL_setmetatable(L, KEY_TYPE);
    op = plat_op_new(L, sizeof(*op), &key_class);
    op->slot = slot;
    if (!plat_ssh_key_load(plat_loop_of(L), text, len, pass, pass_len, slot, &op->op, &err))
        return plat_fail(L, &err);
    return plat_await(L, &op->op, k_key);
}

static int l_key_type(lua_State *L)
{
    lua_pushstring(L, plat_ssh_key_type(prim_ssh_check_key(L, 1)));
    return 1;
}

static int l_key_blob(lua_State *L)
{
    size_t len;
    const char *blob = plat_ssh_key_blob(prim_ssh_check_key(L, 1), &len);

    lua_pushlstring(L, blob, len);
    return 1;
}

static int l_key_gc(lua_State *L)
{
    plat_ssh_key_drop(luaL_checkudata(L, 1, KEY_TYPE));
    return 0;
}

/* ---- the agent's keys ---- */

struct agent_box { /* never seen by Lua code */
    struct ssh_agent_call *call;
    struct plat_op *op;
    struct plat_buf answer;
    struct plat_err err;
};

struct agent_op {
    struct plat_op op;
    struct agent_box *box; /* on the waiting task's stack */
};

static void drop_call(struct agent_box *box)
{
    ssh_agent_drop(box->call);
    box->call = NULL;
}

static void on_agent_cancel(struct plat_op *op)
{
    drop_call(((struct agent_op *)op)->box);
}

static const struct plat_op_class agent_class = {
    .name = "ssh.agent",
    .real = true,
    .cancel = on_agent_cancel,
};

static void on_answer(void *arg, const unsigned char *data, size_t len, const struct plat_err *err)
{
    struct agent_box *box = arg;

    box->call = NULL;
    if (!data)
        box->err = *err;
    else if (data[0] != AGENT_LISTED || !plat_buf_add(&box->answer, data + 1, len - 1))
        plat_err_set(&box->err, PLAT_ERR_IO, 0, "ssh.agent", "the agent does not list its keys");
    plat_op_ready(box->op);
}

/* Takes a counted string off the answer; NULL: there is none. */
static const char *take(struct plat_buf *buf, size_t *ret_len)
{
    const unsigned char *p = (const unsigned char *)plat_buf_bytes(buf);
    size_t len;

    if (buf->len < 4)
        return NULL;
    len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (len > buf->len - 4)
        return NULL;
    plat_buf_drop(buf, 4 + len);
    *ret_len = len;
    return (const char *)p + 4;
}

/* Stack: path, box. */
static int k_agent(lua_State *L, int status, lua_KContext ctx)
{
    struct agent_op *op = (struct agent_op *)ctx;
    struct agent_box *box = op->box;
    struct plat_err err;
    const char *blob, *comment;
    size_t blob_len = 0, comment_len = 0;
    lua_Integer n = 0;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (box->err.kind)
        return plat_fail(L, &box->err);
    if (box->answer.len >= 4)
        plat_buf_drop(&box->answer, 4); /* how many there are */
    lua_newtable(L);
    while ((blob = take(&box->answer, &blob_len)) && (comment = take(&box->answer, &comment_len))) {
        lua_createtable(L, 0, 2);
        lua_pushlstring(L, blob, blob_len);
        lua_setfield(L, -2, "blob");
        lua_pushlstring(L, comment, comment_len);
        lua_setfield(L, -2, "comment");
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

int prim_ssh_agent_keys(lua_State *L)
{
    static const unsigned char question[] = { AGENT_LIST };
    const char *path = luaL_checkstring(L, 1);
    struct agent_box *box;
    struct agent_op *op;

    lua_settop(L, 1);
    box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = (struct agent_box){ .call = NULL };
    plat_buf_init(&box->answer, AGENT_MAX);
    luaL_setmetatable(L, AGENT_TYPE);
    op = plat_op_new(L, sizeof(*op), &agent_class);
    op->box = box;
    box->op = &op->op;
    box->call =
        ssh_agent_ask(plat_loop_of(L), path, question, sizeof(question), on_answer, box, &box->err);
    if (!box->call)
        return plat_fail(L, &box->err);
    return plat_await(L, &op->op, k_agent);
}

static int l_agent_gc(lua_State *L)
{
    struct agent_box *box = luaL_checkudata(L, 1, AGENT_TYPE);

    drop_call(box);
    plat_buf_done(&box->answer);
    return 0;
}

static const luaL_Reg key_methods[] = {
    { "type", l_key_type },
    { "blob", l_key_blob },
    { NULL, NULL },
};

void prim_ssh_key_open(lua_State *L)
{
    luaL_newmetatable(L, KEY_TYPE);
    lua_pushcfunction(L, l_key_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, key_methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newmetatable(L, AGENT_TYPE);
    lua_pushcfunction(L, l_agent_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
