/* One transfer: made, started, waited for, ended. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/http_impl.h"
#include "io/loop.h"

#include "base/banned.h"

#define OP "http.request"

/* ---- life ---- */

static void link_to(struct plat_http **list, struct plat_http *h)
{
    h->next = *list;
    h->prev = list;
    if (h->next)
        h->next->prev = &h->next;
    *list = h;
}

static void unlink_from(struct plat_http *h)
{
    *h->prev = h->next;
    if (h->next)
        h->next->prev = h->prev;
}

static struct plat_http *fresh(struct plat_http_engine *engine)
{
    struct plat_http *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->easy = curl_easy_init();
    if (!h->easy) {
        free(h);
        return NULL;
    }
    uv_timer_init(plat_loop_uv(engine->loop), &h->timer);
    uv_unref((uv_handle_t *)&h->timer);
    h->timer.data = h;
    h->engine = engine;
    return h;
}

struct plat_http *plat_http_new(struct plat_http_engine *engine, struct plat_err *err)
{
    struct plat_http *h = engine->spare;

    if (h) {
        unlink_from(h);
        engine->spares--;
    } else {
        h = fresh(engine);
    }
    if (!h) {
        plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
        return NULL;
    }
    plat_buf_init(&h->head, HTTP_HEADERS_MAX);
    plat_buf_init(&h->body, HTTP_STREAM_MAX);
    plat_buf_init(&h->up, HTTP_STREAM_MAX);
    link_to(&engine->live, h);
    return h;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void http_discard(struct plat_http *h)
{
    unlink_from(h);
    curl_easy_cleanup(h->easy);
    uv_close((uv_handle_t *)&h->timer, on_timer_closed);
}

static void unkick(struct plat_http *h)
{
    struct plat_http **at = &h->engine->kicked;

    while (h->kicked && *at != h)
        at = &(*at)->next_kicked;
    if (h->kicked)
        *at = h->next_kicked;
}

void plat_http_free(struct plat_http *h)
{
    struct plat_http_engine *engine;

    if (!h)
        return;
    engine = h->engine;
    plat_resolve_abandon(&h->lookup);
    http_remove(h);
    http_end(h);
    unkick(h);
    http_route_done(&h->route);
    curl_slist_free_all(h->headers);
    curl_slist_free_all(h->resolve);
    curl_slist_free_all(h->connect_to);
    plat_buf_done(&h->head);
    plat_buf_done(&h->body);
    plat_buf_done(&h->up);
    free(h->server_name);
    free(h->proxy);
    free(h->final_url);
    curl_easy_reset(h->easy);
    memset((char *)h + offsetof(struct plat_http, phase), 0,
           sizeof(*h) - offsetof(struct plat_http, phase));
    unlink_from(h);
    link_to(&engine->spare, h);
    engine->spares++;
    if (engine->closing || engine->spares > HTTP_KEPT) {
        engine->spares--;
        http_discard(h);
    }
}

/* ---- headers ---- */

static bool is_token(const char *s, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", s[i]))
            return false;
    return n > 0;
}

static bool add_line(struct plat_http *h, const char *line, struct plat_err *err)
{
    struct curl_slist *list = curl_slist_append(h->headers, line);

    if (!list)
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    h->headers = list;
    return true;
}

bool http_has_header(const struct plat_http *h, const char *name)
{
    size_t n = strlen(name);
    const struct curl_slist *item;

    for (item = h->headers; item; item = item->next)
        if (!strncasecmp(item->data, name, n) && strchr(":;", item->data[n]) && item->data[n])
            return true;
    return false;
}

bool plat_http_header(struct plat_http *h, const char *line, size_t len, struct plat_err *err)
{
    static const char *const ours[] = { "Content-Length", "Transfer-Encoding", "Expect" };
    const char *colon = memchr(line, ':', len), *value;
    char *copy;
    size_t i, n;
    bool ok;

    if (!colon || !is_token(line, (size_t)(colon - line)))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP,
                            "malformed header: \"name: value\" expected");
    n = (size_t)(colon - line);
    if (memchr(line, '\r', len) || memchr(line, '\n', len) || memchr(line, '\0', len))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "line end or NUL in header \"%.*s\"",
                            (int)n, line);
    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (n == strlen(ours[i]) && !strncasecmp(line, ours[i], n))
            return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "header %s is set by the client",
                                ours[i]);
    h->headers_len += len;
    if (h->headers_len > HTTP_HEADERS_MAX)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "headers over %d bytes", HTTP_HEADERS_MAX);
    for (value = colon + 1; value < line + len && *value == ' '; value++)
        ;
    copy = malloc(len + 1);
    if (!copy)
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    memcpy(copy, line, len);
    copy[len] = '\0';
    if (value == line + len) { /* libcurl's way to say "with an empty value" */
        copy[n] = ';';
        copy[n + 1] = '\0';
    }
    ok = add_line(h, copy, err);
    free(copy);
    return ok;
}

bool http_default_header(struct plat_http *h, const char *name, const char *line,
                         struct plat_err *err)
{
    return http_has_header(h, name) || add_line(h, line, err);
}

/* ---- starting ---- */

static char *copy_of(const char *s, bool *ok)
{
    char *copy = s ? strdup(s) : NULL;

    if (s && !copy)
        *ok = false;
    return copy;
}

static uint64_t in(uint64_t now, double seconds)
{
    return seconds > 0 ? now + (uint64_t)(seconds * 1e9) : 0;
}

static bool keep(struct plat_http *h, const struct plat_http_spec *spec, struct plat_err *err)
{
    bool ok = true;

    h->spec = *spec;
    h->server_name = copy_of(spec->server_name, &ok);
    h->proxy = copy_of(spec->proxy, &ok);
    h->final_url = copy_of(spec->url, &ok);
    if (!ok)
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    h->safe = !spec->upgrade && !spec->upload &&
              (!strcmp(spec->method, "GET") || !strcmp(spec->method, "HEAD") ||
               !strcmp(spec->method, "OPTIONS"));
    h->local = spec->unix_socket != NULL;
    return true;
}

bool plat_http_start(struct plat_http *h, const struct plat_http_spec *spec, struct plat_err *err)
{
    if (h->phase != HTTP_IDLE)
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "started twice");
    if (!is_token(spec->method, strlen(spec->method)))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "malformed method");
    if (!keep(h, spec, err) || !http_route_plan(h, spec->url, err) || !http_setup(h, spec, err))
        return false;
    /* What is borrowed from the caller is libcurl's copy from here on, but for the body. */
    h->spec.method = h->spec.url = h->spec.server_name = h->spec.unix_socket = h->spec.proxy = NULL;
    h->spec.ca = h->spec.cert = h->spec.key = (struct plat_http_blob){ NULL, 0 };
    h->began = uv_hrtime();
    h->connect_by = in(h->began, spec->connect_timeout);
    h->end_by = in(h->began, spec->timeout);
    return http_route_begin(h, err);
}

/* ---- waiting ---- */

void plat_http_wait(struct plat_http *h, struct plat_op *op)
{
    if (h->phase == HTTP_DONE || h->is_stream)
        plat_op_ready(op);
    else
        h->waiting = op;
}

void plat_http_forget(struct plat_http *h, const struct plat_op *op)
{
    if (h->waiting == op)
        h->waiting = NULL;
    if (h->reading == op)
        h->reading = NULL;
    if (h->writing == op) {
        h->writing = NULL;
        h->more = NULL;
        h->more_len = 0;
        h->up_broken = true;
    }
}

void plat_http_abort(struct plat_http *h)
{
    h->waiting = NULL;
    plat_resolve_abandon(&h->lookup);
    if (h->phase != HTTP_DONE)
        plat_err_set(&h->err, PLAT_ERR_CANCELLED, 0, OP, "the request was given up");
    http_remove(h);
    http_end(h);
}

bool plat_http_failed(const struct plat_http *h, struct plat_err *err)
{
    if (h->phase != HTTP_DONE || !h->err.kind || h->is_stream)
        return false;
    *err = h->err;
    return true;
}

bool plat_http_left(const struct plat_http *h)
{
    return h->sent;
}

static const char *version_name(const struct plat_http *h)
{
    long version = 0;

    curl_easy_getinfo(h->easy, CURLINFO_HTTP_VERSION, &version);
    return version == CURL_HTTP_VERSION_2_0   ? "2"
           : version == CURL_HTTP_VERSION_1_0 ? "1.0"
                                              : "1.1";
}

void plat_http_answer(struct plat_http *h, struct plat_http_answer *ret)
{
    long connects = 0;

    curl_easy_getinfo(h->easy, CURLINFO_NUM_CONNECTS, &connects);
    *ret = (struct plat_http_answer){
        .status = h->answered ? h->status : 0,
        .version = version_name(h),
        .url = h->final_url,
        .headers = plat_buf_bytes(&h->head),
        .headers_len = h->head.len,
        .body = plat_buf_bytes(&h->body),
        .body_len = h->is_stream ? 0 : h->body.len,
        .reused = h->answered && connects == 0,
        .is_stream = h->is_stream,
    };
}
