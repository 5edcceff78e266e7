/* Shared by the files of prim.httpd. */
#pragma once

#include <lauxlib.h>
#include <lua.h>

#include "io/httpd.h"

struct request {
    struct plat_httpd_req *req; /* NULL: closed */
};

/* Pushes a closed request, to be filled by prim_httpd_fill once one has come. */
struct request *prim_httpd_push_request(lua_State *L);
void prim_httpd_fill(lua_State *L, int idx); /* reads its fields from r->req */

struct pipe_box {
    struct plat_httpd_pipe *pipe; /* NULL: closed */
};

struct pipe_box *prim_httpd_push_pipe(lua_State *L);

/* Ends a call whose engine said no: raises for the caller's mistake, else gives nil, err. */
int prim_httpd_fail(lua_State *L, const struct plat_err *err);

/* Makes a metatable; `methods` become its __index unless it is NULL. */
void prim_httpd_type(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *meta);

void prim_httpd_open_request(lua_State *L);
void prim_httpd_open_pipe(lua_State *L);
