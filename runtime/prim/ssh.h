/* What the files of prim.ssh share. */
#pragma once

#include <lua.h>

#include "io/ssh.h"

struct prim_ssh_box {   /* a session */
    struct plat_ssh *s; /* NULL: closed */
    bool trusted;       /* the caller has looked at the host key */
};

struct prim_ssh_box *prim_ssh_check(lua_State *L, int idx); /* an open one, or it raises */

#define PRIM_SSH_COMMAND "prim.ssh.command"

struct prim_ssh_exec_box { /* seen by Lua code only when it is streamed */
    struct plat_ssh_exec *e;
};

/* ---- ssh_exec.c ---- */
int prim_ssh_exec(lua_State *L);
struct prim_ssh_exec_box *prim_ssh_exec_box_new(lua_State *L); /* pushes it */

/* Stack: session, command, options, to which it adds the box. */
struct prim_ssh_exec_box *prim_ssh_exec_begin(lua_State *L, struct plat_ssh_exec_opts *opts);
int prim_ssh_not_begun(lua_State *L, const struct plat_err *err);
void prim_ssh_push_status(lua_State *L, const struct plat_ssh_status *status);

/* ---- ssh_stream.c ---- */
int prim_ssh_open(lua_State *L);
int prim_ssh_subsystem(lua_State *L);
int prim_ssh_tcp(lua_State *L);
int prim_ssh_unix(lua_State *L);
void prim_ssh_stream_open(lua_State *L);

/* ---- ssh_sftp.c ---- */
int prim_ssh_sftp(lua_State *L);
void prim_ssh_sftp_open(lua_State *L);

/* ---- ssh_forward.c ---- */
int prim_ssh_forward(lua_State *L);
void prim_ssh_forward_open(lua_State *L);

/* ---- ssh_key.c ---- */
int prim_ssh_key(lua_State *L);
int prim_ssh_agent_keys(lua_State *L);
struct plat_ssh_key *prim_ssh_check_key(lua_State *L, int idx);
void prim_ssh_key_open(lua_State *L);
