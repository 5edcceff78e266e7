/* Where a request goes: its URL taken apart, the proxy, the name to be resolved, redirects. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/http_impl.h"
#include "io/loop.h"

#include "base/banned.h"

#define OP "http.request"

enum { URL_FLAGS = CURLU_PATH_AS_IS };

void http_route_done(struct http_route *route)
{
    curl_url_cleanup(route->url);
    curl_free(route->host);
    curl_free(route->port);
    curl_free(route->lookup_host);
    curl_free(route->lookup_port);
    curl_free(route->proxy);
    *route = (struct http_route){ NULL };
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = !curl_url_get(url, part, &text, 0);

    curl_free(text);
    return has;
}

static bool scheme_is(CURLU *url, const char *scheme)
{
    char *text = NULL;
    bool same = !curl_url_get(url, CURLUPART_SCHEME, &text, 0) && !strcasecmp(text, scheme);

    curl_free(text);
    return same;
}

/* ---- the proxy ---- */

static bool read_proxy(struct http_route *r, CURLU *url, const char *text, struct plat_err *err)
{
    const char *port = "80";

    if (curl_url_set(url, CURLUPART_URL, text,
                     CURLU_DEFAULT_SCHEME | CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "malformed proxy URL");
    if (scheme_is(url, "https"))
        port = "443";
    else if (scheme_is(url, "socks5h"))
        port = "1080";
    else if (!scheme_is(url, "http"))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP,
                            "unknown kind of proxy: http, https or socks5h expected");
    if (!has_part(url, CURLUPART_PORT) && curl_url_set(url, CURLUPART_PORT, port, 0))
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    if (curl_url_get(url, CURLUPART_HOST, &r->lookup_host, 0) ||
        curl_url_get(url, CURLUPART_PORT, &r->lookup_port, 0) ||
        curl_url_get(url, CURLUPART_URL, &r->proxy, 0))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "malformed proxy URL");
    return true;
}

static bool plan_proxy(struct plat_http *h, struct plat_err *err)
{
    struct http_route *r = &h->route;
    const char *text = h->proxy, *exempt;
    CURLU *url;
    bool ok;

    if (!text) {
        exempt = getenv("no_proxy");
        if (!exempt)
            exempt = getenv("NO_PROXY");
        text = http_proxy_of_environment(r->tls);
        if (text && exempt && http_proxy_exempt(exempt, r->host, r->port))
            text = NULL;
    }
    if (!text || !*text || h->local)
        return true;
    url = curl_url();
    if (!url)
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    ok = read_proxy(r, url, text, err);
    curl_url_cleanup(url);
    return ok;
}

/* ---- the URL ---- */

/* h->route.url is set: takes it apart and decides on the rest. */
static bool plan_rest(struct plat_http *h, struct plat_err *err)
{
    struct http_route *r = &h->route;

    r->tls = scheme_is(r->url, "https");
    if (!r->tls && !scheme_is(r->url, "http"))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "http or https URL expected");
    if (has_part(r->url, CURLUPART_USER) || has_part(r->url, CURLUPART_PASSWORD))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP,
                            "user and password do not belong into a URL: send a header");
    if (curl_url_get(r->url, CURLUPART_HOST, &r->host, 0) ||
        curl_url_get(r->url, CURLUPART_PORT, &r->port, CURLU_DEFAULT_PORT))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "malformed URL: no host");
    if (!plan_proxy(h, err))
        return false;
    if (r->proxy) {
        r->lookup = r->lookup_host;
    } else if (!h->local) {
        r->lookup = r->host;
        r->lookup_port = strdup(r->port);
        if (!r->lookup_port)
            return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    }
    return true;
}

bool http_route_plan(struct plat_http *h, const char *url, struct plat_err *err)
{
    CURLUcode rc;

    h->route.url = curl_url();
    if (!h->route.url)
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    if (strpbrk(url, "\r\n\t "))
        return plat_err_set(err, PLAT_ERR_USAGE, 0, OP, "malformed URL: white space or line end");
    rc = curl_url_set(h->route.url, CURLUPART_URL, url, URL_FLAGS);
    if (rc)
        return plat_err_set(err, PLAT_ERR_USAGE, (int)rc, OP, "malformed URL: %s",
                            curl_url_strerror(rc));
    return plan_rest(h, err);
}

/* ---- the name ---- */

static bool launch(struct plat_http *h, const struct plat_addrs *addrs, struct plat_err *err)
{
    if (!http_setup_route(h, addrs, err))
        return false;
    return http_add(h) || plat_err_set(err, PLAT_ERR_BUG, 0, OP, "libcurl refused the transfer");
}

static void on_resolved(struct plat_resolve_wait *wait, const struct plat_addrs *addrs,
                        const struct plat_err *err)
{
    struct plat_http *h = (struct plat_http *)((char *)wait - offsetof(struct plat_http, lookup));

    if (!addrs) {
        h->err = *err;
        h->err.op = OP;
        http_end(h);
    } else if (!launch(h, addrs, &h->err)) {
        http_end(h);
    }
}

bool http_route_begin(struct plat_http *h, struct plat_err *err)
{
    const struct plat_addrs *addrs = NULL;

    if (h->route.lookup) {
        h->lookup.done = on_resolved;
        switch (plat_resolve(h->engine->loop, h->route.lookup, &h->lookup, &addrs, err)) {
        case PLAT_RESOLVE_FAILED:
            return false;
        case PLAT_RESOLVE_WAIT:
            h->phase = HTTP_RESOLVING;
            http_arm(h);
            return true;
        case PLAT_RESOLVE_KNOWN:
            break;
        }
    }
    if (!launch(h, addrs, err))
        return false;
    http_arm(h);
    return true;
}

/* ---- redirects ---- */

static char *location_of(const struct plat_http *h)
{
    const char *at = plat_buf_bytes(&h->head), *end = at + h->head.len;

    while (at < end) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        size_t n = eol ? (size_t)(eol - at) : (size_t)(end - at);

        if (n > 9 && !strncasecmp(at, "location:", 9)) {
            const char *value = at + 9, *stop = at + n;

            while (value < stop && (*value == ' ' || *value == '\t'))
                value++;
            while (stop > value && strchr(" \t\r", stop[-1]))
                stop--;
            return strndup(value, (size_t)(stop - value));
        }
        at += n + 1;
    }
    return NULL;
}

/* Secrets are for the server that the caller named. */
static void strip_secrets(struct plat_http *h)
{
    static const char *const secret[] = { "authorization:", "cookie:", "x-vault-token:", "host:" };
    struct curl_slist *kept = NULL, *item;
    size_t i;

    for (item = h->headers; item; item = item->next) {
        for (i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
            if (!strncasecmp(item->data, secret[i], strlen(secret[i])))
                break;
        if (i == sizeof(secret) / sizeof(secret[0])) {
            struct curl_slist *more = curl_slist_append(kept, item->data);

            kept = more ? more : kept;
        }
    }
    curl_slist_free_all(h->headers);
    h->headers = kept;
    curl_easy_setopt(h->easy, CURLOPT_SSLCERT_BLOB, NULL);
    curl_easy_setopt(h->easy, CURLOPT_SSLKEY_BLOB, NULL);
    free(h->server_name);
    h->server_name = NULL;
}

static bool is_redirect(const struct plat_http *h)
{
    int s = h->status;

    return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && h->safe &&
           h->redirects < h->spec.follow;
}

static bool go_to(struct plat_http *h, CURLU *target, struct plat_err *err)
{
    struct http_route old = h->route;
    char *whole = NULL;
    bool ok;

    h->route = (struct http_route){ .url = target };
    ok = plan_rest(h, err);
    if (ok && old.tls && !h->route.tls)
        ok = plat_err_set(err, PLAT_ERR_HTTP, h->status, OP, "redirected from https to plain http");
    if (ok && (strcasecmp(old.host, h->route.host) || strcmp(old.port, h->route.port) ||
               old.tls != h->route.tls))
        strip_secrets(h);
    http_route_done(&old);
    if (!ok)
        return false;
    if (curl_url_get(h->route.url, CURLUPART_URL, &whole, 0))
        return plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
    free(h->final_url);
    h->final_url = strdup(whole);
    curl_free(whole);
    plat_buf_clear(&h->head);
    plat_buf_clear(&h->body);
    h->status = 0;
    h->answered = h->sent = false;
    h->redirects++;
    h->phase = HTTP_IDLE;
    if (h->spec.connect_timeout > 0)
        h->connect_by = uv_hrtime() + (uint64_t)(h->spec.connect_timeout * 1e9);
    return h->final_url ? http_route_begin(h, err)
                        : plat_err_set(err, PLAT_ERR_BUG, 0, OP, "out of memory");
}

bool http_follow(struct plat_http *h, bool *ret_followed, struct plat_err *err)
{
    char *location;
    CURLU *target, *base;
    bool ok;

    if (!is_redirect(h))
        return true;
    location = location_of(h);
    if (!location)
        return true;
    base = curl_url();
    target = base && !curl_url_set(base, CURLUPART_URL, h->final_url, URL_FLAGS) ? base : NULL;
    ok = target && !curl_url_set(target, CURLUPART_URL, location, URL_FLAGS | CURLU_URLENCODE);
    free(location);
    if (!ok) {
        curl_url_cleanup(base);
        return plat_err_set(err, PLAT_ERR_HTTP, h->status, OP, "redirected to a malformed URL");
    }
    *ret_followed = go_to(h, target, err);
    return *ret_followed;
}
