#include "io/heap.h"

#include <stdlib.h>

#include "base/banned.h"

static bool before(const struct plat_timer *a, const struct plat_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void place(struct plat_heap *heap, size_t i, struct plat_timer *timer)
{
    heap->items[i] = timer;
    timer->index = (uint32_t)(i + 1);
}

static void up(struct plat_heap *heap, size_t i, struct plat_timer *timer)
{
    while (i > 0 && before(timer, heap->items[(i - 1) / 2])) {
        place(heap, i, heap->items[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(heap, i, timer);
}

static void down(struct plat_heap *heap, size_t i, struct plat_timer *timer)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->n)
            break;
        if (child + 1 < heap->n && before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!before(heap->items[child], timer))
            break;
        place(heap, i, heap->items[child]);
        i = child;
    }
    place(heap, i, timer);
}

void plat_heap_done(struct plat_heap *heap)
{
    free(heap->items);
    *heap = (struct plat_heap){ 0 };
}

bool plat_heap_reserve(struct plat_heap *heap, size_t n)
{
    size_t cap = heap->cap ? heap->cap : 64;
    struct plat_timer **items;

    if (n <= heap->cap)
        return true;
    while (cap < n)
        cap *= 2;
    items = realloc(heap->items, cap * sizeof(*items));
    if (!items)
        return false;
    heap->items = items;
    heap->cap = cap;
    return true;
}

void plat_heap_push(struct plat_heap *heap, struct plat_timer *timer)
{
    up(heap, heap->n++, timer);
}

void plat_heap_remove(struct plat_heap *heap, struct plat_timer *timer)
{
    size_t i = timer->index - 1;
    struct plat_timer *last = heap->items[--heap->n];

    timer->index = 0;
    if (last == timer)
        return;
    if (i > 0 && before(last, heap->items[(i - 1) / 2]))
        up(heap, i, last);
    else
        down(heap, i, last);
}

struct plat_timer *plat_heap_top(const struct plat_heap *heap)
{
    return heap->n ? heap->items[0] : NULL;
}
