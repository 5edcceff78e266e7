/* Shared by the tests of io/sftp*.c: a session with OpenSSH's own server as a child, on pipes. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/sftp.h"

#define SERVER "/usr/lib/openssh/sftp-server"

static const struct plat_op_class test_class = { .name = "test" };

/* ---- the server ---- */

struct rig {
    struct plat_sftp *s;
    pid_t pid;
    int to, from;
    size_t high; /* the most output that was waiting */
    char dir[64];
};

static inline int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    int in[2], out[2];

    if (access(SERVER, X_OK) != 0) {
        *state = NULL;
        free(rig);
        return 0;
    }
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/test_sftp.XXXXXX");
    if (!mkdtemp(rig->dir) || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        return -1;
    rig->pid = fork();
    if (rig->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execl(SERVER, SERVER, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    rig->to = in[1];
    rig->from = out[0];
    fcntl(rig->to, F_SETFL, O_NONBLOCK);
    rig->s = plat_sftp_new(NULL, NULL);
    *state = rig;
    return rig->s ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct rig *rig = *state;
    char command[128];
    pid_t pid;

    if (!rig)
        return 0;
    plat_sftp_free(rig->s);
    close(rig->to);
    close(rig->from);
    waitpid(rig->pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", rig->dir);
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    free(rig);
    return 0;
}

static inline struct rig *rig_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

static inline void turn(struct rig *rig)
{
    struct plat_buf *out = plat_sftp_output(rig->s);
    struct pollfd fds[2] = { { .fd = rig->from, .events = POLLIN },
                             { .fd = out->len ? rig->to : -1, .events = POLLOUT } };
    char bytes[65536];
    ssize_t n;

    if (out->len > rig->high)
        rig->high = out->len;
    assert_true(poll(fds, 2, 10000) > 0);
    if (fds[1].revents) {
        n = write(rig->to, plat_buf_bytes(out), out->len);
        if (n > 0) {
            plat_buf_drop(out, (size_t)n);
            plat_sftp_sent(rig->s);
        }
    }
    if (fds[0].revents) {
        n = read(rig->from, bytes, sizeof(bytes));
        if (n > 0) {
            plat_sftp_feed(rig->s, bytes, (size_t)n);
        } else {
            struct plat_err err = { .kind = PLAT_ERR_CONNECT, .op = "test", .msg = "gone" };
            plat_sftp_lose(rig->s, &err);
        }
    }
}

static inline void run_until(struct rig *rig, struct plat_op *op)
{
    while (op->state == PLAT_OP_NEW) /* nobody waits by a loop: the first call makes it READY */
        turn(rig);
}

static inline struct plat_op new_op(void)
{
    return (struct plat_op){ .cls = &test_class };
}

static inline void wait_ready(struct rig *rig)
{
    struct plat_op op = new_op();
    struct plat_err err;

    plat_sftp_await_ready(rig->s, &op);
    run_until(rig, &op);
    if (plat_sftp_failed(rig->s, &err))
        fail_msg("%s", err.msg);
}

static inline struct plat_sftp_ask ask_path(struct rig *rig, enum plat_sftp_what what, char *buf,
                                            size_t size, const char *name)
{
    int n = snprintf(buf, size, "%s/%s", rig->dir, name);

    return (struct plat_sftp_ask){ .what = what, .path = buf, .path_len = (size_t)n };
}

/* The call, answered. */
static inline struct plat_sftp_call *ask(struct rig *rig, const struct plat_sftp_ask *what)
{
    struct plat_op op = new_op();
    struct plat_err err;
    struct plat_sftp_call *call = plat_sftp_ask(rig->s, what, &op, &err);

    if (!call)
        fail_msg("%s", err.msg);
    run_until(rig, &op);
    return call;
}

static inline void ask_ok(struct rig *rig, const struct plat_sftp_ask *what)
{
    struct plat_sftp_call *call = ask(rig, what);
    struct plat_err err;

    if (!plat_sftp_call_result(call, &err))
        fail_msg("%s", err.msg);
    plat_sftp_call_free(call);
}

static inline struct plat_sftp_file *open_file(struct rig *rig, const char *name, unsigned flags)
{
    char path[200];
    struct plat_sftp_ask what = ask_path(rig, PLAT_SFTP_OPEN, path, sizeof(path), name);
    struct plat_sftp_call *call;
    struct plat_sftp_file *file;

    what.flags = flags;
    what.attrs = (struct plat_sftp_attrs){ .has = PLAT_SFTP_MODE, .mode = 0600 };
    call = ask(rig, &what);
    file = plat_sftp_call_file(call);
    plat_sftp_call_free(call);
    return file;
}

enum { NEW = PLAT_SFTP_WRITE | PLAT_SFTP_CREATE | PLAT_SFTP_EXCLUSIVE };

static inline void put(struct rig *rig, const char *name, const char *data, size_t len)
{
    struct plat_sftp_file *file = open_file(rig, name, NEW);
    struct plat_sftp_copy_opts opts = {
        .file = file, .put = true, .data = data, .len = len, .fd = -1
    };
    struct plat_op op = new_op();
    struct plat_err err;
    struct plat_sftp_copy *copy = plat_sftp_copy_new(rig->s, &opts, &op, &err);
    uint64_t size;

    assert_non_null(copy);
    run_until(rig, &op);
    if (!plat_sftp_copy_result(copy, &size, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(size, len);
    plat_sftp_copy_free(copy);
    plat_sftp_file_free(file);
}

static inline bool get(struct rig *rig, const char *name, uint64_t expect, uint64_t max,
                       struct plat_sftp_copy **ret, struct plat_err *err)
{
    struct plat_sftp_file *file = open_file(rig, name, PLAT_SFTP_READ);
    struct plat_sftp_copy_opts opts = { .file = file, .fd = -1, .expect = expect, .max = max };
    struct plat_op op = new_op();
    uint64_t size;

    *ret = plat_sftp_copy_new(rig->s, &opts, &op, err);
    assert_non_null(*ret);
    run_until(rig, &op);
    plat_sftp_file_free(file);
    return plat_sftp_copy_result(*ret, &size, err);
}

static inline void check_get(struct rig *rig, const char *name, uint64_t expect, const char *data,
                             size_t len)
{
    struct plat_sftp_copy *copy;
    struct plat_err err;

    if (!get(rig, name, expect, UINT64_MAX, &copy, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(plat_sftp_copy_bytes(copy)->len, len);
    assert_memory_equal(plat_buf_bytes(plat_sftp_copy_bytes(copy)), data, len);
    plat_sftp_copy_free(copy);
}
