#include "base/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#include "base/banned.h"

void plat_json_float(char out[PLAT_JSON_FLOAT], double value)
{
    char text[32];
    int digits = 15; /* what a person wrote survives; 17 are always exact */
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
    size_t n = 0;
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
    if (!plat_buf_add(buf, "\"", 1))
        return PLAT_JSON_FULL;
    while (len > 0) {
        unsigned code = 0;
        size_t n = simple_run(s, len);
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
