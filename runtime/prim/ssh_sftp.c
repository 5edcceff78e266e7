/* prim.ssh: the SFTP subsystem of a session: the channel moves what the engine (io/sftp.h) says. */
#include <lauxlib.h>
#include <string.h>

#include "io/sftp.h"
#include "lua/fail.h"
#include "lua/task.h"
#include "prim/ssh_sftp.h"

#include "base/banned.h"

#define SFTP_TYPE "prim.ssh.sftp"

enum { READ_AHEAD = 256 * 1024 };

struct ready_op {
    struct plat_op op;
    struct prim_sftp *box;
};

struct prim_sftp *prim_sftp_check(lua_State *L, int idx)
{
    struct prim_sftp *box = luaL_checkudata(L, idx, SFTP_TYPE);

    if (!box->s)
        luaL_error(L, "attempt to use a closed SFTP session");
    return box;
}

/* ---- between the engines ---- */

static void on_output(void *arg)
{
    struct prim_sftp *box = arg;
    struct plat_buf *out = plat_sftp_output(box->s);
    size_t n;

    while (box->e && out->len) {
        n = plat_ssh_exec_push(box->e, plat_buf_bytes(out), out->len);
        if (!n)
            return; /* the channel tells when it has room */
        plat_buf_drop(out, n);
        plat_sftp_sent(box->s);
    }
}

/* What the server says beside: the end of it explains a subsystem that does not run. */
static void keep_words(struct prim_sftp *box, const char *data, size_t len)
{
    size_t max = sizeof(box->words) - 1;

    if (len > max) {
        data += len - max;
        len = max;
    }
    memcpy(box->words, data, len);
    while (len && (box->words[len - 1] == '\n' || box->words[len - 1] == '\r'))
        len--;
    box->words[len] = '\0';
    for (char *p = box->words; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
}

static void on_end(struct prim_sftp *box)
{
    struct plat_ssh_status status;
    struct plat_err err;

    if (plat_ssh_exec_result(box->e, &status, &err))
        plat_err_set(&err, PLAT_ERR_IO, 0, "sftp", "the SFTP server ended (%s %d)%s%s",
                     status.signal[0] ? status.signal : "exit", status.code,
                     box->words[0] ? ": " : "", box->words);
    plat_sftp_lose(box->s, &err);
}

/* Nobody uses it: whoever asks next opens another one. */
static void make_room(struct prim_sftp *box)
{
    struct plat_ssh_exec *e = box->e;
    struct plat_err err;

    plat_err_set(&err, PLAT_ERR_CONNECT, 0, "sftp", "it was closed to make room for a command");
    plat_sftp_lose(box->s, &err);
    box->e = NULL;
    plat_ssh_exec_free(e);
}

static void on_event(void *arg)
{
    struct prim_sftp *box = arg;

    for (int stream = 0; stream < 2; stream++) {
        const struct plat_buf *got = plat_ssh_exec_output(box->e, stream);

        while (got->len) {
            size_t len = got->len;

            if (stream)
                keep_words(box, plat_buf_bytes(got), len);
            else
                plat_sftp_feed(box->s, plat_buf_bytes(got), len);
            plat_ssh_exec_consume(box->e, stream, len);
        }
    }
    on_output(box);
    if (plat_ssh_exec_ended(box->e))
        on_end(box);
    else if (plat_ssh_exec_wanted(box->e) && plat_sftp_idle(box->s))
        make_room(box);
}

/* ---- its life ---- */

static void close_box(struct prim_sftp *box)
{
    struct plat_ssh_exec *e = box->e;
    struct plat_sftp *s = box->s;

    box->e = NULL;
    box->s = NULL;
    plat_ssh_exec_free(e);
    plat_sftp_free(s);
}

static void on_cancel(struct plat_op *op)
{
    struct ready_op *ready = (struct ready_op *)op;

    if (ready->box->s)
        plat_sftp_forget(ready->box->s, op);
}

static const struct plat_op_class ready_class = {
    .name = "ssh.sftp",
    .real = true,
    .cancel = on_cancel,
};

/* Stack: session, box. */
static int k_ready(lua_State *L, int status, lua_KContext ctx)
{
    struct ready_op *op = (struct ready_op *)ctx;
    struct plat_err err;

    (void)status;
    plat_err_set(&err, PLAT_ERR_CONNECT, 0, "sftp", "the session was closed by another task");
    if (plat_op_failed(&op->op, &err) || !op->box->s || plat_sftp_failed(op->box->s, &err)) {
        close_box(op->box);
        return plat_fail(L, &err);
    }
    lua_settop(L, 2);
    return 1;
}

int prim_ssh_sftp(lua_State *L)
{
    static const char name[] = "sftp";
    struct prim_ssh_box *session = prim_ssh_check(L, 1);
    struct plat_ssh_exec_opts opts = {
        .kind = PLAT_SSH_SUBSYSTEM,
        .command = name,
        .command_len = sizeof(name) - 1,
        .max_output = READ_AHEAD,
        .stream = true,
        .more_input = true,
        .on_event = on_event,
    };
    struct prim_sftp *box;
    struct ready_op *op;
    struct plat_err err;

    lua_settop(L, 1);
    box = lua_newuserdatauv(L, sizeof(*box), 0);
    *box = (struct prim_sftp){ .e = NULL };
    luaL_setmetatable(L, SFTP_TYPE);
    op = plat_op_new(L, sizeof(*op), &ready_class);
    op->box = box;
    opts.arg = box;
    box->s = plat_sftp_new(on_output, box);
    if (!box->s)
        return luaL_error(L, "out of memory");
    box->e = plat_ssh_exec_new(session->s, &opts, NULL, &err);
    if (!box->e) {
        close_box(box);
        return prim_ssh_not_begun(L, &err);
    }
    plat_sftp_await_ready(box->s, &op->op);
    return plat_await(L, &op->op, k_ready);
}

static int l_close(lua_State *L)
{
    close_box(luaL_checkudata(L, 1, SFTP_TYPE));
    return 0;
}

/* Why it cannot be used any more; nil: it can. */
static int l_failed(lua_State *L)
{
    struct prim_sftp *box = luaL_checkudata(L, 1, SFTP_TYPE);
    struct plat_err err;

    plat_err_set(&err, PLAT_ERR_CONNECT, 0, "sftp", "the SFTP session was closed");
    if (box->s && !plat_sftp_failed(box->s, &err))
        return 0;
    plat_fail(L, &err);
    return 1;
}

static int l_offers(lua_State *L)
{
    static const struct {
        const char *name;
        unsigned bit;
    } known[] = { { "rename_over", PLAT_SFTP_POSIX_RENAME },
                  { "sync", PLAT_SFTP_FSYNC },
                  { "space", PLAT_SFTP_STATVFS },
                  { "link", PLAT_SFTP_HARDLINK } };
    unsigned offered = plat_sftp_extensions(prim_sftp_check(L, 1)->s);

    lua_newtable(L);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        lua_pushboolean(L, (offered & known[i].bit) != 0);
        lua_setfield(L, -2, known[i].name);
    }
    return 1;
}

static const luaL_Reg methods[] = {
    { "ask", prim_sftp_ask }, { "offers", l_offers }, { "failed", l_failed },
    { "close", l_close },     { NULL, NULL },
};

static const luaL_Reg meta[] = {
    { "__gc", l_close },
    { "__close", l_close },
    { NULL, NULL },
};

void prim_ssh_sftp_open(lua_State *L)
{
    luaL_newmetatable(L, SFTP_TYPE);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    prim_sftp_ask_open(L);
    prim_sftp_file_open(L);
}
