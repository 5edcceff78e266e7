/* A binary heap of timers, ordered by (at, seq).  Owns its array, never the timers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "io/timer.h"

struct plat_heap {
    struct plat_timer **items;
    size_t n, cap;
};

void plat_heap_done(struct plat_heap *heap);
bool plat_heap_reserve(struct plat_heap *heap, size_t n); /* room for n timers; false: no memory */
void plat_heap_push(struct plat_heap *heap, struct plat_timer *timer); /* room was reserved */
void plat_heap_remove(struct plat_heap *heap, struct plat_timer *timer);
struct plat_timer *plat_heap_top(const struct plat_heap *heap); /* NULL: empty */
