/* Requests: how they arrive from libmicrohttpd, and how they end. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/httpd_impl.h"
#include "io/loop.h"

#include "base/banned.h"

enum {
    MAX_HEADERS = 256 * 1024,
    MAX_DISCARD = 256 * 1024 * 1024 /* of a body that is too large */
};

/* ---- life ---- */

static void unref(struct plat_httpd_req *req)
{
    if (--req->refs)
        return;
    if (req->response)
        MHD_destroy_response(req->response);
    plat_buf_done(&req->headers);
    plat_buf_done(&req->body);
    plat_buf_done(&req->out);
    free(req->target);
    free(req);
}

static void on_watch_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void end_watch(struct plat_httpd_req *req)
{
    if (req->watching)
        uv_close((uv_handle_t *)&req->watch, on_watch_closed);
    req->watching = false;
}

static void set_peer(struct plat_httpd_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *addr = info ? info->client_addr : NULL;
    char text[INET6_ADDRSTRLEN] = "";

    if (addr && addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        snprintf(req->peer, sizeof(req->peer), "%s:%d", text, ntohs(in->sin_port));
    } else if (addr && addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)addr;
        inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
        snprintf(req->peer, sizeof(req->peer), "[%s]:%d", text, ntohs(in->sin6_port));
    } else {
        snprintf(req->peer, sizeof(req->peer), "unix");
    }
}

/* The first that is heard of a request.  NULL: out of memory; the handler refuses then. */
void *plat_httpd_on_target(void *cls, const char *target, struct MHD_Connection *conn)
{
    struct plat_httpd *server = cls;
    struct plat_httpd_req *req = calloc(1, sizeof(*req));

    if (!req)
        return NULL;
    req->target = strdup(target);
    if (!req->target) {
        free(req);
        return NULL;
    }
    req->refs = 1;
    req->server = server;
    req->conn = conn;
    req->next = server->requests;
    req->link = &server->requests;
    if (req->next)
        req->next->link = &req->next;
    server->requests = req;
    plat_buf_init(&req->headers, MAX_HEADERS);
    plat_buf_init(&req->body, server->max_body);
    plat_buf_init(&req->out, PLAT_HTTPD_PIECE + PLAT_HTTPD_HIGH_WATER);
    return req;
}

void plat_httpd_on_complete(void *cls, struct MHD_Connection *conn, void **ctx,
                            enum MHD_RequestTerminationCode code)
{
    struct plat_httpd_req *req = *ctx;

    (void)cls;
    (void)conn;
    *ctx = NULL;
    if (!req)
        return;
    *req->link = req->next;
    if (req->next)
        req->next->link = req->link;
    req->conn = NULL;
    req->server = NULL;
    req->complete = true;
    req->gone = req->gone || code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
    end_watch(req);
    plat_httpd_wake(&req->write_op);
    plat_httpd_wake(&req->gone_op);
    plat_httpd_wake(&req->upgrade_op);
    unref(req);
}

void plat_httpd_req_free(struct plat_httpd_req *req)
{
    static const struct plat_httpd_head unanswered = { .status = MHD_HTTP_INTERNAL_SERVER_ERROR };

    if (!req)
        return;
    if (req->conn && req->phase == REQ_OPEN)
        plat_httpd_respond(req, &unanswered, "", 0, NULL);
    else if (req->conn && req->streams && !req->finished)
        plat_httpd_req_cut(req); /* half an answer must not look like a whole one */
    unref(req);
}

/* ---- arrival ---- */

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct plat_httpd_req *req = cls;

    (void)kind;
    if (!value)
        value = "";
    return plat_buf_add(&req->headers, name, strlen(name) + 1) &&
                   plat_buf_add(&req->headers, value, strlen(value) + 1)
               ? MHD_YES
               : MHD_NO;
}

static enum MHD_Result refuse(struct plat_httpd_req *req, unsigned status)
{
    static const char text[] = "the request is too large\n";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof(text) - 1, (void *)text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    req->phase = REQ_ANSWERED;
    result = MHD_queue_response(req->conn, status, response);
    MHD_destroy_response(response);
    return result;
}

/* A client that is still sending would not see the answer before its connection is reset: so the
 * body is thrown away first, unless the client asked before it sent. */
static enum MHD_Result begin(struct plat_httpd_req *req, const char *method)
{
    const char *length =
        MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    req->seen = true;
    snprintf(req->method, sizeof(req->method), "%s", method);
    set_peer(req);
    MHD_get_connection_values(req->conn, MHD_HEADER_KIND, add_header, req);
    req->too_large = length && strtoull(length, NULL, 10) > req->server->max_body;
    if (req->too_large &&
        MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT))
        return refuse(req, MHD_HTTP_CONTENT_TOO_LARGE);
    return MHD_YES;
}

static enum MHD_Result take_body(struct plat_httpd_req *req, const char *data, size_t *size)
{
    if (!req->too_large && !plat_buf_add(&req->body, data, *size)) {
        req->too_large = true;
        plat_buf_done(&req->body);
    }
    if (req->too_large)
        req->discarded += *size;
    *size = 0;
    return req->discarded > MAX_DISCARD ? MHD_NO : MHD_YES;
}

static enum MHD_Result queue_answer(struct plat_httpd_req *req)
{
    enum MHD_Result result = MHD_queue_response(req->conn, req->status, req->response);

    MHD_destroy_response(req->response);
    req->response = NULL;
    return result;
}

enum MHD_Result plat_httpd_on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                      const char *method, const char *version, const char *data,
                                      size_t *size, void **ctx)
{
    struct plat_httpd_req *req = *ctx;

    (void)cls;
    (void)url; /* decoded: we want it as it was sent */
    (void)version;
    if (!req || req->gone)
        return MHD_NO; /* closes the connection */
    if (!req->seen)
        return begin(req, method);
    if (*size)
        return take_body(req, data, size);
    if (req->too_large && req->phase == REQ_ARRIVING)
        return refuse(req, MHD_HTTP_CONTENT_TOO_LARGE);
    if (req->response)
        return queue_answer(req);
    if (req->phase == REQ_ARRIVING) {
        req->phase = REQ_OPEN;
        req->suspended = true;
        MHD_suspend_connection(conn);
        plat_httpd_deliver(req->server, req);
    }
    return MHD_YES;
}

/* ---- the client's end ---- */

void plat_httpd_req_resume(struct plat_httpd_req *req)
{
    if (!req->suspended)
        return;
    req->suspended = false;
    MHD_resume_connection(req->conn);
    plat_httpd_kick(req->server);
}

void plat_httpd_req_cut(struct plat_httpd_req *req)
{
    req->gone = true;
    plat_httpd_req_resume(req);
}

static int socket_of(const struct plat_httpd_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

/* libmicrohttpd does not look at a connection that sleeps. */
static void on_client_end(uv_poll_t *poll, int status, int events)
{
    struct plat_httpd_req *req = poll->data;

    (void)status;
    (void)events;
    end_watch(req);
    plat_httpd_req_cut(req);
    plat_httpd_wake(&req->write_op);
    plat_httpd_wake(&req->gone_op);
}

void plat_httpd_req_watch(struct plat_httpd_req *req)
{
    if (req->watching || uv_poll_init(plat_loop_uv(req->server->loop), &req->watch, socket_of(req)))
        return;
    req->watch.data = req;
    req->watching = true;
    req->refs++;
    uv_poll_start(&req->watch, UV_DISCONNECT, on_client_end);
}

bool plat_httpd_is_gone(struct plat_httpd_req *req)
{
    char c;

    /* the end of its side is a hint: an answer may still be wanted, and can be tried */
    return req->gone || !req->conn ||
           (req->suspended && recv(socket_of(req), &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
}

bool plat_httpd_is_sent(const struct plat_httpd_req *req)
{
    return req->complete && !req->gone;
}

bool plat_httpd_await_gone(struct plat_httpd_req *req, struct plat_httpd_op *op,
                           struct plat_err *err)
{
    if (!plat_httpd_hold(&req->gone_op, op, err))
        return false;
    if (req->gone || !req->conn)
        plat_httpd_wake(&req->gone_op);
    else
        plat_httpd_req_watch(req);
    return true;
}

/* ---- questions ---- */

const char *plat_httpd_method(const struct plat_httpd_req *req)
{
    return req->method;
}

const char *plat_httpd_target(const struct plat_httpd_req *req)
{
    return req->target;
}

const char *plat_httpd_peer(const struct plat_httpd_req *req)
{
    return req->peer;
}

const struct plat_buf *plat_httpd_body(const struct plat_httpd_req *req)
{
    return &req->body;
}

const struct plat_buf *plat_httpd_headers(const struct plat_httpd_req *req)
{
    return &req->headers;
}
