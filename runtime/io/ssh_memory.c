/*
 * libssh2's memory, and the host key after a new key exchange.
 *
 * A server may exchange keys again at any time.  libssh2 1.10 neither compares the host key with
 * the first one nor frees that: both is done here.  Whether it was freed is seen by giving the
 * library its memory ourselves.
 */
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

enum { KEY_SIZE = 32 }; /* of curve25519 */

/* A session that ends in a key exchange leaves its keys in memory: libssh2 forgets them. */
static void remember(struct plat_ssh *s, void *p, size_t n)
{
    for (size_t i = 0; p && n == KEY_SIZE && i < SSH_LOOSE; i++)
        if (!s->loose[i]) {
            s->loose[i] = p;
            return;
        }
}

static void forget(struct plat_ssh *s, const void *p)
{
    for (size_t i = 0; p && i < SSH_LOOSE; i++)
        if (s->loose[i] == p)
            s->loose[i] = NULL;
}

void ssh_memory_sweep(struct plat_ssh *s)
{
    for (size_t i = 0; i < SSH_LOOSE; i++) {
        if (s->loose[i])
            explicit_bzero(s->loose[i], KEY_SIZE);
        free(s->loose[i]);
        s->loose[i] = NULL;
    }
}

static void *on_alloc(size_t n, void **abstract)
{
    struct plat_ssh *s = *abstract;
    void *p = malloc(n);

    ssh_cert_on_alloc(&s->login, p, n);
    ssh_said_on_alloc(s, p, n);
    ssh_exec_on_alloc(s, p, n);
    remember(s, p, n);
    return p;
}

static void on_free(void *p, void **abstract)
{
    struct plat_ssh *s = *abstract;

    if (p && p == s->lib_host_key)
        s->lib_host_key = NULL;
    if (p && p == s->lib_methods)
        s->lib_methods = NULL;
    ssh_cert_on_free(&s->login, p);
    ssh_said_on_free(s, p);
    ssh_status_on_free(s, p);
    forget(s, p);
    if (!ssh_exec_on_free(s, p))
        free(p);
}

static void *on_realloc(void *p, size_t n, void **abstract)
{
    forget(*abstract, p);
    ssh_said_on_free(*abstract, p); /* where it was nothing may be read any more */
    return realloc(p, n);
}

LIBSSH2_SESSION *ssh_memory_session(struct plat_ssh *s)
{
    return libssh2_session_init_ex(on_alloc, on_free, on_realloc, s);
}

bool ssh_memory_keep_host_key(struct plat_ssh *s)
{
    int type;

    s->lib_host_key = libssh2_session_hostkey(s->lib, &s->host_key_len, &type);
    s->host_key = s->lib_host_key ? malloc(s->host_key_len + 1) : NULL;
    if (s->host_key)
        memcpy(s->host_key, s->lib_host_key, s->host_key_len);
    return s->host_key != NULL;
}

void ssh_memory_watch_host_key(struct plat_ssh *s)
{
    size_t len = 0;
    int type;
    const char *now;

    if (!s->host_key)
        return;
    now = libssh2_session_hostkey(s->lib, &len, &type);
    if (now == s->lib_host_key)
        return;
    forget(s, s->lib_host_key);
    free((void *)(uintptr_t)s->lib_host_key);
    s->lib_host_key = now;
    if (now && (len != s->host_key_len || memcmp(now, s->host_key, len) != 0))
        s->other_host_key = true;
}
