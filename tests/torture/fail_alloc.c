/*
 * A library to preload that fails the n-th allocation: FAIL_ALLOC=n (FAIL_ALLOC_EVER: that one and
 * all that follow).  When the n-th is reached, a byte goes to descriptor FAIL_ALLOC_FD, so that the
 * caller knows when n is past the last one.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static atomic_long left; /* allocations until the failing one; 0: not armed */
static int ever, note_fd;

/* dlsym itself may call calloc: then it is served from here. */
static char early[4096];
static size_t early_used;

/* Other libraries' constructors may allocate before ours has run. */
static void find_next(void)
{
    static int searching;

    if (searching)
        return;
    searching = 1;
    next_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    next_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
}

__attribute__((constructor)) static void start(void)
{
    const char *n = getenv("FAIL_ALLOC"), *fd = getenv("FAIL_ALLOC_FD");

    find_next();
    ever = getenv("FAIL_ALLOC_EVER") != NULL;
    note_fd = fd ? atoi(fd) : -1;
    atomic_store(&left, n ? atol(n) : 0);
}

static int must_fail(void)
{
    long now = atomic_load(&left);

    if (now == 0)
        return 0;
    if (now > 1) {
        atomic_fetch_sub(&left, 1);
        return 0;
    }
    if (!ever)
        atomic_store(&left, 0);
    if (note_fd >= 0 && write(note_fd, "x", 1) < 0)
        _exit(99);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    if (!next_malloc)
        find_next();
    return must_fail() ? NULL : next_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    if (!next_calloc)
        find_next();
    if (!next_calloc) {
        void *room = early + early_used;

        early_used += (n * size + 15) & ~(size_t)15;
        if (early_used > sizeof(early))
            _exit(98);
        return room;
    }
    return must_fail() ? NULL : next_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    if (!next_realloc)
        find_next();
    /* Shrinking must succeed: Lua relies on it, as the manual of lua_Alloc says. */
    return size > 0 && must_fail() ? NULL : next_realloc(old, size);
}
