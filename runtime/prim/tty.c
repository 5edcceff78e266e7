/* prim.tty: what the program knows about the terminal; the output sink (plat.out) writes here. */
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <unistd.h>

#include "io/tty.h"
#include "lua/args.h"
#include "lua/fail.h"
#include "lua/task.h"

#include "base/banned.h"

static int check_fd(lua_State *L, int idx)
{
    lua_Integer fd = luaL_checkinteger(L, idx);

    luaL_argcheck(L, fd >= 0 && fd <= 2, idx, "0, 1 or 2 expected");
    return (int)fd;
}

static int l_is_tty(lua_State *L)
{
    lua_pushboolean(L, isatty(check_fd(L, 1)));
    return 1;
}

static int l_size(lua_State *L)
{
    struct plat_err err;
    int cols, rows;

    if (!plat_tty_size(check_fd(L, 1), &cols, &rows, &err))
        return plat_fail(L, &err);
    lua_pushinteger(L, cols);
    lua_pushinteger(L, rows);
    return 2;
}

static int l_write(lua_State *L)
{
    int fd = check_fd(L, 1);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    struct plat_err err;

    if (!plat_tty_write(fd, data, len, &err))
        return plat_fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

/* Stack: prompt, options, echo; a hidden line leaves the cursor behind the prompt. */
static int k_line(lua_State *L, int status, lua_KContext ctx)
{
    struct plat_tty_line *line = (struct plat_tty_line *)ctx;
    struct plat_err err;

    (void)status;
    if (!lua_toboolean(L, 3) && isatty(STDIN_FILENO))
        plat_tty_write(STDERR_FILENO, "\n", 1, NULL);
    if (plat_op_failed(&line->op, &err))
        return plat_fail(L, &err);
    if (line->err.kind)
        return plat_fail(L, &line->err);
    lua_pushlstring(L, line->line, line->len);
    explicit_bzero(line->line, sizeof(line->line)); /* it may be a password */
    return 1;
}

static int l_read_line(lua_State *L)
{
    size_t len;
    const char *prompt = luaL_optlstring(L, 1, "", &len);
    bool echo = plat_args_bool(L, 2, "echo", true);
    struct plat_tty_line *line;
    struct plat_err err;

    lua_settop(L, 2);
    lua_pushboolean(L, echo);
    line = plat_op_new(L, sizeof(*line), &plat_tty_line_class);
    if (!plat_tty_write(STDERR_FILENO, prompt, len, &err)) {
        plat_op_release(&line->op);
        return plat_fail(L, &err);
    }
    if (!plat_tty_read_line(line, STDIN_FILENO, echo))
        return plat_fail(L, &line->err);
    return plat_await(L, &line->op, k_line);
}

static const luaL_Reg functions[] = {
    { "is_tty", l_is_tty },       { "size", l_size }, { "write", l_write },
    { "read_line", l_read_line }, { NULL, NULL },
};

int luaopen_prim_tty(lua_State *L);

int luaopen_prim_tty(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
