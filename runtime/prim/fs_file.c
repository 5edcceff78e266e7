/*
 * prim.fs: files that stay open.  Appending is one write(2) into the page cache and runs in line;
 * only the sync goes to the pool.
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <unistd.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/task.h"
#include "prim/fs.h"

#include "base/banned.h"

#define FILE_TYPE "prim.fs.file"
#define LOCK_TYPE "prim.fs.lock"

enum { HOLDER_SIZE = 256 };

struct handle {
    int fd; /* -1: closed */
};

/* Pushed closed, so that nothing leaks when the next step raises. */
static struct handle *new_handle(lua_State *L, const char *type)
{
    struct handle *h = lua_newuserdatauv(L, sizeof(*h), 0);

    h->fd = -1;
    luaL_setmetatable(L, type);
    return h;
}

static int close_handle(lua_State *L, const char *type)
{
    struct handle *h = luaL_checkudata(L, 1, type);
    int fd = h->fd;

    h->fd = -1;
    if (fd >= 0)
        close(fd);
    return 0;
}

static int handle_text(lua_State *L, const char *type)
{
    struct handle *h = luaL_checkudata(L, 1, type);

    lua_pushfstring(L, "%s (%s)", type, h->fd < 0 ? "closed" : "open");
    return 1;
}

static struct handle *check_file(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, FILE_TYPE);

    if (h->fd < 0)
        luaL_error(L, "attempt to use a closed file");
    return h;
}

int prim_fs_open_append(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    lua_Integer mode = plat_args_integer(L, 2, "mode", 0666);
    struct handle *h;
    struct plat_err err;

    luaL_argcheck(L, mode >= 0 && mode <= 07777, 2, "mode out of range");
    h = new_handle(L, FILE_TYPE);
    h->fd = plat_fs_append_open(path, (unsigned)mode, &err);
    if (h->fd < 0)
        return plat_fail(L, &err);
    return 1;
}

static int answer(lua_State *L, bool ok, const struct plat_err *err)
{
    if (!ok)
        return plat_fail(L, err);
    lua_pushboolean(L, true);
    return 1;
}

static int l_file_write(lua_State *L)
{
    struct handle *h = check_file(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    struct plat_err err;

    return answer(L, plat_fs_append(h->fd, data, len, &err), &err);
}

static bool run_sync(struct fs_op *op)
{
    bool ok = plat_fs_sync(op->fd, &op->err);

    close(op->fd);
    return ok;
}

static const struct plat_op_class sync_class = { .name = "fs.sync", .real = true, .held = true };

static int l_file_sync(lua_State *L)
{
    struct handle *h = check_file(L);
    struct fs_op *op = prim_fs_op(L, &sync_class, NULL, NULL, 0);

    op->run = run_sync;
    op->fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0); /* its own: the file may be closed meanwhile */
    if (op->fd < 0) {
        plat_err_errno(&op->err, errno, "fs.sync", "cannot sync");
        plat_op_release(&op->op);
        return plat_fail(L, &op->err);
    }
    return prim_fs_go(L, op);
}

static int l_file_size(lua_State *L)
{
    struct handle *h = check_file(L);
    struct plat_err err;
    int64_t size;

    if (!plat_fs_size(h->fd, &size, &err))
        return plat_fail(L, &err);
    lua_pushinteger(L, (lua_Integer)size);
    return 1;
}

static int l_file_truncate(lua_State *L)
{
    struct handle *h = check_file(L);
    lua_Integer size = luaL_checkinteger(L, 2);
    struct plat_err err;

    luaL_argcheck(L, size >= 0, 2, "negative size");
    return answer(L, plat_fs_truncate(h->fd, size, &err), &err);
}

static int l_file_reserve(lua_State *L)
{
    struct handle *h = check_file(L);
    lua_Integer bytes = luaL_checkinteger(L, 2);
    struct plat_err err;

    luaL_argcheck(L, bytes > 0, 2, "positive number expected");
    return answer(L, plat_fs_reserve(h->fd, bytes, &err), &err);
}

static int l_file_close(lua_State *L)
{
    return close_handle(L, FILE_TYPE);
}

static int l_file_text(lua_State *L)
{
    return handle_text(L, FILE_TYPE);
}

int prim_fs_lock(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    const char *text = plat_args_string(L, 2, "text", NULL);
    struct handle *h = new_handle(L, LOCK_TYPE);
    char holder[HOLDER_SIZE];
    struct plat_err err;

    h->fd = plat_fs_lock(path, text, holder, sizeof(holder), &err);
    if (h->fd >= 0)
        return 1;
    plat_fail(L, &err);
    if (err.kind == PLAT_ERR_REFUSED) {
        lua_pushstring(L, holder);
        lua_setfield(L, -2, "held");
    }
    return 2;
}

static int l_lock_close(lua_State *L)
{
    return close_handle(L, LOCK_TYPE);
}

static int l_lock_text(lua_State *L)
{
    return handle_text(L, LOCK_TYPE);
}

static const luaL_Reg file_methods[] = {
    { "write", l_file_write },
    { "sync", l_file_sync },
    { "size", l_file_size },
    { "truncate", l_file_truncate },
    { "reserve", l_file_reserve },
    { "close", l_file_close },
    { NULL, NULL },
};

static const luaL_Reg file_meta[] = {
    { "__gc", l_file_close },
    { "__close", l_file_close },
    { "__tostring", l_file_text },
    { NULL, NULL },
};

static const luaL_Reg lock_methods[] = {
    { "close", l_lock_close },
    { NULL, NULL },
};

static const luaL_Reg lock_meta[] = {
    { "__gc", l_lock_close },
    { "__close", l_lock_close },
    { "__tostring", l_lock_text },
    { NULL, NULL },
};

static void make_type(lua_State *L, const char *type, const luaL_Reg *methods, const luaL_Reg *meta)
{
    luaL_newmetatable(L, type);
    luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void prim_fs_file_open(lua_State *L)
{
    make_type(L, FILE_TYPE, file_methods, file_meta);
    make_type(L, LOCK_TYPE, lock_methods, lock_meta);
}
