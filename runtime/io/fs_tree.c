/* Making and removing directory trees. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/fs.h"

#include "base/banned.h"

enum { TREE_DEPTH = 128 }; /* one descriptor a level */

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Makes the directories above the last component; false with errno. */
static bool make_parents(const char *path)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len >= sizeof(part)) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(part, path, len + 1);
    while (len > 1 && part[len - 1] == '/')
        part[--len] = '\0';
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(part, 0777) && errno != EEXIST && !is_directory(part))
            return false;
        *p = '/';
    }
    return true;
}

bool plat_fs_mkdir(const char *path, unsigned mode, bool parents, struct plat_err *err)
{
    if (parents && !make_parents(path))
        return plat_err_errno(err, errno, "fs.mkdir", "cannot make a parent of \"%s\"", path);
    if (mkdir(path, (mode_t)mode)) {
        int code = errno;

        if (!parents || code != EEXIST || !is_directory(path))
            return plat_err_errno(err, code, "fs.mkdir", "cannot make \"%s\"", path);
    }
    return true;
}

static bool remove_in(int parent, const char *name, int depth);

/* Empties the directory behind fd, which it takes over; false with errno. */
static bool empty_directory(int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    bool ok = true;
    int code;

    if (!dir) {
        code = errno;
        close(fd);
        errno = code;
        return false;
    }
    for (errno = 0; ok && (entry = readdir(dir)); errno = 0) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            ok = remove_in(dirfd(dir), entry->d_name, depth);
    }
    code = errno;
    closedir(dir);
    errno = code;
    return ok && code == 0;
}

/* Removes whatever `name` is.  A link is removed, never followed; what somebody else removed at the
 * same time is fine. */
static bool remove_in(int parent, const char *name, int depth)
{
    int fd;

    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return false;
    if (depth >= TREE_DEPTH) {
        errno = EMFILE;
        return false;
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !empty_directory(fd, depth + 1))
        return false;
    return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

/* True for the paths that a slip of a variable makes: "", "/", ".", ".." and "a/..". */
static bool is_dangerous(const char *path)
{
    size_t len = strlen(path);
    const char *base;

    while (len > 0 && path[len - 1] == '/')
        len--;
    if (len == 0)
        return true;
    for (base = path + len; base > path && base[-1] != '/'; base--)
        ;
    len -= (size_t)(base - path);
    return (len == 1 && base[0] == '.') || (len == 2 && base[0] == '.' && base[1] == '.');
}

bool plat_fs_remove(const char *path, bool recursive, struct plat_err *err)
{
    struct stat st;

    if (recursive && is_dangerous(path))
        return plat_err_set(err, PLAT_ERR_REFUSED, 0, "fs.remove", "will not remove \"%s\"", path);
    if (lstat(path, &st))
        return plat_err_errno(err, errno, "fs.remove", "cannot remove \"%s\"", path);
    if (recursive && !remove_in(AT_FDCWD, path, 0))
        return plat_err_errno(err, errno, "fs.remove", "cannot remove all of \"%s\"", path);
    if (!recursive && (S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path)))
        return plat_err_errno(err, errno, "fs.remove", "cannot remove \"%s\"", path);
    return true;
}

bool plat_fs_sync_dir(const char *path, struct plat_err *err)
{
    PLAT_CLEANUP(close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd))
        return plat_err_errno(err, errno, "fs.sync_dir", "cannot sync \"%s\"", path);
    return true;
}
