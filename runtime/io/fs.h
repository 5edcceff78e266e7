/*
 * Local files.  Every function blocks: small reads are called in line, everything else on a pool
 * thread (io/work.h).  No function touches the loop, global state or the umask.
 *
 * Failures are PLAT_ERR_IO with errno, or PLAT_ERR_REFUSED when a ceiling or a rule says no.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct plat_fs_stat {
    const char *type; /* "file", "directory", "link", "fifo", "socket", "char", "block" */
    int64_t size;
    unsigned mode; /* permission bits, 07777 */
    unsigned uid, gid;
    double mtime; /* unix seconds */
    uint64_t dev, ino;
};

/* Appends the whole file to *ret, whose ceiling is the largest size accepted.  A pipe or terminal
 * that stays silent for ten seconds is a PLAT_ERR_TIMEOUT. */
bool plat_fs_read(const char *path, struct plat_buf *ret, struct plat_err *err);

/* Appends at most `len` bytes of a file from `offset` on; fewer at its end. */
bool plat_fs_read_part(const char *path, int64_t offset, size_t len, struct plat_buf *ret,
                       struct plat_err *err);

bool plat_fs_stat(const char *path, bool follow, struct plat_fs_stat *ret, struct plat_err *err);

/* Appends the names in a directory, sorted by bytes, each ended by '\0'; not "." and "..". */
bool plat_fs_list(const char *path, struct plat_buf *ret, struct plat_err *err);

/* Writes the absolute path without links to ret[PATH_MAX]. */
bool plat_fs_realpath(const char *path, char *ret, struct plat_err *err);

/* Makes a fresh directory prefixXXXXXX, mode 0700; writes its path to ret[PATH_MAX]. */
bool plat_fs_mkdtemp(const char *prefix, char *ret, struct plat_err *err);

bool plat_fs_rename(const char *from, const char *to, struct plat_err *err);

/* With `parents`, an existing directory is fine and missing ones above are made (mode 0777 minus
 * umask; `mode` is for the last one). */
bool plat_fs_mkdir(const char *path, unsigned mode, bool parents, struct plat_err *err);

/* Recursive removal never follows links, and refuses "/", "." and "..". */
bool plat_fs_remove(const char *path, bool recursive, struct plat_err *err);

enum plat_fs_how {
    PLAT_FS_ATOMIC, /* a temporary file beside it, then rename: readers see the old or the new */
    PLAT_FS_APPEND,
    PLAT_FS_REPLACE, /* truncate and write in place */
};

#define PLAT_FS_KEEP_MODE (-1) /* the mode of the file that is there, else 0666 minus umask */

/* Writes a file.  ATOMIC writes through a link to its target.  `sync`: on disk when it returns. */
bool plat_fs_write(const char *path, const char *data, size_t len, enum plat_fs_how how, int mode,
                   bool sync, struct plat_err *err);

/* fsync of a directory: makes the creation, renaming or removal of its files durable. */
bool plat_fs_sync_dir(const char *path, struct plat_err *err);

/* ---- open files (fs_file.c): descriptors, close-on-exec ---- */

/* Opens for appending, creates with `mode` minus umask.  -1: failed. */
int plat_fs_append_open(const char *path, unsigned mode, struct plat_err *err);

/* Appends all bytes or none: what a failed write left behind is cut off again. */
bool plat_fs_append(int fd, const char *data, size_t len, struct plat_err *err);

bool plat_fs_sync(int fd, struct plat_err *err); /* fdatasync */
bool plat_fs_size(int fd, int64_t *ret, struct plat_err *err);
bool plat_fs_truncate(int fd, int64_t size, struct plat_err *err);

/* Takes disk space for `bytes` more without changing the size, so that they cannot fail later. */
bool plat_fs_reserve(int fd, int64_t bytes, struct plat_err *err);

/* Takes an exclusive flock without waiting; the file is made (0600) if missing.  -1: failed; when
 * it is held, the kind is PLAT_ERR_REFUSED, and *ret_holder gets the file's text (at most size - 1
 * bytes, ended by '\0'; "" when it has none).  `text` (may be NULL) replaces the file's text. */
int plat_fs_lock(const char *path, const char *text, char *ret_holder, size_t size,
                 struct plat_err *err);
