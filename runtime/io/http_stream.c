/*
 * Bodies: what libcurl delivers and asks for in its callbacks, and the two ends of a stream that
 * tasks hold.  Buffers are bounded; a full one pauses libcurl, which pauses the peer.
 */
#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "io/http_impl.h"

#include "base/banned.h"

#define OP "http.stream"

static void wake(struct plat_op **slot)
{
    struct plat_op *op = *slot;

    *slot = NULL;
    if (op)
        plat_op_ready(op);
}

/* ---- the head ---- */

/* Libcurl is about to send the request: the connection stands. */
int http_on_request(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct plat_http *h = arg;

    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (h->sent && !h->safe) {
        h->sent_again = true;
        return CURL_PREREQFUNC_ABORT;
    }
    h->sent = true;
    h->connect_by = 0;
    if (h->spec.first_byte_timeout > 0 && !h->spec.upload) {
        h->first_by = uv_hrtime() + (uint64_t)(h->spec.first_byte_timeout * 1e9);
        http_arm(h);
    }
    return CURL_PREREQFUNC_OK;
}

static void begin_head(struct plat_http *h, const char *line, size_t len)
{
    const char *space = memchr(line, ' ', len);

    plat_buf_clear(&h->head);
    h->in_head = true;
    h->first_by = 0;
    h->status = 0;
    for (; space && space + 1 < line + len && isdigit((unsigned char)space[1]) && h->status < 1000;
         space++)
        h->status = h->status * 10 + (space[1] - '0');
}

/* False: the transfer must end. */
static bool end_head(struct plat_http *h)
{
    bool ok = h->status >= 200 && h->status < 300;

    h->in_head = false;
    if (h->status == 101 && !h->spec.upgrade) {
        h->bad_upgrade = true;
        return false;
    }
    if (h->status < 200 && h->status != 101)
        return true; /* an interim answer */
    h->answered = true;
    h->is_stream = h->status == 101 || (h->spec.stream && ok);
    if (h->spec.upgrade && h->status != 101 && h->up_paused)
        http_kick(h); /* there is nothing more to upload */
    if (h->is_stream) {
        h->body.max = HTTP_STREAM_MAX;
        wake(&h->waiting);
    }
    return true;
}

size_t http_on_header(char *data, size_t size, size_t n, void *arg)
{
    struct plat_http *h = arg;
    size_t len = size * n;

    if (h->answered)
        return len; /* trailers */
    if (!h->in_head && len > 5 && !strncasecmp(data, "HTTP/", 5)) {
        begin_head(h, data, len);
        return len;
    }
    if (len <= 2 && (data[0] == '\r' || data[0] == '\n'))
        return end_head(h) ? len : 0;
    if (!plat_buf_add(&h->head, data, len)) {
        h->head_too_large = true;
        return 0;
    }
    return len;
}

/* ---- down ---- */

size_t http_on_body(char *data, size_t size, size_t n, void *arg)
{
    struct plat_http *h = arg;
    size_t len = size * n;

    if (!len)
        return 0;
    if (plat_buf_add(&h->body, data, len)) {
        wake(&h->reading);
        return len;
    }
    if (h->is_stream) {
        h->down_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    h->body_too_large = true;
    return 0;
}

void http_resume(struct plat_http *h, bool down, bool up)
{
    int mask;

    if (h->phase != HTTP_RUNNING || !((down && h->down_paused) || (up && h->up_paused)))
        return;
    if (down)
        h->down_paused = false;
    if (up)
        h->up_paused = false;
    mask = (h->down_paused ? CURLPAUSE_RECV : 0) | (h->up_paused ? CURLPAUSE_SEND : 0);
    curl_easy_pause(h->easy, mask);
}

/* After an upgrade libcurl goes on until both directions have ended, and does not say when the peer
 * has ended his.  But it then stops to wait for input, though we did not pause it. */
void http_on_deaf_socket(struct plat_http *h)
{
    if (h->phase != HTTP_RUNNING || !h->answered || h->status != 101 || h->down_paused)
        return;
    h->peer_done = true;
    wake(&h->reading);
}

enum plat_http_state plat_http_read(struct plat_http *h, struct plat_op *op, const char **ret_data,
                                    size_t *ret_len, struct plat_err *err)
{
    if (h->body.len) {
        *ret_data = plat_buf_bytes(&h->body);
        *ret_len = h->body.len;
        return PLAT_HTTP_MORE;
    }
    if (h->phase == HTTP_DONE && h->err.kind) {
        *err = h->err;
        return PLAT_HTTP_FAILED;
    }
    if (h->phase == HTTP_DONE || h->peer_done)
        return PLAT_HTTP_END;
    if (!h->is_stream || h->reading) {
        plat_err_set(err, PLAT_ERR_USAGE, 0, OP,
                     h->reading ? "another task is reading" : "not a stream");
        return PLAT_HTTP_FAILED;
    }
    h->reading = op;
    return PLAT_HTTP_WAIT;
}

void plat_http_took(struct plat_http *h, size_t n)
{
    plat_buf_drop(&h->body, n);
    if (h->body.len <= HTTP_STREAM_MAX / 2)
        http_resume(h, true, false);
}

/* ---- up ---- */

/* Ends our half inside TLS: the close_notify goes straight to the socket, because libcurl's own
 * path to it works only inside its calls.  Reading goes on.  All that was written before has left:
 * libcurl asks for more only then. */
static void shut_tls(struct plat_http *h)
{
    struct curl_tlssessioninfo *info = NULL;
    BIO *theirs, *direct;
    SSL *ssl;

    if (curl_easy_getinfo(h->easy, CURLINFO_TLS_SSL_PTR, &info) || !info ||
        info->backend != CURLSSLBACKEND_OPENSSL || !info->internals)
        return;
    ssl = info->internals;
    direct = BIO_new_socket((int)h->fd, BIO_NOCLOSE);
    if (!direct)
        return;
    theirs = SSL_get_wbio(ssl);
    BIO_up_ref(theirs);
    SSL_set0_wbio(ssl, direct);
    SSL_shutdown(ssl);
    SSL_set0_wbio(ssl, theirs);
}

static void shut_ours(struct plat_http *h)
{
    if (h->up_shut)
        return;
    h->up_shut = true;
    if (h->route.tls)
        shut_tls(h);
    else
        shutdown((int)h->fd, SHUT_WR);
}

/* Nothing to send now.  When part of libcurl's buffer is still unsent it asks for more to append,
 * and to pause then would hold back that part: 0 is no end of the upload there. */
static size_t nothing(struct plat_http *h, bool appending)
{
    if (appending)
        return 0;
    h->up_paused = true;
    return CURL_READFUNC_PAUSE;
}

static size_t upload_body(struct plat_http *h, char *dst, size_t room)
{
    size_t left = h->spec.body.len - h->body_sent, n = left < room ? left : room;

    memcpy(dst, h->spec.body.data + h->body_sent, n);
    h->body_sent += n;
    return n;
}

/* Takes what fits of `more`; wakes its writer when that was all. */
static void refill(struct plat_http *h)
{
    size_t room = HTTP_STREAM_MAX - h->up.len, n = h->more_len < room ? h->more_len : room;

    if (h->more &&
        plat_buf_add(&h->up, h->more, n)) { /* out of memory: the next call tries again */
        h->more += n;
        h->more_len -= n;
        if (!h->more_len)
            wake(&h->writing);
    }
}

static size_t upload_queue(struct plat_http *h, char *dst, size_t room)
{
    size_t n = room < h->up.len ? room : h->up.len;

    memcpy(dst, plat_buf_bytes(&h->up), n);
    plat_buf_drop(&h->up, n);
    refill(h);
    return n;
}

static size_t upload_end(struct plat_http *h, bool appending)
{
    if (h->spec.upgrade && !appending)
        shut_ours(h);
    if (h->spec.upload && h->spec.first_byte_timeout > 0) {
        h->first_by = uv_hrtime() + (uint64_t)(h->spec.first_byte_timeout * 1e9);
        http_arm(h);
    }
    return 0;
}

size_t http_on_upload(char *dst, size_t size, size_t n, void *arg)
{
    struct plat_http *h = arg;
    size_t room = size * n;
    bool upgrade = h->spec.upgrade;
    bool chunked = !upgrade && h->spec.upload_size < 0;
    bool appending = !chunked && room < HTTP_UPLOAD_CHUNK;

    if (upgrade && h->body_sent < h->spec.body.len)
        return upload_body(h, dst, room);
    if (upgrade && !h->answered)
        return nothing(h, appending);
    if (upgrade && h->status != 101)
        return 0;
    if (h->up.len)
        return upload_queue(h, dst, room);
    return h->up_end ? upload_end(h, appending) : nothing(h, appending);
}

static const char *cannot_write(const struct plat_http *h)
{
    if (!h->spec.upload && !h->is_stream)
        return "not a stream that can be written to";
    if (!h->spec.upload && !h->spec.upgrade)
        return "the stream is for reading only";
    if (h->up_end)
        return "written after finish";
    if (h->writing)
        return "another task is writing";
    return h->up_broken ? "an earlier write was given up in its middle" : NULL;
}

enum plat_http_state plat_http_write(struct plat_http *h, struct plat_op *op, const char *data,
                                     size_t n, struct plat_err *err)
{
    const char *why = cannot_write(h);

    if (why) {
        plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "%s", why);
        return PLAT_HTTP_FAILED;
    }
    if (h->phase == HTTP_DONE) {
        *err = h->err;
        return h->err.kind ? PLAT_HTTP_FAILED : PLAT_HTTP_END;
    }
    h->more = data;
    h->more_len = n;
    refill(h);
    http_resume(h, false, true);
    if (!h->more_len)
        return PLAT_HTTP_MORE;
    h->writing = op;
    return PLAT_HTTP_WAIT;
}

bool plat_http_finish(struct plat_http *h, struct plat_err *err)
{
    if (!h->spec.upload && !h->spec.upgrade)
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "the stream is for reading only");
    if (h->route.tls && h->spec.upgrade && h->route.proxy &&
        !strncasecmp(h->route.proxy, "https", 5))
        return plat_err_set(err, PLAT_ERR_REFUSED, 0, OP,
                            "half a connection cannot be closed through an https proxy");
    h->up_end = true;
    http_resume(h, false, true);
    return true;
}
