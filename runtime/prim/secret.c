/*
 * prim.secret: making secrets, what may be made of them, and their redaction.  Lua code gets the
 * bytes by reveal() alone, which answers the standard library only.
 */
#include "prim/secret.h"

#include <lauxlib.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/redact.h"
#include "lua/args.h"
#include "lua/fail.h"
#include "lua/secret.h"

#include "base/banned.h"

enum {
    MAX_VALUE = 1 << 20, /* of a value that somebody gives us */
    MAX_FORM = 1024,     /* larger ones made of secrets are found by the secrets in them */
    MAX_GENERATED = 4096,
};

/* ---- making ---- */

static char *push_copy(lua_State *L, const char *bytes, size_t len)
{
    char *value = plat_secret_new(L, len);

    memcpy(value, bytes, len);
    return value;
}

/* Names the secret on top of the stack by the text at idx, if there is one. */
static void name_it(lua_State *L, int idx, bool derived)
{
    if (lua_isnoneornil(L, idx))
        return;
    luaL_checkstring(L, idx);
    lua_pushvalue(L, idx);
    plat_secret_set_reference(L, lua_gettop(L) - 1, derived);
}

/* new(value, reference, { short = }?) -> secret | nil, err */
static int l_new(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);
    bool is_short = plat_args_bool(L, 3, "short", false);
    struct plat_err err;

    luaL_checkstring(L, 2);
    if (len < PLAT_REDACT_MIN && !is_short) {
        plat_err_set(&err, PLAT_ERR_USAGE, 0, "secret.new",
                     "shorter than %d characters: it could not be kept out of the output",
                     PLAT_REDACT_MIN);
        return plat_fail(L, &err);
    }
    if (len > MAX_VALUE) {
        plat_err_set(&err, PLAT_ERR_USAGE, 0, "secret.new", "larger than 1 MiB");
        return plat_fail(L, &err);
    }
    if (len >= PLAT_REDACT_MIN)
        plat_secret_register(L, bytes, len, true);
    push_copy(L, bytes, len);
    name_it(L, 2, false);
    return 1;
}

/* register(text) -> whether it is long enough to be replaced in output */
static int l_register(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 1, &len);

    if (len >= PLAT_REDACT_MIN && len <= MAX_VALUE)
        plat_secret_register(L, bytes, len, true);
    lua_pushboolean(L, len >= PLAT_REDACT_MIN && len <= MAX_VALUE);
    return 1;
}

/* The secret on top of the stack, made of others, is found as a whole too. */
static void register_form(lua_State *L)
{
    size_t len;
    const char *bytes = plat_secret_bytes(L, -1, &len);

    if (bytes && len >= PLAT_REDACT_MIN && len <= MAX_FORM)
        plat_secret_register(L, bytes, len, false);
}

/* join(parts, reference?) -> secret: texts and secrets one after the other.  Without a reference
 * it is made for the wire: nobody else gets it. */
static int l_join(lua_State *L)
{
    lua_Integer n;
    size_t total = 0, len;
    char *at;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    n = luaL_len(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, 1, i);
        plat_secret_check_bytes(L, -1, &len);
        total += len;
        lua_pop(L, 1);
    }
    at = plat_secret_new(L, total);
    for (lua_Integer i = 1; i <= n; i++) {
        const char *part;

        lua_geti(L, 1, i);
        part = plat_secret_check_bytes(L, -1, &len);
        luaL_argcheck(L, len <= total, 1, "the parts changed");
        memcpy(at, part, len);
        at += len;
        total -= len;
        lua_pop(L, 1);
    }
    if (!lua_isnil(L, 2)) {
        name_it(L, 2, true);
        register_form(L);
    }
    return 1;
}

/* ---- other forms ---- */

/* Writes the form of s to out, if there is room, and gives its length. */
typedef size_t form_fn(char *out, const char *s, size_t len);

static size_t encode64(char *out, const char *s, size_t len, const char *digits, bool pad)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = 0;

    for (size_t i = 0; i < len; i += 3) {
        size_t have = len - i < 3 ? len - i : 3;
        unsigned bits = (unsigned)u[i] << 16;

        bits |= have > 1 ? (unsigned)u[i + 1] << 8 : 0;
        bits |= have > 2 ? u[i + 2] : 0;
        for (size_t k = 0; k < 4 && (k <= have || pad); k++, n++) {
            if (out)
                out[n] = k <= have ? digits[bits >> (18 - 6 * k) & 63] : '=';
        }
    }
    return n;
}

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static size_t form_base64(char *out, const char *s, size_t len)
{
    return encode64(out, s, len, COMMON "+/", true);
}

static size_t form_base64url(char *out, const char *s, size_t len)
{
    return encode64(out, s, len, COMMON "-_", false);
}

static size_t form_url(char *out, const char *s, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        bool plain = c && strchr(COMMON "-._~", c);

        if (out) {
            out[n] = plain ? s[i] : '%';
            if (!plain) {
                out[n + 1] = "0123456789ABCDEF"[c >> 4];
                out[n + 2] = "0123456789ABCDEF"[c & 15];
            }
        }
        n += plain ? 1 : 3;
    }
    return n;
}

static size_t form_trim(char *out, const char *s, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", s[len - 1]) && s[len - 1])
        len--;
    while (len > 0 && strchr(" \t\r\n", *s) && *s)
        s++, len--;
    if (out)
        memcpy(out, s, len);
    return len;
}

/* form(secret, how, reference) -> secret */
static int l_form(lua_State *L)
{
    static const char *const names[] = { "base64", "base64url", "url", "trim", NULL };
    static form_fn *const forms[] = { form_base64, form_base64url, form_url, form_trim };
    size_t len;
    const char *s = plat_secret_check_bytes(L, 1, &len);
    form_fn *form = forms[luaL_checkoption(L, 2, NULL, names)];

    lua_settop(L, 3);
    form(plat_secret_new(L, form(NULL, s, len)), s, len);
    name_it(L, 3, true);
    register_form(L);
    return 1;
}

/* generate(length, alphabet, reference) -> secret | nil, err */
static int l_generate(lua_State *L)
{
    lua_Integer length = luaL_checkinteger(L, 1);
    size_t n, limit;
    const char *alphabet = luaL_checklstring(L, 2, &n);
    unsigned char byte;
    struct plat_err err;
    char *value;

    luaL_argcheck(L, length >= PLAT_REDACT_MIN && length <= MAX_GENERATED, 1, "out of range");
    luaL_argcheck(L, n >= 2 && n <= 256, 2, "2 to 256 characters expected");
    lua_settop(L, 3);
    value = plat_secret_new(L, (size_t)length);
    limit = 256 - 256 % n; /* bytes above it would favour the first characters */
    for (lua_Integer i = 0; i < length;) {
        if (RAND_bytes(&byte, 1) != 1) {
            plat_err_set(&err, PLAT_ERR_REFUSED, 0, "secret.generate",
                         "the system gives no random bytes");
            return plat_fail(L, &err);
        }
        if (byte < limit)
            value[i++] = alphabet[byte % n];
    }
    plat_secret_register(L, value, (size_t)length, true);
    name_it(L, 3, false);
    return 1;
}

/* ---- looking ---- */

static int l_is(lua_State *L)
{
    lua_pushboolean(L, plat_secret_is(L, 1));
    return 1;
}

/* equal(a, b) -> boolean; texts or secrets, in a time that does not tell where they differ */
static int l_equal(lua_State *L)
{
    size_t a_len, b_len;
    const char *a = plat_secret_check_bytes(L, 1, &a_len);
    const char *b = plat_secret_check_bytes(L, 2, &b_len);
    unsigned char differ = 0;

    for (size_t i = 0; a_len == b_len && i < a_len; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    lua_pushboolean(L, a_len == b_len && !differ);
    return 1;
}

static bool called_by_stdlib(lua_State *L)
{
    const char *dir = getenv("PLATRUN_STDLIB");
    lua_Debug ar;

    if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "S", &ar))
        return false;
    if (!strncmp(ar.source, "@plat/", 6))
        return true;
    return dir && *dir && ar.source[0] == '@' && !strncmp(ar.source + 1, dir, strlen(dir));
}

/* reveal(secret or text) -> text */
static int l_reveal(lua_State *L)
{
    size_t len;
    const char *bytes = plat_secret_check_bytes(L, 1, &len);

    if (!called_by_stdlib(L))
        return luaL_error(L, "only the standard library sees what is in a secret");
    lua_pushlstring(L, bytes, len);
    return 1;
}

/* reference(secret) -> text, whether it is JSON */
static int l_reference(lua_State *L)
{
    bool derived;

    plat_secret_push_reference(L, 1, &derived);
    lua_pushboolean(L, derived);
    return 2;
}

/* set_reference(secret, text, derived) */
static int l_set_reference(lua_State *L)
{
    bool derived = lua_toboolean(L, 3);

    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    plat_secret_set_reference(L, 1, derived);
    return 0;
}

static int l_methods(lua_State *L)
{
    plat_secret_push_methods(L);
    return 1;
}

static const luaL_Reg functions[] = {
    { "new", l_new },
    { "register", l_register },
    { "join", l_join },
    { "form", l_form },
    { "generate", l_generate },
    { "is", l_is },
    { "equal", l_equal },
    { "reveal", l_reveal },
    { "reference", l_reference },
    { "set_reference", l_set_reference },
    { "redact", plat_secret_redact },
    { "stream", plat_secret_stream },
    { "methods", l_methods },
    { NULL, NULL },
};

int luaopen_prim_secret(lua_State *L);

int luaopen_prim_secret(lua_State *L)
{
    plat_secret_stream_open(L);
    luaL_newlib(L, functions);
    return 1;
}
