/* SFTP: the session.  What came is cut into packets, and each answer finds its request. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/sftp_impl.h"

#include "base/banned.h"

#define OP "sftp"

enum { VERSION = 3, SLICE = 64 * 1024, OUTPUT_MAX = 16 * 1024 * 1024 };

void sftp_wake(struct plat_op **slot)
{
    struct plat_op *op = *slot;

    *slot = NULL;
    if (op)
        plat_op_ready(op);
}

void sftp_output(struct plat_sftp *s)
{
    if (!s->quiet && s->on_output)
        s->on_output(s->arg);
}

/* ---- requests ---- */

struct sftp_request *sftp_request_new(struct plat_sftp *s, unsigned expects, void *owner,
                                      void (*done)(struct sftp_request *,
                                                   const struct sftp_answer *))
{
    struct sftp_request *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    *r = (struct sftp_request){
        .link = s->requests_end,
        .id = ++s->last_id,
        .expects = expects,
        .owner = owner,
        .done = done,
    };
    *s->requests_end = r;
    s->requests_end = &r->next;
    return r;
}

static void unlink_request(struct plat_sftp *s, struct sftp_request *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    else
        s->requests_end = r->link;
}

void sftp_request_drop(struct plat_sftp *s, struct sftp_request *r)
{
    unlink_request(s, r);
    free(r);
}

void plat_sftp_lose(struct plat_sftp *s, const struct plat_err *err)
{
    struct sftp_request *next, *all = s->requests;

    if (s->err.kind)
        return;
    s->err = *err;
    s->requests = NULL;
    s->requests_end = &s->requests;
    for (struct sftp_request *r = all; r; r = next) {
        next = r->next;
        if (r->owner)
            r->done(r, NULL);
        free(r);
    }
    sftp_copy_lost(s);
    for (struct plat_sftp_file *file = s->files; file; file = file->next)
        file->s = NULL; /* the list is not looked at again */
    s->files = NULL;
    plat_buf_clear(&s->out);
    sftp_wake(&s->waiting);
    sftp_output(s);
}

void sftp_break(struct plat_sftp *s, const char *why)
{
    struct plat_err err;

    plat_err_set(&err, PLAT_ERR_PARSE, 0, OP, "the SFTP server sent %s", why);
    plat_sftp_lose(s, &err);
}

/* ---- what the server can do ---- */

static void on_limits(struct sftp_request *r, const struct sftp_answer *answer)
{
    struct plat_sftp *s = r->owner;
    struct sftp_cursor c;
    uint64_t read, write;

    if (!answer || answer->type != SFTP_EXTENDED_REPLY)
        return; /* what every server takes does as well */
    c = (struct sftp_cursor){ .p = (const unsigned char *)answer->text };
    c.end = c.p + answer->len;
    sftp_get_u64(&c); /* of a packet */
    read = sftp_get_u64(&c);
    write = sftp_get_u64(&c);
    sftp_get_u64(&c); /* handles */
    if (c.bad) {
        sftp_break(s, "limits that end too early");
        return;
    }
    if (read > SFTP_CHUNK) /* 0: not told */
        s->max_read = read < SFTP_CHUNK_MAX ? (uint32_t)read : SFTP_CHUNK_MAX;
    if (write > SFTP_CHUNK)
        s->max_write = write < SFTP_CHUNK_MAX ? (uint32_t)write : SFTP_CHUNK_MAX;
}

static void ask_limits(struct plat_sftp *s)
{
    static const char name[] = "limits@openssh.com";
    struct sftp_request *r = sftp_request_new(s, SFTP_EXPECT_REPLY, s, on_limits);
    struct sftp_packet p;

    if (!r)
        return;
    sftp_begin(&p, &s->out, SFTP_T_EXTENDED);
    sftp_put_u32(&p, r->id);
    sftp_put_string(&p, name, sizeof(name) - 1);
    if (!sftp_end(&p))
        sftp_request_drop(s, r);
}

static unsigned extension(const char *name, size_t len)
{
    static const struct {
        const char *name;
        enum plat_sftp_extension bit;
    } known[] = {
        { "posix-rename@openssh.com", PLAT_SFTP_POSIX_RENAME },
        { "fsync@openssh.com", PLAT_SFTP_FSYNC },
        { "statvfs@openssh.com", PLAT_SFTP_STATVFS },
        { "limits@openssh.com", PLAT_SFTP_LIMITS },
        { "hardlink@openssh.com", PLAT_SFTP_HARDLINK },
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i].name) == len && memcmp(known[i].name, name, len) == 0)
            return known[i].bit;
    return 0;
}

static void on_version(struct plat_sftp *s, const char *packet, size_t len)
{
    struct sftp_cursor c = { .p = (const unsigned char *)packet + 1 };
    uint32_t version;

    c.end = (const unsigned char *)packet + len;
    version = sftp_get_u32(&c);
    if (packet[0] != SFTP_VERSION || c.bad) {
        sftp_break(s, "something else than its version first");
        return;
    }
    if (version != VERSION) {
        struct plat_err err;

        plat_err_set(&err, PLAT_ERR_REFUSED, 0, OP, "the server speaks SFTP version %u, not %d",
                     (unsigned)version, VERSION);
        plat_sftp_lose(s, &err);
        return;
    }
    while (c.p != c.end && !c.bad) {
        size_t name_len, value_len;
        const char *name = sftp_get_string(&c, &name_len);

        if (sftp_get_string(&c, &value_len))
            s->extensions |= extension(name, name_len);
    }
    if (c.bad) {
        sftp_break(s, "a version that ends too early");
        return;
    }
    s->ready = true;
    if (s->extensions & PLAT_SFTP_LIMITS)
        ask_limits(s);
    sftp_wake(&s->waiting);
}

/* ---- answers ---- */

static void on_answer(struct plat_sftp *s, const char *packet, size_t len)
{
    struct sftp_answer answer;
    struct sftp_request *r;
    const char *why;

    if (!sftp_parse(packet, len, &answer, &why)) {
        sftp_break(s, why);
        return;
    }
    for (r = s->requests; r && r->id != answer.id; r = r->next) {
    }
    if (!r) {
        sftp_break(s, "an answer that nobody asked for");
        return;
    }
    /* a refusal answers everything; that it is done only what has no other answer */
    if (!(r->expects & SFTP_EXPECT_BIT(answer.type)) &&
        !(answer.type == SFTP_STATUS && answer.code != SFTP_OK)) {
        sftp_break(s, "an answer of the wrong kind");
        return;
    }
    unlink_request(s, r);
    if (r->owner)
        r->done(r, &answer);
    else if (r->opens && answer.type == SFTP_HANDLE)
        sftp_close_handle(s, answer.text, answer.len);
    free(r);
}

static void cut_packets(struct plat_sftp *s)
{
    while (s->in.len >= 4 && !s->err.kind) {
        const char *bytes = plat_buf_bytes(&s->in);
        struct sftp_cursor c = { .p = (const unsigned char *)bytes };
        uint32_t len;

        c.end = c.p + 4;
        len = sftp_get_u32(&c);
        if (len == 0 || len > SFTP_PACKET_MAX) {
            sftp_break(s, len ? "a packet that is too long" : "a packet with nothing in it");
            return;
        }
        if (s->in.len - 4 < len)
            return;
        if (s->ready)
            on_answer(s, bytes + 4, len);
        else
            on_version(s, bytes + 4, len);
        plat_buf_drop(&s->in, 4 + (size_t)len);
    }
}

void plat_sftp_feed(struct plat_sftp *s, const char *data, size_t len)
{
    bool was_quiet = s->quiet;

    s->quiet = true;
    while (len && !s->err.kind) {
        size_t n = len < SLICE ? len : SLICE;

        if (!plat_buf_add(&s->in, data, n)) {
            struct plat_err err;

            plat_err_errno(&err, ENOMEM, OP, "cannot take what the server sends");
            plat_sftp_lose(s, &err);
        }
        cut_packets(s);
        data += n;
        len -= n;
    }
    sftp_copy_pump(s);
    s->quiet = was_quiet;
    if (s->out.len || s->err.kind)
        sftp_output(s);
}

/* ---- the owner's side ---- */

struct plat_sftp *plat_sftp_new(void (*on_output)(void *arg), void *arg)
{
    struct plat_sftp *s = calloc(1, sizeof(*s));
    struct sftp_packet p;

    if (!s)
        return NULL;
    s->on_output = on_output;
    s->arg = arg;
    s->requests_end = &s->requests;
    s->max_read = s->max_write = SFTP_CHUNK;
    plat_buf_init(&s->in, SFTP_PACKET_MAX + 4 + SLICE);
    plat_buf_init(&s->out, OUTPUT_MAX);
    sftp_begin(&p, &s->out, SFTP_INIT);
    sftp_put_u32(&p, VERSION);
    if (sftp_end(&p))
        return s;
    plat_sftp_free(s);
    return NULL;
}

void plat_sftp_free(struct plat_sftp *s)
{
    struct plat_err err;

    if (!s)
        return;
    s->on_output = NULL;
    plat_err_set(&err, PLAT_ERR_CONNECT, 0, OP, "the session was closed");
    plat_sftp_lose(s, &err);
    plat_buf_done(&s->in);
    plat_buf_done(&s->out);
    free(s);
}

struct plat_buf *plat_sftp_output(struct plat_sftp *s)
{
    return &s->out;
}

void plat_sftp_sent(struct plat_sftp *s)
{
    bool was_quiet = s->quiet;

    s->quiet = true; /* the caller looks again himself */
    sftp_copy_pump(s);
    s->quiet = was_quiet;
}

bool plat_sftp_failed(const struct plat_sftp *s, struct plat_err *err)
{
    if (s->err.kind)
        *err = s->err;
    return s->err.kind != PLAT_OK;
}

void plat_sftp_await_ready(struct plat_sftp *s, struct plat_op *op)
{
    s->waiting = op;
    if (s->ready || s->err.kind)
        sftp_wake(&s->waiting);
}

void plat_sftp_forget(struct plat_sftp *s, struct plat_op *op)
{
    if (s->waiting == op)
        s->waiting = NULL;
}

bool plat_sftp_idle(const struct plat_sftp *s)
{
    return s->ready && !s->requests && !s->files && !s->copies;
}

unsigned plat_sftp_extensions(const struct plat_sftp *s)
{
    return s->extensions;
}
