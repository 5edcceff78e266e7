/*
 * The one resolver: getaddrinfo on libuv's pool, each name asked once a run, and never joined: who
 * stops waiting leaves the lookup behind, and its answer still fills the cache.  It serves ssh and
 * http; libcurl never looks up a name itself, because it joins its resolver thread.
 *
 * Names that fail are asked again by the next caller; names that are being asked are shared.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct plat_loop;

enum { PLAT_ADDRS_MAX = 16, PLAT_ADDR_LEN = 64 };

/* In the order to be tried; text without brackets.  An IPv6 address has a ':', maybe a zone. */
struct plat_addrs {
    size_t n;
    char text[PLAT_ADDRS_MAX][PLAT_ADDR_LEN];
};

/* Embedded by who waits; must not move until `done` was called or plat_resolve_abandon(). */
struct plat_resolve_wait {
    /* On the loop, once, never from inside plat_resolve().  addrs is NULL when err says why. */
    void (*done)(struct plat_resolve_wait *wait, const struct plat_addrs *addrs,
                 const struct plat_err *err);
    struct plat_resolve_wait *next, **prev; /* prev is NULL when not waiting */
};

enum plat_resolve_start {
    PLAT_RESOLVE_FAILED, /* *err says why; `done` will not be called */
    PLAT_RESOLVE_KNOWN,  /* *ret_addrs is filled; `done` will not be called */
    PLAT_RESOLVE_WAIT,   /* `done` will be called; deadlines are the caller's */
};

/* Looks up host: an address (with or without brackets) is its own answer.  The caller has set
 * wait->done.  *ret_addrs is borrowed until the next call. */
enum plat_resolve_start plat_resolve(struct plat_loop *loop, const char *host,
                                     struct plat_resolve_wait *wait,
                                     const struct plat_addrs **ret_addrs, struct plat_err *err);

/* Stops waiting at once.  Not waiting any more, or never begun (zeroed): nothing happens. */
void plat_resolve_abandon(struct plat_resolve_wait *wait);

/* True for an IPv4 or IPv6 address, brackets allowed. */
bool plat_resolve_is_address(const char *host);

/* Forgets every finished answer. */
void plat_resolve_forget(void);
