#include "base/redact.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define MASK "***"

struct node {
    uint32_t child, sibling; /* 0: none */
    uint32_t fail;           /* the longest true suffix that begins a pattern */
    uint32_t depth;
    uint32_t longest; /* bytes of the longest pattern that ends here, 0: none */
    unsigned char byte;
    bool end; /* a pattern ends here */
};

struct plat_redact {
    struct node *nodes; /* 0 is the root, whose children are in `first` */
    size_t n, cap;
    uint32_t first[256];
    uint64_t generation; /* grows with each build */
    bool dirty;          /* patterns were added since */
};

static void wipe_free(void *p, size_t size)
{
    if (p)
        explicit_bzero(p, size);
    free(p);
}

struct plat_redact *plat_redact_new(void)
{
    struct plat_redact *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->cap = 256;
    r->nodes = calloc(r->cap, sizeof(*r->nodes));
    if (!r->nodes) {
        free(r);
        return NULL;
    }
    r->n = 1;
    return r;
}

void plat_redact_free(struct plat_redact *r)
{
    if (!r)
        return;
    wipe_free(r->nodes, r->cap * sizeof(*r->nodes));
    wipe_free(r, sizeof(*r));
}

/* ---- patterns ---- */

/* Makes room for n more nodes. */
static bool reserve(struct plat_redact *r, size_t n)
{
    struct node *nodes;
    size_t cap = r->cap;

    if (r->cap - r->n >= n)
        return true;
    if (n > UINT32_MAX / 2 || r->n + n > UINT32_MAX / 2)
        return false;
    while (cap - r->n < n)
        cap *= 2;
    nodes = calloc(cap, sizeof(*nodes));
    if (!nodes)
        return false;
    memcpy(nodes, r->nodes, r->n * sizeof(*nodes));
    wipe_free(r->nodes, r->cap * sizeof(*nodes));
    r->nodes = nodes;
    r->cap = cap;
    return true;
}

static uint32_t child_of(const struct plat_redact *r, uint32_t at, unsigned char byte)
{
    uint32_t next;

    if (!at)
        return r->first[byte];
    next = r->nodes[at].child;
    while (next && r->nodes[next].byte != byte)
        next = r->nodes[next].sibling;
    return next;
}

bool plat_redact_pattern(struct plat_redact *r, const char *text, size_t len)
{
    uint32_t at = 0;

    if (len < PLAT_REDACT_MIN)
        return true;
    if (!reserve(r, len))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)text[i];
        uint32_t next = child_of(r, at, byte);

        if (!next) {
            next = (uint32_t)r->n++;
            r->nodes[next] = (struct node){ .depth = (uint32_t)i + 1, .byte = byte };
            if (at) {
                r->nodes[next].sibling = r->nodes[at].child;
                r->nodes[at].child = next;
            } else {
                r->first[byte] = next;
            }
        }
        at = next;
    }
    if (!r->nodes[at].end)
        r->nodes[at].end = r->dirty = true;
    return true;
}

static uint32_t step(const struct plat_redact *r, uint32_t at, unsigned char byte)
{
    uint32_t next = child_of(r, at, byte);

    while (!next && at) {
        at = r->nodes[at].fail;
        next = child_of(r, at, byte);
    }
    return next;
}

static void link_node(struct plat_redact *r, uint32_t parent, uint32_t at)
{
    struct node *node = &r->nodes[at];

    node->fail = parent ? step(r, r->nodes[parent].fail, node->byte) : 0;
    node->longest = node->end ? node->depth : r->nodes[node->fail].longest;
}

/* Links every node to its longest suffix, level by level. */
static bool build(struct plat_redact *r)
{
    uint32_t *queue;
    size_t head = 0, tail = 0;

    if (!r->dirty)
        return true;
    queue = malloc(r->n * sizeof(*queue));
    if (!queue)
        return false;
    for (int byte = 0; byte < 256; byte++) {
        if (r->first[byte]) {
            link_node(r, 0, r->first[byte]);
            queue[tail++] = r->first[byte];
        }
    }
    while (head < tail) {
        uint32_t at = queue[head++];

        for (uint32_t next = r->nodes[at].child; next; next = r->nodes[next].sibling) {
            link_node(r, at, next);
            queue[tail++] = next;
        }
    }
    free(queue);
    r->dirty = false;
    r->generation++;
    return true;
}

bool plat_redact_finds(struct plat_redact *r, const char *text, size_t len)
{
    uint32_t at = 0;

    if (!build(r))
        return true;
    for (size_t i = 0; i < len; i++) {
        at = step(r, at, (unsigned char)text[i]);
        if (r->nodes[at].longest)
            return true;
    }
    return false;
}

/* ---- streams ---- */

void plat_redact_begin(struct plat_redact_stream *s, struct plat_redact *r)
{
    *s = (struct plat_redact_stream){ .r = r };
    plat_buf_init(&s->held, SIZE_MAX);
}

void plat_redact_done(struct plat_redact_stream *s)
{
    if (s->held.data)
        explicit_bzero(s->held.data, s->held.cap);
    plat_buf_done(&s->held);
    free(s->spans);
    s->spans = NULL;
    s->n_spans = s->cap_spans = 0;
}

/* Adds what was found, as one with the spans that it overlaps or touches. */
static bool add_span(struct plat_redact_stream *s, size_t from, size_t to)
{
    while (s->n_spans && s->spans[s->n_spans - 1].to >= from) {
        const struct plat_redact_span *last = &s->spans[--s->n_spans];

        from = last->from < from ? last->from : from;
        to = last->to > to ? last->to : to;
    }
    if (s->n_spans == s->cap_spans) {
        size_t cap = s->cap_spans ? 2 * s->cap_spans : 16;
        struct plat_redact_span *spans = realloc(s->spans, cap * sizeof(*spans));

        if (!spans)
            return false;
        s->spans = spans;
        s->cap_spans = cap;
    }
    s->spans[s->n_spans++] = (struct plat_redact_span){ from, to };
    return true;
}

/* Looks at held bytes from place `at` on. */
static bool scan(struct plat_redact_stream *s, size_t at)
{
    const struct plat_redact *r = s->r;
    const unsigned char *text = (const unsigned char *)plat_buf_bytes(&s->held);
    size_t end = s->base + s->held.len;
    uint32_t state = s->state;

    for (; at < end; at++) {
        uint32_t longest;

        state = step(r, state, text[at - s->base]);
        longest = r->nodes[state].longest;
        if (longest && !add_span(s, at + 1 - longest, at + 1))
            return false;
    }
    s->state = state;
    return true;
}

/* Gives out the held bytes between two places, if there are any. */
static bool give_plain(struct plat_redact_stream *s, size_t from, size_t to, struct plat_buf *out)
{
    if (from >= to)
        return true;
    return plat_buf_add(out, plat_buf_bytes(&s->held) + (from - s->base), to - from);
}

/* Gives out the mask for a span, unless the one before goes on in it. */
static bool give_mask(struct plat_redact_stream *s, const struct plat_redact_span *span,
                      struct plat_buf *out)
{
    bool goes_on = s->masked && span->from <= s->masked_to;

    if (!goes_on || span->to > s->masked_to)
        s->masked_to = span->to;
    s->masked = true;
    return goes_on || plat_buf_add(out, MASK, strlen(MASK));
}

/* The first place from `at` on that is not masked, at most `limit`. */
static size_t behind_mask(const struct plat_redact_stream *s, size_t at, size_t limit)
{
    if (s->masked && s->masked_to > at)
        at = s->masked_to;
    return at < limit ? at : limit;
}

/* Gives out everything up to place `limit`, which no later find reaches back over. */
static bool give(struct plat_redact_stream *s, size_t limit, struct plat_buf *out)
{
    size_t at = behind_mask(s, s->base, limit), i;
    bool ok = true;

    for (i = 0; i < s->n_spans && s->spans[i].from < limit; i++) {
        ok = ok && give_plain(s, at, s->spans[i].from, out);
        ok = ok && give_mask(s, &s->spans[i], out);
        at = behind_mask(s, at, limit);
    }
    ok = ok && give_plain(s, at, limit, out);
    if (i)
        memmove(s->spans, s->spans + i, (s->n_spans - i) * sizeof(*s->spans));
    s->n_spans -= i;
    plat_buf_drop(&s->held, limit - s->base);
    s->base = limit;
    return ok;
}

bool plat_redact_feed(struct plat_redact_stream *s, const char *text, size_t len,
                      struct plat_buf *out)
{
    size_t at = s->base + s->held.len;

    if (!build(s->r))
        return false;
    if (s->generation != s->r->generation) { /* new values may begin in what is held */
        s->generation = s->r->generation;
        s->state = 0;
        s->n_spans = 0; /* found again */
        at = s->base;
    }
    if (!plat_buf_add(&s->held, text, len) || !scan(s, at))
        return false;
    return give(s, s->base + s->held.len - s->r->nodes[s->state].depth, out);
}

bool plat_redact_finish(struct plat_redact_stream *s, struct plat_buf *out)
{
    bool ok = plat_redact_feed(s, "", 0, out);

    return ok && give(s, s->base + s->held.len, out);
}
