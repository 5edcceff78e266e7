/*
 * prim.fs: local files.  read, stat and list run in line, because local metadata and small files
 * answer faster than a thread switch; what writes runs on the pool and waits.
 */
#include "prim/fs.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "io/work.h"
#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"

#include "base/banned.h"

_Static_assert(PLAT_PRIM_FS_PATH >= PATH_MAX, "results of realpath must fit");

#define BYTES_TYPE "prim.fs.bytes"

enum { MAX_READ = 64 * 1024 * 1024, MAX_NAMES = 64 * 1024 * 1024 };

/* ---- bytes on their way to Lua: boxed, because pushing a string may raise ---- */

static struct plat_buf *new_bytes(lua_State *L, size_t max)
{
    struct plat_buf *buf = lua_newuserdatauv(L, sizeof(*buf), 0);

    plat_buf_init(buf, max);
    luaL_setmetatable(L, BYTES_TYPE);
    return buf;
}

static int l_bytes_gc(lua_State *L)
{
    plat_buf_done(luaL_checkudata(L, 1, BYTES_TYPE));
    return 0;
}

const char *prim_fs_check_path(lua_State *L, int idx)
{
    size_t len;
    const char *path = luaL_checklstring(L, idx, &len);

    luaL_argcheck(L, len > 0, idx, "empty path");
    luaL_argcheck(L, strlen(path) == len, idx, "path contains a zero byte");
    return path;
}

static int l_read(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    lua_Integer max = plat_args_integer(L, 2, "max", MAX_READ);
    lua_Integer offset = plat_args_integer(L, 2, "offset", -1);
    struct plat_err err;
    struct plat_buf *buf;

    luaL_argcheck(L, max >= 0, 2, "max is negative");
    buf = new_bytes(L, (size_t)max);
    if (offset < 0 ? !plat_fs_read(path, buf, &err)
                   : !plat_fs_read_part(path, offset, (size_t)max, buf, &err))
        return plat_fail(L, &err);
    lua_pushlstring(L, plat_buf_bytes(buf), buf->len);
    plat_buf_done(buf);
    return 1;
}

static void set_integer(lua_State *L, const char *name, lua_Integer value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static int l_stat(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    bool follow = plat_args_bool(L, 2, "follow", true);
    struct plat_fs_stat st;
    struct plat_err err;

    if (!plat_fs_stat(path, follow, &st, &err))
        return plat_fail(L, &err);
    lua_createtable(L, 0, 8);
    lua_pushstring(L, st.type);
    lua_setfield(L, -2, "type");
    set_integer(L, "size", (lua_Integer)st.size);
    set_integer(L, "mode", (lua_Integer)st.mode);
    set_integer(L, "uid", (lua_Integer)st.uid);
    set_integer(L, "gid", (lua_Integer)st.gid);
    set_integer(L, "dev", (lua_Integer)st.dev);
    set_integer(L, "ino", (lua_Integer)st.ino);
    lua_pushnumber(L, st.mtime);
    lua_setfield(L, -2, "mtime");
    return 1;
}

static int l_list(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    struct plat_buf *buf = new_bytes(L, MAX_NAMES);
    struct plat_err err;
    const char *name, *end;

    if (!plat_fs_list(path, buf, &err))
        return plat_fail(L, &err);
    lua_newtable(L);
    name = plat_buf_bytes(buf);
    end = name + buf->len;
    for (lua_Integer i = 1; name < end; i++) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, i);
        name += strlen(name) + 1;
    }
    plat_buf_done(buf);
    return 1;
}

/* ---- on the pool ---- */

struct fs_op *prim_fs_op(lua_State *L, const struct plat_op_class *cls, const char *a,
                         const char *b, size_t b_len)
{
    size_t a_len = a ? strlen(a) : 0;
    struct fs_op *op = plat_op_new(L, sizeof(*op) + a_len + b_len + 2, cls);
    char *tail = (char *)(op + 1);

    op->fd = -1;
    op->b_len = b_len;
    if (a)
        op->a = memcpy(tail, a, a_len + 1);
    if (b) {
        op->b = memcpy(tail + a_len + 1, b, b_len);
        tail[a_len + 1 + b_len] = '\0';
    }
    return op;
}

static int k_done(lua_State *L, int status, lua_KContext ctx)
{
    struct fs_op *op = (struct fs_op *)ctx;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (op->err.kind)
        return plat_fail(L, &op->err);
    if (op->path[0])
        lua_pushstring(L, op->path);
    else
        lua_pushboolean(L, true);
    return 1;
}

static void on_pool(struct plat_op *base)
{
    struct fs_op *op = (struct fs_op *)base;

    op->run(op);
}

int prim_fs_go(lua_State *L, struct fs_op *op)
{
    if (!plat_work_start(&op->op, on_pool, &op->err)) {
        if (op->fd >= 0)
            close(op->fd);
        return plat_fail(L, &op->err);
    }
    return plat_await(L, &op->op, k_done);
}

static const struct plat_op_class write_class = { .name = "fs.write", .real = true, .held = true };
static const struct plat_op_class remove_class = { .name = "fs.remove",
                                                   .real = true,
                                                   .held = true };
static const struct plat_op_class rename_class = { .name = "fs.rename",
                                                   .real = true,
                                                   .held = true };
static const struct plat_op_class mkdtemp_class = { .name = "fs.mkdtemp",
                                                    .real = true,
                                                    .held = true };
static const struct plat_op_class sync_dir_class = { .name = "fs.sync_dir",
                                                     .real = true,
                                                     .held = true };

static bool run_write(struct fs_op *op)
{
    return plat_fs_write(op->a, op->b, op->b_len, op->how, op->keep_mode, op->sync, &op->err);
}

static bool run_remove(struct fs_op *op)
{
    return plat_fs_remove(op->a, op->flag, &op->err);
}

static bool run_rename(struct fs_op *op)
{
    return plat_fs_rename(op->a, op->b, &op->err);
}

static bool run_mkdtemp(struct fs_op *op)
{
    return plat_fs_mkdtemp(op->a, op->path, &op->err);
}

static bool run_sync_dir(struct fs_op *op)
{
    return plat_fs_sync_dir(op->a, &op->err);
}

static lua_Integer check_mode(lua_State *L, int idx, lua_Integer def)
{
    lua_Integer mode = plat_args_integer(L, idx, "mode", def);

    luaL_argcheck(L, mode == def || (mode >= 0 && mode <= 07777), idx, "mode out of range");
    return mode;
}

static int l_write(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    size_t len;
    const char *data = plat_secret_check_bytes(L, 2, &len);
    lua_Integer mode = check_mode(L, 3, PLAT_FS_KEEP_MODE);
    bool append = plat_args_bool(L, 3, "append", false);
    bool atomic = plat_args_bool(L, 3, "atomic", !append);
    bool sync = plat_args_bool(L, 3, "sync", atomic);
    struct fs_op *op;

    luaL_argcheck(L, !(append && atomic), 3, "append cannot be atomic");
    op = prim_fs_op(L, &write_class, path, data, len);
    op->run = run_write;
    op->how = append ? PLAT_FS_APPEND : atomic ? PLAT_FS_ATOMIC : PLAT_FS_REPLACE;
    op->keep_mode = (int)mode;
    op->sync = sync;
    return prim_fs_go(L, op);
}

static int l_mkdir(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    lua_Integer mode = check_mode(L, 2, 0777);
    bool parents = plat_args_bool(L, 2, "parents", false);
    struct plat_err err;

    if (!plat_fs_mkdir(path, (unsigned)mode, parents, &err))
        return plat_fail(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

static int l_remove(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    bool recursive = plat_args_bool(L, 2, "recursive", false);
    struct fs_op *op = prim_fs_op(L, &remove_class, path, NULL, 0);

    op->run = run_remove;
    op->flag = recursive;
    return prim_fs_go(L, op);
}

static int l_rename(lua_State *L)
{
    const char *from = prim_fs_check_path(L, 1), *to = prim_fs_check_path(L, 2);
    struct fs_op *op = prim_fs_op(L, &rename_class, from, to, strlen(to));

    op->run = run_rename;
    return prim_fs_go(L, op);
}

static int l_realpath(lua_State *L)
{
    const char *path = prim_fs_check_path(L, 1);
    char resolved[PATH_MAX];
    struct plat_err err;

    if (!plat_fs_realpath(path, resolved, &err))
        return plat_fail(L, &err);
    lua_pushstring(L, resolved);
    return 1;
}

static int l_mkdtemp(lua_State *L)
{
    struct fs_op *op = prim_fs_op(L, &mkdtemp_class, prim_fs_check_path(L, 1), NULL, 0);

    op->run = run_mkdtemp;
    return prim_fs_go(L, op);
}

static int l_sync_dir(lua_State *L)
{
    struct fs_op *op = prim_fs_op(L, &sync_dir_class, prim_fs_check_path(L, 1), NULL, 0);

    op->run = run_sync_dir;
    return prim_fs_go(L, op);
}

static const luaL_Reg functions[] = {
    { "read", l_read },       { "stat", l_stat },
    { "list", l_list },       { "write", l_write },
    { "mkdir", l_mkdir },     { "remove", l_remove },
    { "rename", l_rename },   { "realpath", l_realpath },
    { "mkdtemp", l_mkdtemp }, { "sync_dir", l_sync_dir },
    { "lock", prim_fs_lock }, { "open_append", prim_fs_open_append },
    { NULL, NULL },
};

int luaopen_prim_fs(lua_State *L);

int luaopen_prim_fs(lua_State *L)
{
    luaL_newmetatable(L, BYTES_TYPE);
    lua_pushcfunction(L, l_bytes_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    prim_fs_file_open(L);
    luaL_newlib(L, functions);
    return 1;
}
