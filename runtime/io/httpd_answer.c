/* Answers to requests: whole, in pieces, or a switch of protocols. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "io/httpd_impl.h"

#include "base/banned.h"

enum { STREAM_BLOCK = 32 * 1024 };

const struct plat_op_class plat_httpd_write_class = { .name = "httpd.write",
                                                      .real = true,
                                                      .cancel = plat_httpd_drop };
const struct plat_op_class plat_httpd_gone_class = { .name = "httpd.wait_gone",
                                                     .cancel = plat_httpd_drop };
const struct plat_op_class plat_httpd_upgrade_class = { .name = "httpd.upgrade",
                                                        .real = true,
                                                        .cancel = plat_httpd_drop };

static bool is_framing(const char *name)
{
    return !strcasecmp(name, "content-length") || !strcasecmp(name, "transfer-encoding");
}

bool plat_httpd_answer(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                       unsigned status, struct MHD_Response *response, struct plat_err *err)
{
    if (!response)
        return plat_err_set(err, PLAT_ERR_IO, ENOMEM, "httpd.respond", "out of memory");
    for (size_t i = 0; i < head->n_headers; i++) {
        const struct plat_httpd_header *h = &head->headers[i];

        if (is_framing(h->name) || MHD_add_response_header(response, h->name, h->value) == MHD_YES)
            continue;
        MHD_destroy_response(response);
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "httpd.respond", "bad header \"%s: %s\"",
                            h->name, h->value);
    }
    if (req->phase != REQ_OPEN) {
        MHD_destroy_response(response);
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "httpd.respond", "it was answered already");
    }
    req->phase = REQ_ANSWERED;
    if (!req->conn || req->gone) {
        MHD_destroy_response(response);
        if (req->conn)
            plat_httpd_req_cut(req);
        return plat_err_set(err, PLAT_ERR_CONNECT, 0, "httpd.respond", "the client has gone");
    }
    req->status = status;
    req->response = response;
    plat_httpd_req_resume(req);
    return true;
}

bool plat_httpd_respond(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                        const char *body, size_t len, struct plat_err *err)
{
    return plat_httpd_answer(
        req, head, head->status,
        MHD_create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY), err);
}

/* libmicrohttpd asks for the next bytes of a stream. */
static ssize_t on_pull(void *cls, uint64_t pos, char *to, size_t max)
{
    struct plat_httpd_req *req = cls;
    size_t n = req->out.len < max ? req->out.len : max;

    (void)pos;
    if (req->gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n) {
        memcpy(to, plat_buf_bytes(&req->out), n);
        plat_buf_drop(&req->out, n);
        if (req->out.len <= PLAT_HTTPD_HIGH_WATER)
            plat_httpd_wake(&req->write_op);
        return (ssize_t)n;
    }
    if (req->finished)
        return MHD_CONTENT_READER_END_OF_STREAM;
    req->suspended = true;
    MHD_suspend_connection(req->conn);
    return 0;
}

bool plat_httpd_start(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                      struct plat_err *err)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, on_pull, req, NULL);

    if (!plat_httpd_answer(req, head, head->status, response, err))
        return false;
    req->streams = true;
    plat_httpd_req_watch(req);
    return true;
}

bool plat_httpd_write(struct plat_httpd_req *req, struct plat_httpd_op *op, const char *data,
                      size_t len, struct plat_err *err)
{
    if (!req->streams || req->finished)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, "httpd.write", "no answer was started");
    if (!req->conn || req->gone)
        return plat_err_set(err, PLAT_ERR_CONNECT, 0, "httpd.write", "the client has gone");
    if (len > PLAT_HTTPD_PIECE || !plat_buf_add(&req->out, data, len))
        return plat_err_set(err, PLAT_ERR_REFUSED, 0, "httpd.write", "a piece of %zu bytes", len);
    if (!plat_httpd_hold(&req->write_op, op, err))
        return false;
    plat_httpd_req_resume(req);
    if (req->out.len <= PLAT_HTTPD_HIGH_WATER)
        plat_httpd_wake(&req->write_op);
    return true;
}

void plat_httpd_finish(struct plat_httpd_req *req)
{
    if (!req->streams)
        return;
    req->finished = true;
    if (req->conn)
        plat_httpd_req_resume(req);
}

bool plat_httpd_upgrade(struct plat_httpd_req *req, const struct plat_httpd_head *head,
                        struct plat_httpd_op *op, struct plat_err *err)
{
    if (!plat_httpd_answer(req, head, MHD_HTTP_SWITCHING_PROTOCOLS,
                           MHD_create_response_for_upgrade(plat_httpd_on_upgrade, req), err))
        return false;
    return plat_httpd_hold(&req->upgrade_op, op, err);
}
