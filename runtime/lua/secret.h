/*
 * Secrets as Lua values: userdata whose bytes Lua code never gets to see.  Primitives borrow them
 * where they take text.  What is registered here is replaced in all output (base/redact.h).
 */
#pragma once

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct plat_redact;

#define PLAT_SECRET_TEACH                                                                          \
    "a secret is no text: pass the secret itself, or make another of it: "                         \
    "secret:format(\"Bearer %s\")"

/* True for userdata made by plat_secret_new. */
bool plat_secret_is(lua_State *L, int idx);

/* The bytes of the secret at idx, followed by a zero byte; NULL if the value is none.  They stay
 * valid while the value lives. */
const char *plat_secret_bytes(lua_State *L, int idx, size_t *ret_len);

/* The bytes of a string or a secret; raises for anything else. */
const char *plat_secret_check_bytes(lua_State *L, int idx, size_t *ret_len);

/* [-0, +1, m] Pushes a secret of `len` bytes, to be filled by the caller. */
char *plat_secret_new(lua_State *L, size_t len);

/* Pops a text: the reference of the secret at idx.  A derived one is JSON, others are words. */
void plat_secret_set_reference(lua_State *L, int idx, bool derived);

/* [-0, +1, -] Pushes the reference of the secret at idx. */
void plat_secret_push_reference(lua_State *L, int idx, bool *ret_derived);

/* Adds a value to what is replaced in output; raises when memory is out.  From the first one on
 * this process leaves no core dump. */
void plat_secret_register(lua_State *L, const char *value, size_t len, bool lines);

/* NULL: nothing is registered. */
struct plat_redact *plat_secret_redactor(lua_State *L);

/* Takes secrets out of a text, in its place: for what is printed without Lua's help. */
void plat_secret_clean(lua_State *L, char *text);

/* The table of methods is pushed; prim.secret fills it. */
void plat_secret_push_methods(lua_State *L);
