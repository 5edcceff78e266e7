/* What libcurl is told: the options of a transfer, and those that change with a redirect. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/http_impl.h"
#include "io/loop.h"

#include "base/banned.h"

#define OP "http.request"

enum { KEEPALIVE_IDLE = 30, KEEPALIVE_EVERY = 15 }; /* seconds: a dead peer is noticed in 2 min */

static bool no_memory(struct plat_err *err)
{
    return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
}

static void setup_engine(struct plat_http *h)
{
    CURL *e = h->easy;

    http_engine_sockets(h->engine, e);
    curl_easy_setopt(e, CURLOPT_PRIVATE, h);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->curl_error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_EVERY);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, http_on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, http_on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, http_on_request);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, h);
}

/* Only so that libcurl gives each of several addresses its share; our own timer ends the wait. */
static void setup_connect_timeout(struct plat_http *h)
{
    double seconds = h->spec.connect_timeout > 0 ? h->spec.connect_timeout : h->spec.timeout;

    if (seconds > 0)
        curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(seconds * 1000) + 1000);
}

static bool set_blob(CURL *easy, CURLoption option, const struct plat_http_blob *from)
{
    struct curl_blob blob = { (void *)from->data, from->len, CURL_BLOB_COPY };

    return !from->data || curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

static bool setup_tls(struct plat_http *h, const struct plat_http_spec *spec, struct plat_err *err)
{
    CURL *e = h->easy;
    const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");

    if (spec->insecure) {
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (spec->ca.data) { /* and nobody else: libcurl would add the system's directory */
        curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    } else {
        if (file && *file)
            curl_easy_setopt(e, CURLOPT_CAINFO, file);
        if (dir && *dir)
            curl_easy_setopt(e, CURLOPT_CAPATH, dir);
    }
    if (!set_blob(e, CURLOPT_CAINFO_BLOB, &spec->ca) ||
        !set_blob(e, CURLOPT_SSLCERT_BLOB, &spec->cert) ||
        !set_blob(e, CURLOPT_SSLKEY_BLOB, &spec->key))
        return no_memory(err);
    return true;
}

static void setup_version(struct plat_http *h)
{
    const struct plat_http_spec *s = &h->spec;
    bool one = s->http1 || s->stream || s->upload || s->upgrade;

    curl_easy_setopt(h->easy, CURLOPT_HTTP_VERSION,
                     one ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS);
    if (!one && h->route.tls)
        curl_easy_setopt(h->easy, CURLOPT_PIPEWAIT, 1L);
    if (s->upgrade) { /* nothing that comes after may be taken for a message of its own */
        curl_easy_setopt(h->easy, CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(h->easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    }
}

/* An upload whose bytes come from http_on_upload().  For an upgrade: the request's body with a
 * length of our own, then the raw stream; libcurl believes it is all one body without an end. */
static bool setup_upload(struct plat_http *h, const char *method, struct plat_err *err)
{
    char line[48];
    curl_off_t size = h->spec.upgrade ? -1 : (curl_off_t)h->spec.upload_size;

    curl_easy_setopt(h->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(h->easy, CURLOPT_READFUNCTION, http_on_upload);
    curl_easy_setopt(h->easy, CURLOPT_READDATA, h);
    curl_easy_setopt(h->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)HTTP_UPLOAD_CHUNK);
    curl_easy_setopt(h->easy, CURLOPT_INFILESIZE_LARGE, size);
    curl_easy_setopt(h->easy, CURLOPT_CUSTOMREQUEST, method);
    if (!h->spec.upgrade)
        return true;
    snprintf(line, sizeof(line), "Content-Length: %zu", h->spec.body.len);
    if (h->spec.body.len || strcmp(method, "GET") != 0)
        if (!http_default_header(h, "Content-Length", line, err))
            return false;
    return http_default_header(h, "Transfer-Encoding", "Transfer-Encoding:", err);
}

static bool setup_method(struct plat_http *h, const char *method, struct plat_err *err)
{
    CURL *e = h->easy;
    const struct plat_http_blob *body = &h->spec.body;
    bool writes = !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");

    if (h->spec.upload || h->spec.upgrade)
        return setup_upload(h, method, err);
    if (!strcmp(method, "HEAD")) {
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
        return true;
    }
    if (body->data || writes) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, body->data ? body->data : "");
    }
    if (body->data || writes || strcmp(method, "GET") != 0)
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
    return true;
}

bool http_setup(struct plat_http *h, const struct plat_http_spec *spec, struct plat_err *err)
{
    setup_engine(h);
    setup_connect_timeout(h);
    setup_version(h);
    h->body.max = spec->max_body;
    if (spec->unix_socket)
        curl_easy_setopt(h->easy, CURLOPT_UNIX_SOCKET_PATH, spec->unix_socket);
    if (spec->decompress)
        curl_easy_setopt(h->easy, CURLOPT_ACCEPT_ENCODING, "gzip, br");
    return setup_tls(h, spec, err) && setup_method(h, spec->method, err) &&
           http_default_header(h, "User-Agent", "User-Agent: platrun", err) &&
           http_default_header(h, "Content-Type", "Content-Type:", err) &&
           http_default_header(h, "Expect", "Expect:", err);
}

/* ---- where to ---- */

/* "host:port:1.2.3.4,[::1]", so that libcurl never asks a resolver. */
static bool setup_resolve(struct plat_http *h, const struct plat_addrs *addrs)
{
    struct plat_buf line;
    bool ok;
    size_t i, n = 0;

    plat_buf_init(&line, 4096);
    ok = plat_buf_addf(&line, "%s:%s:", h->route.lookup, h->route.lookup_port);
    for (i = 0; ok && i < addrs->n; i++) {
        if (strchr(addrs->text[i], '%'))
            continue; /* libcurl takes no zone here */
        ok = plat_buf_addf(&line, strchr(addrs->text[i], ':') ? "%s[%s]" : "%s%s", n++ ? "," : "",
                           addrs->text[i]);
    }
    ok = ok && plat_buf_add(&line, "", 1);
    if (ok)
        h->resolve = curl_slist_append(NULL, plat_buf_bytes(&line));
    plat_buf_done(&line);
    return ok && h->resolve;
}

/* TLS sees server_name, the connection goes where the URL said, and so does the Host header. */
static bool setup_server_name(struct plat_http *h, struct plat_err *err)
{
    const struct http_route *r = &h->route;
    struct plat_buf line;
    bool ok;

    if (!h->server_name || !r->tls)
        return true;
    plat_buf_init(&line, 2048);
    ok = plat_buf_addf(&line, "%s:%s:%s:%s", h->server_name, r->port, r->host, r->port) &&
         plat_buf_add(&line, "", 1);
    if (ok)
        h->connect_to = curl_slist_append(NULL, plat_buf_bytes(&line));
    plat_buf_clear(&line);
    ok = ok && h->connect_to &&
         plat_buf_addf(&line, strcmp(r->port, "443") ? "Host: %s:%s" : "Host: %s", r->host,
                       r->port) &&
         plat_buf_add(&line, "", 1) && http_default_header(h, "Host", plat_buf_bytes(&line), err);
    plat_buf_done(&line);
    if (!ok)
        return no_memory(err);
    if (curl_url_set(r->url, CURLUPART_HOST, h->server_name, 0))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "malformed server_name \"%s\"",
                            h->server_name);
    curl_easy_setopt(h->easy, CURLOPT_CONNECT_TO, h->connect_to);
    return true;
}

/* The net below setup_resolve(): were libcurl to see another name than we did, it may not ask. */
static int on_resolver_start(void *state, void *reserved, void *arg)
{
    (void)state;
    (void)reserved;
    (void)arg;
    return 1;
}

bool http_setup_route(struct plat_http *h, const struct plat_addrs *addrs, struct plat_err *err)
{
    CURL *e = h->easy;
    bool ok;

    curl_slist_free_all(h->resolve);
    curl_slist_free_all(h->connect_to);
    h->resolve = h->connect_to = NULL;
    curl_easy_setopt(e, CURLOPT_CONNECT_TO, NULL);
    if (addrs && !plat_resolve_is_address(h->route.lookup) && !setup_resolve(h, addrs))
        return no_memory(err);
    if (!setup_server_name(h, err))
        return false;
    curl_easy_setopt(e, CURLOPT_RESOLVER_START_FUNCTION, h->resolve ? on_resolver_start : NULL);
    ok = curl_easy_setopt(e, CURLOPT_RESOLVE, h->resolve) == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_CURLU, h->route.url) == CURLE_OK &&
         /* "": not libcurl's reading of the environment either */
         curl_easy_setopt(e, CURLOPT_PROXY, h->route.proxy ? h->route.proxy : "") == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_NOPROXY, "") == CURLE_OK &&
         curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->headers) == CURLE_OK;
    return ok || no_memory(err);
}
