/* What the files ssh_key*.c and ssh_bcrypt*.c share.  Nobody else includes it. */
#pragma once

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "io/ssh_key.h"

/* Reads "-----BEGIN OPENSSH PRIVATE KEY-----".  NULL: *err says why. */
EVP_PKEY *ssh_key_openssh(const char *text, size_t len, const char *pass, size_t pass_len,
                          struct plat_err *err);

/* The key with these numbers; NULL: they are none. */
EVP_PKEY *ssh_key_from_rsa(const BIGNUM *n, const BIGNUM *e, const BIGNUM *d, const BIGNUM *iqmp,
                           const BIGNUM *p, const BIGNUM *q);
EVP_PKEY *ssh_key_from_ec(const char *group, const unsigned char *point, size_t point_len,
                          const BIGNUM *d);

/* A key from a password, as OpenSSH's private keys want it; slow by design.  `salt` has room for 4
 * bytes more.  False: out of memory. */
bool ssh_bcrypt_pbkdf(const char *pass, size_t pass_len, unsigned char *salt, size_t salt_len,
                      unsigned rounds, unsigned char *key, size_t key_len);

enum { SSH_BCRYPT_WORDS = 18 + 4 * 256 };
extern const uint32_t ssh_bcrypt_pi[SSH_BCRYPT_WORDS];
