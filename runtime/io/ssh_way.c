/*
 * What a session runs over when it makes no TCP connection of its own: a channel of another session
 * (ProxyJump), or a program (ProxyCommand), whose stdin and stdout are one socket of ours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/loop.h"
#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.connect"

extern char **environ;

enum { AHEAD = 256 * 1024, WORDS = 4096 };

static const double GRACE = 2;      /* seconds for a program to end */
static const double LAST_WORDS = 1; /* and to say why, after it has closed its output */

/* ---- a channel of another session ---- */

static void over_ended(struct plat_ssh *s)
{
    struct plat_ssh_status status;
    struct plat_err err, why;

    if (plat_ssh_exec_result(s->over, &status, &why))
        plat_err_set(&why, PLAT_ERR_CONNECT, 0, OP, "the server closed the channel");
    plat_err_set(&err, PLAT_ERR_CONNECT, why.code, OP,
                 "cannot connect to %.60s through %.60s: %.100s", s->host, s->over_name, why.msg);
    ssh_lose(s, &err);
}

static void on_over(void *arg)
{
    struct plat_ssh *s = arg;

    if (s->phase != SSH_CONNECTING)
        ssh_drive(s);
    else if (plat_ssh_exec_ended(s->over))
        over_ended(s);
    else if (plat_ssh_exec_opened(s->over))
        ssh_handshake_begin(s);
    ssh_exec_deliver(s);
}

static bool start_over(struct plat_ssh *s, struct plat_ssh *via, struct plat_err *err)
{
    struct plat_ssh_exec_opts opts = {
        .kind = PLAT_SSH_TCP,
        .command = s->host,
        .command_len = strlen(s->host),
        .port = s->port,
        .max_output = AHEAD,
        .stream = true,
        .more_input = true,
        .on_event = on_over,
        .arg = s,
    };

    s->over_name = strdup(via->host);
    if (!s->over_name)
        return plat_err_errno(err, ENOMEM, OP, "cannot make a session");
    s->phase = SSH_CONNECTING;
    s->over = plat_ssh_exec_new(via, &opts, NULL, err);
    if (!s->over)
        return false;
    ssh_set_timer(s, s->connect_timeout);
    return true;
}

static ssize_t over_recv(struct plat_ssh_exec *e, void *data, size_t len)
{
    const struct plat_buf *out = plat_ssh_exec_output(e, 0);

    if (!out->len && plat_ssh_exec_eof(e))
        return 0;
    if (!out->len) {
        errno = EAGAIN;
        return -1;
    }
    if (len > out->len)
        len = out->len;
    memcpy(data, plat_buf_bytes(out), len);
    plat_ssh_exec_consume(e, 0, len);
    return (ssize_t)len;
}

static ssize_t over_send(struct plat_ssh_exec *e, const void *data, size_t len)
{
    size_t n = plat_ssh_exec_ended(e) ? 0 : plat_ssh_exec_push(e, data, len);

    if (!n)
        errno = plat_ssh_exec_ended(e) ? EPIPE : EAGAIN;
    return n ? (ssize_t)n : -1;
}

/* ---- a program ---- */

static void on_proxy_end(void *arg)
{
    struct plat_ssh *s = arg;

    ssh_drive(s);
    ssh_exec_deliver(s);
}

static bool start_proxy(struct plat_ssh *s, const char *command, struct plat_err *err)
{
    const char *shell = getenv("SHELL");
    const char *argv[] = { shell && *shell ? shell : "/bin/sh", "-c", command, NULL };
    int fd = -1;
    struct plat_proc_opts opts = {
        .argv = argv,
        .envp = (const char *const *)environ,
        .ret_socket = &fd,
        .collect = true,
        .tail = true,
        .max_output = WORDS,
        .grace = GRACE,
        .on_end = on_proxy_end,
        .arg = s,
    };

    s->proxy = plat_proc_start(s->loop, &opts, err);
    if (!s->proxy) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (!ssh_watch(s, fd))
        return plat_err_errno(err, ENOMEM, OP, "cannot watch the ProxyCommand");
    ssh_handshake_begin(s);
    return true;
}

/* The end of its output: why is known a moment later. */
static bool says_why(struct plat_ssh *s)
{
    if (plat_proc_ended(s->proxy) || s->proxy_silent)
        return false;
    if (!s->proxy_eof)
        ssh_tick_in(s, SSH_TICK_PROXY, LAST_WORDS);
    s->proxy_eof = true;
    return true;
}

void ssh_way_give_up(struct plat_ssh *s)
{
    s->proxy_silent = true;
    ssh_drive(s);
}

/* Its last line, on which it most likely says what is wrong. */
static void last_line(struct plat_proc *proc, char *ret, size_t size)
{
    const struct plat_buf *buf = plat_proc_output(proc, 1);
    const char *bytes = plat_buf_bytes(buf);
    size_t end = buf->len, start;

    while (end && (unsigned char)bytes[end - 1] <= ' ')
        end--;
    for (start = end; start && bytes[start - 1] != '\n'; start--)
        ;
    ssh_said_keep(ret, size, bytes + start, end - start);
}

static void explain_proxy(struct plat_ssh *s, const char *op, struct plat_err *err)
{
    int status = plat_proc_status(s->proxy);
    char words[100], how[40] = "closed its output";

    last_line(s->proxy, words, sizeof(words));
    if (plat_proc_ended(s->proxy) && WIFSIGNALED(status))
        snprintf(how, sizeof(how), "was ended by signal %d", WTERMSIG(status));
    else if (plat_proc_ended(s->proxy))
        snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
    plat_err_set(err, PLAT_ERR_CONNECT, 0, op, "the ProxyCommand of %.60s %s: %s", s->host, how,
                 words[0] ? words : "it said nothing");
}

/* ---- all ---- */

bool ssh_way_start(struct plat_ssh *s, const struct plat_ssh_opts *opts, struct plat_err *err)
{
    if (opts->via)
        return start_over(s, opts->via, err);
    if (opts->proxy)
        return start_proxy(s, opts->proxy, err);
    return ssh_connect_start(s, err);
}

ssize_t ssh_way_recv(struct plat_ssh *s, void *data, size_t len)
{
    ssize_t n;

    if (s->over)
        return over_recv(s->over, data, len);
    do
        n = recv(s->fd, data, len, 0);
    while (n < 0 && errno == EINTR);
    if (!s->proxy || n > 0 || (n < 0 && errno == EAGAIN))
        return n;
    if (!says_why(s)) /* also when it was reset: a program that has not read all */
        return 0;
    errno = EAGAIN;
    return -1;
}

ssize_t ssh_way_send(struct plat_ssh *s, const void *data, size_t len)
{
    ssize_t n;

    if (s->over)
        return over_send(s->over, data, len);
    do
        n = send(s->fd, data, len, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 && s->proxy && errno != EAGAIN ? (ssize_t)len : n; /* reading tells */
}

/* 0: it has ended, -1: nothing is there, 1: something is. */
static int peek(struct plat_ssh *s)
{
    ssize_t n;
    char byte;

    if (s->over)
        return plat_ssh_exec_output(s->over, 0)->len ? 1 : plat_ssh_exec_eof(s->over) ? 0 : -1;
    n = recv(s->fd, &byte, 1, MSG_PEEK);
    if (n > 0)
        return 1;
    return (n < 0 && (errno == EAGAIN || errno == EINTR)) || (s->proxy && says_why(s)) ? -1 : 0;
}

/* Nobody reads: what comes now is an end, or words of the server between commands. */
void ssh_way_idle(struct plat_ssh *s)
{
    unsigned long initial = 0, window = 0;
    ssize_t n;
    char byte;

    if (s->spare)
        window = libssh2_channel_window_read_ex(s->spare, NULL, &initial);
    if (window > initial / 4 * 3 + 1) { /* else it would send an update of a closed channel */
        n = libssh2_channel_read(s->spare, &byte, 1);
        if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
            ssh_lose_lib(s, (int)n, "ssh");
        return;
    }
    n = peek(s);
    if (n == 0) {
        s->eof = true;
        ssh_lose_lib(s, LIBSSH2_ERROR_SOCKET_DISCONNECT, "ssh");
    } else if (n > 0 && s->polled) { /* the next command reads it */
        s->events = 0;
        uv_poll_stop(&s->poll);
    }
}

int ssh_way_fd(const struct plat_ssh *s)
{
    while (s->over && s->over->s)
        s = s->over->s;
    return s->fd;
}

bool ssh_way_explain(struct plat_ssh *s, const char *op, struct plat_err *err)
{
    struct plat_ssh_status status;
    struct plat_err why;

    if (s->proxy && s->eof) {
        explain_proxy(s, op, err);
        return true;
    }
    if (!s->over || plat_ssh_exec_result(s->over, &status, &why))
        return false;
    plat_err_set(err, PLAT_ERR_CONNECT, 0, op,
                 "the connection to %.60s through %.60s was lost: %.90s", s->host, s->over_name,
                 why.msg);
    return true;
}

void ssh_way_end(struct plat_ssh *s)
{
    plat_ssh_exec_free(s->over);
    s->over = NULL;
    plat_proc_free(s->proxy);
    s->proxy = NULL;
    ssh_unwatch(s);
}
