/* What a certificate says about itself.  Nothing is verified here; libcurl does that. */
#include <arpa/inet.h>
#include <lauxlib.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

#include "base/err.h"
#include "lua/fail.h"
#include "prim/hash.h"

#include "base/banned.h"

#define BOX "plat.hash.certificate"
#define OP  "hash.x509"

/* OpenSSL's objects, held while Lua may raise. */
struct box {
    BIO *bio; /* the PEM text first, then scratch for printing */
    X509 *cert;
    GENERAL_NAMES *names;
    BIGNUM *serial;
    char *serial_text;
};

static void box_clear(struct box *box)
{
    BIO_free(box->bio);
    X509_free(box->cert);
    GENERAL_NAMES_free(box->names);
    BN_free(box->serial);
    OPENSSL_free(box->serial_text);
    *box = (struct box){ 0 };
}

static int box_gc(lua_State *L)
{
    box_clear(luaL_checkudata(L, 1, BOX));
    return 0;
}

/* nil, err with OpenSSL's reason; its error queue is left empty. */
static int fail(lua_State *L, struct box *box, const char *what)
{
    struct plat_err err;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    plat_err_set(&err, PLAT_ERR_PARSE, 0, OP, "%s%s%s", what, reason ? ": " : "",
                 reason ? reason : "");
    ERR_clear_error();
    box_clear(box);
    return plat_fail(L, &err);
}

static bool set_time(lua_State *L, const char *field, const ASN1_TIME *time)
{
    int days, seconds;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, time);
    ASN1_TIME_free(epoch);
    if (!ok)
        return false;
    lua_pushinteger(L, (lua_Integer)days * 86400 + seconds);
    lua_setfield(L, -2, field);
    return true;
}

static bool set_name(lua_State *L, struct box *box, const char *field, const X509_NAME *name)
{
    char *text;
    BIO_free(box->bio);
    box->bio = BIO_new(BIO_s_mem());
    if (!box->bio || X509_NAME_print_ex(box->bio, name, 0, XN_FLAG_RFC2253) < 0)
        return false;
    long n = BIO_get_mem_data(box->bio, &text);
    lua_pushlstring(L, text, n > 0 ? (size_t)n : 0);
    lua_setfield(L, -2, field);
    return true;
}

static bool set_serial(lua_State *L, struct box *box)
{
    box->serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(box->cert), NULL);
    box->serial_text = box->serial ? BN_bn2hex(box->serial) : NULL;
    if (!box->serial_text)
        return false;
    lua_pushstring(L, box->serial_text);
    lua_setfield(L, -2, "serial");
    return true;
}

static bool set_fingerprint(lua_State *L, struct box *box)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;
    luaL_Buffer b;
    if (!X509_digest(box->cert, EVP_sha256(), digest, &n))
        return false;
    luaL_buffinit(L, &b);
    for (unsigned i = 0; i < n; i++) {
        luaL_addchar(&b, "0123456789abcdef"[digest[i] >> 4]);
        luaL_addchar(&b, "0123456789abcdef"[digest[i] & 15]);
    }
    luaL_pushresult(&b);
    lua_setfield(L, -2, "sha256");
    return true;
}

/* [-0, +1] Pushes a subject alternative name as text, or nothing: false. */
static bool push_alternative(lua_State *L, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *s = name->type == GEN_IPADD ? name->d.iPAddress : name->d.ia5;
    switch (name->type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
        lua_pushlstring(L, (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
        return true;
    case GEN_IPADD:
        if (ASN1_STRING_length(s) != 4 && ASN1_STRING_length(s) != 16)
            return false;
        if (!inet_ntop(ASN1_STRING_length(s) == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s),
                       text, sizeof(text)))
            return false;
        lua_pushstring(L, text);
        return true;
    default:
        return false;
    }
}

static void set_alternatives(lua_State *L, struct box *box)
{
    lua_Integer n = 0;
    lua_newtable(L);
    box->names = X509_get_ext_d2i(box->cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(box->names); i++) {
        if (push_alternative(L, sk_GENERAL_NAME_value(box->names, i)))
            lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, "names");
}

int plat_hash_x509(lua_State *L)
{
    size_t len;
    const char *pem = luaL_checklstring(L, 1, &len);
    luaL_argcheck(L, len <= (16 << 20), 1, "too long for a certificate");
    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = (struct box){ 0 };
    luaL_setmetatable(L, BOX);

    ERR_clear_error();
    box->bio = BIO_new_mem_buf(pem, (int)len);
    box->cert = box->bio ? PEM_read_bio_X509(box->bio, NULL, NULL, NULL) : NULL;
    if (!box->cert)
        return fail(L, box, "no certificate in PEM");
    lua_createtable(L, 0, 8);
    if (!set_name(L, box, "subject", X509_get_subject_name(box->cert)) ||
        !set_name(L, box, "issuer", X509_get_issuer_name(box->cert)))
        return fail(L, box, "the certificate's names cannot be read");
    if (!set_time(L, "not_before", X509_get0_notBefore(box->cert)) ||
        !set_time(L, "not_after", X509_get0_notAfter(box->cert)))
        return fail(L, box, "the certificate's dates cannot be read");
    if (!set_serial(L, box) || !set_fingerprint(L, box))
        return fail(L, box, "the certificate cannot be read");
    set_alternatives(L, box);
    lua_pushboolean(L, X509_check_ca(box->cert) != 0);
    lua_setfield(L, -2, "ca");
    ERR_clear_error();
    box_clear(box);
    return 1;
}

void plat_hash_x509_open(lua_State *L)
{
    luaL_newmetatable(L, BOX);
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
