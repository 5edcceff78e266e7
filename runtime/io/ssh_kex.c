/*
 * Algorithms: which we want, and what to say when the server has none of them.  libssh2 only says
 * that the exchange failed; the server's offer comes in plain text, so it is read again here.
 */
#include <stdint.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

enum { LISTS = 8, MSG_KEXINIT = 20, SHOWN = 90 /* characters of a list */ };

/* Nothing with SHA-1, MD5, CBC or RC4. */
const char *const ssh_prefs[10] = {
    [LIBSSH2_METHOD_KEX] =
        "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
        "ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,"
        "diffie-hellman-group18-sha512,diffie-hellman-group14-sha256",
    [LIBSSH2_METHOD_HOSTKEY] = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,"
                               "ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256",
    [LIBSSH2_METHOD_CRYPT_CS] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
                                "aes128-ctr,aes192-ctr,aes256-ctr,chacha20-poly1305@openssh.com",
    [LIBSSH2_METHOD_CRYPT_SC] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
                                "aes128-ctr,aes192-ctr,aes256-ctr,chacha20-poly1305@openssh.com",
    [LIBSSH2_METHOD_MAC_CS] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
                              "hmac-sha2-256,hmac-sha2-512",
    [LIBSSH2_METHOD_MAC_SC] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
                              "hmac-sha2-256,hmac-sha2-512",
};

static const char *const what[LISTS] = {
    "key exchange", "type of host key", "cipher",      "cipher", "MAC",
    "MAC",          "compression",      "compression",
};

static const char *const names[10] = {
    [LIBSSH2_METHOD_KEX] = "key exchanges", [LIBSSH2_METHOD_HOSTKEY] = "types of host keys",
    [LIBSSH2_METHOD_CRYPT_CS] = "ciphers",  [LIBSSH2_METHOD_CRYPT_SC] = "ciphers",
    [LIBSSH2_METHOD_MAC_CS] = "MACs",       [LIBSSH2_METHOD_MAC_SC] = "MACs",
};

/* Gives the next of a comma-separated list; false at its end. */
static bool next_name(const char **at, const char *end, const char **name, size_t *len)
{
    const char *comma;

    if (*at >= end)
        return false;
    comma = memchr(*at, ',', (size_t)(end - *at));
    *name = *at;
    *len = (size_t)((comma ? comma : end) - *at);
    *at = comma ? comma + 1 : end;
    return true;
}

static bool offers(const char *list, size_t list_len, const char *name, size_t len)
{
    const char *at = list, *one;
    size_t one_len;

    while (next_name(&at, list + list_len, &one, &one_len))
        if (one_len == len && !memcmp(one, name, len))
            return true;
    return false;
}

static bool wanted(const struct plat_ssh *s, int method, const char *name)
{
    const char *list = s->prefs[method] ? s->prefs[method] : ssh_prefs[method];

    return !list || offers(list, strlen(list), name, strlen(name));
}

/* True when the server's list has something that the library knows and we want.  `ours` is filled
 * with all of those. */
static bool common(struct plat_ssh *s, int method, const char *list, size_t len,
                   struct plat_buf *ours)
{
    const char **algs = NULL;
    int i, n = libssh2_session_supported_algs(s->lib, method, &algs);
    bool found = n <= 0;

    for (i = 0; i < n; i++) {
        if (!wanted(s, method, algs[i]))
            continue;
        found = found || offers(list, len, algs[i], strlen(algs[i]));
        plat_buf_addf(ours, "%s%s", ours->len ? "," : "", algs[i]);
    }
    if (n > 0)
        libssh2_free(s->lib, algs);
    return found;
}

/* It names certificates of hosts, but has no code for them: it would crash. */
static bool is_host_cert(int method, const char *name, size_t len)
{
    return method == LIBSSH2_METHOD_HOSTKEY && memmem(name, len, "-cert-v0", 8);
}

/* The library could do this itself, but moves overlapping memory with memcpy() for it. */
bool ssh_kex_prefer(struct plat_ssh *s, int method, const char *list)
{
    const char **algs = NULL, *at = list, *end = list + strlen(list), *name;
    int i, n = libssh2_session_supported_algs(s->lib, method, &algs);
    struct plat_buf known;
    size_t len;
    bool ok;

    plat_buf_init(&known, 4096);
    while (next_name(&at, end, &name, &len))
        for (i = 0; i < n; i++)
            if (strlen(algs[i]) == len && !memcmp(algs[i], name, len) &&
                !is_host_cert(method, name, len))
                plat_buf_addf(&known, "%s%s", known.len ? "," : "", algs[i]);
    ok = known.len && plat_buf_add(&known, "", 1) &&
         libssh2_session_method_pref(s->lib, method, plat_buf_bytes(&known)) == 0;
    if (n > 0)
        libssh2_free(s->lib, algs);
    plat_buf_done(&known);
    return ok;
}

char *plat_ssh_algorithms(enum plat_ssh_list list)
{
    static const int methods[] = { LIBSSH2_METHOD_KEX, LIBSSH2_METHOD_HOSTKEY,
                                   LIBSSH2_METHOD_CRYPT_CS, LIBSSH2_METHOD_MAC_CS };
    const char *at = ssh_prefs[methods[list]], *end = at + strlen(at), *name, **algs = NULL;
    LIBSSH2_SESSION *lib = libssh2_session_init();
    int n = lib ? libssh2_session_supported_algs(lib, methods[list], &algs) : 0;
    struct plat_buf known;
    char *text = NULL;
    size_t len;

    plat_buf_init(&known, 4096);
    while (next_name(&at, end, &name, &len))
        for (int i = 0; i < n; i++)
            if (strlen(algs[i]) == len && !memcmp(algs[i], name, len))
                plat_buf_addf(&known, "%s%s", known.len ? "," : "", algs[i]);
    if (known.len)
        text = strndup(plat_buf_bytes(&known), known.len);
    if (n > 0)
        libssh2_free(lib, algs);
    if (lib)
        libssh2_session_free(lib);
    plat_buf_done(&known);
    return text;
}

/* Keeps a list of algorithms that the caller wants. */
static bool want(struct plat_ssh *s, int method, const char *list)
{
    if (list)
        s->prefs[method] = strdup(list);
    return !list || s->prefs[method];
}

bool ssh_kex_want(struct plat_ssh *s, const struct plat_ssh_opts *opts)
{
    return want(s, LIBSSH2_METHOD_HOSTKEY, opts->host_keys) &&
           want(s, LIBSSH2_METHOD_KEX, opts->kex) &&
           want(s, LIBSSH2_METHOD_CRYPT_CS, opts->ciphers) &&
           want(s, LIBSSH2_METHOD_CRYPT_SC, opts->ciphers) &&
           want(s, LIBSSH2_METHOD_MAC_CS, opts->macs) && want(s, LIBSSH2_METHOD_MAC_SC, opts->macs);
}

bool ssh_kex_set(struct plat_ssh *s, struct plat_err *err)
{
    for (int i = 0; i < (int)(sizeof(ssh_prefs) / sizeof(ssh_prefs[0])); i++)
        if (!s->prefs[i] && ssh_prefs[i])
            ssh_kex_prefer(s, i, ssh_prefs[i]);
        else if (s->prefs[i] && !ssh_kex_prefer(s, i, s->prefs[i]))
            return plat_err_set(err, PLAT_ERR_REFUSED, 0, "ssh.connect",
                                "libssh2 %s has none of these %s: %.100s", libssh2_version(0),
                                names[i], s->prefs[i]);
    return true;
}

static uint32_t number(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The server's first packet, behind its banner and the lines in front of that. */
static const unsigned char *find_kexinit(const struct plat_buf *tap, size_t *ret_len)
{
    const unsigned char *at = (const unsigned char *)plat_buf_bytes(tap), *end = at + tap->len;
    bool banner = false;
    size_t len;

    while (!banner) {
        const unsigned char *eol = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;

        if (!eol)
            return NULL;
        banner = eol - at >= 4 && !memcmp(at, "SSH-", 4);
        at = eol + 1;
    }
    if (end - at < 22 || at[5] != MSG_KEXINIT)
        return NULL;
    len = number(at);
    if (len < 22 || len > (size_t)(end - at) - 4)
        return NULL;
    *ret_len = len + 4 - 22;
    return at + 22; /* length, padding's length, type, cookie */
}

static int cut(size_t len)
{
    return len > SHOWN ? SHOWN : (int)len;
}

bool ssh_kex_explain(struct plat_ssh *s, struct plat_err *err)
{
    size_t left = 0;
    const unsigned char *at = s->tap.len ? find_kexinit(&s->tap, &left) : NULL;
    struct plat_buf ours;
    bool found = true;
    int i;

    for (i = 0; at && found && i < LISTS && left >= 4; i++) {
        uint32_t len = number(at);

        if (len > left - 4)
            return false;
        plat_buf_init(&ours, 4096);
        found = common(s, i, (const char *)at + 4, len, &ours);
        if (!found)
            s->mismatch = what[i];
        if (!found)
            plat_err_set(err, PLAT_ERR_CONNECT, LIBSSH2_ERROR_KEX_FAILURE, "ssh.handshake",
                         "no %s in common: the server has %.*s%s; libssh2 %s has %.*s%s", what[i],
                         cut(len), (const char *)at + 4, len > SHOWN ? "..." : "",
                         libssh2_version(0), ours.len ? cut(ours.len) : 4,
                         ours.len ? plat_buf_bytes(&ours) : "none", ours.len > SHOWN ? "..." : "");
        plat_buf_done(&ours);
        at += 4 + len;
        left -= 4 + len;
    }
    return !found;
}
