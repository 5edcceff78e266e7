/* What the files http*.c share.  Nobody else includes it. */
#pragma once

#include <curl/curl.h>
#include <uv.h>

#include "base/buf.h"
#include "io/http.h"
#include "io/op.h"
#include "io/resolve.h"

enum {
    HTTP_STREAM_MAX = 256 * 1024,  /* buffered bytes of a stream, each way */
    HTTP_HEADERS_MAX = 256 * 1024, /* of one answer, and of one request */
    HTTP_UPLOAD_CHUNK = 64 * 1024, /* libcurl's upload buffer */
    HTTP_KEPT = 64,                /* idle connections, and idle transfers, that are kept */
};

enum http_phase {
    HTTP_IDLE,
    HTTP_RESOLVING, /* the name of the server or of its proxy */
    HTTP_RUNNING,   /* libcurl has it */
    HTTP_DONE,      /* err.kind tells how it ended */
};

struct http_route {
    CURLU *url;
    char *host; /* as in the URL, IPv6 in brackets */
    char *port; /* digits */
    bool tls;
    char *proxy;        /* as libcurl takes it, with its port; NULL: direct */
    char *lookup_host;  /* the proxy's */
    const char *lookup; /* whose name is resolved: host, lookup_host; NULL: nobody's */
    char *lookup_port;
};

struct plat_http {
    struct plat_http_engine *engine;
    struct plat_http *next, **prev; /* among the engine's live or spare transfers */
    CURL *easy;
    uv_timer_t timer; /* the nearest deadline */

    enum http_phase phase; /* from here on zeroed when the transfer becomes a spare one */
    struct plat_err err;
    char curl_error[CURL_ERROR_SIZE];

    struct plat_op *waiting, *reading, *writing; /* ops of tasks; NULL: none */
    struct plat_resolve_wait lookup;
    struct plat_http *next_kicked; /* wants http_resume() of its upload */
    bool kicked;

    /* the request */
    struct plat_http_spec spec; /* only numbers, flags and the body after the start */
    char *server_name, *proxy, *final_url;
    struct curl_slist *headers, *resolve, *connect_to;
    size_t headers_len;
    struct http_route route;
    bool local;    /* a unix socket */
    bool safe;     /* GET, HEAD, OPTIONS without upgrade: may be sent again */
    int redirects; /* followed */

    /* deadlines on uv_hrtime(), 0: none or over */
    uint64_t began, connect_by, first_by, end_by;

    /* the answer */
    struct plat_buf head, body;
    int status;
    bool in_head;    /* inside a block of headers */
    bool answered;   /* the final headers are complete */
    bool is_stream;  /* and they began a stream */
    bool sent;       /* the request was handed to a connection */
    bool sent_again; /* libcurl wanted to repeat an unsafe request */
    bool body_too_large, head_too_large, bad_upgrade;

    /* streams */
    struct plat_buf up;
    const char *more; /* of the writing op, when `up` is full */
    size_t more_len;
    size_t body_sent;            /* of the request body of an upgrade */
    curl_socket_t fd;            /* the connection's */
    bool down_paused, up_paused; /* as libcurl knows it */
    bool peer_done;              /* the other half was closed */
    bool up_end;                 /* plat_http_finish() was called */
    bool up_shut;                /* and carried out */
    bool up_broken;              /* a write was given up in its middle */
};

struct http_sock {
    uv_poll_t poll;
    struct plat_http_engine *engine;
    int events;  /* what the uv_poll waits for now */
    bool wanted; /* libcurl wants events */
};

struct plat_http_engine {
    struct plat_loop *loop;
    CURLM *multi;
    uv_timer_t clock; /* libcurl's one timer */
    struct plat_http *live, *spare, *kicked;
    size_t spares;
    struct http_sock **socks; /* by descriptor */
    size_t nsocks;
    bool closing;
};

/* http.c */
void http_engine_sockets(struct plat_http_engine *engine, CURL *easy);
bool http_add(struct plat_http *h);
void http_remove(struct plat_http *h);
void http_end(struct plat_http *h);  /* wakes everybody; h->err is set before */
void http_kick(struct plat_http *h); /* from a callback: resume the upload after it */
void http_arm(struct plat_http *h);

/* http_request.c */
void http_discard(struct plat_http *h); /* a spare one */
bool http_has_header(const struct plat_http *h, const char *name);
bool http_default_header(struct plat_http *h, const char *name, const char *line,
                         struct plat_err *err);

/* http_setup.c: options.  `addrs` are of route.lookup. */
bool http_setup(struct plat_http *h, const struct plat_http_spec *spec, struct plat_err *err);
bool http_setup_route(struct plat_http *h, const struct plat_addrs *addrs, struct plat_err *err);

/* http_route.c: where to, by which proxy; redirects */
bool http_route_plan(struct plat_http *h, const char *url, struct plat_err *err);
bool http_route_begin(struct plat_http *h, struct plat_err *err);
void http_route_done(struct http_route *route);
bool http_follow(struct plat_http *h, bool *ret_followed, struct plat_err *err);

/* http_proxy.c */
const char *http_proxy_of_environment(bool tls);
bool http_proxy_exempt(const char *list, const char *host, const char *port);

/* http_stream.c: libcurl's callbacks */
size_t http_on_header(char *data, size_t size, size_t n, void *arg);
size_t http_on_body(char *data, size_t size, size_t n, void *arg);
size_t http_on_upload(char *data, size_t size, size_t n, void *arg);
int http_on_request(void *arg, char *ip, char *local_ip, int port, int local_port);
void http_on_deaf_socket(struct plat_http *h); /* libcurl does not read any more */
void http_resume(struct plat_http *h, bool down, bool up);

/* http_fault.c */
void http_fault(struct plat_http *h, CURLcode code, struct plat_err *err);
bool http_fault_deadline(struct plat_http *h, struct plat_err *err); /* false: none has passed */
