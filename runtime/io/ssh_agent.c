#include "io/ssh_agent.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/buf.h"
#include "io/loop.h"

#include "base/banned.h"

enum { ANSWER_MAX = 256 * 1024 }; /* OpenSSH's own ceiling */

struct ssh_agent_call {
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct plat_buf in;
    ssh_agent_fn *fn; /* NULL: nobody listens any more */
    void *arg;
    size_t len;
    char question[];
};

static void on_closed(uv_handle_t *handle)
{
    struct ssh_agent_call *call = handle->data;

    plat_buf_done(&call->in);
    free(call);
}

static void answer(struct ssh_agent_call *call, const unsigned char *data, size_t len,
                   const struct plat_err *err)
{
    ssh_agent_fn *fn = call->fn;

    call->fn = NULL;
    uv_close((uv_handle_t *)&call->pipe, on_closed);
    fn(call->arg, data, len, err);
}

static void fail(struct ssh_agent_call *call, int code, const char *what)
{
    struct plat_err err;

    if (!call->fn)
        return;
    if (code)
        plat_err_errno(&err, -code, "ssh.agent", "%s", what);
    else
        plat_err_set(&err, PLAT_ERR_IO, 0, "ssh.agent", "%s", what);
    answer(call, NULL, 0, &err);
}

static void on_room(uv_handle_t *handle, size_t hint, uv_buf_t *buf)
{
    struct ssh_agent_call *call = handle->data;

    (void)hint;
    buf->base = plat_buf_room(&call->in, 4096);
    buf->len = buf->base ? 4096 : 0; /* none: reading fails with UV_ENOBUFS */
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ssh_agent_call *call = stream->data;
    const unsigned char *p;
    size_t len;

    (void)buf;
    if (!call->fn || n == 0)
        return;
    if (n < 0) {
        fail(call, n == UV_EOF ? 0 : (int)n, "the agent gave no answer");
        return;
    }
    plat_buf_grew(&call->in, (size_t)n);
    if (call->in.len < 4)
        return;
    p = (const unsigned char *)plat_buf_bytes(&call->in);
    len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    if (len == 0 || len > ANSWER_MAX)
        fail(call, 0, "this is no agent: its answer is malformed");
    else if (call->in.len >= len + 4)
        answer(call, p + 4, len, NULL);
}

static void on_written(uv_write_t *req, int status)
{
    if (status)
        fail(req->data, status, "the agent does not listen");
}

static void on_connected(uv_connect_t *req, int status)
{
    struct ssh_agent_call *call = req->data;
    uv_buf_t buf = uv_buf_init(call->question, (unsigned)call->len);
    int rc = status;

    if (!call->fn)
        return;
    if (!rc)
        rc = uv_write(&call->write, (uv_stream_t *)&call->pipe, &buf, 1, on_written);
    if (!rc)
        rc = uv_read_start((uv_stream_t *)&call->pipe, on_room, on_read);
    if (rc)
        fail(call, rc, "cannot ask the agent");
}

struct ssh_agent_call *ssh_agent_ask(struct plat_loop *loop, const char *path,
                                     const unsigned char *question, size_t len, ssh_agent_fn *fn,
                                     void *arg, struct plat_err *err)
{
    struct ssh_agent_call *call;

    if (strlen(path) > 107 || !*path) { /* libuv would cut it */
        plat_err_set(err, PLAT_ERR_IO, ENAMETOOLONG, "ssh.agent", "not the path of a socket");
        return NULL;
    }
    call = calloc(1, sizeof(*call) + len + 4);
    if (!call) {
        plat_err_errno(err, ENOMEM, "ssh.agent", "cannot ask the agent");
        return NULL;
    }
    for (int i = 0; i < 4; i++)
        call->question[i] = (char)(len >> (24 - 8 * i) & 0xff);
    memcpy(call->question + 4, question, len);
    call->len = len + 4;
    call->fn = fn;
    call->arg = arg;
    plat_buf_init(&call->in, ANSWER_MAX + 8192);
    uv_pipe_init(plat_loop_uv(loop), &call->pipe, 0);
    call->pipe.data = call;
    call->connect.data = call;
    call->write.data = call;
    uv_pipe_connect(&call->connect, &call->pipe, path, on_connected);
    return call;
}

void ssh_agent_drop(struct ssh_agent_call *call)
{
    if (!call)
        return;
    call->fn = NULL;
    uv_close((uv_handle_t *)&call->pipe, on_closed);
}
