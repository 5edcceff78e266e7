#include "base/yaml_resolve.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define NUMBER_MAX 128 /* longer texts are no numbers that anything could hold */
#define DEC        "0123456789"
#define DEC_       "0123456789_"
#define HEX        "0123456789abcdefABCDEF"

static const char too_big[] = "the integer does not fit 64 bits: quote it if it is text";
static const char too_far[] = "the float is out of range: quote it if it is text";

static struct plat_yaml_scalar text_scalar(void)
{
    return (struct plat_yaml_scalar){ .kind = PLAT_YAML_TEXT };
}

static struct plat_yaml_scalar bad_scalar(const char *why)
{
    return (struct plat_yaml_scalar){ .kind = PLAT_YAML_BAD, .why = why };
}

static struct plat_yaml_scalar int_scalar(int64_t value)
{
    return (struct plat_yaml_scalar){ .kind = PLAT_YAML_INT, .integer = value };
}

static struct plat_yaml_scalar float_scalar(double value)
{
    return (struct plat_yaml_scalar){ .kind = PLAT_YAML_FLOAT, .number = value };
}

static struct plat_yaml_scalar bool_scalar(bool value)
{
    return (struct plat_yaml_scalar){ .kind = PLAT_YAML_BOOL, .boolean = value };
}

/* ---- words ---- */

/* True for the lower-case word itself, "Word" and "WORD". */
static bool is_cased(const char *text, const char *word)
{
    char upper[8], title[8];
    size_t n = strlen(word);
    for (size_t i = 0; i <= n; i++) {
        upper[i] = word[i] >= 'a' && word[i] <= 'z' ? (char)(word[i] - 32) : word[i];
        title[i] = i == 0 ? upper[i] : word[i];
    }
    return strcmp(text, word) == 0 || strcmp(text, upper) == 0 || strcmp(text, title) == 0;
}

static bool is_any_cased(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (is_cased(text, *words))
            return true;
    }
    return false;
}

static size_t skip_sign(const char *text)
{
    return text[0] == '-' || text[0] == '+';
}

/* 1 for .inf with an optional sign, 2 for .nan, 0 for anything else. */
static int special_float(const char *text)
{
    const char *p = text + skip_sign(text);
    if (*p == '.' && is_cased(p + 1, "inf"))
        return 1;
    return strcmp(text, ".nan") == 0 || strcmp(text, ".NaN") == 0 || strcmp(text, ".NAN") == 0 ? 2
                                                                                               : 0;
}

/* ---- numbers ---- */

enum fit { FIT_NONE, FIT_INT64, FIT_UINT64, FIT_OVER };

/* Reads digits (all of the text) in the base.  FIT_NONE: something is no digit. */
static enum fit read_digits(const char *digits, unsigned base, bool negative, int64_t *ret_value)
{
    uint64_t value = 0;
    bool over = false;
    for (const char *p = digits; *p; p++) {
        static const char all[] = "0123456789abcdef";
        const char *at = strchr(all, *p >= 'A' && *p <= 'F' ? *p + 32 : *p);
        if (!at || (unsigned)(at - all) >= base)
            return FIT_NONE;
        uint64_t digit = (uint64_t)(at - all);
        over = over || value > (UINT64_MAX - digit) / base;
        value = value * base + digit;
    }
    if (over)
        return FIT_OVER;
    if (value > (uint64_t)INT64_MAX + negative)
        return negative ? FIT_OVER : FIT_UINT64;
    *ret_value = (int64_t)(negative ? 0 - value : value);
    return FIT_INT64;
}

/* Copies the text without underscores; false if it is too long for a number. */
static bool without_underscores(char out[NUMBER_MAX], const char *text, size_t len)
{
    if (len >= NUMBER_MAX)
        return false;
    for (; *text; text++) {
        if (*text != '_')
            *out++ = *text;
    }
    *out = '\0';
    return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?  The same in YAML 1.2 and go-yaml. */
static bool is_float(const char *text)
{
    const char *p = text + skip_sign(text);
    size_t whole = strspn(p, DEC);
    p += whole;
    if (*p == '.') {
        size_t part = strspn(p + 1, DEC);
        if (whole == 0 && part == 0)
            return false;
        p += 1 + part;
    } else if (whole == 0) {
        return false;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        p += skip_sign(p);
        size_t n = strspn(p, DEC);
        p += n;
        if (n == 0)
            return false;
    }
    return *p == '\0';
}

static struct plat_yaml_scalar read_float(const char *text)
{
    double value = strtod(text, NULL);
    return isfinite(value) ? float_scalar(value) : bad_scalar(too_far);
}

/* digits are digits of the base */
static struct plat_yaml_scalar read_int(const char *digits, unsigned base, bool negative)
{
    int64_t value;
    enum fit fit = read_digits(digits, base, negative, &value);
    return fit == FIT_INT64 ? int_scalar(value) : bad_scalar(too_big);
}

/* ---- the dialects; null and `<<` are common to them ---- */

static struct plat_yaml_scalar resolve_core(const char *text, size_t len)
{
    if (is_cased(text, "true") || is_cased(text, "false"))
        return bool_scalar(text[0] == 't' || text[0] == 'T');
    size_t sign = skip_sign(text);
    if (len > sign && strspn(text + sign, DEC) == len - sign)
        return read_int(text + sign, 10, text[0] == '-');
    if (strncmp(text, "0o", 2) == 0 && len > 2 && strspn(text + 2, "01234567") == len - 2)
        return read_int(text + 2, 8, false);
    if (strncmp(text, "0x", 2) == 0 && len > 2 && strspn(text + 2, HEX) == len - 2)
        return read_int(text + 2, 16, false);
    return is_float(text) ? read_float(text) : text_scalar();
}

/* Length of (:[0-5]?[0-9])+ at p. */
static size_t span_sixties(const char *p)
{
    const char *start = p;
    while (p[0] == ':' && p[1] && strchr(DEC, p[1]))
        p += p[1] <= '5' && p[2] && strchr(DEC, p[2]) ? 3 : 2;
    return (size_t)(p - start);
}

/* PyYAML's patterns for integers; p is behind the sign. */
static bool is_ansible_int(const char *p)
{
    if (p[0] == '0' && (p[1] == 'b' || p[1] == 'x')) {
        size_t n = strspn(p + 2, p[1] == 'b' ? "01_" : HEX "_");
        return n > 0 && p[2 + n] == '\0';
    }
    if (p[0] == '0')
        return p[1 + strspn(p + 1, "01234567_")] == '\0';
    if (p[0] == '\0' || !strchr(DEC, p[0]))
        return false;
    p += strspn(p, DEC_);
    return p[span_sixties(p)] == '\0';
}

static struct plat_yaml_scalar read_sixties(const char *digits, bool negative)
{
    int64_t total = 0;
    for (const char *p = digits; *p; p += *p == ':') {
        char part[NUMBER_MAX];
        int64_t value;
        size_t n = strcspn(p, ":");
        memcpy(part, p, n);
        part[n] = '\0';
        if (read_digits(part, 10, false, &value) != FIT_INT64 || total > (INT64_MAX - value) / 60)
            return bad_scalar(too_big);
        total = total * 60 + value;
        p += n;
    }
    return int_scalar(negative ? -total : total);
}

/* text matches is_ansible_int behind its sign */
static struct plat_yaml_scalar read_ansible_int(const char *text, size_t len)
{
    char plain[NUMBER_MAX];
    bool negative = text[0] == '-';
    if (!without_underscores(plain, text, len))
        return bad_scalar(too_big);
    const char *p = plain + skip_sign(plain);
    if (strchr(p, ':'))
        return read_sixties(p, negative);
    unsigned base = p[0] != '0' ? 10 : p[1] == 'b' ? 2 : p[1] == 'x' ? 16 : 8;
    if (base == 2 || base == 16)
        p += 2;
    if (*p == '\0')
        return bad_scalar("a number without digits");
    return read_int(p, base, negative);
}

/* PyYAML's patterns for floats; an exponent needs a point and a sign. */
static bool is_ansible_float(const char *text)
{
    const char *p = text;
    if (*p == '.') {
        if (p[1] == '_' || (p += 1 + strspn(p + 1, DEC_)) == text + 1)
            return false;
    } else {
        p += skip_sign(p);
        if (*p == '_' || !*p)
            return false;
        size_t whole = strspn(p, DEC_);
        p += whole;
        size_t sixties = whole ? span_sixties(p) : 0;
        p += sixties;
        if (whole == 0 || *p != '.')
            return false;
        p += 1 + strspn(p + 1, DEC_);
        if (sixties)
            return *p == '\0';
    }
    if (*p != 'e' && *p != 'E')
        return *p == '\0';
    size_t n = p[1] == '-' || p[1] == '+' ? strspn(p + 2, DEC) : 0;
    return n > 0 && p[2 + n] == '\0';
}

/* text matches is_ansible_float */
static struct plat_yaml_scalar read_ansible_float(const char *text, size_t len)
{
    char plain[NUMBER_MAX];
    if (!without_underscores(plain, text, len))
        return bad_scalar(too_far);
    char *p = plain + skip_sign(plain);
    if (!strchr(p, ':'))
        return read_float(plain);
    double total = 0, unit = 1;
    for (char *colon; (colon = strrchr(p, ':'));) {
        total += strtod(colon + 1, NULL) * unit;
        unit *= 60;
        *colon = '\0';
    }
    total += strtod(p, NULL) * unit;
    if (!isfinite(total))
        return bad_scalar(too_far);
    return float_scalar(plain[0] == '-' ? -total : total);
}

static struct plat_yaml_scalar resolve_ansible(const char *text, size_t len)
{
    static const char *const yes[] = { "yes", "true", "on", NULL };
    static const char *const no[] = { "no", "false", "off", NULL };
    if (is_any_cased(text, yes))
        return bool_scalar(true);
    if (is_any_cased(text, no))
        return bool_scalar(false);
    if (strcmp(text, "=") == 0)
        return bad_scalar("a plain `=` has no value here: quote it");
    if (is_ansible_int(text + skip_sign(text)))
        return read_ansible_int(text, len);
    return is_ansible_float(text) ? read_ansible_float(text, len) : text_scalar();
}

/* Go's strconv.ParseInt with base 0, or the binary form that go-yaml tries last. */
static enum fit read_go_int(const char *text, int64_t *ret_value)
{
    bool negative = text[0] == '-';
    const char *p = text + skip_sign(text);
    if (p == text && p[0] == '0' && p[1] == 'b' && skip_sign(p + 2) && p[3])
        return read_digits(p + 3, 2, p[2] == '-', ret_value);
    if (p[0] == '\0')
        return FIT_NONE;
    if (p[0] != '0')
        return read_digits(p, 10, negative, ret_value);
    switch (p[1] && p[2] ? p[1] | 32 : 0) {
    case 'b':
        return read_digits(p + 2, 2, negative, ret_value);
    case 'o':
        return read_digits(p + 2, 8, negative, ret_value);
    case 'x':
        return read_digits(p + 2, 16, negative, ret_value);
    default:
        return read_digits(p, 8, negative, ret_value);
    }
}

/* Go reports floats out of range, and go-yaml takes them for text then. */
static struct plat_yaml_scalar read_go_float(const char *text)
{
    double value = strtod(text, NULL);
    return isfinite(value) ? float_scalar(value) : text_scalar();
}

/* Go's floats allow underscores between digits. */
static bool has_stray_underscore(const char *text)
{
    for (const char *p = text; (p = strchr(p, '_')); p++) {
        if (p == text || !strchr(DEC, p[-1]) || p[1] == '\0' || !strchr(DEC, p[1]))
            return true;
    }
    return false;
}

static struct plat_yaml_scalar resolve_kubernetes(const char *text, size_t len)
{
    static const char *const yes[] = { "y", "yes", "true", "on", NULL };
    static const char *const no[] = { "n", "no", "false", "off", NULL };
    char plain[NUMBER_MAX];
    int64_t value;
    if (is_any_cased(text, yes))
        return bool_scalar(true);
    if (is_any_cased(text, no))
        return bool_scalar(false);
    if (!strchr(DEC "+-.", text[0]) || (text[0] == '.' && has_stray_underscore(text)))
        return text_scalar();
    if (!without_underscores(plain, text, len))
        return strspn(text, DEC_ ".+-eE") == len ? bad_scalar(too_far) : text_scalar();
    enum fit fit = text[0] == '.' ? FIT_NONE : read_go_int(plain, &value);
    if (fit == FIT_INT64)
        return int_scalar(value);
    if (fit == FIT_UINT64)
        return bad_scalar(too_big);
    return is_float(plain) ? read_go_float(plain) : text_scalar();
}

struct plat_yaml_scalar plat_yaml_resolve(enum plat_yaml_dialect dialect, const char *text,
                                          size_t len)
{
    if (strlen(text) != len)
        return text_scalar(); /* only quoted text contains zero bytes, but who knows */
    if (!strchr(DEC "+-.~<=yYnNtTfFoO", text[0])) /* finds the end of an empty text, too */
        return text_scalar();
    if (len == 0 || strcmp(text, "~") == 0 || is_cased(text, "null"))
        return (struct plat_yaml_scalar){ .kind = PLAT_YAML_NULL };
    if (strcmp(text, "<<") == 0)
        return (struct plat_yaml_scalar){ .kind = PLAT_YAML_MERGE };
    int special = special_float(text);
    if (special)
        return float_scalar(special == 2 ? NAN : text[0] == '-' ? -INFINITY : INFINITY);
    if (dialect == PLAT_YAML_CORE)
        return resolve_core(text, len);
    return dialect == PLAT_YAML_ANSIBLE ? resolve_ansible(text, len)
                                        : resolve_kubernetes(text, len);
}

bool plat_yaml_is_text(const char *text, size_t len)
{
    if (len > 4 && strspn(text, DEC) == 4 && text[4] == '-')
        return false; /* a date to YAML 1.1 readers, text to us */
    for (int dialect = 0; dialect < PLAT_YAML_DIALECTS; dialect++) {
        if (plat_yaml_resolve((enum plat_yaml_dialect)dialect, text, len).kind != PLAT_YAML_TEXT)
            return false;
    }
    return true;
}
