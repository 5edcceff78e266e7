/* OpenSSH's own format of private keys (PROTOCOL.key), plain or encrypted. */
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_key_impl.h"

#include "base/banned.h"

#define OP    "ssh.key"
#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----"
#define END   "-----END OPENSSH PRIVATE KEY-----"
#define MAGIC "openssh-key-v1"

enum { ROUNDS_MAX = 4096, SALT_MAX = 64, TAG = 16, KEY_MAX = 32 + 16 };

struct reader {
    unsigned char *at;
    size_t left;
    bool bad;
};

struct piece {
    unsigned char *data;
    size_t len;
};

static uint32_t take_number(struct reader *r)
{
    const unsigned char *p = r->at;

    if (r->left < 4) {
        r->bad = true;
        return 0;
    }
    r->at += 4;
    r->left -= 4;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static struct piece take(struct reader *r)
{
    struct piece piece = { NULL, take_number(r) };

    if (r->bad || piece.len > r->left) {
        r->bad = true;
        return (struct piece){ r->at, 0 };
    }
    piece.data = r->at;
    r->at += piece.len;
    r->left -= piece.len;
    return piece;
}

static bool is(struct piece piece, const char *text)
{
    return piece.len == strlen(text) && !memcmp(piece.data, text, piece.len);
}

static EVP_PKEY *broken(struct plat_err *err, const char *what)
{
    plat_err_set(err, PLAT_ERR_PARSE, 0, OP, "%s", what);
    return NULL;
}

/* ---- decryption ---- */

static bool run_cipher(const EVP_CIPHER *cipher, const unsigned char *key, struct piece secret,
                       unsigned char *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;
    bool ok = ctx && secret.len <= INT32_MAX &&
              EVP_DecryptInit_ex(ctx, cipher, NULL, key, key + 32) == 1 &&
              EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
              EVP_DecryptUpdate(ctx, secret.data, &n, secret.data, (int)secret.len) == 1;

    if (ok && tag)
        ok = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1;
    ok = ok && EVP_DecryptFinal_ex(ctx, secret.data + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

static const EVP_CIPHER *cipher_of(struct piece name)
{
    if (is(name, "aes256-ctr"))
        return EVP_aes_256_ctr();
    if (is(name, "aes256-cbc"))
        return EVP_aes_256_cbc();
    return is(name, "aes256-gcm@openssh.com") ? EVP_aes_256_gcm() : NULL;
}

/* The secret is decrypted in its place.  tag: gcm's, behind it; NULL: there is no room for one. */
static bool decrypt(const EVP_CIPHER *cipher, struct piece options, struct piece secret,
                    unsigned char *tag, const struct piece *pass, struct plat_err *err)
{
    struct reader r = { options.data, options.len, false };
    struct piece salt = take(&r);
    uint32_t rounds = take_number(&r);
    unsigned char key[KEY_MAX], room[SALT_MAX + 4];
    size_t key_len = 32 + (size_t)EVP_CIPHER_get_iv_length(cipher);
    bool gcm = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE, ok;

    if (r.bad || salt.len > SALT_MAX || rounds < 1 || rounds > ROUNDS_MAX || (gcm && !tag))
        return plat_err_set(err, PLAT_ERR_PARSE, 0, OP, "malformed key: its encryption");
    memcpy(room, salt.data, salt.len);
    ok = ssh_bcrypt_pbkdf((const char *)pass->data, pass->len, room, salt.len, rounds, key,
                          key_len) &&
         run_cipher(cipher, key, secret, gcm ? tag : NULL);
    OPENSSL_cleanse(key, sizeof(key));
    return ok || plat_err_set(err, PLAT_ERR_AUTH, 0, OP, "wrong passphrase");
}

/* ---- keys ---- */

static EVP_PKEY *read_rsa(struct reader *r)
{
    BIGNUM *number[6];
    EVP_PKEY *key = NULL;
    bool ok = true;

    for (int i = 0; i < 6; i++) {
        struct piece piece = take(r);
        number[i] = BN_bin2bn(piece.data, (int)piece.len, NULL);
        ok = ok && number[i];
    }
    if (ok && !r->bad)
        key = ssh_key_from_rsa(number[0], number[1], number[2], number[3], number[4], number[5]);
    for (int i = 0; i < 6; i++)
        BN_clear_free(number[i]);
    return key;
}

static EVP_PKEY *read_ec(struct reader *r)
{
    struct piece curve = take(r), point = take(r), secret = take(r);
    const char *group = is(curve, "nistp256")   ? "prime256v1"
                        : is(curve, "nistp384") ? "secp384r1"
                        : is(curve, "nistp521") ? "secp521r1"
                                                : NULL;
    EVP_PKEY *key = NULL;
    BIGNUM *d;

    if (r->bad || !group)
        return NULL;
    d = BN_bin2bn(secret.data, (int)secret.len, NULL);
    if (d)
        key = ssh_key_from_ec(group, point.data, point.len, d);
    BN_clear_free(d);
    return key;
}

static EVP_PKEY *read_ed25519(struct reader *r)
{
    struct piece public = take(r), secret = take(r);

    if (r->bad || public.len != 32 || secret.len != 64)
        return NULL;
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret.data, 32);
}

static EVP_PKEY *read_secret(struct piece secret, bool encrypted, struct plat_err *err)
{
    struct reader r = { secret.data, secret.len, false };
    uint32_t check = take_number(&r), same = take_number(&r);
    struct piece type;
    EVP_PKEY *key;

    if (check != same) {
        plat_err_set(err, encrypted ? PLAT_ERR_AUTH : PLAT_ERR_PARSE, 0, OP, "%s",
                     encrypted ? "wrong passphrase" : "malformed key");
        return NULL;
    }
    type = take(&r);
    if (r.bad)
        return broken(err, "malformed key");
    if (is(type, "ssh-rsa"))
        key = read_rsa(&r);
    else if (is(type, "ssh-ed25519"))
        key = read_ed25519(&r);
    else if (type.len > 11 && !memcmp(type.data, "ecdsa-sha2-", 11))
        key = read_ec(&r);
    else {
        plat_err_set(err, PLAT_ERR_REFUSED, 0, OP, "a key of type %.*s cannot be used",
                     type.len > 60 ? 60 : (int)type.len, (char *)type.data);
        return NULL;
    }
    return key ? key : broken(err, "malformed key");
}

/* pass->data NULL: there is none. */
static EVP_PKEY *read_encrypted(struct piece head[3], struct piece secret, struct reader *rest,
                                const struct piece *pass, struct plat_err *err)
{
    const EVP_CIPHER *cipher = cipher_of(head[0]);

    if (!pass->data) {
        plat_err_set(err, PLAT_ERR_AUTH, 0, OP, "the key is encrypted: no passphrase");
        return NULL;
    }
    if (!cipher || !is(head[1], "bcrypt")) {
        plat_err_set(err, PLAT_ERR_REFUSED, 0, OP, "encrypted by %.*s, which is not known",
                     head[0].len > 60 ? 60 : (int)head[0].len, (char *)head[0].data);
        return NULL;
    }
    if (!decrypt(cipher, head[2], secret, rest->left >= TAG ? rest->at : NULL, pass, err))
        return NULL;
    return read_secret(secret, true, err);
}

static EVP_PKEY *read_binary(unsigned char *data, size_t len, const struct piece *pass,
                             struct plat_err *err)
{
    struct reader r = { data, len, false };
    struct piece head[3], secret; /* cipher, derivation of its key, options of that */

    if (len < sizeof(MAGIC) || memcmp(data, MAGIC, sizeof(MAGIC)) != 0)
        return broken(err, "malformed key: not of version 1");
    r.at += sizeof(MAGIC);
    r.left -= sizeof(MAGIC);
    for (int i = 0; i < 3; i++)
        head[i] = take(&r);
    if (take_number(&r) != 1)
        return broken(err, "malformed key: it must be one");
    take(&r); /* the public half is also in the secret part */
    secret = take(&r);
    if (r.bad)
        return broken(err, "malformed key: it ends too early");
    if (!is(head[0], "none"))
        return read_encrypted(head, secret, &r, pass, err);
    return read_secret(secret, false, err);
}

/* The bytes between BEGIN and END; malloc'ed.  NULL: not base64. */
static unsigned char *unarmor(const char *text, size_t len, size_t *ret_len)
{
    const char *at = memmem(text, len, BEGIN, strlen(BEGIN)), *end;
    unsigned char *bytes = malloc(len + 4), *clean = malloc(len + 4);
    size_t n = 0, pads = 0;
    int got = -1;

    end = at ? memmem(at, len - (size_t)(at - text), END, strlen(END)) : NULL;
    if (bytes && clean && end) {
        for (at += strlen(BEGIN); at < end; at++)
            if (*at != '\n' && *at != '\r' && *at != ' ' && *at != '\t')
                clean[n++] = (unsigned char)*at;
        while (pads < 2 && pads < n && clean[n - 1 - pads] == '=')
            pads++;
        got = EVP_DecodeBlock(bytes, clean, (int)n);
    }
    if (clean)
        OPENSSL_cleanse(clean, len);
    free(clean);
    if (got < (int)pads) {
        free(bytes);
        return NULL;
    }
    *ret_len = (size_t)got - pads;
    return bytes;
}

EVP_PKEY *ssh_key_openssh(const char *text, size_t len, const char *pass, size_t pass_len,
                          struct plat_err *err)
{
    size_t n = 0;
    unsigned char *bytes = unarmor(text, len, &n);
    struct piece phrase = { (unsigned char *)(uintptr_t)pass, pass_len };
    EVP_PKEY *key;

    if (!bytes)
        return broken(err, "malformed key: it is cut off, or not base64");
    key = read_binary(bytes, n, &phrase, err);
    OPENSSL_cleanse(bytes, n);
    free(bytes);
    return key;
}
