/*
 * The engine's side of libcurl: sockets, the one timer, finished transfers, deadlines.
 *
 * Three rules learned from libcurl 7.88.1.  Its timeout of 0 stays 0: it runs on the loop's next
 * turn.  A socket keeps one uv_poll until libcurl closes it, and while libcurl is not interested
 * the poll stays armed until something arrives: saves two epoll_ctl a request.  Nothing here is
 * called by libcurl that calls back into it; what a callback wants done is done after it.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/http_impl.h"
#include "io/loop.h"

#include "base/banned.h"

/* ---- sockets ---- */

static struct http_sock *sock_of(struct plat_http_engine *engine, curl_socket_t fd)
{
    return fd >= 0 && (size_t)fd < engine->nsocks ? engine->socks[fd] : NULL;
}

static void on_sock_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void after_curl(struct plat_http_engine *engine);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_sock *sock = poll->data;
    struct plat_http_engine *engine = sock->engine;
    int bits = 0, running = 0;
    uv_os_fd_t fd;

    if (status)
        sock->events = 0; /* libuv stopped it; libcurl asks the socket for the cause */
    if (!sock->wanted) {
        uv_poll_stop(poll);
        sock->events = 0;
        return;
    }
    if (status || (events & UV_READABLE))
        bits |= CURL_CSELECT_IN;
    if (status || (events & UV_WRITABLE))
        bits |= CURL_CSELECT_OUT;
    if (uv_fileno((uv_handle_t *)poll, &fd))
        return;
    curl_multi_socket_action(engine->multi, fd, bits, &running);
    after_curl(engine);
}

static bool watch(struct plat_http_engine *engine, int fd)
{
    struct http_sock *sock;

    if ((size_t)fd >= engine->nsocks) {
        size_t n = ((size_t)fd + 64) & ~(size_t)63;
        struct http_sock **socks = realloc(engine->socks, n * sizeof(*socks));

        if (!socks)
            return false;
        memset(socks + engine->nsocks, 0, (n - engine->nsocks) * sizeof(*socks));
        engine->socks = socks;
        engine->nsocks = n;
    }
    sock = calloc(1, sizeof(*sock));
    if (!sock)
        return false;
    if (uv_poll_init_socket(plat_loop_uv(engine->loop), &sock->poll, fd)) {
        free(sock);
        return false;
    }
    sock->poll.data = sock;
    sock->engine = engine;
    uv_unref((uv_handle_t *)&sock->poll);
    engine->socks[fd] = sock;
    return true;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *addr)
{
    int fd = socket(addr->family, addr->socktype | SOCK_CLOEXEC, addr->protocol);

    (void)purpose;
    if (fd < 0)
        return CURL_SOCKET_BAD;
    if (!watch(arg, fd)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
    struct plat_http_engine *engine = arg;
    struct http_sock *sock = sock_of(engine, fd);

    if (sock) {
        engine->socks[fd] = NULL;
        uv_close((uv_handle_t *)&sock->poll, on_sock_closed);
    }
    return close(fd);
}

static void want(struct http_sock *sock, int events)
{
    uv_handle_t *handle = (uv_handle_t *)&sock->poll;

    sock->wanted = events != 0;
    if (sock->wanted)
        uv_ref(handle);
    else
        uv_unref(handle);
    if (events == sock->events || (!events && sock->events == UV_READABLE))
        return;
    sock->events = events;
    if (events)
        uv_poll_start(&sock->poll, events, on_poll);
    else
        uv_poll_stop(&sock->poll);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct plat_http_engine *engine = arg;
    struct http_sock *sock = sock_of(engine, fd);
    struct plat_http *h = NULL;
    int events = 0;

    (void)unused;
    if (!sock)
        return 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= UV_READABLE;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= UV_WRITABLE;
    want(sock, events);
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &h);
    if (!h)
        return 0;
    h->fd = fd;
    if (!(events & UV_READABLE))
        http_on_deaf_socket(h);
    return 0;
}

void http_engine_sockets(struct plat_http_engine *engine, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, engine);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, engine);
}

/* ---- libcurl's timer ---- */

static void on_clock(uv_timer_t *timer)
{
    struct plat_http_engine *engine = timer->data;
    int running = 0;

    curl_multi_socket_action(engine->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    after_curl(engine);
}

static int on_timeout(CURLM *multi, long ms, void *arg)
{
    struct plat_http_engine *engine = arg;

    (void)multi;
    if (ms < 0) {
        uv_timer_stop(&engine->clock);
        return 0;
    }
    if (ms)
        uv_update_time(plat_loop_uv(engine->loop)); /* the turn may have computed for long */
    uv_timer_start(&engine->clock, on_clock, (uint64_t)ms, 0);
    return 0;
}

/* ---- the engine ---- */

static CURLM *new_multi(struct plat_http_engine *engine)
{
    CURLM *multi;

    if (curl_global_init(CURL_GLOBAL_DEFAULT))
        return NULL;
    multi = curl_multi_init();
    if (!multi)
        return NULL;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, engine);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, engine);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)HTTP_KEPT);
    return multi;
}

struct plat_http_engine *plat_http_engine_new(struct plat_loop *loop)
{
    struct plat_http_engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return NULL;
    engine->loop = loop;
    engine->multi = new_multi(engine);
    if (!engine->multi) {
        free(engine);
        return NULL;
    }
    uv_timer_init(plat_loop_uv(loop), &engine->clock);
    engine->clock.data = engine;
    return engine;
}

static void on_clock_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void plat_http_engine_free(struct plat_http_engine *engine)
{
    if (!engine)
        return;
    engine->closing = true;
    while (engine->live)
        plat_http_free(engine->live);
    while (engine->spare)
        http_discard(engine->spare);
    curl_multi_cleanup(engine->multi);
    free(engine->socks);
    engine->socks = NULL;
    engine->nsocks = 0;
    uv_close((uv_handle_t *)&engine->clock, on_clock_closed);
}

/* ---- transfers in libcurl's hands ---- */

bool http_add(struct plat_http *h)
{
    if (curl_multi_add_handle(h->engine->multi, h->easy))
        return false;
    h->phase = HTTP_RUNNING;
    return true;
}

void http_remove(struct plat_http *h)
{
    if (h->phase != HTTP_RUNNING)
        return;
    h->phase = HTTP_DONE; /* first: removing makes callbacks */
    curl_multi_remove_handle(h->engine->multi, h->easy);
}

void http_end(struct plat_http *h)
{
    struct plat_op *ops[] = { h->waiting, h->reading, h->writing };
    size_t i;

    h->phase = HTTP_DONE;
    uv_timer_stop(&h->timer);
    h->waiting = h->reading = h->writing = NULL;
    h->more = NULL;
    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
        if (ops[i])
            plat_op_ready(ops[i]);
}

static void ended(struct plat_http *h, CURLcode code)
{
    bool followed = false;

    if (code != CURLE_OK || !h->answered)
        http_fault(h, code, &h->err);
    http_remove(h);
    if (!h->err.kind && http_follow(h, &followed, &h->err) && followed)
        return;
    http_end(h);
}

/* After every call that may have run callbacks: what they left to be done. */
static void after_curl(struct plat_http_engine *engine)
{
    struct plat_http *h = NULL;
    CURLMsg *msg;
    int left;

    while ((h = engine->kicked)) {
        engine->kicked = h->next_kicked;
        h->kicked = false;
        http_resume(h, false, true);
    }
    while ((msg = curl_multi_info_read(engine->multi, &left))) {
        CURLcode code = msg->data.result;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &h);
        ended(h, code);
    }
}

void http_kick(struct plat_http *h)
{
    if (h->kicked)
        return;
    h->kicked = true;
    h->next_kicked = h->engine->kicked;
    h->engine->kicked = h;
}

/* ---- deadlines ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return !a ? b : !b || a < b ? a : b;
}

static void on_deadline(uv_timer_t *timer)
{
    struct plat_http *h = timer->data;

    if (!http_fault_deadline(h, &h->err)) {
        http_arm(h); /* libuv's clock was behind, or that deadline is gone */
        return;
    }
    plat_resolve_abandon(&h->lookup);
    http_remove(h);
    http_end(h);
}

void http_arm(struct plat_http *h)
{
    uint64_t at = sooner(h->connect_by, sooner(h->first_by, h->end_by));
    uint64_t now;

    if (!at) {
        uv_timer_stop(&h->timer);
        return;
    }
    now = uv_hrtime();
    uv_timer_start(&h->timer, on_deadline, at > now ? (at - now + 999999) / 1000000 : 0, 0);
}
