/* SFTP: requests with one answer, and the files that some of them open. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/sftp_impl.h"

#include "base/banned.h"

enum { NAMES_MAX = SFTP_PACKET_MAX, PATH_MAX_LEN = 64 * 1024 };

enum { /* what a request has beside its number, in this order */
       HAS_EXTENSION = 1,
       HAS_PATH = 2,
       HAS_HANDLE = 4,
       HAS_TO = 8,
       HAS_FLAGS = 16,
       HAS_ATTRS = 32,
};

static const struct form {
    const char *op;
    int type;
    unsigned has, expects, needs; /* needs: an extension */
    const char *extension;
} forms[] = {
    [PLAT_SFTP_STAT] = { "sftp.stat", SFTP_T_STAT, HAS_PATH, SFTP_EXPECT_ATTRS, 0, NULL },
    [PLAT_SFTP_LSTAT] = { "sftp.stat", SFTP_T_LSTAT, HAS_PATH, SFTP_EXPECT_ATTRS, 0, NULL },
    [PLAT_SFTP_SETSTAT] = { "sftp.setstat", SFTP_T_SETSTAT, HAS_PATH | HAS_ATTRS,
                            SFTP_EXPECT_STATUS, 0, NULL },
    [PLAT_SFTP_REMOVE] = { "sftp.remove", SFTP_T_REMOVE, HAS_PATH, SFTP_EXPECT_STATUS, 0, NULL },
    [PLAT_SFTP_MKDIR] = { "sftp.mkdir", SFTP_T_MKDIR, HAS_PATH | HAS_ATTRS, SFTP_EXPECT_STATUS, 0,
                          NULL },
    [PLAT_SFTP_RMDIR] = { "sftp.rmdir", SFTP_T_RMDIR, HAS_PATH, SFTP_EXPECT_STATUS, 0, NULL },
    [PLAT_SFTP_RENAME] = { "sftp.rename", SFTP_T_RENAME, HAS_PATH | HAS_TO, SFTP_EXPECT_STATUS, 0,
                           NULL },
    [PLAT_SFTP_RENAME_OVER] = { "sftp.rename", SFTP_T_EXTENDED, HAS_EXTENSION | HAS_PATH | HAS_TO,
                                SFTP_EXPECT_STATUS, PLAT_SFTP_POSIX_RENAME,
                                "posix-rename@openssh.com" },
    [PLAT_SFTP_REALPATH] = { "sftp.realpath", SFTP_T_REALPATH, HAS_PATH, SFTP_EXPECT_NAME, 0,
                             NULL },
    [PLAT_SFTP_READLINK] = { "sftp.readlink", SFTP_T_READLINK, HAS_PATH, SFTP_EXPECT_NAME, 0,
                             NULL },
    [PLAT_SFTP_LINK] = { "sftp.link", SFTP_T_EXTENDED, HAS_EXTENSION | HAS_PATH | HAS_TO,
                         SFTP_EXPECT_STATUS, PLAT_SFTP_HARDLINK, "hardlink@openssh.com" },
    [PLAT_SFTP_SPACE] = { "sftp.space", SFTP_T_EXTENDED, HAS_EXTENSION | HAS_PATH,
                          SFTP_EXPECT_REPLY, PLAT_SFTP_STATVFS, "statvfs@openssh.com" },
    [PLAT_SFTP_OPEN] = { "sftp.open", SFTP_T_OPEN, HAS_PATH | HAS_FLAGS | HAS_ATTRS,
                         SFTP_EXPECT_HANDLE, 0, NULL },
    [PLAT_SFTP_OPENDIR] = { "sftp.list", SFTP_T_OPENDIR, HAS_PATH, SFTP_EXPECT_HANDLE, 0, NULL },
    [PLAT_SFTP_FSTAT] = { "sftp.stat", SFTP_T_FSTAT, HAS_HANDLE, SFTP_EXPECT_ATTRS, 0, NULL },
    [PLAT_SFTP_FSETSTAT] = { "sftp.setstat", SFTP_T_FSETSTAT, HAS_HANDLE | HAS_ATTRS,
                             SFTP_EXPECT_STATUS, 0, NULL },
    [PLAT_SFTP_READDIR] = { "sftp.list", SFTP_T_READDIR, HAS_HANDLE, SFTP_EXPECT_NAME, 0, NULL },
    [PLAT_SFTP_SYNC] = { "sftp.sync", SFTP_T_EXTENDED, HAS_EXTENSION | HAS_HANDLE,
                         SFTP_EXPECT_STATUS, PLAT_SFTP_FSYNC, "fsync@openssh.com" },
    [PLAT_SFTP_CLOSE] = { "sftp.close", SFTP_T_CLOSE, HAS_HANDLE, SFTP_EXPECT_STATUS, 0, NULL },
};

struct plat_sftp_call {
    struct plat_sftp *s; /* NULL: answered, or lost */
    struct sftp_request *request;
    struct plat_op *op;
    enum plat_sftp_what what;
    struct plat_err err;
    struct plat_sftp_attrs attrs;
    uint64_t space;
    struct plat_buf names; /* as they came */
    uint32_t left;         /* names that were not taken */
    struct plat_sftp_file *file;
};

/* ---- files ---- */

struct plat_sftp_file *sftp_file_new(struct plat_sftp *s, const char *handle, size_t len)
{
    struct plat_sftp_file *file = calloc(1, sizeof(*file));

    if (!file)
        return NULL;
    file->s = s;
    file->len = len;
    memcpy(file->handle, handle, len);
    file->next = s->files;
    file->link = &s->files;
    if (file->next)
        file->next->link = &file->next;
    s->files = file;
    return file;
}

static void unlink_file(struct plat_sftp_file *file)
{
    if (!file->s)
        return;
    *file->link = file->next;
    if (file->next)
        file->next->link = file->link;
    file->s = NULL;
}

void sftp_close_handle(struct plat_sftp *s, const char *handle, size_t len)
{
    struct sftp_request *r = sftp_request_new(s, SFTP_EXPECT_STATUS, NULL, NULL);
    struct sftp_packet p;

    if (!r)
        return; /* the server closes it at the end of the session */
    sftp_begin(&p, &s->out, SFTP_T_CLOSE);
    sftp_put_u32(&p, r->id);
    sftp_put_string(&p, handle, len);
    if (sftp_end(&p))
        sftp_output(s);
    else
        sftp_request_drop(s, r);
}

void plat_sftp_file_free(struct plat_sftp_file *file)
{
    struct plat_sftp *s = file ? file->s : NULL;

    if (s) {
        unlink_file(file);
        sftp_close_handle(s, file->handle, file->len);
    }
    free(file);
}

/* ---- answers ---- */

/* A block size and a count of blocks, somewhere in eleven numbers (struct statvfs). */
static bool take_space(struct plat_sftp_call *call, const struct sftp_answer *answer)
{
    struct sftp_cursor c = { .p = (const unsigned char *)answer->text };
    uint64_t unit, available;

    c.end = c.p + answer->len;
    sftp_get_u64(&c); /* f_bsize */
    unit = sftp_get_u64(&c);
    sftp_get_u64(&c); /* f_blocks */
    sftp_get_u64(&c); /* f_bfree */
    available = sftp_get_u64(&c);
    call->space = unit && available > UINT64_MAX / unit ? UINT64_MAX : unit * available;
    return !c.bad;
}

static void no_memory(struct plat_err *err, enum plat_sftp_what what)
{
    plat_err_errno(err, ENOMEM, forms[what].op, "cannot do it");
}

static void take_answer(struct plat_sftp_call *call, const struct sftp_answer *answer)
{
    struct plat_sftp *s = call->s;
    bool at_end = call->what == PLAT_SFTP_READDIR && answer->code == SFTP_EOF;

    switch (answer->type) {
    case SFTP_STATUS:
        if (answer->code != SFTP_OK && !at_end)
            sftp_status_err(answer, forms[call->what].op, &call->err);
        break;
    case SFTP_HANDLE:
        call->file = sftp_file_new(s, answer->text, answer->len);
        if (call->file)
            break;
        sftp_close_handle(s, answer->text, answer->len);
        no_memory(&call->err, call->what);
        break;
    case SFTP_NAME:
        if (plat_buf_add(&call->names, answer->text, answer->len))
            call->left = answer->count;
        else
            no_memory(&call->err, call->what);
        break;
    case SFTP_ATTRS:
        call->attrs = answer->attrs;
        break;
    case SFTP_EXTENDED_REPLY:
        if (!take_space(call, answer))
            plat_err_set(&call->err, PLAT_ERR_PARSE, 0, forms[call->what].op,
                         "the SFTP server sent an answer that ends too early");
        break;
    default:
        break;
    }
}

static void on_answer(struct sftp_request *r, const struct sftp_answer *answer)
{
    struct plat_sftp_call *call = r->owner;

    call->request = NULL;
    if (answer)
        take_answer(call, answer);
    else
        call->err = call->s->err;
    call->s = NULL;
    sftp_wake(&call->op);
}

/* ---- asking ---- */

static bool may_ask(struct plat_sftp *s, const struct plat_sftp_ask *ask, struct plat_err *err)
{
    const struct form *form = &forms[ask->what];

    if (plat_sftp_failed(s, err))
        return false;
    if (!s->ready)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, form->op, "the session is not ready");
    if (form->needs & ~s->extensions)
        return plat_err_set(err, PLAT_ERR_IO, ENOTSUP, form->op, "the server does not offer %s",
                            form->extension);
    if (form->has & HAS_HANDLE && (!ask->file || !ask->file->s))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, form->op, "the file is closed");
    if (ask->path_len > PATH_MAX_LEN || ask->to_len > PATH_MAX_LEN)
        return plat_err_set(err, PLAT_ERR_REFUSED, 0, form->op, "the path is too long");
    return true;
}

static bool write_ask(struct plat_sftp *s, uint32_t id, const struct plat_sftp_ask *ask)
{
    const struct form *form = &forms[ask->what];
    struct sftp_packet p;

    sftp_begin(&p, &s->out, form->type);
    sftp_put_u32(&p, id);
    if (form->has & HAS_EXTENSION)
        sftp_put_string(&p, form->extension, strlen(form->extension));
    if (form->has & HAS_PATH)
        sftp_put_string(&p, ask->path, ask->path_len);
    if (form->has & HAS_HANDLE)
        sftp_put_string(&p, ask->file->handle, ask->file->len);
    if (form->has & HAS_TO)
        sftp_put_string(&p, ask->to, ask->to_len);
    if (form->has & HAS_FLAGS)
        sftp_put_u32(&p, ask->flags);
    if (form->has & HAS_ATTRS)
        sftp_put_attrs(&p, &ask->attrs);
    return sftp_end(&p);
}

struct plat_sftp_call *plat_sftp_ask(struct plat_sftp *s, const struct plat_sftp_ask *ask,
                                     struct plat_op *op, struct plat_err *err)
{
    struct plat_sftp_call *call;
    struct sftp_request *r;

    if (!may_ask(s, ask, err))
        return NULL;
    call = calloc(1, sizeof(*call));
    r = call ? sftp_request_new(s, forms[ask->what].expects, call, on_answer) : NULL;
    if (!r || !write_ask(s, r->id, ask)) {
        if (r)
            sftp_request_drop(s, r);
        free(call);
        no_memory(err, ask->what);
        return NULL;
    }
    r->opens = forms[ask->what].expects == SFTP_EXPECT_HANDLE;
    call->s = s;
    call->request = r;
    call->op = op;
    call->what = ask->what;
    plat_buf_init(&call->names, NAMES_MAX);
    if (ask->what == PLAT_SFTP_CLOSE)
        unlink_file(ask->file);
    sftp_output(s);
    return call;
}

void plat_sftp_call_free(struct plat_sftp_call *call)
{
    if (!call)
        return;
    if (call->request)
        call->request->owner = NULL;
    plat_sftp_file_free(call->file);
    plat_buf_done(&call->names);
    free(call);
}

bool plat_sftp_call_result(const struct plat_sftp_call *call, struct plat_err *err)
{
    if (call->err.kind)
        *err = call->err;
    return call->err.kind == PLAT_OK;
}

const struct plat_sftp_attrs *plat_sftp_call_attrs(const struct plat_sftp_call *call)
{
    return &call->attrs;
}

uint64_t plat_sftp_call_space(const struct plat_sftp_call *call)
{
    return call->space;
}

bool plat_sftp_call_name(struct plat_sftp_call *call, const char **ret_name, size_t *ret_len,
                         struct plat_sftp_attrs *ret_attrs)
{
    const unsigned char *start = (const unsigned char *)plat_buf_bytes(&call->names);
    struct sftp_cursor c = { .p = start, .end = start + call->names.len };
    size_t words;

    if (!call->left)
        return false;
    *ret_name = sftp_get_string(&c, ret_len);
    sftp_get_string(&c, &words);
    sftp_get_attrs(&c, ret_attrs);
    call->left--;
    plat_buf_drop(&call->names, (size_t)(c.p - start));
    return true;
}

struct plat_sftp_file *plat_sftp_call_file(struct plat_sftp_call *call)
{
    struct plat_sftp_file *file = call->file;

    call->file = NULL;
    return file;
}
