/* prim.ssh: commands that are waited for. */
#include <lauxlib.h>
#include <string.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"
#include "prim/ssh.h"

#include "base/banned.h"

enum { MAX_OUTPUT = 16 * 1024 * 1024, READ_AHEAD = 256 * 1024, MAX_COMMAND = 1024 * 1024 };

struct exec_op {
    struct plat_op op;
    struct prim_ssh_exec_box *box; /* on the waiting task's stack */
};

static void on_cancel(struct plat_op *op)
{
    plat_ssh_exec_cancel(((struct exec_op *)op)->box->e);
}

static const struct plat_op_class exec_class = {
    .name = "ssh.exec",
    .real = true,
    .cancel = on_cancel,
};

static void set_output(lua_State *L, const struct plat_ssh_exec *e)
{
    static const char *const names[] = { "stdout", "stderr" };

    for (int i = 0; i < 2; i++) {
        const struct plat_buf *out = plat_ssh_exec_output(e, i);

        lua_pushlstring(L, plat_buf_bytes(out), out->len);
        lua_setfield(L, -2, names[i]);
    }
}

void prim_ssh_push_status(lua_State *L, const struct plat_ssh_status *status)
{
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, status->code);
    lua_setfield(L, -2, "code");
    if (status->signal[0]) {
        lua_pushfstring(L, "SIG%s", status->signal);
        lua_setfield(L, -2, "signal");
    }
}

/* Stack: session, command, options, box. */
static int k_exec(lua_State *L, int status, lua_KContext ctx)
{
    struct exec_op *op = (struct exec_op *)ctx;
    struct prim_ssh_exec_box *box = op->box;
    struct plat_ssh_status end;
    struct plat_err err;
    int n = 1;

    (void)status;
    if (plat_op_failed(&op->op, &err) || !plat_ssh_exec_result(box->e, &end, &err)) {
        n = plat_fail(L, &err);
        lua_pushboolean(L, plat_ssh_exec_sent(box->e));
        lua_setfield(L, -2, "sent");
        set_output(L, box->e);
    } else {
        prim_ssh_push_status(L, &end);
        set_output(L, box->e);
    }
    plat_ssh_exec_free(box->e);
    box->e = NULL;
    return n;
}

static void read_opts(lua_State *L, struct plat_ssh_exec_opts *opts)
{
    lua_Integer max = plat_args_integer(L, 3, "max_output", opts->stream ? READ_AHEAD : MAX_OUTPUT);

    luaL_argcheck(L, max > 0, 3, "max_output must be positive");
    opts->command = plat_secret_check_bytes(L, 2, &opts->command_len);
    luaL_argcheck(L, opts->command_len > 0 && opts->command_len <= MAX_COMMAND, 2,
                  "a command has 1 byte to 1 MiB");
    luaL_argcheck(L, !memchr(opts->command, '\0', opts->command_len), 2, "it contains a NUL");
    opts->max_output = (size_t)max;
    opts->leash = plat_args_bool(L, 3, "leash", false);
    opts->pty = plat_args_bool(L, 3, "pty", false);
    opts->more_input = opts->stream && plat_args_bool(L, 3, "input", false);
    opts->input = plat_args_bytes(L, 3, "stdin", NULL, &opts->input_len);
    if (!opts->input)
        opts->input_len = 0;
}

struct prim_ssh_exec_box *prim_ssh_exec_box_new(lua_State *L)
{
    struct prim_ssh_exec_box *box = lua_newuserdatauv(L, sizeof(*box), 1);

    box->e = NULL;
    luaL_setmetatable(L, PRIM_SSH_COMMAND);
    return box;
}

struct prim_ssh_exec_box *prim_ssh_exec_begin(lua_State *L, struct plat_ssh_exec_opts *opts)
{
    struct prim_ssh_exec_box *box;

    lua_settop(L, 3);
    if (lua_isnil(L, 3)) {
        lua_newtable(L);
        lua_replace(L, 3);
    }
    luaL_checktype(L, 3, LUA_TTABLE);
    read_opts(L, opts);
    box = prim_ssh_exec_box_new(L);
    lua_getfield(L, 3, "stdin"); /* the engine borrows it */
    lua_setiuservalue(L, -2, 1);
    return box;
}

int prim_ssh_not_begun(lua_State *L, const struct plat_err *err)
{
    if (err->kind == PLAT_ERR_USAGE)
        return luaL_error(L, "%s: %s", err->op, err->msg);
    plat_fail(L, err);
    lua_pushboolean(L, false);
    lua_setfield(L, -2, "sent");
    return 2;
}

int prim_ssh_exec(lua_State *L)
{
    struct prim_ssh_box *session = prim_ssh_check(L, 1);
    struct plat_ssh_exec_opts opts = { .command = NULL };
    struct prim_ssh_exec_box *box = prim_ssh_exec_begin(L, &opts);
    double timeout = plat_args_number(L, 3, "timeout", 0);
    struct exec_op *op;
    struct plat_err err;

    luaL_argcheck(L, timeout >= 0, 3, "negative time");
    op = plat_op_new(L, sizeof(*op), &exec_class);
    op->box = box;
    op->op.timeout = timeout;
    box->e = plat_ssh_exec_new(session->s, &opts, &op->op, &err);
    if (!box->e)
        return prim_ssh_not_begun(L, &err);
    return plat_await(L, &op->op, k_exec);
}
