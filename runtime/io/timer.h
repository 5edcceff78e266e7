/* A node in one of the loop's timer heaps.  Opaque to everybody but loop.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plat_timer {
    uint64_t at;    /* nanoseconds on its heap's clock */
    uint64_t seq;   /* first set, first fired, among equals */
    uint32_t index; /* place in the heap + 1; 0: not set */
    bool real;      /* which heap */
};
