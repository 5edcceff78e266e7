/*
 * Private keys for SSH: parsed once, used by many sessions.  Parsing may take a quarter of a second
 * (encrypted keys are slow by design): call it on the pool.  Signing is in line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct plat_loop;
struct plat_op;
struct plat_ssh_key;

/* Reads an OpenSSH or PEM private key.  pass may be NULL.  NULL: *err says why; kind AUTH: it is
 * encrypted, and the passphrase is missing or wrong.  Touches nothing but its arguments. */
struct plat_ssh_key *plat_ssh_key_parse(const char *text, size_t len, const char *pass,
                                        size_t pass_len, struct plat_err *err);

struct plat_ssh_key *plat_ssh_key_ref(struct plat_ssh_key *key);
void plat_ssh_key_unref(struct plat_ssh_key *key); /* NULL is fine */

const char *plat_ssh_key_type(const struct plat_ssh_key *key); /* "ssh-ed25519" */
const char *plat_ssh_key_blob(const struct plat_ssh_key *key,
                              size_t *ret); /* public, wire format */

/* Signs; *ret is malloc'ed.  The signature is without its type, as SSH wants it.  False: cannot. */
bool plat_ssh_key_sign(const struct plat_ssh_key *key, bool rsa_sha256, const unsigned char *data,
                       size_t len, unsigned char **ret, size_t *ret_len);

/* ---- parsing on the pool ---- */

struct plat_ssh_key_load; /* what is under way */

struct plat_ssh_key_slot { /* the owner's; it must stay until the end or the drop */
    struct plat_ssh_key_load *load;
    struct plat_ssh_key *key; /* the owner's reference; NULL: err says why */
    struct plat_err err;
};

/* Copies what it is given, and makes op ready when the slot is filled.  False: *err says why. */
bool plat_ssh_key_load(struct plat_loop *loop, const char *text, size_t len, const char *pass,
                       size_t pass_len, struct plat_ssh_key_slot *slot, struct plat_op *op,
                       struct plat_err *err);
void plat_ssh_key_drop(struct plat_ssh_key_slot *slot); /* stops waiting; frees the key */
