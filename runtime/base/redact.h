/*
 * Finds known values in text and puts "***" in their place, in one pass over the text however many
 * values there are (Aho-Corasick).  A value is looked for as it is, in base64, percent-escaped,
 * JSON-escaped and line by line.  What this file allocates for values is wiped before it is freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct plat_redact;

#define PLAT_REDACT_MIN 6 /* bytes: whatever is shorter would be found everywhere */

struct plat_redact *plat_redact_new(void); /* NULL: out of memory */
void plat_redact_free(struct plat_redact *r);

/* Adds a text that is looked for exactly; one shorter than PLAT_REDACT_MIN is left out.
 * False: out of memory. */
bool plat_redact_pattern(struct plat_redact *r, const char *text, size_t len);

/* Adds a value in all its forms; `lines`: also each of its lines by itself.
 * False: out of memory. */
bool plat_redact_add(struct plat_redact *r, const char *value, size_t len, bool lines);

/* True if something would be replaced; also when that cannot be told for lack of memory. */
bool plat_redact_finds(struct plat_redact *r, const char *text, size_t len);

struct plat_redact_span {
    size_t from, to;
};

/* Text that comes in pieces.  What may be the beginning of a value is held back till more comes. */
struct plat_redact_stream {
    struct plat_redact *r;
    struct plat_buf held; /* what is not given out yet */
    size_t base;          /* place in the whole text of held's first byte */
    uint64_t generation;  /* of the values that `state` belongs to */
    uint32_t state;
    struct plat_redact_span *spans; /* found, in order, apart from each other */
    size_t n_spans, cap_spans;
    bool masked; /* "***" has been given out for everything up to masked_to */
    size_t masked_to;
};

void plat_redact_begin(struct plat_redact_stream *s, struct plat_redact *r);
void plat_redact_done(struct plat_redact_stream *s); /* twice is fine */

/* Appends to *out what is safe to show.  False: out of memory, and nothing may be shown. */
bool plat_redact_feed(struct plat_redact_stream *s, const char *text, size_t len,
                      struct plat_buf *out);
bool plat_redact_finish(struct plat_redact_stream *s, struct plat_buf *out);
