/*
 * SFTP, version 3 (draft-ietf-secsh-filexfer-02, and what OpenSSH's PROTOCOL adds), the client's
 * half.  A plat_sftp speaks over one stream of bytes that somebody else moves: he feeds what comes
 * and takes what shall go.  Many requests are under way at once, found again by their numbers.
 *
 * Strict: an answer that is malformed, that nobody asked for, or of another kind than the request
 * allows, ends the session with an explanation.  A session that is lost stays lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/op.h"

struct plat_sftp;
struct plat_sftp_call;
struct plat_sftp_copy;
struct plat_sftp_file;

/* ---- the session ---- */

/* `on_output` is called when there is more to be sent, or when the session is lost; never from
 * inside plat_sftp_new, which leaves the first output at once.  NULL: memory is out. */
struct plat_sftp *plat_sftp_new(void (*on_output)(void *arg), void *arg);

/* Wakes who waits.  Calls, copies and files that are still there fail from now on.  NULL is
 * fine. */
void plat_sftp_free(struct plat_sftp *s);

/* What the server has sent.  After a malformed packet the rest is ignored: see plat_sftp_failed. */
void plat_sftp_feed(struct plat_sftp *s, const char *data, size_t len);

/* What the server shall get.  Who takes some of it drops it and says plat_sftp_sent, which may put
 * more in its place. */
struct plat_buf *plat_sftp_output(struct plat_sftp *s);
void plat_sftp_sent(struct plat_sftp *s);

void plat_sftp_lose(struct plat_sftp *s, const struct plat_err *err); /* the stream has ended */
bool plat_sftp_failed(const struct plat_sftp *s, struct plat_err *err);

/* `op` is ready when the server has said what it can do, or will not; then plat_sftp_failed. */
void plat_sftp_await_ready(struct plat_sftp *s, struct plat_op *op);
void plat_sftp_forget(struct plat_sftp *s, struct plat_op *op);

/* Nothing is open, asked or copied. */
bool plat_sftp_idle(const struct plat_sftp *s);

enum plat_sftp_extension {
    PLAT_SFTP_POSIX_RENAME = 1,
    PLAT_SFTP_FSYNC = 2,
    PLAT_SFTP_STATVFS = 4,
    PLAT_SFTP_LIMITS = 8,
    PLAT_SFTP_HARDLINK = 16,
};
unsigned plat_sftp_extensions(const struct plat_sftp *s); /* that the server offers */

/* ---- requests with one answer ---- */

enum { PLAT_SFTP_SIZE = 1, PLAT_SFTP_OWNER = 2, PLAT_SFTP_MODE = 4, PLAT_SFTP_TIMES = 8 };

struct plat_sftp_attrs {
    unsigned has; /* of the fields: PLAT_SFTP_x */
    uint64_t size;
    uint32_t uid, gid, mode, atime, mtime; /* mode: with the type of the file */
};

enum plat_sftp_what {                 /* in brackets: what is needed beside it */
                      PLAT_SFTP_STAT, /* [path] gives attributes */
                      PLAT_SFTP_LSTAT,
                      PLAT_SFTP_SETSTAT, /* [path, attrs] */
                      PLAT_SFTP_REMOVE,  /* [path] */
                      PLAT_SFTP_MKDIR,   /* [path, attrs] */
                      PLAT_SFTP_RMDIR,
                      PLAT_SFTP_RENAME, /* [path, to] */
                      PLAT_SFTP_RENAME_OVER,
                      PLAT_SFTP_REALPATH, /* gives one name */
                      PLAT_SFTP_READLINK,
                      PLAT_SFTP_LINK,    /* [path, to] */
                      PLAT_SFTP_SPACE,   /* gives the bytes that are free */
                      PLAT_SFTP_OPEN,    /* [path, flags, attrs] gives a file */
                      PLAT_SFTP_OPENDIR, /* gives a file */
                      PLAT_SFTP_FSTAT,   /* [file] */
                      PLAT_SFTP_FSETSTAT,
                      PLAT_SFTP_READDIR, /* gives names; at the end none */
                      PLAT_SFTP_SYNC,
                      PLAT_SFTP_CLOSE, /* the file is closed whatever the answer is */
};

enum {
    PLAT_SFTP_READ = 1,
    PLAT_SFTP_WRITE = 2,
    PLAT_SFTP_CREATE = 8,
    PLAT_SFTP_TRUNCATE = 16,
    PLAT_SFTP_EXCLUSIVE = 32,
};

struct plat_sftp_ask { /* everything is copied */
    enum plat_sftp_what what;
    const char *path, *to;
    size_t path_len, to_len;
    struct plat_sftp_file *file;
    struct plat_sftp_attrs attrs;
    unsigned flags;
};

/* Sends it; `op` is ready when the answer is there.  NULL: *err says why.  The caller owns it. */
struct plat_sftp_call *plat_sftp_ask(struct plat_sftp *s, const struct plat_sftp_ask *ask,
                                     struct plat_op *op, struct plat_err *err);

/* Gives it up, answered or not: what it opened is closed.  NULL is fine. */
void plat_sftp_call_free(struct plat_sftp_call *call);

/* True: it was done.  False: *err says why; a status of the server has kind PLAT_ERR_IO, and a code
 * of errno where there is one, else 0. */
bool plat_sftp_call_result(const struct plat_sftp_call *call, struct plat_err *err);

const struct plat_sftp_attrs *plat_sftp_call_attrs(const struct plat_sftp_call *call);
uint64_t plat_sftp_call_space(const struct plat_sftp_call *call);

/* Takes the next name; false: there is none left.  It stays valid while the call does. */
bool plat_sftp_call_name(struct plat_sftp_call *call, const char **ret_name, size_t *ret_len,
                         struct plat_sftp_attrs *ret_attrs);

/* Takes the file that was opened; the caller owns it. */
struct plat_sftp_file *plat_sftp_call_file(struct plat_sftp_call *call);

/* Closes it, if that was not asked before, without waiting for the answer.  NULL is fine. */
void plat_sftp_file_free(struct plat_sftp_file *file);

/* ---- contents ---- */

struct plat_sftp_copy_opts {
    struct plat_sftp_file *file; /* of the server */
    bool put;
    const char *data; /* put: borrowed until the op is ready; NULL: from fd */
    size_t len;
    int fd;          /* closed with the copy; -1: none.  get: written from its start */
    uint64_t expect; /* get: the size that the file probably has */
    uint64_t max;    /* get: more is refused */
};

/* Sends or fetches all of a file, from its start; `op` is ready at the end.  The caller owns it.
 * NULL: *err says why, and fd stays the caller's. */
struct plat_sftp_copy *plat_sftp_copy_new(struct plat_sftp *s,
                                          const struct plat_sftp_copy_opts *opts,
                                          struct plat_op *op, struct plat_err *err);

/* Gives it up: what is under way is ignored when it comes.  NULL is fine. */
void plat_sftp_copy_free(struct plat_sftp_copy *copy);

/* True: all bytes are there, *ret_size of them. */
bool plat_sftp_copy_result(const struct plat_sftp_copy *copy, uint64_t *ret_size,
                           struct plat_err *err);
const struct plat_buf *plat_sftp_copy_bytes(const struct plat_sftp_copy *copy); /* get without fd */
