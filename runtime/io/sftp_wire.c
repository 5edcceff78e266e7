/* SFTP: packets as bytes.  Numbers are big-endian, strings counted. */
#include <errno.h>
#include <string.h>

#include "io/sftp_impl.h"

#include "base/banned.h"

/* ---- reading ---- */

static const unsigned char *take(struct sftp_cursor *c, size_t n)
{
    const unsigned char *p = c->p;

    if (c->bad || (size_t)(c->end - c->p) < n) {
        c->bad = true;
        return NULL;
    }
    c->p += n;
    return p;
}

uint32_t sftp_get_u32(struct sftp_cursor *c)
{
    const unsigned char *p = take(c, 4);

    return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

uint64_t sftp_get_u64(struct sftp_cursor *c)
{
    uint64_t high = sftp_get_u32(c);

    return high << 32 | sftp_get_u32(c);
}

const char *sftp_get_string(struct sftp_cursor *c, size_t *ret_len)
{
    *ret_len = sftp_get_u32(c);
    return (const char *)take(c, *ret_len);
}

void sftp_get_attrs(struct sftp_cursor *c, struct plat_sftp_attrs *ret)
{
    enum { EXTENDED = 0x80000000 };
    uint32_t flags = sftp_get_u32(c), count;
    size_t len;

    memset(ret, 0, sizeof(*ret));
    ret->has = flags & (PLAT_SFTP_SIZE | PLAT_SFTP_OWNER | PLAT_SFTP_MODE | PLAT_SFTP_TIMES);
    if (flags & ~(ret->has | (uint32_t)EXTENDED))
        c->bad = true; /* what follows has a form that is not known */
    if (flags & PLAT_SFTP_SIZE)
        ret->size = sftp_get_u64(c);
    if (flags & PLAT_SFTP_OWNER) {
        ret->uid = sftp_get_u32(c);
        ret->gid = sftp_get_u32(c);
    }
    if (flags & PLAT_SFTP_MODE)
        ret->mode = sftp_get_u32(c);
    if (flags & PLAT_SFTP_TIMES) {
        ret->atime = sftp_get_u32(c);
        ret->mtime = sftp_get_u32(c);
    }
    count = flags & (uint32_t)EXTENDED ? sftp_get_u32(c) : 0;
    for (; count && !c->bad; count--) {
        sftp_get_string(c, &len);
        sftp_get_string(c, &len);
    }
}

static void parse_names(struct sftp_cursor *c, struct sftp_answer *ret)
{
    ret->count = sftp_get_u32(c);
    ret->text = (const char *)c->p;
    ret->len = (size_t)(c->end - c->p);
    for (uint32_t n = ret->count; n && !c->bad; n--) {
        struct plat_sftp_attrs attrs;
        size_t len;
        const char *name = sftp_get_string(c, &len);

        if (!name || !len || memchr(name, '\0', len))
            c->bad = true;
        sftp_get_string(c, &len); /* as by ls -l, for people */
        sftp_get_attrs(c, &attrs);
    }
}

bool sftp_parse(const char *packet, size_t len, struct sftp_answer *ret, const char **ret_why)
{
    const unsigned char *bytes = (const unsigned char *)packet;
    struct sftp_cursor c = { .p = bytes + 1, .end = bytes + len, .bad = len < 5 };
    size_t lang;

    *ret = (struct sftp_answer){ .type = len ? bytes[0] : 0 };
    ret->id = sftp_get_u32(&c);
    switch (ret->type) {
    case SFTP_STATUS:
        ret->code = sftp_get_u32(&c);
        if (c.p == c.end) /* some servers leave the words out */
            break;
        ret->text = sftp_get_string(&c, &ret->len);
        if (c.p != c.end)
            sftp_get_string(&c, &lang);
        break;
    case SFTP_HANDLE:
        ret->text = sftp_get_string(&c, &ret->len);
        c.bad |= !ret->len || ret->len > SFTP_HANDLE_MAX;
        break;
    case SFTP_DATA:
        ret->text = sftp_get_string(&c, &ret->len);
        break;
    case SFTP_NAME:
        parse_names(&c, ret);
        break;
    case SFTP_ATTRS:
        sftp_get_attrs(&c, &ret->attrs);
        break;
    case SFTP_EXTENDED_REPLY:
        ret->text = (const char *)c.p;
        ret->len = (size_t)(c.end - c.p);
        c.p = c.end;
        break;
    default:
        *ret_why = "a packet of a kind that is no answer";
        return false;
    }
    *ret_why =
        c.bad ? "a packet that ends too early" : "a packet with more in it than belongs there";
    return !c.bad && c.p == c.end;
}

/* ---- statuses ---- */

void sftp_status_err(const struct sftp_answer *answer, const char *op, struct plat_err *ret)
{
    static const struct {
        int code;
        const char *text;
    } known[] = {
        [SFTP_EOF] = { 0, "the end of the file" },
        [SFTP_NO_SUCH_FILE] = { ENOENT, "no such file or directory" },
        [SFTP_DENIED] = { EACCES, "permission denied" },
        [SFTP_FAILURE] = { 0, "the server could not do it" },
        [5] = { 0, "the server did not understand the request" },
        [6] = { 0, "the server has no connection" },
        [7] = { 0, "the server has lost its connection" },
        [8] = { ENOTSUP, "the server does not know how to do it" },
    };
    char said[120] = "";

    for (size_t i = 0; i < answer->len && i < sizeof(said) - 1; i++) {
        unsigned char ch = (unsigned char)answer->text[i];
        said[i] = ch < ' ' || ch == 127 ? '?' : (char)ch;
    }
    if (answer->code > 0 && answer->code < sizeof(known) / sizeof(known[0])) {
        bool plain = answer->code < SFTP_FAILURE || !said[0] || strcmp(said, "Failure") == 0;

        plat_err_set(ret, PLAT_ERR_IO, known[answer->code].code, op, "%s%s%s",
                     known[answer->code].text, plain ? "" : ": ", plain ? "" : said);
    } else {
        plat_err_set(ret, PLAT_ERR_IO, 0, op, "the server answers with status %u%s%s",
                     (unsigned)answer->code, said[0] ? ": " : "", said);
    }
}

/* ---- writing ---- */

static void add(struct sftp_packet *p, const void *bytes, size_t n)
{
    p->bad = p->bad || !plat_buf_add(p->buf, bytes, n);
}

void sftp_begin(struct sftp_packet *p, struct plat_buf *buf, int type)
{
    unsigned char byte = (unsigned char)type;

    *p = (struct sftp_packet){ .buf = buf, .start = buf->len };
    sftp_put_u32(p, 0); /* the length, once it is known */
    add(p, &byte, 1);
}

static void encode_u32(unsigned char *ret, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        ret[i] = (unsigned char)(n >> (24 - 8 * i));
}

void sftp_put_u32(struct sftp_packet *p, uint32_t n)
{
    unsigned char bytes[4];

    encode_u32(bytes, n);
    add(p, bytes, 4);
}

void sftp_put_u64(struct sftp_packet *p, uint64_t n)
{
    sftp_put_u32(p, (uint32_t)(n >> 32));
    sftp_put_u32(p, (uint32_t)n);
}

void sftp_put_string(struct sftp_packet *p, const void *s, size_t len)
{
    sftp_put_u32(p, (uint32_t)len);
    add(p, s, len);
}

char *sftp_put_room(struct sftp_packet *p, size_t len)
{
    char *room;

    sftp_put_u32(p, (uint32_t)len);
    room = p->bad ? NULL : plat_buf_room(p->buf, len);
    if (room)
        plat_buf_grew(p->buf, len);
    p->bad = !room;
    return room;
}

void sftp_put_attrs(struct sftp_packet *p, const struct plat_sftp_attrs *attrs)
{
    sftp_put_u32(p, attrs->has);
    if (attrs->has & PLAT_SFTP_SIZE)
        sftp_put_u64(p, attrs->size);
    if (attrs->has & PLAT_SFTP_OWNER) {
        sftp_put_u32(p, attrs->uid);
        sftp_put_u32(p, attrs->gid);
    }
    if (attrs->has & PLAT_SFTP_MODE)
        sftp_put_u32(p, attrs->mode);
    if (attrs->has & PLAT_SFTP_TIMES) {
        sftp_put_u32(p, attrs->atime);
        sftp_put_u32(p, attrs->mtime);
    }
}

void sftp_fill(struct sftp_packet *p, size_t len, size_t filled)
{
    struct plat_buf *buf = p->buf;

    if (p->bad)
        return;
    buf->len -= len - filled;
    encode_u32((unsigned char *)buf->data + buf->off + buf->len - filled - 4, (uint32_t)filled);
}

void sftp_undo(struct sftp_packet *p)
{
    p->buf->len = p->start;
}

bool sftp_end(struct sftp_packet *p)
{
    struct plat_buf *buf = p->buf;

    if (p->bad) {
        sftp_undo(p);
        return false;
    }
    encode_u32((unsigned char *)buf->data + buf->off + p->start,
               (uint32_t)(buf->len - p->start - 4));
    return true;
}
