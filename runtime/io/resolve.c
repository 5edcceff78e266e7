#include "io/resolve.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uv.h>

#include "io/loop.h"

#include "base/banned.h"

enum { BUCKETS = 256, NAME_MAX_LEN = 253 };

struct entry {
    struct entry *next;
    struct plat_resolve_wait *waits;
    uv_getaddrinfo_t req;
    bool asking;
    bool known;
    struct plat_addrs addrs;
    char host[];
};

/* One loop a process, so one cache. */
static struct entry *table[BUCKETS];
static struct plat_addrs literal; /* the last answer for an address; copied before the next call */

static struct entry **bucket_of(const char *host)
{
    unsigned hash = 5381;

    for (; *host; host++) {
        unsigned char c = (unsigned char)*host;
        hash = hash * 33 ^ (c >= 'A' && c <= 'Z' ? c + 32u : c);
    }
    return &table[hash % BUCKETS];
}

static struct entry *find(const char *host)
{
    struct entry *e;

    for (e = *bucket_of(host); e; e = e->next)
        if (!strcasecmp(e->host, host))
            return e;
    return NULL;
}

static struct entry *add(const char *host)
{
    size_t size = strlen(host) + 1;
    struct entry *e = calloc(1, sizeof(*e) + size);
    struct entry **bucket = bucket_of(host);

    if (!e)
        return NULL;
    memcpy(e->host, host, size);
    e->req.data = e;
    e->next = *bucket;
    *bucket = e;
    return e;
}

static void drop(struct entry *e)
{
    struct entry **at = bucket_of(e->host);

    while (*at != e)
        at = &(*at)->next;
    *at = e->next;
    free(e);
}

/* ---- addresses that need no lookup ---- */

static bool parse_literal(const char *host, char ret[PLAT_ADDR_LEN])
{
    unsigned char bin[sizeof(struct in6_addr)];
    char text[PLAT_ADDR_LEN];
    size_t len = strlen(host);
    char *zone;

    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (!len || len >= sizeof(text))
        return false;
    memcpy(text, host, len);
    text[len] = '\0';
    memcpy(ret, text, len + 1);
    if (inet_pton(AF_INET, text, bin) == 1)
        return true;
    zone = strchr(text, '%');
    if (zone)
        *zone = '\0';
    return inet_pton(AF_INET6, text, bin) == 1;
}

bool plat_resolve_is_address(const char *host)
{
    char text[PLAT_ADDR_LEN];

    return parse_literal(host, text);
}

static bool is_name(const char *host)
{
    size_t n = 0;

    for (; host[n]; n++)
        if ((unsigned char)host[n] <= ' ' || (unsigned char)host[n] >= 0x7f)
            return false;
    return n > 0 && n <= NAME_MAX_LEN;
}

/* ---- asking ---- */

static bool same_as_before(const struct plat_addrs *addrs, const char *text)
{
    size_t i;

    for (i = 0; i < addrs->n; i++)
        if (!strcmp(addrs->text[i], text))
            return true;
    return false;
}

static void keep_answer(struct plat_addrs *addrs, const struct addrinfo *ai)
{
    addrs->n = 0;
    for (; ai && addrs->n < PLAT_ADDRS_MAX; ai = ai->ai_next) {
        char *text = addrs->text[addrs->n];

        if (ai->ai_family != AF_INET && ai->ai_family != AF_INET6)
            continue;
        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, PLAT_ADDR_LEN, NULL, 0, NI_NUMERICHOST))
            continue;
        if (!same_as_before(addrs, text))
            addrs->n++;
    }
}

static void explain(struct plat_err *err, const char *host, int status)
{
    const char *why = uv_strerror(status);

    if (status == UV_EAI_NONAME || status == UV_EAI_NODATA)
        why = "no such name";
    else if (status == UV_EAI_AGAIN)
        why = "the name servers did not answer";
    plat_err_set(err, PLAT_ERR_CONNECT, status, "resolve", "cannot resolve \"%s\": %s", host, why);
}

static void on_answer(uv_getaddrinfo_t *req, int status, struct addrinfo *ai)
{
    struct entry *e = req->data;
    struct plat_resolve_wait *waits = e->waits, *wait;
    struct plat_err err = { .kind = PLAT_OK };

    e->waits = NULL; /* who asks again from its callback starts a new lookup */
    if (waits)
        waits->prev = &waits;
    e->asking = false;
    if (!status) {
        keep_answer(&e->addrs, ai);
        e->known = e->addrs.n > 0;
    }
    uv_freeaddrinfo(ai);
    if (!e->known)
        explain(&err, e->host, status ? status : UV_EAI_NODATA);
    while ((wait = waits)) {
        plat_resolve_abandon(wait);
        wait->done(wait, e->known ? &e->addrs : NULL, &err);
    }
    if (!e->known && !e->asking)
        drop(e);
}

static bool ask(struct plat_loop *loop, struct entry *e, struct plat_err *err)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    int rc = uv_getaddrinfo(plat_loop_uv(loop), &e->req, on_answer, e->host, NULL, &hints);

    if (rc) {
        explain(err, e->host, rc);
        return false;
    }
    e->asking = true;
    return true;
}

enum plat_resolve_start plat_resolve(struct plat_loop *loop, const char *host,
                                     struct plat_resolve_wait *wait,
                                     const struct plat_addrs **ret_addrs, struct plat_err *err)
{
    struct entry *e;

    wait->prev = NULL;
    if (parse_literal(host, literal.text[0])) {
        literal.n = 1;
        *ret_addrs = &literal;
        return PLAT_RESOLVE_KNOWN;
    }
    if (!is_name(host)) {
        plat_err_set(err, PLAT_ERR_CONNECT, 0, "resolve", "\"%.80s\" is not a host name", host);
        return PLAT_RESOLVE_FAILED;
    }
    e = find(host);
    if (e && e->known) {
        *ret_addrs = &e->addrs;
        return PLAT_RESOLVE_KNOWN;
    }
    if (!e)
        e = add(host);
    if (!e) {
        plat_err_set(err, PLAT_ERR_CONNECT, 0, "resolve", "out of memory");
        return PLAT_RESOLVE_FAILED;
    }
    if (!e->asking && !ask(loop, e, err)) {
        if (!e->waits)
            drop(e);
        return PLAT_RESOLVE_FAILED;
    }
    wait->next = e->waits;
    wait->prev = &e->waits;
    if (wait->next)
        wait->next->prev = &wait->next;
    e->waits = wait;
    return PLAT_RESOLVE_WAIT;
}

void plat_resolve_abandon(struct plat_resolve_wait *wait)
{
    if (!wait->prev)
        return;
    *wait->prev = wait->next;
    if (wait->next)
        wait->next->prev = wait->prev;
    wait->next = NULL;
    wait->prev = NULL;
}

void plat_resolve_forget(void)
{
    size_t i;

    for (i = 0; i < BUCKETS; i++) {
        struct entry *e = table[i], *next;

        for (; e; e = next) {
            next = e->next;
            if (!e->asking)
                drop(e);
        }
    }
}
