/* Shared by the files of prim.fs. */
#pragma once

#include <lua.h>
#include <stddef.h>

#include "io/fs.h"
#include "io/op.h"

enum { PLAT_PRIM_FS_PATH = 4096 };

/* What runs on the pool.  The userdata carries all of its memory: arguments behind the struct. */
struct fs_op {
    struct plat_op op;
    struct plat_err err;
    bool (*run)(struct fs_op *op);
    const char *a, *b; /* arguments, ended by '\0'; NULL: not given */
    size_t b_len;
    unsigned mode;
    int how; /* enum plat_fs_how */
    int keep_mode;
    bool flag, sync;
    int fd;                       /* own descriptor, closed by run */
    char path[PLAT_PRIM_FS_PATH]; /* result */
};

/* Checks that argument idx is a string without '\0' inside. */
const char *prim_fs_check_path(lua_State *L, int idx);

/* Pushes a new op with copies of its arguments; b may be NULL.  fd is -1. */
struct fs_op *prim_fs_op(lua_State *L, const struct plat_op_class *cls, const char *a,
                         const char *b, size_t b_len);

/* Runs op->run on the pool and waits: gives true, or op->path when it is not empty. */
int prim_fs_go(lua_State *L, struct fs_op *op);

/* fs_file.c */
int prim_fs_lock(lua_State *L);
int prim_fs_open_append(lua_State *L);
void prim_fs_file_open(lua_State *L); /* makes the metatables */
