/*
 * prim.hash: digests, random bytes, base64, certificates.  OpenSSL sets itself up on the first call
 * that needs it (about a millisecond), so loading this module and base64 cost nothing; nor does
 * SHA-256, with which each run chains its journal: it goes past OpenSSL's providers.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init and its kin */
#include "prim/hash.h"

#include <lauxlib.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/err.h"
#include "lua/args.h"
#include "lua/fail.h"

#include "base/banned.h"

#define RANDOM_MAX 65536

static const EVP_MD *check_algorithm(lua_State *L, int idx)
{
    static const char *const names[] = { "md5", "sha1", "sha256", "sha384", "sha512", NULL };
    static const EVP_MD *(*const functions[])(void) = { EVP_md5, EVP_sha1, EVP_sha256, EVP_sha384,
                                                        EVP_sha512 };
    return functions[luaL_checkoption(L, idx, NULL, names)]();
}

static int fail(lua_State *L, const char *op, const char *what)
{
    struct plat_err err;
    plat_err_set(&err, PLAT_ERR_REFUSED, 0, op, "%s", what);
    return plat_fail(L, &err);
}

int plat_hash_push_digest(lua_State *L, const unsigned char *digest, unsigned len, bool raw)
{
    char hex[2 * EVP_MAX_MD_SIZE];
    if (raw) {
        lua_pushlstring(L, (const char *)digest, len);
        return 1;
    }
    for (size_t i = 0; i < len; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    lua_pushlstring(L, hex, (size_t)len * 2);
    return 1;
}

/* digest(algorithm, bytes, { raw = }?) -> hex */
static int l_digest(lua_State *L)
{
    size_t len;
    unsigned n;
    unsigned char digest[EVP_MAX_MD_SIZE];
    const EVP_MD *md = check_algorithm(L, 1);
    const char *s = luaL_checklstring(L, 2, &len);
    bool raw = plat_args_bool(L, 3, "raw", false);
    if (md == EVP_sha256()) {
        SHA256_CTX ctx;

        SHA256_Init(&ctx);
        SHA256_Update(&ctx, s, len);
        SHA256_Final(digest, &ctx);
        return plat_hash_push_digest(L, digest, SHA256_DIGEST_LENGTH, raw);
    }
    if (!EVP_Digest(s, len, digest, &n, md, NULL))
        return fail(L, "hash.digest", "OpenSSL's configuration does not allow this digest");
    return plat_hash_push_digest(L, digest, n, raw);
}

/* hmac(algorithm, key, bytes, { raw = }?) -> hex */
static int l_hmac(lua_State *L)
{
    size_t key_len, len;
    unsigned n;
    unsigned char digest[EVP_MAX_MD_SIZE];
    const EVP_MD *md = check_algorithm(L, 1);
    const char *key = luaL_checklstring(L, 2, &key_len);
    const char *s = luaL_checklstring(L, 3, &len);
    bool raw = plat_args_bool(L, 4, "raw", false);
    luaL_argcheck(L, key_len <= 1 << 20, 2, "too long for a key");
    if (!HMAC(md, key, (int)key_len, (const unsigned char *)s, len, digest, &n))
        return fail(L, "hash.hmac", "OpenSSL's configuration does not allow this digest");
    return plat_hash_push_digest(L, digest, n, raw);
}

/* random(n) -> n bytes for keys and names that nobody may guess */
static int l_random(lua_State *L)
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_Buffer b;
    luaL_argcheck(L, n >= 0 && n <= RANDOM_MAX, 1, "from 0 to 65536 bytes at once");
    char *out = luaL_buffinitsize(L, &b, (size_t)n);
    if (RAND_bytes((unsigned char *)out, (int)n) != 1)
        return fail(L, "hash.random", "the system gives no random bytes");
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

/* equal(a, b) -> boolean, in a time that does not tell where they differ */
static int l_equal(lua_State *L)
{
    size_t a_len, b_len;
    const char *a = luaL_checklstring(L, 1, &a_len);
    const char *b = luaL_checklstring(L, 2, &b_len);
    lua_pushboolean(L, a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0);
    return 1;
}

static const luaL_Reg functions[] = {
    { "digest", l_digest },
    { "file", plat_hash_file },
    { "hmac", l_hmac },
    { "random", l_random },
    { "equal", l_equal },
    { "base64", plat_hash_base64 },
    { "base64url", plat_hash_base64url },
    { "unbase64", plat_hash_unbase64 },
    { "unbase64url", plat_hash_unbase64url },
    { "x509", plat_hash_x509 },
    { NULL, NULL },
};

int luaopen_prim_hash(lua_State *L);

int luaopen_prim_hash(lua_State *L)
{
    plat_hash_x509_open(L);
    luaL_newlib(L, functions);
    return 1;
}
