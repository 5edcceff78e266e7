/*
 * What runtime/gen/embed.lua generates into build/gen/embed.c: the standard library as bytecode,
 * its documentation as text, and the list of C primitives.  The data is constant and never freed.
 */
#pragma once

#include <lauxlib.h>
#include <stddef.h>

struct plat_embed {
    const char *name;           /* "plat.k8s" */
    const unsigned char *bytes; /* string.dump of the module, with line information */
    size_t size;
};

struct plat_doc {
    const char *name; /* "plat.k8s", "prim.http" */
    const char *text; /* plain text: summary, signatures and their comments */
};

extern const struct plat_embed plat_embeds[]; /* sorted by name (strcmp) for binary search */
extern const size_t plat_embeds_n;

extern const struct plat_doc plat_docs[]; /* sorted by name */
extern const size_t plat_docs_n;

extern const luaL_Reg plat_prims[]; /* { "prim.x", luaopen_prim_x }, ends with { NULL, NULL } */
