/* prim.proc: local programs. */
#include "prim/proc.h"

#include <lauxlib.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"

#include "base/banned.h"

#define PROC_TYPE "prim.proc.process"

enum { MAX_OUTPUT = 16 * 1024 * 1024, READ_AHEAD = 256 * 1024 };

#define GRACE 5.0

struct process {
    struct plat_proc *proc; /* NULL: not started, or closed */
};

static struct plat_proc *check_process(lua_State *L)
{
    struct process *p = luaL_checkudata(L, 1, PROC_TYPE);

    if (!p->proc)
        luaL_error(L, "attempt to use a closed process");
    return p->proc;
}

static struct process *push_process(lua_State *L)
{
    struct process *p = lua_newuserdatauv(L, sizeof(*p), 0);

    p->proc = NULL;
    luaL_setmetatable(L, PROC_TYPE);
    return p;
}

/* Reads argv and options at 1 and 2; leaves the process at 3 and above it what must live until the
 * start. */
static struct process *check_start(lua_State *L, struct plat_proc_opts *ret)
{
    struct process *p;
    lua_Integer max;

    ret->timeout = plat_args_number(L, 2, "timeout", 0);
    ret->grace = plat_args_number(L, 2, "grace", GRACE);
    luaL_argcheck(L, ret->timeout >= 0 && ret->grace >= 0, 2, "negative time");
    max = plat_args_integer(L, 2, "max_output", ret->collect ? MAX_OUTPUT : READ_AHEAD);
    luaL_argcheck(L, max > 0, 2, "max_output must be positive");
    ret->max_output = (size_t)max;
    ret->cwd = plat_args_string(L, 2, "cwd", NULL);
    lua_settop(L, 2);
    p = push_process(L);
    ret->argv = prim_proc_argv(L, 1);
    ret->envp = prim_proc_env(L, 2);
    return p;
}

/* ---- ends ---- */

static void set_status(lua_State *L, int status)
{
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);

    lua_pushinteger(L, code);
    lua_setfield(L, -2, "code");
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        lua_pushfstring(L, "SIG%s", name ? name : "?");
        lua_setfield(L, -2, "signal");
    }
}

static void set_output(lua_State *L, const struct plat_proc *proc)
{
    static const char *const names[] = { "stdout", "stderr" };

    for (int i = 0; i < 2; i++) {
        const struct plat_buf *out = plat_proc_output(proc, i);
        lua_pushlstring(L, plat_buf_bytes(out), out->len);
        lua_setfield(L, -2, names[i]);
    }
}

/* ---- run ---- */

/* Pushes nil and the error, which carries what the program said until then. */
static int fail_with_output(lua_State *L, const struct plat_err *err, const struct plat_proc *proc)
{
    plat_fail(L, err);
    set_output(L, proc);
    return 2;
}

/* Stack: argv, options, process. */
static int k_run(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_proc_op *op = (struct plat_proc_op *)ctx;
    struct process *p = lua_touserdata(L, 3);
    struct plat_err err = *plat_proc_error(p->proc);
    int n = 1;

    (void)status;
    if (plat_op_failed(&op->op, &err) || err.kind) {
        n = fail_with_output(L, &err, p->proc);
    } else {
        lua_createtable(L, 0, 4);
        set_status(L, plat_proc_status(p->proc));
        set_output(L, p->proc);
    }
    plat_proc_free(p->proc);
    p->proc = NULL;
    return n;
}

static int l_run(lua_State *L)
{
    size_t len;
    const char *input = plat_args_bytes(L, 2, "stdin", NULL, &len);
    struct plat_proc_opts opts = { .collect = true, .pipe_stdin = input != NULL };
    struct process *p = check_start(L, &opts);
    struct plat_proc_op *op = plat_op_new(L, sizeof(*op), &plat_proc_run_class);
    struct plat_err err;

    p->proc = op->proc = plat_proc_start(plat_loop_of(L), &opts, &err);
    if (!p->proc)
        return plat_fail(L, &err);
    if (input && !plat_proc_write(p->proc, NULL, input, len, &err))
        return plat_fail(L, &err); /* the process is collected, and ended then */
    if (input)
        plat_proc_end_input(p->proc);
    plat_proc_await_end(p->proc, op, &err); /* nobody else can wait for it */
    return plat_await(L, &op->op, k_run);
}

/* ---- spawn and its methods ---- */

static int l_spawn(lua_State *L)
{
    struct plat_proc_opts opts = { .pipe_stdin = plat_args_bool(L, 2, "stdin", false) };
    struct process *p = check_start(L, &opts);
    struct plat_err err;

    p->proc = plat_proc_start(plat_loop_of(L), &opts, &err);
    if (!p->proc)
        return plat_fail(L, &err);
    lua_settop(L, 3);
    return 1;
}

/* Gives the next piece of output and its stream's name, or nil at the end. */
static int k_read(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_proc_op *op = (struct plat_proc_op *)ctx;
    struct plat_proc *proc = check_process(L); /* another task may have closed it */
    struct plat_err err = *plat_proc_error(proc);

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    for (int i = 0; i < 2; i++) {
        const struct plat_buf *out = plat_proc_output(proc, i);
        size_t len = out->len;

        if (!len)
            continue;
        lua_pushlstring(L, plat_buf_bytes(out), len);
        plat_proc_consume(proc, i, len);
        lua_pushstring(L, i ? "stderr" : "stdout");
        return 2;
    }
    if (err.kind == PLAT_ERR_TIMEOUT)
        return plat_fail(L, &err);
    lua_pushnil(L);
    return 1;
}

static struct plat_proc_op *new_op(lua_State *L, struct plat_proc *proc,
                                   const struct plat_op_class *cls)
{
    struct plat_proc_op *op = plat_op_new(L, sizeof(*op), cls);

    op->proc = proc;
    return op;
}

static int l_read(lua_State *L)
{
    struct plat_proc *proc = check_process(L);
    struct plat_proc_op *op = new_op(L, proc, &plat_proc_read_class);
    struct plat_err err;

    if (!plat_proc_await_output(proc, op, &err))
        return luaL_error(L, "%s: %s", err.op, err.msg);
    return plat_await(L, &op->op, k_read);
}

static int k_wait(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_proc_op *op = (struct plat_proc_op *)ctx;
    struct plat_proc *proc = check_process(L);
    struct plat_err err = *plat_proc_error(proc);

    (void)status;
    if (plat_op_failed(&op->op, &err) || err.kind == PLAT_ERR_TIMEOUT)
        return plat_fail(L, &err);
    lua_createtable(L, 0, 2);
    set_status(L, plat_proc_status(proc));
    return 1;
}

static int l_wait(lua_State *L)
{
    struct plat_proc *proc = check_process(L);
    struct plat_proc_op *op = new_op(L, proc, &plat_proc_wait_class);
    struct plat_err err;

    if (!plat_proc_await_end(proc, op, &err))
        return luaL_error(L, "%s: %s", err.op, err.msg);
    return plat_await(L, &op->op, k_wait);
}

static int k_write(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_proc_op *op = (struct plat_proc_op *)ctx;
    struct plat_proc *proc = check_process(L);
    struct plat_err err = *plat_proc_error(proc);

    (void)status;
    if (plat_op_failed(&op->op, &err) || err.kind)
        return plat_fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

static int l_write(lua_State *L)
{
    struct plat_proc *proc = check_process(L);
    size_t len;
    const char *data = plat_secret_check_bytes(L, 2, &len);
    struct plat_proc_op *op = new_op(L, proc, &plat_proc_write_class);
    struct plat_err err;

    if (!plat_proc_write(proc, op, data, len, &err))
        return err.kind == PLAT_ERR_USAGE ? luaL_error(L, "%s: %s", err.op, err.msg)
                                          : plat_fail(L, &err);
    return plat_await(L, &op->op, k_write);
}

static int l_close_stdin(lua_State *L)
{
    plat_proc_end_input(check_process(L));
    return 0;
}

/* "TERM", "SIGTERM" or 15 */
static int check_signal(lua_State *L, int idx)
{
    const char *name;

    if (lua_isinteger(L, idx)) {
        lua_Integer n = lua_tointeger(L, idx);
        luaL_argcheck(L, n > 0 && n < NSIG, idx, "no such signal");
        return (int)n;
    }
    name = luaL_optstring(L, idx, "TERM");
    if (!strncmp(name, "SIG", 3))
        name += 3;
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);
        if (known && !strcmp(known, name))
            return i;
    }
    return luaL_argerror(L, idx, "no such signal");
}

static int l_kill(lua_State *L)
{
    struct plat_proc *proc = check_process(L);
    struct plat_err err;

    if (!plat_proc_signal(proc, check_signal(L, 2), &err))
        return plat_fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

static int l_pid(lua_State *L)
{
    lua_pushinteger(L, plat_proc_pid(check_process(L)));
    return 1;
}

static int l_close(lua_State *L)
{
    struct process *p = luaL_checkudata(L, 1, PROC_TYPE);
    struct plat_proc *proc = p->proc;

    p->proc = NULL;
    plat_proc_free(proc);
    return 0;
}

static int l_text(lua_State *L)
{
    struct process *p = luaL_checkudata(L, 1, PROC_TYPE);

    if (p->proc)
        lua_pushfstring(L, PROC_TYPE " (pid %d)", (int)plat_proc_pid(p->proc));
    else
        lua_pushstring(L, PROC_TYPE " (closed)");
    return 1;
}

static const luaL_Reg functions[] = {
    { "run", l_run },
    { "spawn", l_spawn },
    { NULL, NULL },
};

static const luaL_Reg methods[] = {
    { "read", l_read },   { "write", l_write }, { "close_stdin", l_close_stdin },
    { "wait", l_wait },   { "kill", l_kill },   { "pid", l_pid },
    { "close", l_close }, { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { "__tostring", l_text },
    { NULL, NULL },
};

int luaopen_prim_proc(lua_State *L);

int luaopen_prim_proc(lua_State *L)
{
    luaL_newmetatable(L, PROC_TYPE);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
