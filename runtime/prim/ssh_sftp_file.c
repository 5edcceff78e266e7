/* prim.ssh: files that are open over SFTP, and what is copied to and from them. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"
#include "lua/task.h"
#include "prim/ssh_sftp.h"

#include "base/banned.h"

#define COPY_TYPE "prim.ssh.sftp_copy"

enum { MAX_GET = 64 * 1024 * 1024 };

struct copy_box { /* never seen by Lua code */
    struct plat_sftp_copy *copy;
    int fd; /* of a local file, until the copy has it */
};

struct copy_op {
    struct plat_op op;
    struct copy_box *box;
    bool text; /* gives what came, not its size */
};

struct prim_sftp_file *prim_sftp_check_file(lua_State *L, int idx)
{
    struct prim_sftp_file *file = luaL_checkudata(L, idx, PRIM_SFTP_FILE);

    if (!file->file || !file->box->s)
        luaL_error(L, "attempt to use a closed file");
    return file;
}

struct prim_sftp_file *prim_sftp_file_new(lua_State *L, int idx)
{
    struct prim_sftp_file *file;

    idx = lua_absindex(L, idx);
    file = lua_newuserdatauv(L, sizeof(*file), 1);
    *file = (struct prim_sftp_file){ .box = lua_touserdata(L, idx) };
    luaL_setmetatable(L, PRIM_SFTP_FILE);
    lua_pushvalue(L, idx);
    lua_setiuservalue(L, -2, 1);
    return file;
}

static int l_file_gc(lua_State *L)
{
    struct prim_sftp_file *file = luaL_checkudata(L, 1, PRIM_SFTP_FILE);

    plat_sftp_file_free(file->file);
    file->file = NULL;
    return 0;
}

/* ---- copies ---- */

static int l_copy_gc(lua_State *L)
{
    struct copy_box *box = lua_touserdata(L, 1);

    plat_sftp_copy_free(box->copy);
    box->copy = NULL;
    if (box->fd >= 0)
        close(box->fd);
    box->fd = -1;
    return 0;
}

static void on_cancel(struct plat_op *op)
{
    struct copy_box *box = ((struct copy_op *)op)->box;

    plat_sftp_copy_free(box->copy);
    box->copy = NULL;
}

static const struct plat_op_class put_class = {
    .name = "sftp.put",
    .real = true,
    .cancel = on_cancel,
};

static const struct plat_op_class get_class = {
    .name = "sftp.get",
    .real = true,
    .cancel = on_cancel,
};

static int k_copy(lua_State *L, int status, lua_KContext ctx)
{
    struct copy_op *op = (struct copy_op *)ctx;
    struct copy_box *box = op->box;
    struct plat_err err;
    uint64_t size;
    int n = 1;

    (void)status;
    if (plat_op_failed(&op->op, &err) || !plat_sftp_copy_result(box->copy, &size, &err)) {
        n = plat_fail(L, &err);
    } else if (op->text) {
        const struct plat_buf *bytes = plat_sftp_copy_bytes(box->copy);

        lua_pushlstring(L, plat_buf_bytes(bytes), bytes->len);
    } else {
        lua_pushinteger(L, (lua_Integer)size);
    }
    plat_sftp_copy_free(box->copy);
    box->copy = NULL;
    return n;
}

static struct copy_box *new_box(lua_State *L)
{
    struct copy_box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = (struct copy_box){ .fd = -1 };
    luaL_setmetatable(L, COPY_TYPE);
    return box;
}

/* The box is the last on the stack, and what it borrows below it. */
static int copy(lua_State *L, struct prim_sftp_file *file, struct copy_box *box,
                struct plat_sftp_copy_opts *opts)
{
    struct copy_op *op = plat_op_new(L, sizeof(*op), opts->put ? &put_class : &get_class);
    struct plat_err err;

    op->box = box;
    op->text = !opts->put && box->fd < 0;
    opts->file = file->file;
    opts->fd = box->fd;
    box->copy = plat_sftp_copy_new(file->box->s, opts, &op->op, &err);
    if (!box->copy)
        return plat_fail(L, &err);
    box->fd = -1;
    return plat_await(L, &op->op, k_copy);
}

/* The local file that is named in the table at idx, open; -1: *err says why. */
static int open_local(lua_State *L, int idx, const char *name, int flags, struct plat_err *err)
{
    lua_Integer mode = plat_args_integer(L, idx, "mode", 0600);
    size_t len = 0;
    const char *path = plat_args_bytes(L, idx, name, NULL, &len);
    struct stat st;
    int fd;

    if (!path || strlen(path) != len)
        return luaL_error(L, "bad option '%s' (a path expected)", name);
    fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, (mode_t)mode & 0777);
    if (fd < 0) {
        plat_err_errno(err, errno, "sftp", "cannot open %.150s", path);
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    plat_err_set(err, PLAT_ERR_REFUSED, 0, "sftp", "%.150s is no regular file", path);
    return -1;
}

/* file:put(text), file:put({ from = PATH }): gives the size. */
static int l_put(lua_State *L)
{
    struct prim_sftp_file *file = prim_sftp_check_file(L, 1);
    struct plat_sftp_copy_opts opts = { .put = true };
    struct copy_box *box;
    struct plat_err err;

    lua_settop(L, 2);
    if (!lua_istable(L, 2))
        opts.data = plat_secret_check_bytes(L, 2, &opts.len);
    box = new_box(L);
    if (!opts.data) {
        box->fd = open_local(L, 2, "from", O_RDONLY, &err);
        if (box->fd < 0)
            return plat_fail(L, &err);
    }
    return copy(L, file, box, &opts);
}

/* file:get({ max =, expect =, to = PATH }): gives the content, or with `to` its size. */
static int l_get(lua_State *L)
{
    struct prim_sftp_file *file = prim_sftp_check_file(L, 1);
    struct plat_sftp_copy_opts opts = { .put = false };
    struct copy_box *box;
    struct plat_err err;
    bool to_file;

    lua_settop(L, 2);
    luaL_checktype(L, 2, LUA_TTABLE);
    to_file = lua_getfield(L, 2, "to") != LUA_TNIL;
    lua_pop(L, 1);
    opts.expect = (uint64_t)plat_args_integer(L, 2, "expect", 0);
    opts.max = (uint64_t)plat_args_integer(L, 2, "max", to_file ? INT64_MAX : MAX_GET);
    box = new_box(L);
    if (to_file) {
        box->fd = open_local(L, 2, "to", O_WRONLY | O_CREAT | O_EXCL, &err);
        if (box->fd < 0)
            return plat_fail(L, &err);
    }
    return copy(L, file, box, &opts);
}

static const luaL_Reg methods[] = {
    { "ask", prim_sftp_file_ask },
    { "put", l_put },
    { "get", l_get },
    { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_file_gc },
    { "__close", l_file_gc },
    { NULL, NULL },
};

void prim_sftp_file_open(lua_State *L)
{
    luaL_newmetatable(L, COPY_TYPE);
    lua_pushcfunction(L, l_copy_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newmetatable(L, PRIM_SFTP_FILE);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
