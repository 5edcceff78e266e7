/*
 * Growable bytes with a ceiling.  The ceiling is mandatory: whatever the network sends is bounded.
 * The buffer owns its memory.  Consuming from the front is cheap (an offset moves).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct plat_buf {
    char *data; /* first unread byte is data + off */
    size_t off; /* consumed bytes */
    size_t len; /* unread bytes */
    size_t cap; /* allocated bytes */
    size_t max; /* len may never exceed this */
};

void plat_buf_init(struct plat_buf *buf, size_t max);
void plat_buf_done(struct plat_buf *buf); /* NULL and twice are fine */

/* Appends n bytes.  False: the ceiling would be passed or memory is out; nothing was appended. */
bool plat_buf_add(struct plat_buf *buf, const void *bytes, size_t n);
bool plat_buf_addf(struct plat_buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for n bytes and returns where to write them, NULL as above.  Then plat_buf_grew. */
char *plat_buf_room(struct plat_buf *buf, size_t n);
void plat_buf_grew(struct plat_buf *buf, size_t n);

const char *plat_buf_bytes(const struct plat_buf *buf); /* valid until the next change */
void plat_buf_drop(struct plat_buf *buf, size_t n);     /* consumes n <= len bytes */
void plat_buf_clear(struct plat_buf *buf);
