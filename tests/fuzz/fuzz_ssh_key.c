/*
 * SSH's private keys: whatever bytes come, parsing gives a key or says why not.  Two ways: the
 * bytes as a file, and as what OpenSSH's armour holds.  Without a passphrase: that is slow.
 */
#include <openssl/evp.h>
#include <string.h>

#include "fuzz.h"
#include "io/ssh_key.h"

#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END   "\n-----END OPENSSH PRIVATE KEY-----\n"

static void parse(const char *text, size_t len)
{
    struct plat_err err = { .kind = PLAT_OK };
    struct plat_ssh_key *key = plat_ssh_key_parse(text, len, NULL, 0, &err);
    unsigned char *sig = NULL;
    size_t sig_len;

    if (!key && !err.kind)
        fuzz_fail("no key and no reason", NULL);
    if (key && plat_ssh_key_sign(key, false, (const unsigned char *)"text", 4, &sig, &sig_len))
        free(sig);
    plat_ssh_key_unref(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n = strlen(BEGIN);
    char *text = malloc(n + size * 2 + 8 + strlen(END));

    if (!text)
        abort();
    parse((const char *)data, size);
    memcpy(text, BEGIN, n);
    n += (size_t)EVP_EncodeBlock((unsigned char *)text + n, data, (int)size);
    memcpy(text + n, END, strlen(END));
    parse(text, n + strlen(END));
    free(text);
    return 0;
}
