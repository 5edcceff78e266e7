/* prim.hash: the SHA-256 of a local file, read on the pool. */
#define OPENSSL_SUPPRESS_DEPRECATED /* as in hash.c */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

#include "io/work.h"
#include "lua/fail.h"
#include "lua/task.h"
#include "prim/hash.h"

#include "base/banned.h"

enum { CHUNK = 64 * 1024 };

struct file_op {
    struct plat_op op;
    struct plat_err err;
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char path[]; /* ended by '\0' */
};

static const struct plat_op_class file_class = { .name = "hash.file", .real = true, .held = true };

static bool digest_of(struct file_op *op, int fd)
{
    unsigned char bytes[CHUNK];
    SHA256_CTX ctx;
    ssize_t n;

    SHA256_Init(&ctx);
    while ((n = read(fd, bytes, sizeof(bytes))) != 0) {
        if (n > 0)
            SHA256_Update(&ctx, bytes, (size_t)n);
        else if (errno != EINTR)
            return plat_err_errno(&op->err, errno, "hash.file", "cannot read %.150s", op->path);
    }
    SHA256_Final(op->digest, &ctx);
    return true;
}

static void run(struct plat_op *base)
{
    struct file_op *op = (struct file_op *)base;
    int fd = open(op->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        plat_err_errno(&op->err, errno, "hash.file", "cannot read %.150s", op->path);
        return;
    }
    digest_of(op, fd);
    close(fd);
}

static int k_file(lua_State *L, int status, lua_KContext ctx)
{
    struct file_op *op = (struct file_op *)ctx;
    struct plat_err err;

    (void)status;
    if (plat_op_failed(&op->op, &err))
        return plat_fail(L, &err);
    if (op->err.kind)
        return plat_fail(L, &op->err);
    return plat_hash_push_digest(L, op->digest, sizeof(op->digest), false);
}

/* file(path) -> hex */
int plat_hash_file(lua_State *L)
{
    size_t len;
    const char *path = luaL_checklstring(L, 1, &len);
    struct file_op *op;

    luaL_argcheck(L, len > 0 && strlen(path) == len, 1, "a path expected");
    op = plat_op_new(L, sizeof(*op) + len + 1, &file_class);
    memcpy(op->path, path, len + 1);
    if (!plat_work_start(&op->op, run, &op->err))
        return plat_fail(L, &op->err);
    return plat_await(L, &op->op, k_file);
}
