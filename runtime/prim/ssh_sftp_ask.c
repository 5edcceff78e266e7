/* prim.ssh: SFTP requests with one answer, sftp:ask(WHAT, path, ...) and file:ask(WHAT, ...). */
#include <lauxlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lua/args.h"
#include "lua/fail.h"
#include "lua/task.h"
#include "prim/ssh_sftp.h"

#include "base/banned.h"

#define CALL_TYPE "prim.ssh.sftp_call"

static const char *const path_names[] = { "stat",  "lstat",       "setstat",  "remove",   "mkdir",
                                          "rmdir", "rename",      "realpath", "readlink", "link",
                                          "space", "rename_over", "open",     "opendir",  NULL };
static const enum plat_sftp_what path_whats[] = {
    PLAT_SFTP_STAT,  PLAT_SFTP_LSTAT,       PLAT_SFTP_SETSTAT,  PLAT_SFTP_REMOVE,   PLAT_SFTP_MKDIR,
    PLAT_SFTP_RMDIR, PLAT_SFTP_RENAME,      PLAT_SFTP_REALPATH, PLAT_SFTP_READLINK, PLAT_SFTP_LINK,
    PLAT_SFTP_SPACE, PLAT_SFTP_RENAME_OVER, PLAT_SFTP_OPEN,     PLAT_SFTP_OPENDIR,
};

static const char *const file_names[] = { "stat", "setstat", "readdir", "sync", "close", NULL };
static const enum plat_sftp_what file_whats[] = { PLAT_SFTP_FSTAT, PLAT_SFTP_FSETSTAT,
                                                  PLAT_SFTP_READDIR, PLAT_SFTP_SYNC,
                                                  PLAT_SFTP_CLOSE };

struct call_box { /* never seen by Lua code */
    struct plat_sftp_call *call;
};

struct call_op {
    struct plat_op op;
    struct call_box *box;
    enum plat_sftp_what what;
};

static int l_call_gc(lua_State *L)
{
    struct call_box *box = lua_touserdata(L, 1);

    plat_sftp_call_free(box->call);
    box->call = NULL;
    return 0;
}

/* ---- arguments ---- */

static bool has(lua_State *L, int idx, const char *name, uint32_t *ret)
{
    lua_Integer n = plat_args_integer(L, idx, name, -1);

    if (n < -1 || n > UINT32_MAX)
        luaL_error(L, "bad option '%s' (out of range)", name);
    *ret = (uint32_t)n;
    return n >= 0;
}

/* Of the table at idx: mode, uid and gid, atime and mtime. */
static void read_attrs(lua_State *L, int idx, struct plat_sftp_attrs *attrs)
{
    if (!lua_istable(L, idx))
        return;
    if (has(L, idx, "mode", &attrs->mode))
        attrs->has |= PLAT_SFTP_MODE;
    if (has(L, idx, "uid", &attrs->uid) && has(L, idx, "gid", &attrs->gid))
        attrs->has |= PLAT_SFTP_OWNER;
    if (has(L, idx, "atime", &attrs->atime) && has(L, idx, "mtime", &attrs->mtime))
        attrs->has |= PLAT_SFTP_TIMES;
}

static unsigned read_flags(lua_State *L, int idx)
{
    static const struct {
        const char *name;
        unsigned flag;
    } known[] = { { "read", PLAT_SFTP_READ },
                  { "write", PLAT_SFTP_WRITE },
                  { "create", PLAT_SFTP_CREATE },
                  { "truncate", PLAT_SFTP_TRUNCATE },
                  { "exclusive", PLAT_SFTP_EXCLUSIVE } };
    unsigned flags = 0;

    luaL_checktype(L, idx, LUA_TTABLE);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (plat_args_bool(L, idx, known[i].name, false))
            flags |= known[i].flag;
    return flags;
}

static const char *check_path(lua_State *L, int idx, size_t *ret_len)
{
    const char *path = luaL_checklstring(L, idx, ret_len);

    luaL_argcheck(L, *ret_len > 0, idx, "empty path");
    luaL_argcheck(L, !memchr(path, '\0', *ret_len), idx, "path contains a zero byte");
    return path;
}

/* ---- results ---- */

static const char *type_of(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "link";
    case S_IFIFO:
        return "fifo";
    case S_IFSOCK:
        return "socket";
    case S_IFCHR:
        return "char";
    case S_IFBLK:
        return "block";
    default:
        return "unknown";
    }
}

static void set_number(lua_State *L, const char *name, lua_Integer n)
{
    lua_pushinteger(L, n);
    lua_setfield(L, -2, name);
}

static void push_attrs(lua_State *L, const struct plat_sftp_attrs *attrs)
{
    lua_createtable(L, 0, 8);
    if (attrs->has & PLAT_SFTP_SIZE)
        set_number(L, "size", attrs->size > INT64_MAX ? INT64_MAX : (lua_Integer)attrs->size);
    if (attrs->has & PLAT_SFTP_OWNER) {
        set_number(L, "uid", attrs->uid);
        set_number(L, "gid", attrs->gid);
    }
    if (attrs->has & PLAT_SFTP_MODE) {
        lua_pushstring(L, type_of(attrs->mode));
        lua_setfield(L, -2, "type");
        set_number(L, "mode", attrs->mode & 07777);
    }
    if (attrs->has & PLAT_SFTP_TIMES) {
        set_number(L, "atime", attrs->atime);
        set_number(L, "mtime", attrs->mtime);
    }
}

static int push_names(lua_State *L, struct plat_sftp_call *call, bool only_one)
{
    struct plat_sftp_attrs attrs;
    const char *name;
    size_t len;

    if (only_one) {
        if (!plat_sftp_call_name(call, &name, &len, &attrs))
            return luaL_error(L, "the server gave no name");
        lua_pushlstring(L, name, len);
        return 1;
    }
    lua_newtable(L);
    for (lua_Integer i = 1; plat_sftp_call_name(call, &name, &len, &attrs); i++) {
        push_attrs(L, &attrs);
        lua_pushlstring(L, name, len);
        lua_setfield(L, -2, "name");
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int push_result(lua_State *L, struct call_op *op)
{
    struct plat_sftp_call *call = op->box->call;
    struct prim_sftp_file *file;

    switch (op->what) {
    case PLAT_SFTP_STAT:
    case PLAT_SFTP_LSTAT:
    case PLAT_SFTP_FSTAT:
        push_attrs(L, plat_sftp_call_attrs(call));
        break;
    case PLAT_SFTP_REALPATH:
    case PLAT_SFTP_READLINK:
    case PLAT_SFTP_READDIR:
        push_names(L, call, op->what != PLAT_SFTP_READDIR);
        break;
    case PLAT_SFTP_SPACE:
        lua_pushinteger(L, (lua_Integer)(plat_sftp_call_space(call) & INT64_MAX));
        break;
    case PLAT_SFTP_OPEN:
    case PLAT_SFTP_OPENDIR:
        file = prim_sftp_file_new(L, 1);
        file->file = plat_sftp_call_file(call);
        break;
    default:
        lua_pushboolean(L, true);
        break;
    }
    return 1;
}

/* ---- asking ---- */

static void on_cancel(struct plat_op *op)
{
    struct call_box *box = ((struct call_op *)op)->box;

    plat_sftp_call_free(box->call);
    box->call = NULL;
}

static const struct plat_op_class ask_class = {
    .name = "sftp.ask",
    .real = true,
    .cancel = on_cancel,
};

static int k_ask(lua_State *L, int status, lua_KContext ctx)
{
    struct call_op *op = (struct call_op *)ctx;
    struct call_box *box = op->box;
    struct plat_err err;
    int n;

    (void)status;
    if (plat_op_failed(&op->op, &err) || !plat_sftp_call_result(box->call, &err))
        n = plat_fail(L, &err);
    else
        n = push_result(L, op);
    plat_sftp_call_free(box->call);
    box->call = NULL;
    return n;
}

static int ask(lua_State *L, struct plat_sftp *s, const struct plat_sftp_ask *what)
{
    struct call_box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    struct call_op *op;
    struct plat_err err;

    box->call = NULL;
    luaL_setmetatable(L, CALL_TYPE);
    op = plat_op_new(L, sizeof(*op), &ask_class);
    op->box = box;
    op->what = what->what;
    box->call = plat_sftp_ask(s, what, &op->op, &err);
    if (!box->call)
        return err.kind == PLAT_ERR_USAGE ? luaL_error(L, "%s: %s", err.op, err.msg)
                                          : plat_fail(L, &err);
    return plat_await(L, &op->op, k_ask);
}

int prim_sftp_ask(lua_State *L)
{
    struct prim_sftp *box = prim_sftp_check(L, 1);
    struct plat_sftp_ask what = { .what = path_whats[luaL_checkoption(L, 2, NULL, path_names)] };

    lua_settop(L, 4);
    what.path = check_path(L, 3, &what.path_len);
    if (what.what == PLAT_SFTP_RENAME || what.what == PLAT_SFTP_RENAME_OVER ||
        what.what == PLAT_SFTP_LINK)
        what.to = check_path(L, 4, &what.to_len);
    if (what.what == PLAT_SFTP_OPEN)
        what.flags = read_flags(L, 4);
    read_attrs(L, 4, &what.attrs);
    return ask(L, box->s, &what);
}

int prim_sftp_file_ask(lua_State *L)
{
    struct prim_sftp_file *file = prim_sftp_check_file(L, 1);
    struct plat_sftp_ask what = { .what = file_whats[luaL_checkoption(L, 2, NULL, file_names)] };

    lua_settop(L, 3);
    what.file = file->file;
    read_attrs(L, 3, &what.attrs);
    return ask(L, file->box->s, &what);
}

void prim_sftp_ask_open(lua_State *L)
{
    luaL_newmetatable(L, CALL_TYPE);
    lua_pushcfunction(L, l_call_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
