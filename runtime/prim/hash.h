/* Private to prim.hash. */
#pragma once

#include <lua.h>
#include <stdbool.h>

/* Pushes a digest, hexadecimal unless `raw`. */
int plat_hash_push_digest(lua_State *L, const unsigned char *digest, unsigned len, bool raw);

int plat_hash_file(lua_State *L);
int plat_hash_base64(lua_State *L);      /* base64(bytes) -> text */
int plat_hash_base64url(lua_State *L);   /* base64url(bytes) -> text without padding */
int plat_hash_unbase64(lua_State *L);    /* unbase64(text) -> bytes | nil, err */
int plat_hash_unbase64url(lua_State *L); /* unbase64url(text) -> bytes | nil, err */

int plat_hash_x509(lua_State *L); /* x509(pem) -> table | nil, err */
void plat_hash_x509_open(lua_State *L);
