/* LD_PRELOAD: counts what a run leaves outside its memory, and kills it there.
 *
 * Counted are writes to journal.jsonl and to world.log, and requests sent over a socket that may
 * change something.  Each gets a number and a line in $CRASH_LOG: "NUMBER WHAT BYTES HEAD".
 *
 *   CRASH_AT=N CRASH_HOW=before   SIGKILL before the N-th
 *                        torn     after half of its bytes
 *                        unended  after all of its bytes but the last
 *                        after    after it; for a request: when its answer has come, unread
 *
 * CRASH_WHAT=journal: nothing else is counted.
 *
 * Syncs get a line without a number when they are done: a process that is killed loses nothing that
 * it has written.  CRASH_NO_SYNC=1: they do nothing, for a measurement. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum how { BEFORE, TORN, UNENDED, AFTER };
enum { HEAD = 8192 };

static atomic_long made;      /* counted calls */
static atomic_int asked = -1; /* the socket on which the answer kills */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Returns what is counted on this descriptor, or NULL. */
static const char *kind_of(int fd)
{
    char link[64], path[PATH_MAX];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
    if (ends_with(path, "/journal.jsonl"))
        return "journal";
    return ends_with(path, "/world.log") ? "world" : NULL;
}

static bool starts(const char *data, size_t len, const char *with)
{
    size_t n = strlen(with);

    return len >= n && memcmp(data, with, n) == 0;
}

/* Dremio's login and its SQL are reads that go by POST. */
static bool is_change(const char *data, size_t len)
{
    if (starts(data, len, "POST "))
        return !starts(data, len, "POST /apiv2/login") && !starts(data, len, "POST /api/v3/sql");
    return starts(data, len, "PUT ") || starts(data, len, "PATCH ") || starts(data, len, "DELETE ");
}

static void note(long number, const char *what, const char *data, size_t len)
{
    const char *path = getenv("CRASH_LOG");
    char line[HEAD + 64];
    int n, fd;

    if (!path)
        return;
    n = number ? snprintf(line, sizeof(line), "%ld %s %zu %.*s", number, what, len,
                          len < HEAD ? (int)len : HEAD, data)
               : snprintf(line, sizeof(line), "- %s 0 ", what);
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ')
            line[i] = ' ';
    line[n++] = '\n';
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_write, fd, line, (size_t)n) != n)
        abort(); /* a test that cannot count may not pass */
    close(fd);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Counts; returns whether this is the call that kills, and how. */
static bool is_last(const char *what, const char *data, size_t len, enum how *ret_how)
{
    static const char *const words[] = { "before", "torn", "unended", "after" };
    const char *at = getenv("CRASH_AT"), *how = getenv("CRASH_HOW");
    const char *only = getenv("CRASH_WHAT");
    long number;

    if (only && strcmp(only, what) != 0)
        return false;
    number = ++made;
    note(number, what, data, len);
    if (!at || !how || atol(at) != number)
        return false;
    for (int i = 0; i < 4; i++) {
        if (strcmp(how, words[i]) == 0) {
            *ret_how = (enum how)i;
            return true;
        }
    }
    abort();
}

static size_t part_of(enum how how, size_t len)
{
    return how == TORN ? len / 2 : len - 1;
}

static ssize_t end_file_write(int fd, const char *data, size_t len, enum how how)
{
    ssize_t n;

    if (how == BEFORE)
        die();
    n = syscall(SYS_write, fd, data, how == AFTER ? len : part_of(how, len));
    if (n >= 0)
        die();
    return n;
}

ssize_t write(int fd, const void *data, size_t len)
{
    const char *what = len > 0 ? kind_of(fd) : NULL;
    enum how how;

    if (what && is_last(what, data, len, &how))
        return end_file_write(fd, data, len, how);
    return syscall(SYS_write, fd, data, len);
}

/* What these files are not written with: should that change, the test must learn it. */
static void not_expected(int fd)
{
    if (kind_of(fd))
        abort();
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    not_expected(fd);
    return syscall(SYS_writev, fd, iov, count);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    not_expected(fd);
    return syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
    not_expected(fd);
    return syscall(SYS_pwrite64, fd, data, len, at);
}

static int do_sync(long call, int fd)
{
    int status = getenv("CRASH_NO_SYNC") ? 0 : (int)syscall(call, fd);

    if (kind_of(fd))
        note(0, "sync", "", 0);
    return status;
}

int fdatasync(int fd)
{
    return do_sync(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return do_sync(SYS_fsync, fd);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    enum how how;

    if (!is_change(data, len) || !is_last("wire", data, len, &how))
        return real(fd, data, len, flags);
    if (how == BEFORE)
        die();
    if (how == AFTER) {
        asked = fd;
        return real(fd, data, len, flags);
    }
    if (real(fd, data, part_of(how, len), flags) >= 0)
        die();
    return -1;
}

ssize_t recv(int fd, void *data, size_t len, int flags)
{
    ssize_t (*real)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");
    ssize_t n = real(fd, data, len, flags);

    if (fd == asked && n > 0 && !(flags & MSG_PEEK))
        die();
    return n;
}

ssize_t __recv_chk(int fd, void *data, size_t len, size_t room, int flags);

ssize_t __recv_chk(int fd, void *data, size_t len, size_t room, int flags)
{
    return recv(fd, data, len < room ? len : room, flags);
}
