/* Open files: append logs and locks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/fs.h"

#include "base/banned.h"

enum { LOCK_TRIES = 8 };

int plat_fs_append_open(const char *path, unsigned mode, struct plat_err *err)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, (mode_t)mode);

    if (fd < 0)
        plat_err_errno(err, errno, "fs.open_append", "cannot open \"%s\"", path);
    return fd;
}

/* Removes the last bytes of a file, if they are in one. */
static bool take_back(int fd, size_t n)
{
    struct stat st;

    if (!n)
        return true;
    if (fstat(fd, &st))
        return false;
    return !S_ISREG(st.st_mode) || ftruncate(fd, st.st_size - (off_t)n) == 0;
}

bool plat_fs_append(int fd, const char *data, size_t len, struct plat_err *err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = write(fd, data + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int code = errno;
            bool whole = take_back(fd, done);

            return plat_err_errno(err, code, "fs.append", "%s",
                                  whole ? "cannot append" : "a torn record was left behind");
        }
        done += (size_t)n;
    }
    return true;
}

bool plat_fs_sync(int fd, struct plat_err *err)
{
    return fdatasync(fd) == 0 || plat_err_errno(err, errno, "fs.sync", "cannot sync");
}

bool plat_fs_size(int fd, int64_t *ret, struct plat_err *err)
{
    struct stat st;

    if (fstat(fd, &st))
        return plat_err_errno(err, errno, "fs.size", "cannot look at the file");
    *ret = st.st_size;
    return true;
}

bool plat_fs_truncate(int fd, int64_t size, struct plat_err *err)
{
    return ftruncate(fd, size) == 0 || plat_err_errno(err, errno, "fs.truncate", "cannot cut");
}

bool plat_fs_reserve(int fd, int64_t bytes, struct plat_err *err)
{
    struct rlimit limit;
    struct stat st;

    if (fstat(fd, &st))
        return plat_err_errno(err, errno, "fs.reserve", "cannot look at the file");
    /* blocks behind the end of a file are allocated beyond the limit, and cannot be written then */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        (uint64_t)st.st_size + (uint64_t)bytes > limit.rlim_cur)
        return plat_err_errno(err, EFBIG, "fs.reserve", "cannot take %lld bytes of disk",
                              (long long)bytes);
    /* a file system without fallocate has no promise to give: the write itself will tell */
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, bytes) && errno != EOPNOTSUPP)
        return plat_err_errno(err, errno, "fs.reserve", "cannot take %lld bytes of disk",
                              (long long)bytes);
    return true;
}

static void read_holder(int fd, char *ret, size_t size)
{
    ssize_t n = pread(fd, ret, size - 1, 0);

    ret[n > 0 ? n : 0] = '\0';
    while (n > 0 && (ret[n - 1] == '\n' || ret[n - 1] == ' '))
        ret[--n] = '\0';
}

/* The one who held the lock may have removed the file while we opened it. */
static bool is_still(int fd, const char *path)
{
    struct stat mine, there;

    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

/* Cut behind the text and not to nothing first: ext4 would send a file that was emptied to the disk
 * when it is closed, and a lock is only for those who live now. */
static bool put_text(int fd, const char *text)
{
    size_t len = strlen(text);
    struct stat st;

    return pwrite(fd, text, len, 0) == (ssize_t)len && fstat(fd, &st) == 0 &&
           (st.st_size == (off_t)len || ftruncate(fd, (off_t)len) == 0);
}

/* Opens and locks once.  -1 with errno; EAGAIN: the file is not at its path any more. */
static int lock_once(const char *path, char *ret_holder, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    int code = 0;

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        code = errno;
        if (code == EWOULDBLOCK) {
            read_holder(fd, ret_holder, size);
            code = EBUSY;
        }
    } else if (!is_still(fd, path)) {
        code = EAGAIN;
    }
    if (!code)
        return fd;
    close(fd);
    errno = code;
    return -1;
}

int plat_fs_lock(const char *path, const char *text, char *ret_holder, size_t size,
                 struct plat_err *err)
{
    int fd = -1;

    ret_holder[0] = '\0';
    for (int i = 0; i < LOCK_TRIES && fd < 0; i++) {
        fd = lock_once(path, ret_holder, size);
        if (fd < 0 && errno != EAGAIN)
            break;
    }
    if (fd < 0 && errno == EBUSY) {
        plat_err_set(err, PLAT_ERR_REFUSED, EBUSY, "fs.lock", "\"%s\" is held%s%.100s", path,
                     ret_holder[0] ? " by " : "", ret_holder);
        return -1;
    }
    if (fd >= 0 && text && !put_text(fd, text)) {
        int code = errno;

        close(fd);
        errno = code;
        fd = -1;
    }
    if (fd < 0)
        plat_err_errno(err, errno, "fs.lock", "cannot lock \"%s\"", path);
    return fd;
}
