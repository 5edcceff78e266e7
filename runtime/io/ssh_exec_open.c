/*
 * How channels begin.  At most PLAT_SSH_CHANNELS sessions are open, and one channel at a time is
 * being opened, because libssh2 keeps that state in the session.  One at a time, too, is asked to
 * run something: libssh2 takes any answer to a request for the end of its waiting, looks whether it
 * is for this channel, and fails if not.  A channel that is cut meanwhile keeps its turn until it
 * is closed, since the server answers before it closes.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.exec"

enum { REFUSALS = 8 }; /* retries of a channel: 2.5 seconds in all */

static const double PATIENCE = 1; /* seconds until a connection being made lets others go first */

enum { PROHIBITED = 1, CONNECT_FAILED, UNKNOWN_TYPE, SHORTAGE }; /* RFC 4254, 5.1 */

bool ssh_exec_connects(const struct plat_ssh_exec *e)
{
    return e->kind == PLAT_SSH_TCP || e->kind == PLAT_SSH_UNIX;
}

bool ssh_exec_counts(const struct plat_ssh_exec *e)
{
    return !ssh_exec_connects(e);
}

/* Nothing but the one that is being opened is in its way. */
bool ssh_exec_may_open(const struct plat_ssh_exec *e)
{
    const struct plat_ssh *s = e->s;

    return !ssh_exec_counts(e) || (!s->resting && s->channels < s->max_channels);
}

/* ---- the message ---- */

static char *put_number(char *p, size_t n)
{
    uint32_t wire = htonl((uint32_t)n);

    memcpy(p, &wire, 4);
    return p + 4;
}

static char *put_string(char *p, const char *s, size_t len)
{
    p = put_number(p, len);
    memcpy(p, s, len);
    return p + len;
}

char *ssh_exec_message(const struct plat_ssh_exec_opts *opts, size_t *ret_len)
{
    static const char origin[] = "127.0.0.1";
    char *message = malloc(opts->command_len + 32), *p = message;

    if (!message)
        return NULL;
    switch (opts->kind) {
    case PLAT_SSH_COMMAND:
    case PLAT_SSH_SUBSYSTEM:
        memcpy(message, opts->command, opts->command_len);
        p += opts->command_len;
        break;
    case PLAT_SSH_TCP:
        p = put_string(p, opts->command, opts->command_len);
        p = put_number(p, (size_t)opts->port);
        p = put_string(p, origin, sizeof(origin) - 1);
        p = put_number(p, 0);
        break;
    case PLAT_SSH_UNIX:
        p = put_string(p, opts->command, opts->command_len);
        p = put_string(p, "", 0);
        p = put_number(p, 0);
        break;
    }
    *ret_len = (size_t)(p - message);
    return message;
}

/* ---- steps ---- */

static uint32_t get_number(const char *p)
{
    uint32_t wire;

    memcpy(&wire, p, 4);
    return ntohl(wire);
}

/* OpenSSH says only "open failed" of unix sockets, also when its configuration forbids them. */
static void not_connected(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    bool tcp = e->kind == PLAT_SSH_TCP;
    int len = (int)get_number(e->command);
    const char *to = e->command + 4, *words = s->open_why;
    char port[16] = "";

    if (tcp)
        snprintf(port, sizeof(port), " port %u", get_number(to + len));
    if (s->open_reason == PROHIBITED || s->open_reason == UNKNOWN_TYPE)
        plat_err_set(&e->err, PLAT_ERR_REFUSED, s->open_reason, OP,
                     "%.60s does not forward to %.*s%s: %s", s->host, len < 60 ? len : 60, to, port,
                     words);
    else
        plat_err_set(&e->err, PLAT_ERR_REFUSED, s->open_reason, OP,
                     "%.60s cannot connect to %.*s%s: %s%s", s->host, len < 60 ? len : 60, to, port,
                     words,
                     tcp ? "" : " (no such socket, or none for this user, or not forwarded)");
}

static bool refused(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    char *text = NULL;

    s->opening = NULL;
    if (ssh_exec_connects(e)) {
        not_connected(e);
        ssh_exec_end(e);
        return true;
    }
    if (s->channels > 1 || (s->had_channel && e->refusals < REFUSALS)) {
        s->channels--;
        e->state = SSH_EXEC_WAITING;
        if (s->channels) { /* the server allows fewer: wait for one of ours */
            s->max_channels = s->channels;
            return true;
        }
        s->max_channels = 1; /* it is slower to forget the last one than we are */
        s->resting = true;
        ssh_set_timer(s, 0.01 * (1 << e->refusals++));
        return false;
    }
    libssh2_session_last_error(s->lib, &text, NULL, 0);
    plat_err_set(&e->err, PLAT_ERR_REFUSED, 0, OP, "the server opens no session: %.150s", text);
    ssh_exec_end(e);
    return true;
}

static void running(struct plat_ssh_exec *e)
{
    e->state = SSH_EXEC_RUNNING;
    e->opened = true;
    if (e->on_event)
        ssh_exec_tell(e);
    if (e->await_open)
        ssh_wake(&e->waiting);
}

/*
 * The server answers when it has connected, which for a dead host is after minutes; libssh2 waits
 * for one answer at a time.  So who takes long goes to the end of the line, and is asked for anew
 * then.  Of the late answer see ssh_exec_ask.c.
 */
static bool again_later(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    struct plat_ssh_exec **link = &s->execs;

    s->opening = NULL;
    e->state = SSH_EXEC_WAITING;
    if (e->cut) {
        ssh_exec_end(e);
        return true;
    }
    *e->link = e->next;
    if (e->next)
        e->next->link = e->link;
    while (*link)
        link = &(*link)->next;
    *link = e;
    e->link = link;
    e->next = NULL;
    return true;
}

bool ssh_exec_open(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    int rc;

    if (e->state == SSH_EXEC_WAITING) {
        s->opening = e;
        s->open_reason = 0;
        s->open_why[0] = '\0';
        s->channels += ssh_exec_counts(e);
        e->state = SSH_EXEC_OPENING;
        if (ssh_exec_connects(e))
            ssh_tick_in(s, SSH_TICK_PATIENCE, PATIENCE);
    }
    e->channel = ssh_exec_ask(e);
    if (!e->channel) {
        rc = libssh2_session_last_errno(s->lib);
        if (rc == LIBSSH2_ERROR_EAGAIN)
            return false;
        if (rc == LIBSSH2_ERROR_CHANNEL_FAILURE)
            return refused(e);
        if (ssh_exec_connects(e) && (s->abort || rc == LIBSSH2_ERROR_TIMEOUT))
            return again_later(e);
        ssh_lose_lib(s, rc, OP);
        return false;
    }
    s->opening = NULL;
    if (ssh_exec_connects(e)) {
        ssh_tick_in(s, SSH_TICK_PATIENCE, 0);
        running(e);
        return true;
    }
    s->had_channel = true;
    e->state = SSH_EXEC_STARTING;
    return true;
}

/* The server says no to what was asked of the channel: nothing runs in it. */
static bool denied(struct plat_ssh_exec *e, const char *why)
{
    plat_err_set(&e->err, PLAT_ERR_REFUSED, 0, OP, "%s", why);
    e->sent = false;
    e->state = SSH_EXEC_RUNNING;
    ssh_exec_cut(e);
    return true;
}

/* libssh2 would wait for the answer for ever.  Whether something ran, nobody knows. */
static bool closed_early(struct plat_ssh_exec *e)
{
    plat_err_set(&e->err, PLAT_ERR_REFUSED, 0, OP,
                 "the server closed the channel, and answered nothing to what was asked of it");
    e->state = SSH_EXEC_RUNNING;
    ssh_exec_cut(e);
    return true;
}

/* A server takes few variables (AcceptEnv); of the others it says so, and that is all right. */
static bool send_env(struct plat_ssh_exec *e)
{
    char **pair = e->s->env + e->env_at;
    int rc = libssh2_channel_setenv_ex(e->channel, pair[0], (unsigned)strlen(pair[0]), pair[1],
                                       (unsigned)strlen(pair[1]));

    if (rc == LIBSSH2_ERROR_EAGAIN)
        return libssh2_channel_eof(e->channel) == 1 && closed_early(e);
    e->env_at += 2;
    if (rc && rc != LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
        ssh_lose_lib(e->s, rc, OP);
    return e->s->phase == SSH_READY;
}

bool plat_ssh_setenv(struct plat_ssh *s, const char *name, const char *value)
{
    char **more = realloc(s->env, (s->env_n + 2) * sizeof(*more));

    if (!more)
        return false;
    s->env = more;
    more[s->env_n] = strdup(name);
    more[s->env_n + 1] = strdup(value);
    if (more[s->env_n] && more[s->env_n + 1]) {
        s->env_n += 2;
        return true;
    }
    free(more[s->env_n]);
    free(more[s->env_n + 1]);
    return false;
}

static bool ask(struct plat_ssh_exec *e)
{
    bool pty = e->pty, subsystem = e->kind == PLAT_SSH_SUBSYSTEM;
    int rc;

    if (!subsystem && e->env_at < e->s->env_n)
        return send_env(e);
    if (pty) {
        rc = libssh2_channel_request_pty_ex(e->channel, "dumb", 4, NULL, 0, 200, 50, 0, 0);
        e->pty = rc != 0;
    } else {
        rc = libssh2_channel_process_startup(e->channel, subsystem ? "subsystem" : "exec",
                                             subsystem ? 9 : 4, e->command,
                                             (unsigned)e->command_len);
        e->sent = true;
    }
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return libssh2_channel_eof(e->channel) == 1 && closed_early(e);
    if (rc == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
        return denied(e, pty         ? "the server gives no terminal"
                         : subsystem ? "the server has no such subsystem"
                                     : "the server runs no commands");
    if (rc) {
        ssh_lose_lib(e->s, rc, OP);
        return false;
    }
    if (!pty)
        running(e);
    return true;
}

bool ssh_exec_start(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    bool changed;

    if (e->cut) {
        e->state = SSH_EXEC_RUNNING;
        return true;
    }
    if (s->starting && s->starting != e)
        return false;
    s->starting = e;
    changed = ask(e);
    if (s->starting == e && e->opened)
        s->starting = NULL;
    return changed;
}

/* libssh2 forgets what it waits for when receiving fails, and nothing else. */
bool ssh_exec_abort_open(struct plat_ssh_exec *e)
{
    struct plat_ssh *s = e->s;
    bool changed;

    s->abort = true;
    changed = ssh_exec_open(e);
    s->abort = false;
    return changed;
}

void ssh_exec_impatient(struct plat_ssh *s)
{
    struct plat_ssh_exec *e;

    if (!s->opening || s->phase != SSH_READY)
        return;
    for (e = s->execs; e; e = e->next) {
        if (e->state == SSH_EXEC_WAITING && !e->cut && ssh_exec_may_open(e)) {
            ssh_exec_abort_open(s->opening);
            ssh_drive(s);
            return;
        }
    }
    ssh_tick_in(s, SSH_TICK_PATIENCE, PATIENCE);
}
