/* prim.ssh: streamed commands, subsystems and connections. */
#include <lauxlib.h>
#include <string.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"
#include "prim/ssh.h"

#include "base/banned.h"

enum { READ_AHEAD = 256 * 1024, MAX_PATH = 4096 };

struct stream_op {
    struct plat_op op;
    struct prim_ssh_exec_box *box; /* on the waiting task's stack */
};

int prim_ssh_open(lua_State *L)
{
    struct prim_ssh_box *session = prim_ssh_check(L, 1);
    struct plat_ssh_exec_opts opts = { .stream = true };
    struct prim_ssh_exec_box *box = prim_ssh_exec_begin(L, &opts);
    struct plat_err err;

    box->e = plat_ssh_exec_new(session->s, &opts, NULL, &err);
    return box->e ? 1 : prim_ssh_not_begun(L, &err);
}

/* ---- channels that are waited for until they are open ---- */

static void on_open_cancel(struct plat_op *op)
{
    plat_ssh_exec_cancel(((struct stream_op *)op)->box->e);
}

static const struct plat_op_class open_class = {
    .name = "ssh.open",
    .real = true,
    .cancel = on_open_cancel,
};

static int k_open(lua_State *L, int status, lua_KContext ctx)
{
    struct stream_op *op = (struct stream_op *)ctx;
    struct prim_ssh_exec_box *box = op->box;
    struct plat_ssh_status end;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err) || !plat_ssh_exec_result(box->e, &end, &err)) {
        plat_ssh_exec_free(box->e);
        box->e = NULL;
        return plat_fail(L, &err);
    }
    lua_settop(L, 2);
    return 1;
}

/* Leaves session and box on the stack. */
static int open_channel(lua_State *L, struct plat_ssh_exec_opts *opts)
{
    struct prim_ssh_box *session = prim_ssh_check(L, 1);
    struct prim_ssh_exec_box *box;
    struct stream_op *op;
    struct plat_err err;

    opts->stream = true;
    opts->more_input = true;
    opts->max_output = READ_AHEAD;
    box = prim_ssh_exec_box_new(L);
    lua_insert(L, 2);
    op = plat_op_new(L, sizeof(*op), &open_class);
    op->box = box;
    box->e = plat_ssh_exec_new(session->s, opts, NULL, &err);
    if (!box->e)
        return prim_ssh_not_begun(L, &err);
    plat_ssh_exec_await_open(box->e, &op->op, &err);
    return plat_await(L, &op->op, k_open);
}

static const char *check_name(lua_State *L, int idx, size_t *ret_len)
{
    const char *name = luaL_checklstring(L, idx, ret_len);

    luaL_argcheck(L, *ret_len > 0 && *ret_len <= MAX_PATH, idx, "1 to 4096 bytes expected");
    luaL_argcheck(L, !memchr(name, '\0', *ret_len), idx, "it contains a NUL");
    return name;
}

int prim_ssh_subsystem(lua_State *L)
{
    struct plat_ssh_exec_opts opts = { .kind = PLAT_SSH_SUBSYSTEM };

    opts.command = check_name(L, 2, &opts.command_len);
    return open_channel(L, &opts);
}

int prim_ssh_tcp(lua_State *L)
{
    struct plat_ssh_exec_opts opts = { .kind = PLAT_SSH_TCP };
    lua_Integer port = luaL_checkinteger(L, 3);

    luaL_argcheck(L, port > 0 && port < 65536, 3, "1 to 65535 expected");
    opts.command = check_name(L, 2, &opts.command_len);
    opts.port = (int)port;
    return open_channel(L, &opts);
}

int prim_ssh_unix(lua_State *L)
{
    struct plat_ssh_exec_opts opts = { .kind = PLAT_SSH_UNIX };

    opts.command = check_name(L, 2, &opts.command_len);
    return open_channel(L, &opts);
}

static struct prim_ssh_exec_box *check_open(lua_State *L)
{
    struct prim_ssh_exec_box *box = luaL_checkudata(L, 1, PRIM_SSH_COMMAND);

    if (!box->e)
        luaL_error(L, "attempt to use a closed command");
    return box;
}

/* ---- output ---- */

static void on_read_cancel(struct plat_op *op)
{
    plat_ssh_exec_forget(((struct stream_op *)op)->box->e);
}

static const struct plat_op_class read_class = {
    .name = "ssh.read",
    .real = true,
    .cancel = on_read_cancel,
};

/* Gives the next piece and its stream's name, or nil at the end. */
static int k_read(lua_State *L, int status, lua_KContext ctx)
{
    struct stream_op *op = (struct stream_op *)ctx;
    struct plat_ssh_exec *e = op->box->e;
    struct plat_ssh_status end;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (!e) {
        plat_err_set(&err, PLAT_ERR_IO, 0, "ssh.read", "the command was closed by another task");
        return plat_fail(L, &err);
    }
    for (int i = 0; i < 2; i++) {
        const struct plat_buf *out = plat_ssh_exec_output(e, i);
        size_t len = out->len;

        if (!len)
            continue;
        lua_pushlstring(L, plat_buf_bytes(out), len);
        plat_ssh_exec_consume(e, i, len);
        lua_pushstring(L, i ? "stderr" : "stdout");
        return 2;
    }
    if (!plat_ssh_exec_result(e, &end, &err))
        return plat_fail(L, &err);
    lua_pushnil(L);
    return 1;
}

static int l_read(lua_State *L)
{
    struct prim_ssh_exec_box *box = check_open(L);
    struct stream_op *op = plat_op_new(L, sizeof(*op), &read_class);
    struct plat_err err;

    op->box = box;
    if (!plat_ssh_exec_await(box->e, &op->op, &err))
        return luaL_error(L, "%s: %s", err.op, err.msg);
    return plat_await(L, &op->op, k_read);
}

/* ---- input ---- */

static void on_write_cancel(struct plat_op *op)
{
    plat_ssh_exec_unwrite(((struct stream_op *)op)->box->e);
}

static const struct plat_op_class write_class = {
    .name = "ssh.write",
    .real = true,
    .cancel = on_write_cancel,
};

static int k_write(lua_State *L, int status, lua_KContext ctx)
{
    struct stream_op *op = (struct stream_op *)ctx;
    struct plat_ssh_exec *e = op->box->e;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (!e)
        plat_err_set(&err, PLAT_ERR_IO, 0, "ssh.write", "the command was closed by another task");
    if (!e || !plat_ssh_exec_written(e, &err))
        return plat_fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

/* The bytes stay on the waiting task's stack. */
static int l_write(lua_State *L)
{
    struct prim_ssh_exec_box *box = check_open(L);
    size_t len;
    const char *data = plat_secret_check_bytes(L, 2, &len);
    struct stream_op *op;
    struct plat_err err;

    lua_settop(L, 2);
    op = plat_op_new(L, sizeof(*op), &write_class);
    op->box = box;
    if (!plat_ssh_exec_write(box->e, data, len, &op->op, &err))
        return err.kind == PLAT_ERR_USAGE ? luaL_error(L, "%s: %s", err.op, err.msg)
                                          : plat_fail(L, &err);
    return plat_await(L, &op->op, k_write);
}

static int l_finish(lua_State *L)
{
    plat_ssh_exec_finish(check_open(L)->e);
    return 0;
}

/* ---- the end ---- */

/* The end, once everything was read; nil before. */
static int l_status(lua_State *L)
{
    struct prim_ssh_exec_box *box = check_open(L);
    struct plat_ssh_status end;
    struct plat_err err;

    if (!plat_ssh_exec_ended(box->e)) {
        lua_pushnil(L);
        return 1;
    }
    if (!plat_ssh_exec_result(box->e, &end, &err))
        return plat_fail(L, &err);
    prim_ssh_push_status(L, &end);
    return 1;
}

static int l_sent(lua_State *L)
{
    lua_pushboolean(L, plat_ssh_exec_sent(check_open(L)->e));
    return 1;
}

static int l_close(lua_State *L)
{
    struct prim_ssh_exec_box *box = luaL_checkudata(L, 1, PRIM_SSH_COMMAND);
    struct plat_ssh_exec *e = box->e;

    box->e = NULL;
    plat_ssh_exec_free(e);
    return 0;
}

static const luaL_Reg methods[] = {
    { "read", l_read }, { "write", l_write }, { "finish", l_finish }, { "status", l_status },
    { "sent", l_sent }, { "close", l_close }, { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { NULL, NULL },
};

void prim_ssh_stream_open(lua_State *L)
{
    luaL_newmetatable(L, PRIM_SSH_COMMAND);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
