#include "lua/alloc.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum {
    UNIT = 16,
    SMALL = 256, /* bytes; bigger blocks are malloc's */
    CLASSES = SMALL / UNIT,
    CHUNK = 32 * 1024,
};

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED false
#endif

struct block { /* a free one */
    struct block *next;
};

struct pool {
    struct block *free[CLASSES];
    char *rest; /* of the newest chunk */
    size_t rest_len;
};

static size_t class_of(size_t size)
{
    return (size - 1) / UNIT;
}

static void put(struct pool *pool, void *p, size_t size)
{
    struct block *block = p;

    if (size > SMALL) {
        free(p);
        return;
    }
    block->next = pool->free[class_of(size)];
    pool->free[class_of(size)] = block;
}

static bool next_chunk(struct pool *pool)
{
    char *chunk = malloc(CHUNK);

    if (!chunk)
        return false;
    if (pool->rest_len)
        put(pool, pool->rest, pool->rest_len); /* less than was asked for, so it is small */
    pool->rest = chunk;
    pool->rest_len = CHUNK;
    return true;
}

static void *take(struct pool *pool, size_t size)
{
    size_t class = class_of(size), whole = (class + 1) * UNIT;
    struct block *block;
    char *p;

    if (size > SMALL)
        return malloc(size);
    block = pool->free[class];
    if (block) {
        pool->free[class] = block->next;
        return block;
    }
    if (pool->rest_len < whole && !next_chunk(pool))
        return NULL;
    p = pool->rest;
    pool->rest += whole;
    pool->rest_len -= whole;
    return p;
}

/* A lua_Alloc.  A new block's old_size says what kind of object it is. */
static void *alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
    struct pool *pool = ud;
    void *q;

    if (!new_size) {
        if (p)
            put(pool, p, old_size);
        return NULL;
    }
    if (!p)
        return take(pool, new_size);
    if (old_size > SMALL && new_size > SMALL)
        return realloc(p, new_size);
    if (old_size <= SMALL && new_size <= SMALL && class_of(old_size) == class_of(new_size))
        return p;
    q = take(pool, new_size);
    if (q) {
        memcpy(q, p, old_size < new_size ? old_size : new_size);
        put(pool, p, old_size);
    }
    return q;
}

static int on_panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);

    fprintf(stderr, "platrun: internal error: %s\n", text ? text : "no text");
    return 0; /* and Lua aborts */
}

lua_State *plat_alloc_state(void)
{
    static struct pool pool;
    lua_State *L;

    if (SANITIZED || getenv("PLATRUN_CLEAN_EXIT"))
        return luaL_newstate();
    L = lua_newstate(alloc, &pool);
    if (L)
        lua_atpanic(L, on_panic);
    return L;
}
