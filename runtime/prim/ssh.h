/* What the files of prim.ssh share. */
#pragma once

#include <lua.h>

#include "io/ssh.h"

struct prim_ssh_box {   /* a session */
    struct plat_ssh *s; /* NULL: closed */
    bool trusted;       /* the caller has looked at the host key */
};

struct prim_ssh_box *prim_ssh_check(lua_State *L, int idx); /* an open one, or it raises */

/* ---- ssh_exec.c ---- */
int prim_ssh_exec(lua_State *L);
int prim_ssh_open(lua_State *L);
void prim_ssh_exec_open(lua_State *L);

/* ---- ssh_key.c ---- */
int prim_ssh_key(lua_State *L);
int prim_ssh_agent_keys(lua_State *L);
struct plat_ssh_key *prim_ssh_check_key(lua_State *L, int idx);
void prim_ssh_key_open(lua_State *L);
