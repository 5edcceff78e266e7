/*
 * Text of single JSON values.  What is written here is also YAML of every dialect: a quoted string
 * is a double-quoted YAML scalar, and floats have a point and a signed exponent, without which
 * YAML 1.1 readers take them for strings.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct plat_buf;

#define PLAT_JSON_FLOAT 40 /* bytes that any float fits in */

enum plat_json_text {
    PLAT_JSON_OK,
    PLAT_JSON_FULL,     /* the buffer's ceiling, or no memory */
    PLAT_JSON_NOT_UTF8, /* nothing can be written for these bytes */
};

/* Writes a text that reads back as the same float and is not an integer: "3.0", "1.0e+22"; 15
 * digits where they suffice, else 16 or 17.  The value is finite. */
void plat_json_float(char out[PLAT_JSON_FLOAT], double value);

/* Appends the quoted string.  Bytes that are not UTF-8 become U+FFFD if lossy, else nothing more
 * is appended and the answer is PLAT_JSON_NOT_UTF8. */
enum plat_json_text plat_json_quote(struct plat_buf *buf, const char *s, size_t len, bool lossy);

/* Length in bytes of the character that s starts with, its code in *ret_code; 0 if the bytes are
 * not UTF-8 (overlong forms and surrogates are not). */
size_t plat_json_utf8(const char *s, size_t len, unsigned *ret_code);

/* True for characters that are written \uXXXX: C0 and C1 controls, DEL, line and paragraph
 * separators, byte order mark, U+FFFE and U+FFFF. */
bool plat_json_is_control(unsigned code);
