/* What the files ssh_sftp*.c share. */
#pragma once

#include "io/sftp.h"
#include "prim/ssh.h"

struct prim_sftp { /* a userdata; its session in Lua keeps the connection */
    struct plat_ssh_exec *e;
    struct plat_sftp *s; /* NULL: closed */
    char words[160];     /* the last that came on stderr */
};

struct prim_sftp *prim_sftp_check(lua_State *L, int idx); /* an open one, or it raises */

/* ---- ssh_sftp_ask.c ---- */
int prim_sftp_ask(lua_State *L);
int prim_sftp_file_ask(lua_State *L);
void prim_sftp_ask_open(lua_State *L);

/* ---- ssh_sftp_file.c ---- */
#define PRIM_SFTP_FILE "prim.ssh.sftp_file"

struct prim_sftp_file {
    struct plat_sftp_file *file; /* NULL: closed */
    struct prim_sftp *box;       /* kept by the first user value */
};

struct prim_sftp_file *prim_sftp_check_file(lua_State *L, int idx);
/* Pushes a closed one, of the session at idx. */
struct prim_sftp_file *prim_sftp_file_new(lua_State *L, int idx);
void prim_sftp_file_open(lua_State *L);
