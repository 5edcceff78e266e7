/* Private keys: their public half as SSH writes it, and signatures. */
#include "io/ssh_key.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "io/ssh_key_impl.h"

#include "base/banned.h"

#define OP "ssh.key"

enum { BLOB_MAX = 8192, TEXT_MAX = 64 * 1024 };

struct plat_ssh_key {
    int refs;
    EVP_PKEY *pkey;
    const char *type;
    struct plat_buf blob;
};

static const struct curve {
    const char *group, *type, *name;
} curves[] = {
    { "prime256v1", "ecdsa-sha2-nistp256", "nistp256" },
    { "secp384r1", "ecdsa-sha2-nistp384", "nistp384" },
    { "secp521r1", "ecdsa-sha2-nistp521", "nistp521" },
};

/* ---- numbers to keys ---- */

static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *bld)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

/* d modulo p - 1; NULL: they are no numbers of a key. */
static BIGNUM *reduce(const BIGNUM *d, const BIGNUM *p)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *less = BN_dup(p), *ret = BN_new();
    bool ok = ctx && less && ret && BN_sub_word(less, 1) && !BN_is_zero(less) &&
              !BN_is_negative(less) && BN_mod(ret, d, less, ctx);

    BN_clear_free(less);
    BN_CTX_free(ctx);
    if (ok)
        return ret;
    BN_clear_free(ret);
    return NULL;
}

EVP_PKEY *ssh_key_from_rsa(const BIGNUM *n, const BIGNUM *e, const BIGNUM *d, const BIGNUM *iqmp,
                           const BIGNUM *p, const BIGNUM *q)
{
    BIGNUM *dp = reduce(d, p), *dq = reduce(d, q);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    const struct {
        const char *name;
        const BIGNUM *value;
    } parts[] = {
        { OSSL_PKEY_PARAM_RSA_N, n },          { OSSL_PKEY_PARAM_RSA_E, e },
        { OSSL_PKEY_PARAM_RSA_D, d },          { OSSL_PKEY_PARAM_RSA_FACTOR1, p },
        { OSSL_PKEY_PARAM_RSA_FACTOR2, q },    { OSSL_PKEY_PARAM_RSA_EXPONENT1, dp },
        { OSSL_PKEY_PARAM_RSA_EXPONENT2, dq }, { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, iqmp },
    };
    bool ok = bld && dp && dq;
    EVP_PKEY *key;

    for (size_t i = 0; ok && i < sizeof(parts) / sizeof(parts[0]); i++)
        ok = OSSL_PARAM_BLD_push_BN(bld, parts[i].name, parts[i].value) == 1;
    key = ok ? build("RSA", bld) : NULL;
    OSSL_PARAM_BLD_free(bld);
    BN_clear_free(dp);
    BN_clear_free(dq);
    return key;
}

EVP_PKEY *ssh_key_from_ec(const char *group, const unsigned char *point, size_t point_len,
                          const BIGNUM *d)
{
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, point_len) &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d))
        key = build("EC", bld);
    OSSL_PARAM_BLD_free(bld);
    return key;
}

/* ---- the public half ---- */

static bool put(struct plat_buf *buf, const void *data, size_t n)
{
    unsigned char len[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
                             (unsigned char)(n >> 8), (unsigned char)n };

    return plat_buf_add(buf, len, 4) && plat_buf_add(buf, data, n);
}

/* A positive number: a zero in front of a set highest bit. */
static bool put_number(struct plat_buf *buf, const BIGNUM *n)
{
    unsigned char bytes[2048 + 1] = { 0 };
    int len = BN_num_bytes(n);

    if (len > 2048)
        return false;
    BN_bn2bin(n, bytes + 1);
    return bytes[1] & 0x80 ? put(buf, bytes, (size_t)len + 1) : put(buf, bytes + 1, (size_t)len);
}

static bool put_rsa(struct plat_ssh_key *key)
{
    BIGNUM *e = NULL, *n = NULL;
    bool ok = EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
              EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1;

    key->type = "ssh-rsa";
    ok = ok && put(&key->blob, key->type, strlen(key->type)) && put_number(&key->blob, e) &&
         put_number(&key->blob, n);
    BN_free(e);
    BN_free(n);
    return ok;
}

static bool put_ec(struct plat_ssh_key *key)
{
    char group[64];
    unsigned char point[256];
    size_t len = 0, i;

    if (EVP_PKEY_get_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof(group),
                                       NULL) != 1)
        return false;
    EVP_PKEY_set_utf8_string_param(key->pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                   OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
    for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        const struct curve *c = &curves[i];

        if (strcmp(group, c->group) != 0)
            continue;
        key->type = c->type;
        return EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_PUB_KEY, point,
                                               sizeof(point), &len) == 1 &&
               put(&key->blob, c->type, strlen(c->type)) &&
               put(&key->blob, c->name, strlen(c->name)) && put(&key->blob, point, len);
    }
    return false;
}

static bool put_ed25519(struct plat_ssh_key *key)
{
    unsigned char public[32];
    size_t len = sizeof(public);

    key->type = "ssh-ed25519";
    return EVP_PKEY_get_raw_public_key(key->pkey, public, &len) == 1 &&
           put(&key->blob, key->type, strlen(key->type)) && put(&key->blob, public, len);
}

static bool put_blob(struct plat_ssh_key *key)
{
    switch (EVP_PKEY_get_base_id(key->pkey)) {
    case EVP_PKEY_RSA:
        return put_rsa(key);
    case EVP_PKEY_EC:
        return put_ec(key);
    case EVP_PKEY_ED25519:
        return put_ed25519(key);
    default:
        return false;
    }
}

/* ---- reading ---- */

struct phrase {
    const char *text;
    size_t len;
    bool asked;
};

static int on_passphrase(char *buf, int size, int writing, void *arg)
{
    struct phrase *phrase = arg;

    (void)writing;
    phrase->asked = true;
    if (!phrase->text || phrase->len > (size_t)size)
        return -1;
    memcpy(buf, phrase->text, phrase->len);
    return (int)phrase->len;
}

static EVP_PKEY *read_pem(const char *text, size_t len, const char *pass, size_t pass_len,
                          struct plat_err *err)
{
    struct phrase phrase = { pass, pass_len, false };
    BIO *bio = BIO_new_mem_buf(text, (int)len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &phrase) : NULL;

    BIO_free(bio);
    if (key)
        return key;
    if (phrase.asked)
        plat_err_set(err, PLAT_ERR_AUTH, 0, OP, "%s",
                     pass ? "wrong passphrase" : "the key is encrypted: no passphrase");
    else
        plat_err_set(err, PLAT_ERR_PARSE, 0, OP, "not a private key in OpenSSH's format or PEM");
    return NULL;
}

struct plat_ssh_key *plat_ssh_key_parse(const char *text, size_t len, const char *pass,
                                        size_t pass_len, struct plat_err *err)
{
    struct plat_ssh_key *key;
    EVP_PKEY *pkey;

    if (len > TEXT_MAX) {
        plat_err_set(err, PLAT_ERR_PARSE, 0, OP, "too large for a private key");
        return NULL;
    }
    if (memmem(text, len, "BEGIN OPENSSH PRIVATE KEY", 25))
        pkey = ssh_key_openssh(text, len, pass, pass_len, err);
    else
        pkey = read_pem(text, len, pass, pass_len, err);
    ERR_clear_error(); /* libcurl shares the queue, and would take this for its own */
    if (!pkey)
        return NULL;
    key = calloc(1, sizeof(*key));
    if (!key) {
        EVP_PKEY_free(pkey);
        plat_err_errno(err, ENOMEM, OP, "cannot keep the key");
        return NULL;
    }
    key->refs = 1;
    key->pkey = pkey;
    plat_buf_init(&key->blob, BLOB_MAX);
    if (put_blob(key))
        return key;
    plat_err_set(err, PLAT_ERR_REFUSED, 0, OP,
                 "this type of key cannot be used: ed25519, ecdsa and RSA can");
    plat_ssh_key_unref(key);
    ERR_clear_error();
    return NULL;
}

struct plat_ssh_key *plat_ssh_key_ref(struct plat_ssh_key *key)
{
    key->refs++;
    return key;
}

void plat_ssh_key_unref(struct plat_ssh_key *key)
{
    if (!key || --key->refs)
        return;
    EVP_PKEY_free(key->pkey);
    plat_buf_done(&key->blob);
    free(key);
}

const char *plat_ssh_key_type(const struct plat_ssh_key *key)
{
    return key->type;
}

const char *plat_ssh_key_blob(const struct plat_ssh_key *key, size_t *ret)
{
    *ret = key->blob.len;
    return plat_buf_bytes(&key->blob);
}

/* ---- signatures ---- */

static const EVP_MD *digest_of(const struct plat_ssh_key *key, bool rsa_sha256)
{
    if (!strcmp(key->type, "ssh-ed25519"))
        return NULL; /* it has its own */
    if (!strcmp(key->type, "ssh-rsa"))
        return rsa_sha256 ? EVP_sha256() : EVP_sha512();
    if (!strcmp(key->type, "ecdsa-sha2-nistp256"))
        return EVP_sha256();
    return !strcmp(key->type, "ecdsa-sha2-nistp384") ? EVP_sha384() : EVP_sha512();
}

static bool sign_raw(const struct plat_ssh_key *key, const EVP_MD *md, const unsigned char *data,
                     size_t len, unsigned char **ret, size_t *ret_len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *sig = NULL;
    size_t n = 0;
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, md, NULL, key->pkey) == 1 &&
              EVP_DigestSign(ctx, NULL, &n, data, len) == 1 && (sig = malloc(n + 1)) &&
              EVP_DigestSign(ctx, sig, &n, data, len) == 1;

    EVP_MD_CTX_free(ctx);
    if (!ok)
        free(sig);
    *ret = ok ? sig : NULL;
    *ret_len = n;
    return ok;
}

/* OpenSSL's DER into SSH's two numbers. */
static bool from_der(unsigned char **sig, size_t *len)
{
    const unsigned char *at = *sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)*len);
    struct plat_buf out;
    bool ok;

    plat_buf_init(&out, 1024);
    ok = pair && put_number(&out, ECDSA_SIG_get0_r(pair)) &&
         put_number(&out, ECDSA_SIG_get0_s(pair));
    ECDSA_SIG_free(pair);
    free(*sig);
    *sig = ok ? malloc(out.len) : NULL;
    if (*sig)
        memcpy(*sig, plat_buf_bytes(&out), out.len);
    *len = out.len;
    plat_buf_done(&out);
    return *sig != NULL;
}

bool plat_ssh_key_sign(const struct plat_ssh_key *key, bool rsa_sha256, const unsigned char *data,
                       size_t len, unsigned char **ret, size_t *ret_len)
{
    bool ok = sign_raw(key, digest_of(key, rsa_sha256), data, len, ret, ret_len);

    if (ok && !strncmp(key->type, "ecdsa", 5))
        ok = from_der(ret, ret_len);
    ERR_clear_error();
    return ok;
}
