/*
 * Scope cleanup by attribute.  Never in lua/ or prim/: cleanup attributes do not run when Lua
 * raises by longjmp; there, box the resource in a userdata first.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void plat_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void plat_cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void plat_cleanup_fclose(FILE **f)
{
    if (*f)
        fclose(*f);
}

#define PLAT_CLEANUP(how) __attribute__((cleanup(plat_cleanup_##how)))
