/*
 * Logging in by an ed25519 certificate with libssh2 before 1.11.  It puts the type of the
 * certificate where the type of the signature belongs, 21 bytes too many, and servers refuse that.
 * So it is given a signature that is shorter by as much, and what it wrote is put right when it
 * frees that: the packet is complete then, and not yet sent.  Its memory comes from us (see
 * ssh_memory.c); what is not as expected to the byte stays as it is, and is refused.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

static const char cert_type[] = "ssh-ed25519-cert-v01@openssh.com";
static const char plain_type[] = "ssh-ed25519";

enum {
    CERT = sizeof(cert_type) - 1,
    PLAIN = sizeof(plain_type) - 1,
    SIGNATURE = 64,
    TAIL = 4 + 4 + PLAIN + 4 + SIGNATURE, /* as it must be */
    FILLER = TAIL - (4 + 4 + CERT + 4),   /* what the library takes for the signature */
    HEAD = 45,                            /* a request without its strings that vary */
};

static unsigned char *put_string(unsigned char *p, const void *data, size_t n)
{
    for (int i = 0; i < 4; i++)
        *p++ = (unsigned char)(n >> (24 - 8 * i) & 0xff);
    memcpy(p, data, n);
    return p + n;
}

static bool is_type(const char *blob, size_t len, const char *type)
{
    size_t n = strlen(type);

    return len > n + 4 && !memcmp(blob, "\0\0\0", 3) && (unsigned char)blob[3] == n &&
           !memcmp(blob + 4, type, n);
}

bool ssh_cert_usable(const char *cert, size_t len)
{
    return libssh2_version(0x010b00) || !is_type(cert, len, "ssh-rsa-cert-v01@openssh.com");
}

void ssh_cert_begin(struct ssh_login *login)
{
    size_t len = login->blob_len;

    if (libssh2_version(0x010b00) || !is_type(login->blob, len, cert_type))
        return;
    login->packet_len = strlen(login->user) + CERT + len + HEAD;
    login->packet_size = login->packet_len + 4 + 4 + CERT + 4 + len;
}

void ssh_cert_on_alloc(struct ssh_login *login, void *p, size_t n)
{
    if (login->packet_size == n && !login->packet)
        login->packet = p;
}

bool ssh_cert_sign(struct ssh_login *login, unsigned char **sig, size_t *len)
{
    if (!login->packet_size)
        return true;
    if (!login->packet || *len != SIGNATURE)
        return false;
    memcpy(login->real_sig, *sig, SIGNATURE);
    login->filler = *sig;
    *len = FILLER;
    return true;
}

void ssh_cert_on_free(struct ssh_login *login, void *p)
{
    unsigned char *tail, want[TAIL], *at;

    if (p == login->packet)
        login->packet = NULL;
    if (!p || p != login->filler)
        return;
    login->filler = NULL;
    if (!login->packet)
        return;
    tail = login->packet + login->packet_len;
    at = put_string(want, "", 0); /* its length is set below */
    at = put_string(put_string(at, cert_type, CERT), p, FILLER);
    want[3] = TAIL - 4;
    if (at != want + TAIL || memcmp(tail, want, TAIL) != 0)
        return;
    put_string(put_string(tail + 4, plain_type, PLAIN), login->real_sig, SIGNATURE);
}
