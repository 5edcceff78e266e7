/* What http.c and http_stream.c share: the box that owns a transfer, the op that waits for it. */
#pragma once

#include <lua.h>
#include <stddef.h>

#include "io/http.h"
#include "io/op.h"

#define PRIM_HTTP_STREAM "prim.http.stream"

struct http_box {
    struct plat_http *h; /* NULL: closed */
};

struct http_op {
    struct plat_op op;
    struct plat_http *h; /* the box's: it is on the waiting task's stack */
};

/* Pushes nil, error; the error has `sent`: whether the request may have reached the server. */
int prim_http_fail(lua_State *L, const struct plat_http *h, const struct plat_err *err);

/* Pushes { status=, headers=, body= or stream=, url=, version=, reused= }; box_idx: the box. */
int prim_http_answer(lua_State *L, struct plat_http *h, int box_idx);

/* Waits for the answer of the box at stack index 2 of the calling function, whose op is on top. */
int prim_http_await(lua_State *L, struct http_op *op);
struct http_op *prim_http_op(lua_State *L, struct plat_http *h);

void prim_http_box_close(struct http_box *box);
void prim_http_stream_open(lua_State *L);
