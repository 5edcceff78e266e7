/* The forms in which a value may appear in text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "base/redact.h"

#include "base/banned.h"

#define FORMS_MAX 16384 /* larger values are looked for as they are and line by line alone */

static void wipe(struct plat_buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->cap);
    plat_buf_done(buf);
}

/* Adds what the buffer holds, if it is no copy of the value itself, and wipes it. */
static bool take(struct plat_redact *r, struct plat_buf *form, bool ok)
{
    ok = ok && plat_redact_pattern(r, plat_buf_bytes(form), form->len);
    wipe(form);
    return ok;
}

/* ---- percent ---- */

struct percent {
    const char *plain;  /* characters beside letters and digits that stand as they are */
    const char *digits; /* of hexadecimal numbers */
    char space;         /* what a space becomes, 0: %20 */
};

#define UPPER "0123456789ABCDEF"
#define LOWER "0123456789abcdef"

static const struct percent percents[] = {
    { "-._~", UPPER, 0 },
    { "-._~", LOWER, 0 },
    { "-._~", UPPER, '+' },
    { "-._*", UPPER, '+' },              /* HTML forms */
    { "-._~!*'()", UPPER, 0 },           /* JavaScript */
    { "-._~!$&'()*+,;=:@/?", UPPER, 0 }, /* parts of URLs */
};

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool add_percent(struct plat_redact *r, const char *s, size_t len, const struct percent *how)
{
    struct plat_buf buf;
    bool ok = true;

    plat_buf_init(&buf, SIZE_MAX);
    for (size_t i = 0; ok && i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        char escape[3] = { '%', how->digits[c >> 4], how->digits[c & 15] };

        if (is_alnum(s[i]) || (c && strchr(how->plain, c)))
            ok = plat_buf_add(&buf, s + i, 1);
        else if (c == ' ' && how->space)
            ok = plat_buf_add(&buf, &how->space, 1);
        else
            ok = plat_buf_add(&buf, escape, 3);
    }
    return take(r, &buf, ok);
}

/* ---- JSON and its like ---- */

struct quoting {
    bool ascii, slash, html; /* \uXXXX for what is not ASCII, \/, \u003c for < > & */
};

static const struct quoting quotings[] = {
    { false, false, false }, { false, true, false }, { false, false, true },
    { true, false, false },  { true, true, false },
};

static bool add_unicode(struct plat_buf *buf, unsigned code)
{
    if (code < 0x10000)
        return plat_buf_addf(buf, "\\u%04x", code);
    code -= 0x10000;
    return plat_buf_addf(buf, "\\u%04x\\u%04x", 0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF));
}

static bool quote_one(struct plat_buf *buf, const char *s, size_t n, unsigned code,
                      const struct quoting *how)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = code && code < 0x80 ? strchr(from, (int)code) : NULL;

    if (at)
        return plat_buf_addf(buf, "\\%c", to[at - from]);
    if (code == '/' && how->slash)
        return plat_buf_add(buf, "\\/", 2);
    if (code < 0x20 || (code >= 0x80 && how->ascii) ||
        (how->html && (code == '<' || code == '>' || code == '&')))
        return add_unicode(buf, code);
    return plat_buf_add(buf, s, n);
}

static bool quote(struct plat_buf *buf, const char *s, size_t len, const struct quoting *how)
{
    bool ok = true;

    while (ok && len > 0) {
        unsigned code = 0;
        size_t n = plat_json_utf8(s, len, &code);

        if (n)
            ok = quote_one(buf, s, n, code, how);
        else
            ok = plat_buf_add(buf, "\xEF\xBF\xBD", 3), n = 1;
        s += n;
        len -= n;
    }
    return ok;
}

/* As text in JSON, and as text in JSON in JSON. */
static bool add_quoted(struct plat_redact *r, const char *s, size_t len, const struct quoting *how)
{
    struct plat_buf once, twice;
    bool ok;

    plat_buf_init(&once, SIZE_MAX);
    plat_buf_init(&twice, SIZE_MAX);
    ok = quote(&once, s, len, how);
    ok = ok && quote(&twice, plat_buf_bytes(&once), once.len, how);
    ok = take(r, &twice, ok);
    return take(r, &once, ok);
}

/* As our own encoders write it, which escape more. */
static bool add_own_quoted(struct plat_redact *r, const char *s, size_t len)
{
    struct plat_buf buf;
    bool ok;

    plat_buf_init(&buf, SIZE_MAX);
    ok = plat_json_quote(&buf, s, len, true) == PLAT_JSON_OK;
    ok = ok && plat_redact_pattern(r, plat_buf_bytes(&buf) + 1, buf.len - 2);
    wipe(&buf);
    return ok;
}

/* With every `'` written as `with`: YAML doubles it, shells leave the quotes for it. */
static bool add_apostrophes(struct plat_redact *r, const char *s, size_t len, const char *with)
{
    struct plat_buf buf;
    bool ok = true;

    plat_buf_init(&buf, SIZE_MAX);
    for (size_t i = 0; ok && i < len; i++)
        ok = s[i] == '\'' ? plat_buf_add(&buf, with, strlen(with)) : plat_buf_add(&buf, s + i, 1);
    return take(r, &buf, ok);
}

/* ---- base64 ---- */

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static unsigned sextet(const char *s, size_t len, size_t shift, size_t i)
{
    unsigned bits = 0;

    for (size_t bit = 6 * i; bit < 6 * i + 6; bit++) {
        size_t at = bit / 8;
        unsigned byte = at >= shift && at - shift < len ? (unsigned char)s[at - shift] : 0;

        bits = bits << 1 | (byte >> (7 - bit % 8) & 1);
    }
    return bits;
}

/* The digits that the value alone decides when `shift` other bytes stand before it; `whole`: all
 * digits and the padding, as of a text that is nothing but the value. */
static bool base64(struct plat_buf *buf, const char *alphabet, const char *s, size_t len,
                   size_t shift, bool whole)
{
    size_t first = (8 * shift + 5) / 6, last = 8 * (shift + len) / 6;
    bool ok = true;

    if (whole)
        last = (8 * len + 5) / 6;
    for (size_t i = first; ok && i < last; i++)
        ok = plat_buf_add(buf, &alphabet[sextet(s, len, shift, i)], 1);
    for (size_t i = last; ok && whole && i % 4; i++)
        ok = plat_buf_add(buf, "=", 1);
    return ok;
}

/* Programs wrap base64: 76 digits a line by default, 64 in PEM. */
static bool add_wrapped(struct plat_redact *r, const struct plat_buf *digits, size_t width)
{
    const char *s = plat_buf_bytes(digits);
    bool ok = true;

    for (size_t i = 0; ok && digits->len > width && i < digits->len; i += width)
        ok = plat_redact_pattern(r, s + i, digits->len - i < width ? digits->len - i : width);
    return ok;
}

static bool add_base64(struct plat_redact *r, const char *alphabet, const char *s, size_t len)
{
    struct plat_buf buf;
    bool ok = true;

    for (size_t shift = 0; ok && shift < 3; shift++) {
        plat_buf_init(&buf, SIZE_MAX);
        ok = take(r, &buf, base64(&buf, alphabet, s, len, shift, false));
    }
    plat_buf_init(&buf, SIZE_MAX);
    ok = ok && base64(&buf, alphabet, s, len, 0, true);
    ok = ok && add_wrapped(r, &buf, 76) && add_wrapped(r, &buf, 64);
    ok = ok && add_percent(r, plat_buf_bytes(&buf), buf.len, &percents[0]);
    return take(r, &buf, ok);
}

/* ---- a value ---- */

static bool add_escaped(struct plat_redact *r, const char *s, size_t len)
{
    bool ok = add_own_quoted(r, s, len);

    for (size_t i = 0; ok && i < sizeof(percents) / sizeof(*percents); i++)
        ok = add_percent(r, s, len, &percents[i]);
    for (size_t i = 0; ok && i < sizeof(quotings) / sizeof(*quotings); i++)
        ok = add_quoted(r, s, len, &quotings[i]);
    if (ok && memchr(s, '\'', len))
        ok = add_apostrophes(r, s, len, "'\\''") && add_apostrophes(r, s, len, "''");
    return ok;
}

static bool add_whole(struct plat_redact *r, const char *s, size_t len)
{
    if (len < PLAT_REDACT_MIN)
        return true;
    if (!plat_redact_pattern(r, s, len))
        return false;
    return len > FORMS_MAX || (add_escaped(r, s, len) && add_base64(r, COMMON "+/", s, len) &&
                               add_base64(r, COMMON "-_", s, len));
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool is_blank(char c)
{
    return is_control(c) || c == ' ';
}

/* Each run without control characters: what is left of a value that is shown line by line. */
static bool add_lines(struct plat_redact *r, const char *s, size_t len)
{
    size_t from = 0;
    bool ok = true;

    for (size_t i = 0; ok && i <= len; i++) {
        if (i < len && !is_control(s[i]))
            continue;
        if (i - from < len && i - from >= PLAT_REDACT_MIN)
            ok = plat_redact_pattern(r, s + from, i - from) &&
                 (len > FORMS_MAX || add_escaped(r, s + from, i - from));
        from = i + 1;
    }
    return ok;
}

bool plat_redact_add(struct plat_redact *r, const char *value, size_t len, bool lines)
{
    const char *s = value;
    size_t n = len;

    if (!add_whole(r, value, len) || (lines && !add_lines(r, value, len)))
        return false;
    while (n > 0 && is_blank(s[n - 1]))
        n--;
    while (n > 0 && is_blank(*s))
        s++, n--;
    return n == len || add_whole(r, s, n); /* programs show it without the line end */
}
