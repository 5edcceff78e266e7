/* Whole files, written at once. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/fs.h"

#include "base/banned.h"

enum { NAME_TRIES = 16 };

/* false with errno */
static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* Closes and keeps the first error; a full disk may show only here. */
static bool finish(int fd, bool ok, bool sync)
{
    int code = ok ? 0 : errno;

    if (ok && sync && fsync(fd))
        code = errno;
    if (close(fd) && !code)
        code = errno;
    errno = code;
    return code == 0;
}

static bool write_in_place(const char *path, const char *data, size_t len, enum plat_fs_how how,
                           int mode, bool sync)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (how == PLAT_FS_APPEND ? O_APPEND : O_TRUNC);
    int fd = open(path, flags, mode == PLAT_FS_KEEP_MODE ? 0666 : (mode_t)mode & 0600);

    if (fd < 0)
        return false;
    return finish(fd,
                  (mode == PLAT_FS_KEEP_MODE || fchmod(fd, (mode_t)mode) == 0) &&
                      write_all(fd, data, len),
                  sync);
}

/* Creates DIR/.NAME.RANDOM beside path and leaves its name in temp[PATH_MAX]; -1 with errno. */
static int open_beside(const char *path, char *temp, mode_t mode)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    int dir_len = (int)(base - path);

    for (int i = 0; i < NAME_TRIES; i++) {
        unsigned long long noise;
        int n, fd;

        if (getrandom(&noise, sizeof(noise), 0) != (ssize_t)sizeof(noise))
            return -1;
        /* the name is cut so that a 255-byte name still has a neighbour */
        n = snprintf(temp, PATH_MAX, "%.*s.%.200s.%016llx", dir_len, path, base, noise);
        if (n < 0 || n >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

/* Gives the new file the mode asked for, else mode and owner of the file it replaces. */
static bool dress(int fd, const char *path, int mode)
{
    struct stat old;
    bool exists = stat(path, &old) == 0;

    /* only root may give files away; for others the failure is the normal case */
    if (exists && fchown(fd, old.st_uid, old.st_gid) && errno != EPERM)
        return false;
    if (mode != PLAT_FS_KEEP_MODE)
        return fchmod(fd, (mode_t)mode) == 0;
    return !exists || fchmod(fd, old.st_mode & 07777) == 0;
}

static bool sync_parent(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash == path ? 1 : slash ? (int)(slash - path) : 0;

    snprintf(dir, sizeof(dir), "%.*s", len, path);
    PLAT_CLEANUP(close) int fd = open(len ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

static bool write_atomic(const char *path, const char *data, size_t len, int mode, bool sync)
{
    char target[PATH_MAX], temp[PATH_MAX];
    int fd, code;

    /* through a link to its target; a missing file and a dangling link are written as named */
    if (realpath(path, target))
        path = target;
    fd = open_beside(path, temp, mode == PLAT_FS_KEEP_MODE ? 0666 : 0600);
    if (fd < 0)
        return false;
    if (finish(fd, dress(fd, path, mode) && write_all(fd, data, len), sync) &&
        rename(temp, path) == 0)
        return !sync || sync_parent(path);
    code = errno;
    unlink(temp);
    errno = code;
    return false;
}

bool plat_fs_write(const char *path, const char *data, size_t len, enum plat_fs_how how, int mode,
                   bool sync, struct plat_err *err)
{
    bool ok = how == PLAT_FS_ATOMIC ? write_atomic(path, data, len, mode, sync)
                                    : write_in_place(path, data, len, how, mode, sync);

    return ok || plat_err_errno(err, errno, "fs.write", "cannot write \"%s\"", path);
}
