/*
 * prim.cipher: a key from a password, AES in counter mode, and hexadecimal text: what encrypted
 * files are made of.  Everything happens in line, so the work of one call is bounded.
 */
#include <lauxlib.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/err.h"
#include "lua/fail.h"

#include "base/banned.h"

#define ROUNDS_MAX 100000 /* about 25 ms a block of 32 bytes */
#define KEY_MAX    256
#define TEXT_MAX   ((size_t)1 << 30)
#define AES256_KEY 32
#define AES_BLOCK  16

static int fail(lua_State *L, const char *op, const char *what)
{
    struct plat_err err;
    ERR_clear_error(); /* libcurl shares the queue, and would take this for its own */
    plat_err_set(&err, PLAT_ERR_REFUSED, 0, op, "%s", what);
    return plat_fail(L, &err);
}

/* pbkdf2(password, salt, rounds, length) -> key by HMAC-SHA256 (RFC 8018) */
static int l_pbkdf2(lua_State *L)
{
    size_t password_len, salt_len;
    const char *password = luaL_checklstring(L, 1, &password_len);
    const char *salt = luaL_checklstring(L, 2, &salt_len);
    lua_Integer rounds = luaL_checkinteger(L, 3);
    lua_Integer length = luaL_checkinteger(L, 4);
    unsigned char key[KEY_MAX];
    luaL_argcheck(L, password_len <= TEXT_MAX, 1, "too long");
    luaL_argcheck(L, salt_len <= TEXT_MAX, 2, "too long");
    luaL_argcheck(L, rounds >= 1 && rounds <= ROUNDS_MAX, 3, "from 1 to 100000 rounds");
    luaL_argcheck(L, length >= 1 && length <= KEY_MAX, 4, "from 1 to 256 bytes");
    if (PKCS5_PBKDF2_HMAC(password, (int)password_len, (const unsigned char *)salt, (int)salt_len,
                          (int)rounds, EVP_sha256(), (int)length, key) != 1)
        return fail(L, "cipher.pbkdf2", "OpenSSL's configuration does not allow this derivation");
    lua_pushlstring(L, (const char *)key, (size_t)length);
    OPENSSL_cleanse(key, sizeof(key));
    return 1;
}

static bool aes256_ctr(const char *key, const char *counter, const char *in, size_t len, char *out)
{
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx &&
              EVP_EncryptInit_ex(ctx, EVP_aes_256_ctr(), NULL, (const unsigned char *)key,
                                 (const unsigned char *)counter) == 1 &&
              EVP_EncryptUpdate(ctx, (unsigned char *)out, &n, (const unsigned char *)in,
                                (int)len) == 1 &&
              (size_t)n == len;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* aes256_ctr(key, counter, bytes) -> bytes: the same call encrypts and decrypts */
static int l_aes256_ctr(lua_State *L)
{
    size_t key_len, counter_len, len;
    luaL_Buffer b;
    const char *key = luaL_checklstring(L, 1, &key_len);
    const char *counter = luaL_checklstring(L, 2, &counter_len);
    const char *in = luaL_checklstring(L, 3, &len);
    luaL_argcheck(L, key_len == AES256_KEY, 1, "a key has 32 bytes");
    luaL_argcheck(L, counter_len == AES_BLOCK, 2, "a counter has 16 bytes");
    luaL_argcheck(L, len <= TEXT_MAX, 3, "too long");
    char *out = luaL_buffinitsize(L, &b, len);
    if (!aes256_ctr(key, counter, in, len, out)) /* OpenSSL's objects live in there: no longjmp */
        return fail(L, "cipher.aes256_ctr", "OpenSSL's configuration does not allow this cipher");
    luaL_pushresultsize(&b, len);
    return 1;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int fail_at(lua_State *L, size_t at, const char *what)
{
    struct plat_err err;
    plat_err_set(&err, PLAT_ERR_PARSE, 0, "cipher.unhex", "byte %zu: %s", at + 1, what);
    return plat_fail(L, &err);
}

/* unhex(text) -> bytes | nil, err */
static int l_unhex(lua_State *L)
{
    size_t len;
    luaL_Buffer b;
    const char *s = luaL_checklstring(L, 1, &len);
    if (len % 2 != 0)
        return fail_at(L, len, "the text ends in the middle of a pair of digits");
    char *out = luaL_buffinitsize(L, &b, len / 2);
    for (size_t i = 0; i < len; i += 2) {
        int high = digit(s[i]), low = digit(s[i + 1]);
        if (high < 0 || low < 0)
            return fail_at(L, high < 0 ? i : i + 1, "not a hexadecimal digit");
        out[i / 2] = (char)(high << 4 | low);
    }
    luaL_pushresultsize(&b, len / 2);
    return 1;
}

static const luaL_Reg functions[] = {
    { "pbkdf2", l_pbkdf2 },
    { "aes256_ctr", l_aes256_ctr },
    { "unhex", l_unhex },
    { NULL, NULL },
};

int luaopen_prim_cipher(lua_State *L);

int luaopen_prim_cipher(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
