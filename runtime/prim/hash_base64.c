/*
 * Base64, both alphabets of RFC 4648.  Decoding is strict: no white space, no missing padding in
 * the standard alphabet, no stray bits; the URL alphabet may go without padding, as in JWTs.
 */
#include <lauxlib.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "lua/fail.h"
#include "prim/hash.h"

#include "base/banned.h"

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char standard[] = COMMON "+/";
static const char url[] = COMMON "-_";

static int encode(lua_State *L, const char *alphabet, bool pad)
{
    size_t len;
    const unsigned char *s = (const unsigned char *)luaL_checklstring(L, 1, &len);
    luaL_Buffer b;
    luaL_argcheck(L, len <= ((size_t)1 << 30), 1, "too long");
    char *out = luaL_buffinitsize(L, &b, (len + 2) / 3 * 4);
    size_t n = 0;
    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        unsigned bits = (unsigned)s[i] << 16;
        bits |= have > 1 ? (unsigned)s[i + 1] << 8 : 0;
        bits |= have > 2 ? s[i + 2] : 0;
        for (size_t k = 0; k < 4; k++) {
            if (k <= have)
                out[n++] = alphabet[bits >> (18 - 6 * k) & 63];
            else if (pad)
                out[n++] = '=';
        }
    }
    luaL_pushresultsize(&b, n);
    return 1;
}

static int fail_at(lua_State *L, const char *op, size_t at, const char *what)
{
    struct plat_err err;
    plat_err_set(&err, PLAT_ERR_PARSE, 0, op, "byte %zu: %s", at + 1, what);
    return plat_fail(L, &err);
}

/* Values of the digits, 64 for every other byte. */
static void fill_values(unsigned char values[256], const char *alphabet)
{
    memset(values, 64, 256);
    for (unsigned char i = 0; i < 64; i++)
        values[(unsigned char)alphabet[i]] = i;
}

/* The number of digits, without the padding; -1 if the length is impossible. */
static ptrdiff_t count_digits(const char *s, size_t len, bool must_pad)
{
    size_t digits = len;
    while (digits > 0 && len - digits < 2 && s[digits - 1] == '=')
        digits--;
    bool padded = digits < len || must_pad;
    return digits % 4 == 1 || (padded && len % 4 != 0) ? -1 : (ptrdiff_t)digits;
}

static int decode(lua_State *L, const char *op, const char *alphabet, bool must_pad)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    ptrdiff_t digits = count_digits(s, len, must_pad);
    if (digits < 0)
        return fail_at(L, op, len, "the text ends in the middle of a group of four");

    unsigned char values[256];
    unsigned bits = 0;
    luaL_Buffer b;
    fill_values(values, alphabet);
    char *out = luaL_buffinitsize(L, &b, (size_t)digits / 4 * 3 + 3);
    size_t n = 0;
    for (ptrdiff_t i = 0; i < digits; i++) {
        unsigned char value = values[(unsigned char)s[i]];
        if (value == 64)
            return fail_at(L, op, (size_t)i, "not a base64 digit");
        bits = bits << 6 | value;
        if (i % 4 != 0) /* 6 bits of it are new, and 2, 4 or 6 are left of those before */
            out[n++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    unsigned left = digits % 4 == 2 ? 15 : digits % 4 == 3 ? 3 : 0;
    if (bits & left)
        return fail_at(L, op, (size_t)digits - 1, "the last digit has bits that belong to no byte");
    luaL_pushresultsize(&b, n);
    return 1;
}

int plat_hash_base64(lua_State *L)
{
    return encode(L, standard, true);
}

int plat_hash_base64url(lua_State *L)
{
    return encode(L, url, false);
}

int plat_hash_unbase64(lua_State *L)
{
    return decode(L, "hash.unbase64", standard, true);
}

int plat_hash_unbase64url(lua_State *L)
{
    return decode(L, "hash.unbase64url", url, false);
}
