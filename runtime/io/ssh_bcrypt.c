/*
 * bcrypt_pbkdf of OpenBSD, which encrypts OpenSSH's private keys.  Blowfish with a costly key
 * schedule; OpenSSL has the cipher, but not that schedule.
 */
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_key_impl.h"

#include "base/banned.h"

enum { HASH = 32, WORDS = HASH / 4, DIGEST = SHA512_DIGEST_LENGTH };

struct blowfish {
    uint32_t p[18];
    uint32_t s[4][256];
};

static uint32_t mix(const struct blowfish *b, uint32_t x)
{
    return ((b->s[0][x >> 24] + b->s[1][x >> 16 & 0xff]) ^ b->s[2][x >> 8 & 0xff]) +
           b->s[3][x & 0xff];
}

static void encipher(const struct blowfish *b, uint32_t *left, uint32_t *right)
{
    uint32_t l = *left ^ b->p[0], r = *right;

    for (int i = 1; i < 17; i += 2) {
        r ^= mix(b, l) ^ b->p[i];
        l ^= mix(b, r) ^ b->p[i + 1];
    }
    *left = r ^ b->p[17];
    *right = l;
}

/* The next four bytes of text that goes round and round. */
static uint32_t next_word(const unsigned char *text, size_t *at, size_t len)
{
    uint32_t word = 0;

    for (int i = 0; i < 4; i++) {
        word = word << 8 | text[*at];
        *at = (*at + 1) % len;
    }
    return word;
}

/* salt NULL: without. */
static void expand(struct blowfish *b, const unsigned char *salt, const unsigned char *key)
{
    uint32_t l = 0, r = 0, *s = &b->s[0][0];
    size_t at = 0;
    int i;

    for (i = 0; i < 18; i++)
        b->p[i] ^= next_word(key, &at, DIGEST);
    at = 0;
    for (i = 0; i < SSH_BCRYPT_WORDS; i += 2) {
        uint32_t *to = i < 18 ? &b->p[i] : &s[i - 18];

        if (salt) {
            l ^= next_word(salt, &at, DIGEST);
            r ^= next_word(salt, &at, DIGEST);
        }
        encipher(b, &l, &r);
        to[0] = l;
        to[1] = r;
    }
}

static void hash(struct blowfish *b, const unsigned char *pass, const unsigned char *salt,
                 unsigned char out[HASH])
{
    static const unsigned char text[] = "OxychromaticBlowfishSwatDynamite";
    uint32_t data[WORDS];
    size_t at = 0;
    int i, k;

    memcpy(b->p, ssh_bcrypt_pi, sizeof(b->p));
    memcpy(b->s, ssh_bcrypt_pi + 18, sizeof(b->s));
    expand(b, salt, pass);
    for (i = 0; i < 64; i++) {
        expand(b, NULL, salt);
        expand(b, NULL, pass);
    }
    for (i = 0; i < WORDS; i++)
        data[i] = next_word(text, &at, HASH);
    for (k = 0; k < WORDS; k += 2)
        for (i = 0; i < 64; i++)
            encipher(b, &data[k], &data[k + 1]);
    for (i = 0; i < HASH; i++)
        out[i] = (unsigned char)(data[i / 4] >> (8 * (i % 4)));
}

/* One block of output: `rounds` hashes, put together. */
static void block(struct blowfish *b, const unsigned char *pass, unsigned char *salt,
                  size_t salt_len, unsigned rounds, unsigned char out[HASH])
{
    unsigned char digest[DIGEST], one[HASH];

    SHA512(salt, salt_len, digest);
    hash(b, pass, digest, one);
    memcpy(out, one, HASH);
    for (unsigned round = 1; round < rounds; round++) {
        SHA512(one, HASH, digest);
        hash(b, pass, digest, one);
        for (int i = 0; i < HASH; i++)
            out[i] ^= one[i];
    }
    OPENSSL_cleanse(one, sizeof(one));
}

bool ssh_bcrypt_pbkdf(const char *pass, size_t pass_len, unsigned char *salt, size_t salt_len,
                      unsigned rounds, unsigned char *key, size_t key_len)
{
    struct blowfish *b = malloc(sizeof(*b));
    unsigned char digest[DIGEST], out[HASH];
    size_t stride = (key_len + HASH - 1) / HASH, count, i;

    if (!b)
        return false;
    SHA512((const unsigned char *)pass, pass_len, digest);
    for (count = 1; count <= stride; count++) {
        for (i = 0; i < 4; i++)
            salt[salt_len + i] = (unsigned char)(count >> (24 - 8 * i));
        block(b, digest, salt, salt_len + 4, rounds, out);
        for (i = 0; i < HASH && i * stride + count - 1 < key_len; i++)
            key[i * stride + count - 1] = out[i];
    }
    OPENSSL_cleanse(out, sizeof(out));
    OPENSSL_cleanse(digest, sizeof(digest));
    OPENSSL_cleanse(b, sizeof(*b));
    free(b);
    return true;
}
