/*
 * SFTP: contents.  A copy keeps a window of requests under way and holds none of what they carry:
 * its memory does not depend on the size of the file.  Copies take turns.
 *
 * Reads and writes of the local descriptor are made in line: they are short, and of files.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/sftp_impl.h"

#include "base/banned.h"

#define PUT "sftp.put"
#define GET "sftp.get"

struct plat_sftp_copy {
    struct plat_sftp *s; /* NULL: it has ended */
    struct plat_sftp_copy *next, **link;
    struct plat_sftp_copy_opts opts;
    struct plat_op *op;
    size_t handle_len;
    char handle[SFTP_HANDLE_MAX]; /* the file may be closed before us */
    struct plat_err err;
    struct plat_buf bytes; /* get without fd */
    uint64_t asked;        /* the offset that is asked for next */
    uint64_t done;         /* bytes that are where they belong */
    uint64_t end;          /* the size, once it is known */
    uint64_t carried;      /* bytes of the requests under way */
    unsigned underway;
    bool ended; /* there is nothing more to ask for */
};

/* ---- life ---- */

static void link_copy(struct plat_sftp *s, struct plat_sftp_copy *copy)
{
    struct plat_sftp_copy **at = &s->copies;

    while (*at)
        at = &(*at)->next;
    *at = copy;
    copy->link = at;
    copy->next = NULL;
}

static void unlink_copy(struct plat_sftp_copy *copy)
{
    *copy->link = copy->next;
    if (copy->next)
        copy->next->link = copy->link;
}

static void end_copy(struct plat_sftp_copy *copy)
{
    if (copy->underway)
        for (struct sftp_request *r = copy->s->requests; r; r = r->next)
            if (r->owner == copy)
                r->owner = NULL;
    unlink_copy(copy);
    copy->s = NULL;
    sftp_wake(&copy->op);
}

static void fail_memory(struct plat_sftp_copy *copy)
{
    plat_err_errno(&copy->err, ENOMEM, copy->opts.put ? PUT : GET, "cannot copy");
    end_copy(copy);
}

void sftp_copy_lost(struct plat_sftp *s)
{
    while (s->copies) {
        s->copies->err = s->err;
        end_copy(s->copies);
    }
}

static void finish_if_done(struct plat_sftp_copy *copy)
{
    if (!copy->ended || copy->underway)
        return;
    if (copy->done != copy->end)
        plat_err_set(&copy->err, PLAT_ERR_IO, 0, GET, "the file changed while it was read");
    end_copy(copy);
}

/* ---- the local side ---- */

/* Bytes for the next request; 0: there are none left, or it failed. */
static size_t take_local(struct plat_sftp_copy *copy, char *to, size_t max)
{
    ssize_t n;

    if (copy->opts.fd < 0) {
        size_t left = copy->opts.len - (size_t)copy->asked;

        max = left < max ? left : max;
        memcpy(to, copy->opts.data + copy->asked, max);
        return max;
    }
    do
        n = pread(copy->opts.fd, to, max, (off_t)copy->asked);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        plat_err_errno(&copy->err, errno, PUT, "cannot read the local file");
    return n < 0 ? 0 : (size_t)n;
}

static bool write_all(int fd, const char *data, size_t len, uint64_t at)
{
    while (len) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);

        if (n < 0 && errno != EINTR)
            return false;
        if (n <= 0)
            continue;
        data += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

static bool keep_local(struct plat_sftp_copy *copy, const char *data, size_t len, uint64_t at)
{
    struct plat_buf *bytes = &copy->bytes;
    size_t have = bytes->len;

    if (at + len > copy->opts.max)
        return plat_err_set(&copy->err, PLAT_ERR_REFUSED, 0, GET, "it has more than %llu bytes",
                            (unsigned long long)copy->opts.max);
    if (copy->opts.fd >= 0)
        return write_all(copy->opts.fd, data, len, at) ||
               plat_err_errno(&copy->err, errno, GET, "cannot write the local file");
    if (at + len > have) { /* answers may overtake each other: the gap is filled later */
        char *room = plat_buf_room(bytes, (size_t)(at + len - have));

        if (!room)
            return plat_err_errno(&copy->err, ENOMEM, GET, "cannot keep the content");
        memset(room, 0, (size_t)(at + len - have));
        plat_buf_grew(bytes, (size_t)(at + len - have));
    }
    memcpy(bytes->data + bytes->off + at, data, len);
    return true;
}

/* ---- putting ---- */

static void on_written(struct sftp_request *r, const struct sftp_answer *answer)
{
    struct plat_sftp_copy *copy = r->owner;

    copy->underway--;
    copy->carried -= r->len;
    if (!answer)
        return; /* all copies are told at once */
    if (answer->code != SFTP_OK) {
        sftp_status_err(answer, PUT, &copy->err);
        end_copy(copy);
        return;
    }
    copy->done += r->len;
    finish_if_done(copy);
}

/* There was nothing to send. */
static void end_of_source(struct plat_sftp_copy *copy, bool no_memory)
{
    copy->ended = true;
    copy->end = copy->asked;
    if (no_memory)
        fail_memory(copy);
    else if (copy->err.kind)
        end_copy(copy);
    else
        finish_if_done(copy);
}

/* False: there was nothing to send; the copy may have ended. */
static bool ask_write(struct plat_sftp_copy *copy)
{
    struct plat_sftp *s = copy->s;
    struct sftp_request *r = sftp_request_new(s, SFTP_EXPECT_STATUS, copy, on_written);
    struct sftp_packet p;
    size_t n = 0;
    char *room;

    if (!r) {
        fail_memory(copy);
        return false;
    }
    sftp_begin(&p, &s->out, SFTP_T_WRITE);
    sftp_put_u32(&p, r->id);
    sftp_put_string(&p, copy->handle, copy->handle_len);
    sftp_put_u64(&p, copy->asked);
    room = sftp_put_room(&p, s->max_write);
    if (room)
        n = take_local(copy, room, s->max_write);
    sftp_fill(&p, s->max_write, n);
    if (!n || !sftp_end(&p)) {
        sftp_undo(&p);
        sftp_request_drop(s, r);
        end_of_source(copy, p.bad);
        return false;
    }
    r->len = (uint32_t)n;
    copy->asked += n;
    copy->carried += n;
    copy->underway++;
    return true;
}

/* ---- getting ---- */

static void on_read(struct sftp_request *r, const struct sftp_answer *answer);

/* The next piece: up to the size that the file probably has, and then what is beyond it. */
static uint32_t next_read(const struct plat_sftp_copy *copy)
{
    uint64_t left = copy->opts.expect > copy->asked ? copy->opts.expect - copy->asked : UINT64_MAX;

    return left < copy->s->max_read ? (uint32_t)left : copy->s->max_read;
}

/* False: the copy has ended. */
static bool ask_read(struct plat_sftp_copy *copy, uint64_t at, uint32_t len)
{
    struct plat_sftp *s = copy->s;
    struct sftp_request *r = sftp_request_new(s, SFTP_EXPECT_DATA, copy, on_read);
    struct sftp_packet p;

    if (!r) {
        fail_memory(copy);
        return false;
    }
    sftp_begin(&p, &s->out, SFTP_T_READ);
    sftp_put_u32(&p, r->id);
    sftp_put_string(&p, copy->handle, copy->handle_len);
    sftp_put_u64(&p, at);
    sftp_put_u32(&p, len);
    if (!sftp_end(&p)) {
        sftp_request_drop(s, r);
        fail_memory(copy);
        return false;
    }
    r->offset = at;
    r->len = len;
    copy->carried += len;
    copy->underway++;
    return true;
}

static void on_read(struct sftp_request *r, const struct sftp_answer *answer)
{
    struct plat_sftp_copy *copy = r->owner;

    copy->underway--;
    copy->carried -= r->len;
    if (!answer)
        return; /* all copies are told at once */
    if (answer->type == SFTP_STATUS && answer->code == SFTP_EOF) {
        copy->end = copy->ended && copy->end < r->offset ? copy->end : r->offset;
        copy->ended = true;
        finish_if_done(copy);
        return;
    }
    if (answer->type == SFTP_STATUS) {
        sftp_status_err(answer, GET, &copy->err);
        end_copy(copy);
        return;
    }
    if (answer->len == 0 || answer->len > r->len) {
        sftp_break(copy->s, answer->len ? "more than it was asked for" : "data with nothing in it");
        return;
    }
    if (!keep_local(copy, answer->text, answer->len, r->offset)) {
        end_copy(copy);
        return;
    }
    copy->done += answer->len;
    if (answer->len < r->len) /* the rest, or the end of the file */
        ask_read(copy, r->offset + answer->len, r->len - (uint32_t)answer->len);
    else
        finish_if_done(copy);
}

/* ---- asking ---- */

static bool may_ask(const struct plat_sftp_copy *copy)
{
    if (copy->ended || copy->underway >= SFTP_WINDOW || copy->carried >= SFTP_WINDOW_BYTES)
        return false;
    /* beyond the size that it probably has one request finds the end */
    return copy->opts.put || copy->asked <= copy->opts.expect || !copy->underway;
}

void sftp_copy_pump(struct plat_sftp *s)
{
    while (s->out.len < SFTP_OUTPUT_HIGH && !s->err.kind) {
        struct plat_sftp_copy *copy = s->copies;

        while (copy && !may_ask(copy))
            copy = copy->next;
        if (!copy)
            return;
        if (copy->opts.put) {
            if (!ask_write(copy))
                continue;
        } else {
            uint32_t len = next_read(copy);

            if (!ask_read(copy, copy->asked, len))
                continue;
            copy->asked += len;
        }
        unlink_copy(copy); /* to the end */
        link_copy(s, copy);
    }
}

/* ---- the owner's side ---- */

struct plat_sftp_copy *plat_sftp_copy_new(struct plat_sftp *s,
                                          const struct plat_sftp_copy_opts *opts,
                                          struct plat_op *op, struct plat_err *err)
{
    struct plat_sftp_copy *copy;

    if (plat_sftp_failed(s, err))
        return NULL;
    if (!opts->file->s) {
        plat_err_set(err, PLAT_ERR_USAGE, 0, opts->put ? PUT : GET, "the file is closed");
        return NULL;
    }
    copy = calloc(1, sizeof(*copy));
    if (!copy) {
        plat_err_errno(err, ENOMEM, opts->put ? PUT : GET, "cannot copy");
        return NULL;
    }
    copy->s = s;
    copy->opts = *opts;
    copy->handle_len = opts->file->len;
    memcpy(copy->handle, opts->file->handle, copy->handle_len);
    copy->op = op;
    plat_buf_init(&copy->bytes, opts->max < SIZE_MAX ? (size_t)opts->max : SIZE_MAX);
    link_copy(s, copy);
    sftp_copy_pump(s);
    sftp_output(s);
    return copy;
}

void plat_sftp_copy_free(struct plat_sftp_copy *copy)
{
    if (!copy)
        return;
    if (copy->s)
        end_copy(copy);
    if (copy->opts.fd >= 0)
        close(copy->opts.fd);
    plat_buf_done(&copy->bytes);
    free(copy);
}

bool plat_sftp_copy_result(const struct plat_sftp_copy *copy, uint64_t *ret_size,
                           struct plat_err *err)
{
    if (copy->err.kind) {
        *err = copy->err;
        return false;
    }
    *ret_size = copy->done;
    return true;
}

const struct plat_buf *plat_sftp_copy_bytes(const struct plat_sftp_copy *copy)
{
    return &copy->bytes;
}
