#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

void plat_buf_init(struct plat_buf *buf, size_t max)
{
    *buf = (struct plat_buf){ .max = max };
}

void plat_buf_done(struct plat_buf *buf)
{
    free(buf->data);
    *buf = (struct plat_buf){ .max = buf->max };
}

/* Makes cap - off - len >= n, by moving the unread bytes to the front or by growing. */
static bool reserve(struct plat_buf *buf, size_t n)
{
    size_t want, cap;
    char *data;

    if (n > buf->max || buf->len > buf->max - n)
        return false;
    if (buf->cap - buf->off - buf->len >= n && buf->data)
        return true;
    want = buf->len + n;
    if (buf->cap >= want && buf->off >= buf->len) {
        memcpy(buf->data, buf->data + buf->off, buf->len);
        buf->off = 0;
        return true;
    }
    cap = buf->cap ? buf->cap : 256;
    while (cap < want)
        cap = cap > SIZE_MAX / 2 ? want : cap * 2;
    if (cap > buf->max && want <= buf->max)
        cap = buf->max > want ? buf->max : want;
    data = malloc(cap);
    if (!data)
        return false;
    if (buf->len)
        memcpy(data, buf->data + buf->off, buf->len);
    free(buf->data);
    buf->data = data;
    buf->cap = cap;
    buf->off = 0;
    return true;
}

bool plat_buf_add(struct plat_buf *buf, const void *bytes, size_t n)
{
    if (!n)
        return true;
    if (!reserve(buf, n))
        return false;
    memcpy(buf->data + buf->off + buf->len, bytes, n);
    buf->len += n;
    return true;
}

bool plat_buf_addf(struct plat_buf *buf, const char *fmt, ...)
{
    char text[512], *big;
    va_list ap;
    bool ok;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        return false;
    if ((size_t)n < sizeof(text))
        return plat_buf_add(buf, text, (size_t)n);
    big = malloc((size_t)n + 1);
    if (!big)
        return false;
    va_start(ap, fmt);
    vsnprintf(big, (size_t)n + 1, fmt, ap);
    va_end(ap);
    ok = plat_buf_add(buf, big, (size_t)n);
    free(big);
    return ok;
}

char *plat_buf_room(struct plat_buf *buf, size_t n)
{
    return reserve(buf, n) ? buf->data + buf->off + buf->len : NULL;
}

void plat_buf_grew(struct plat_buf *buf, size_t n)
{
    buf->len += n;
}

const char *plat_buf_bytes(const struct plat_buf *buf)
{
    return buf->data ? buf->data + buf->off : "";
}

void plat_buf_drop(struct plat_buf *buf, size_t n)
{
    buf->off += n;
    buf->len -= n;
    if (!buf->len)
        buf->off = 0;
}

void plat_buf_clear(struct plat_buf *buf)
{
    buf->off = buf->len = 0;
}
