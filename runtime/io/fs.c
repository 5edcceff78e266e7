#include "io/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#include "base/banned.h"

enum { READ_STEP = 64 * 1024, READ_PATIENCE_MS = 10 * 1000 };

/* Waits for a pipe or terminal.  Regular files never come here. */
static bool wait_readable(int fd, const char *path, struct plat_err *err)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n = poll(&p, 1, READ_PATIENCE_MS);

    if (n == 0)
        return plat_err_set(err, PLAT_ERR_TIMEOUT, 0, "fs.read", "no data from \"%s\" for %d s",
                            path, READ_PATIENCE_MS / 1000);
    if (n < 0 && errno != EINTR)
        return plat_err_errno(err, errno, "fs.read", "cannot read \"%s\"", path);
    return true;
}

/* Reads once: bytes, 0 at the end of the file, -1 with errno.  At the ceiling one more byte tells
 * the end of the file from too much. */
static ssize_t read_step(int fd, struct plat_buf *ret, size_t step)
{
    size_t space = ret->max - ret->len, want = space < step ? space : step;
    char probe = 0, *room = want ? plat_buf_room(ret, want) : &probe;
    ssize_t n;

    if (!room) {
        errno = ENOMEM;
        return -1;
    }
    n = read(fd, room, want ? want : 1);
    if (n > 0 && !want) {
        errno = EFBIG;
        return -1;
    }
    if (n > 0)
        plat_buf_grew(ret, (size_t)n);
    return n;
}

bool plat_fs_read(const char *path, struct plat_buf *ret, struct plat_err *err)
{
    PLAT_CLEANUP(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    size_t step = READ_STEP;
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st))
        return plat_err_errno(err, errno, "fs.read", "cannot read \"%s\"", path);
    if (S_ISREG(st.st_mode) && st.st_size >= READ_STEP)
        step = (size_t)st.st_size + 1; /* all at once */
    while ((n = read_step(fd, ret, step)) != 0) {
        if (n > 0 || errno == EINTR)
            continue;
        if (errno == EFBIG)
            return plat_err_set(err, PLAT_ERR_REFUSED, EFBIG, "fs.read",
                                "\"%s\" is larger than %zu bytes", path, ret->max);
        if (errno != EAGAIN)
            return plat_err_errno(err, errno, "fs.read", "cannot read \"%s\"", path);
        if (!wait_readable(fd, path, err))
            return false;
    }
    return true;
}

bool plat_fs_read_part(const char *path, int64_t offset, size_t len, struct plat_buf *ret,
                       struct plat_err *err)
{
    PLAT_CLEANUP(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    while (fd >= 0 && len) {
        char *room = plat_buf_room(ret, len);
        ssize_t n;

        if (!room)
            return plat_err_errno(err, ENOMEM, "fs.read", "cannot read \"%s\"", path);
        n = pread(fd, room, len, (off_t)offset);
        if (n == 0)
            return true;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        plat_buf_grew(ret, (size_t)n);
        offset += n;
        len -= (size_t)n;
    }
    return !len || plat_err_errno(err, errno, "fs.read", "cannot read \"%s\"", path);
}

static const char *type_name(mode_t mode)
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
    default:
        return "block";
    }
}

bool plat_fs_stat(const char *path, bool follow, struct plat_fs_stat *ret, struct plat_err *err)
{
    struct stat st;

    if (fstatat(AT_FDCWD, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW))
        return plat_err_errno(err, errno, "fs.stat", "cannot look at \"%s\"", path);
    ret->type = type_name(st.st_mode);
    ret->size = st.st_size;
    ret->mode = st.st_mode & 07777;
    ret->uid = st.st_uid;
    ret->gid = st.st_gid;
    ret->mtime = (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9;
    ret->dev = st.st_dev;
    ret->ino = st.st_ino;
    return true;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads all names of `dir` into *names; false with errno. */
static bool collect(DIR *dir, struct plat_buf *names, size_t *ret_count)
{
    struct dirent *entry;

    *ret_count = 0;
    for (errno = 0; (entry = readdir(dir)); errno = 0) {
        const char *name = entry->d_name;

        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        if (!plat_buf_add(names, name, strlen(name) + 1)) {
            errno = ENOMEM;
            return false;
        }
        ++*ret_count;
    }
    return errno == 0;
}

/* Appends the names, sorted, to *ret; false: out of memory or above the ceiling. */
static bool emit_sorted(const struct plat_buf *names, size_t count, struct plat_buf *ret)
{
    PLAT_CLEANUP(free) const char **order = calloc(count ? count : 1, sizeof(*order));
    const char *name = plat_buf_bytes(names);

    if (!order)
        return false;
    for (size_t i = 0; i < count; i++) {
        order[i] = name;
        name += strlen(name) + 1;
    }
    qsort(order, count, sizeof(*order), by_bytes);
    for (size_t i = 0; i < count; i++) {
        if (!plat_buf_add(ret, order[i], strlen(order[i]) + 1))
            return false;
    }
    return true;
}

bool plat_fs_list(const char *path, struct plat_buf *ret, struct plat_err *err)
{
    DIR *dir = opendir(path);
    struct plat_buf names;
    size_t count = 0;
    bool ok;
    int code;

    if (!dir)
        return plat_err_errno(err, errno, "fs.list", "cannot list \"%s\"", path);
    plat_buf_init(&names, ret->max);
    ok = collect(dir, &names, &count);
    code = errno;
    closedir(dir);
    if (ok && !emit_sorted(&names, count, ret)) {
        ok = false;
        code = ENOMEM;
    }
    plat_buf_done(&names);
    return ok || plat_err_errno(err, code, "fs.list", "cannot list \"%s\"", path);
}

bool plat_fs_realpath(const char *path, char *ret, struct plat_err *err)
{
    char resolved[PATH_MAX];

    if (!realpath(path, resolved))
        return plat_err_errno(err, errno, "fs.realpath", "cannot resolve \"%s\"", path);
    memcpy(ret, resolved, strlen(resolved) + 1);
    return true;
}

bool plat_fs_mkdtemp(const char *prefix, char *ret, struct plat_err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%sXXXXXX", prefix);

    if (n < 0 || (size_t)n >= sizeof(path))
        return plat_err_errno(err, ENAMETOOLONG, "fs.mkdtemp", "cannot make \"%.80s...\"", prefix);
    if (!mkdtemp(path))
        return plat_err_errno(err, errno, "fs.mkdtemp", "cannot make \"%s\"", path);
    memcpy(ret, path, (size_t)n + 1);
    return true;
}

bool plat_fs_rename(const char *from, const char *to, struct plat_err *err)
{
    if (rename(from, to))
        return plat_err_errno(err, errno, "fs.rename", "cannot rename \"%s\" to \"%s\"", from, to);
    return true;
}
