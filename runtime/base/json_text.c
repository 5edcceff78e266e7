#include "base/json_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#include "base/banned.h"

/* Most floats are times and durations, with few decimals: m / 10^k is rounded once, as reading its
 * text is, so where it gives the value back its digits are those that the long way finds. */
static bool write_few_decimals(char out[PLAT_JSON_FLOAT], double value)
{
    double size = value < 0 ? -value : value, ten = 1;
    if (!(size >= 1e-3 &&
          size < 8e9)) /* no exponent, m below 2^53, and 6 decimals tell floats apart */
        return false;
    for (int k = 1; k <= 6; k++) {
        ten *= 10;
        unsigned long long m = (unsigned long long)(size * ten + 0.5);
        if ((double)m / ten != size)
            continue;
        char text[24], *p = text + sizeof(text);
        for (int i = 0; i < k; i++, m /= 10)
            *--p = (char)('0' + m % 10);
        *--p = '.';
        do
            *--p = (char)('0' + m % 10);
        while (m /= 10);
        if (value < 0)
            *--p = '-';
        size_t len = (size_t)(text + sizeof(text) - p);
        memcpy(out, p, len);
        out[len] = '\0';
        return true;
    }
    return false;
}

void plat_json_float(char out[PLAT_JSON_FLOAT], double value)
{
    char text[32];
    int digits = 15; /* what a person wrote survives; 17 are always exact */
    if (write_few_decimals(out, value))
        return;
    do {
        snprintf(text, sizeof(text), "%.*g", digits, value);
    } while (strtod(text, NULL) != value && ++digits <= 17);

    size_t mantissa = strcspn(text, "e");
    const char *point = memchr(text, '.', mantissa) ? "" : ".0";
    snprintf(out, PLAT_JSON_FLOAT, "%.*s%s%s", (int)mantissa, text, point, text + mantissa);
}

size_t plat_json_utf8(const char *s, size_t len, unsigned *ret_code)
{
    static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *p = (const unsigned char *)s;
    if (len == 0)
        return 0;
    if (p[0] < 0x80) {
        *ret_code = p[0];
        return 1;
    }
    size_t n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || n > len)
        return 0;
    unsigned code = p[0] & (0x7FU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3FU);
    }
    if (code < least[n] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *ret_code = code;
    return n;
}

bool plat_json_is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029 ||
           code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
}

static bool add_escape(struct plat_buf *buf, unsigned code)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *at = code ? memchr(from, (int)code, sizeof(from) - 1) : NULL;
    if (code < 0x80 && at)
        return plat_buf_addf(buf, "\\%c", to[at - from]);
    return plat_buf_addf(buf, "\\u%04x", code);
}

/* Length of the longest prefix that needs no look: ASCII without quotes, backslashes, controls. */
static size_t simple_run(const char *s, size_t len)
{
    const uint64_t ones = UINT64_MAX / 255, tops = ones << 7;
    size_t n = 0;
    for (uint64_t x; n + sizeof(x) <= len; n += sizeof(x)) { /* eight at once, while none is odd */
        memcpy(&x, s + n, sizeof(x));
        uint64_t quotes = x ^ ones * '"', slashes = x ^ ones * '\\', del = x ^ ones * 0x7F;
        uint64_t odd = x | ((x - ones * 0x20) & ~x) | ((quotes - ones) & ~quotes) |
                       ((slashes - ones) & ~slashes) | ((del - ones) & ~del);
        if (odd & tops)
            break;
    }
    while (n < len) {
        unsigned char c = (unsigned char)s[n];
        if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\')
            break;
        n++;
    }
    return n;
}

enum plat_json_text plat_json_quote(struct plat_buf *buf, const char *s, size_t len, bool lossy)
{
    size_t n = simple_run(s, len);
    if (n == len) { /* nearly all */
        char *out = plat_buf_room(buf, len + 2);
        if (!out)
            return PLAT_JSON_FULL;
        out[0] = out[len + 1] = '"';
        memcpy(out + 1, s, len);
        plat_buf_grew(buf, len + 2);
        return PLAT_JSON_OK;
    }
    if (!plat_buf_add(buf, "\"", 1))
        return PLAT_JSON_FULL;
    for (; len > 0; n = simple_run(s, len)) {
        unsigned code = 0;
        bool added;
        if (n > 0) {
            added = plat_buf_add(buf, s, n);
        } else if ((n = plat_json_utf8(s, len, &code)) == 0) {
            if (!lossy)
                return PLAT_JSON_NOT_UTF8;
            n = 1;
            added = plat_buf_add(buf, "\xEF\xBF\xBD", 3);
        } else if (code == '"' || code == '\\' || plat_json_is_control(code)) {
            added = add_escape(buf, code);
        } else {
            added = plat_buf_add(buf, s, n);
        }
        if (!added)
            return PLAT_JSON_FULL;
        s += n;
        len -= n;
    }
    return plat_buf_add(buf, "\"", 1) ? PLAT_JSON_OK : PLAT_JSON_FULL;
}
