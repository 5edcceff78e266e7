/*
 * Plain data, the common ground of JSON, YAML and Lua: null, booleans, numbers, text, arrays and
 * objects.  Null is a light userdata; arrays carry a metatable, so that an empty one stays one; an
 * unmarked table with keys 1..n is an array too; every other table has text keys only.
 */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Where in the value the writer is: a chain of frames on the C stack, outermost last. */
struct plat_plain_at {
    const struct plat_plain_at *up; /* NULL: the whole value */
    const void *table;              /* lua_topointer of the table being written */
    const char *key;                /* of the element now written, NULL: it has an index */
    size_t key_len;
    lua_Integer index;
    int depth;
};

struct plat_plain_key {
    const char *text;
    size_t len;
    int idx; /* in the stack; 0: it is not there */
};

#define PLAT_PLAIN_FEW 24 /* keys that need no memory but the stack's */

enum plat_plain_shape { PLAT_PLAIN_ARRAY, PLAT_PLAIN_OBJECT };

#define PLAT_PLAIN_DEPTH 200 /* default and ceiling of nesting, decoded or encoded */

/* [-0, +1, m] null: the same value everywhere, true in conditions, printed as "null". */
void plat_plain_push_null(lua_State *L);
bool plat_plain_is_null(lua_State *L, int idx);

/* [-0, +1, m] The metatable of arrays. */
void plat_plain_push_array_meta(lua_State *L);
bool plat_plain_is_array(lua_State *L, int idx);

/* Enters the table at idx: fills *at, finds out its shape and number of elements.  Raises for
 * cycles, holes, mixed keys, keys that are not text, and nesting over PLAT_PLAIN_DEPTH. */
enum plat_plain_shape plat_plain_enter(lua_State *L, int idx, const char *op,
                                       const struct plat_plain_at *up, struct plat_plain_at *at,
                                       size_t *ret_n);

/* An element of an object, key and value in the stack. */
struct plat_plain_field {
    const char *text;
    size_t len;
    int value;
};

/* [-0, +2n, m] As plat_plain_enter, for a table with at most PLAT_PLAIN_FEW keys, all of them text:
 * its elements go to the stack and to `few`, sorted by bytes.  False, and nothing is pushed: it is
 * another one, and plat_plain_enter tells more. */
bool plat_plain_fields(lua_State *L, int idx, const char *op, const struct plat_plain_at *up,
                       struct plat_plain_at *at, struct plat_plain_field few[PLAT_PLAIN_FEW],
                       size_t *ret_n);

/* [-0, +x, m] The n text keys of the table at idx, sorted by bytes; valid while the pushed values,
 * which hold them, stay on the stack, and `few` where it is. */
const struct plat_plain_key *plat_plain_keys(lua_State *L, int idx, size_t n,
                                             struct plat_plain_key few[PLAT_PLAIN_FEW]);

/* [-0, +1, m] */
void plat_plain_push_key(lua_State *L, const struct plat_plain_key *key);

/* Raises "OP: PATH: message", the path like .spec.containers[2].image. */
int plat_plain_raise(lua_State *L, const char *op, const struct plat_plain_at *at, const char *fmt,
                     ...) __attribute__((format(printf, 4, 5), noreturn));
