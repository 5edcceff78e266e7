/* Why a transfer failed, in words of ours: the kind that code branches on, and the cause. */
#include <ctype.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "io/http_impl.h"

#include "base/banned.h"

#define OP "http.request"

/* ---- deadlines ---- */

bool http_fault_deadline(struct plat_http *h, struct plat_err *err)
{
    uint64_t now = uv_hrtime();
    const struct plat_http_spec *s = &h->spec;

    if (h->end_by && now >= h->end_by) {
        plat_err_set(err, PLAT_ERR_TIMEOUT, 0, "http.total", "no complete answer in %g s%s",
                     s->timeout, h->connect_by ? " (still connecting)" : "");
    } else if (h->connect_by && now >= h->connect_by) {
        plat_err_set(err, PLAT_ERR_TIMEOUT, 0, "http.connect", "no connection to %s:%s in %g s%s",
                     h->local ? "the socket" : h->route.host, h->route.port, s->connect_timeout,
                     h->phase == HTTP_RESOLVING ? " (name not resolved)" : "");
    } else if (h->first_by && now >= h->first_by) {
        plat_err_set(err, PLAT_ERR_TIMEOUT, 0, "http.first_byte",
                     "no first byte of an answer in %g s", s->first_byte_timeout);
    } else {
        return false;
    }
    return true;
}

/* ---- TLS ---- */

static bool said(const struct plat_http *h, const char *text)
{
    return strcasestr(h->curl_error, text) != NULL;
}

static const char *verify_cause(long code)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the server's certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the server's certificate is not valid yet";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "the server's certificate is self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "the server's certificate was signed by a CA that is not trusted here";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "the server's certificate was signed by a CA that is not known here";
    case X509_V_ERR_CERT_REVOKED:
        return "the server's certificate was revoked";
    default:
        return NULL;
    }
}

/* libcurl keeps its first message; one about getpeername() only says that the peer was quick. */
static const char *detail(const struct plat_http *h, CURLcode code)
{
    bool useful = h->curl_error[0] && !said(h, "getpeername() failed");

    return useful ? h->curl_error : curl_easy_strerror(code);
}

static void verification(struct plat_http *h, CURLcode code, struct plat_err *err)
{
    long result = 0;
    const char *cause;

    curl_easy_getinfo(h->easy, CURLINFO_SSL_VERIFYRESULT, &result);
    if (!result && h->route.proxy)
        curl_easy_getinfo(h->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &result);
    cause = verify_cause(result);
    if (!cause && (said(h, "match") || result == X509_V_ERR_HOSTNAME_MISMATCH))
        plat_err_set(err, PLAT_ERR_AUTH, (int)result, OP,
                     "TLS: the server's certificate is for another name: not for %s",
                     h->server_name ? h->server_name : h->route.host);
    else
        plat_err_set(err, PLAT_ERR_AUTH, (int)result, OP, "TLS: %s",
                     cause ? cause : detail(h, code));
}

/* The peer's alert arrives as an error of reading: in TLS 1.3 it comes after our handshake. */
static bool alert(struct plat_http *h, CURLcode code, struct plat_err *err)
{
    static const char *const about_us[] = { "certificate required", "bad certificate",
                                            "unknown ca",           "certificate expired",
                                            "certificate unknown",  "certificate revoked",
                                            "access denied" };
    size_t i;

    if (!said(h, "alert"))
        return false;
    for (i = 0; i < sizeof(about_us) / sizeof(about_us[0]); i++)
        if (said(h, about_us[i]))
            return !plat_err_set(err, PLAT_ERR_AUTH, (int)code, OP,
                                 "TLS: the server refused our client certificate: %s", about_us[i]);
    return false;
}

static void handshake(struct plat_http *h, CURLcode code, struct plat_err *err)
{
    if (alert(h, code, err))
        return;
    if (said(h, "wrong version number") || said(h, "packet length too long"))
        plat_err_set(err, PLAT_ERR_CONNECT, (int)code, OP, "%s:%s does not speak TLS",
                     h->route.host, h->route.port);
    else
        plat_err_set(err, PLAT_ERR_CONNECT, (int)code, OP, "TLS handshake failed: %s",
                     detail(h, code));
}

/* ---- connections ---- */

static void connecting(struct plat_http *h, CURLcode code, struct plat_err *err)
{
    long number = 0;
    char why[64];

    curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &number);
    if (!number) {
        plat_err_set(err, PLAT_ERR_CONNECT, 0, OP, "cannot connect: %s", detail(h, code));
        return;
    }
    snprintf(why, sizeof(why), "%s", strerror((int)number));
    why[0] = (char)tolower((unsigned char)why[0]);
    if (h->local)
        plat_err_set(err, PLAT_ERR_CONNECT, (int)number, OP, "cannot connect to the socket: %s",
                     why);
    else
        plat_err_set(err, PLAT_ERR_CONNECT, (int)number, OP, "cannot connect to %s%s:%s: %s",
                     h->route.proxy ? "the proxy " : "", h->route.lookup, h->route.lookup_port,
                     why);
}

static void lost(struct plat_http *h, CURLcode code, struct plat_err *err)
{
    long number = 0;

    if (alert(h, code, err))
        return;
    curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &number);
    if (h->sent_again)
        plat_err_set(err, PLAT_ERR_CONNECT, (int)code, OP,
                     "the connection was closed without an answer; not sent again");
    else if (h->answered || h->in_head)
        plat_err_set(err, PLAT_ERR_HTTP, (int)number, OP,
                     "the connection was lost in the middle of the answer: %s", detail(h, code));
    else
        plat_err_set(err, PLAT_ERR_CONNECT, (int)number, OP,
                     "the connection was lost before an answer: %s", detail(h, code));
}

/* ---- answers ---- */

static void truncated(struct plat_http *h, struct plat_err *err)
{
    curl_off_t want = -1, got = 0;

    curl_easy_getinfo(h->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &want);
    curl_easy_getinfo(h->easy, CURLINFO_SIZE_DOWNLOAD_T, &got);
    if (want >= 0)
        plat_err_set(err, PLAT_ERR_HTTP, h->status, OP, "body ended after %lld of %lld bytes",
                     (long long)got, (long long)want);
    else
        plat_err_set(err, PLAT_ERR_HTTP, h->status, OP,
                     "body ended after %lld bytes, before its last chunk", (long long)got);
}

static void unwritten(struct plat_http *h, CURLcode code, struct plat_err *err)
{
    size_t max = h->spec.max_body, mib = (size_t)1 << 20;

    if (h->body_too_large)
        plat_err_set(err, PLAT_ERR_HTTP, h->status, OP, "body over %zu %s",
                     max % mib ? max : max / mib, max % mib ? "bytes" : "MiB");
    else if (h->head_too_large)
        plat_err_set(err, PLAT_ERR_HTTP, h->status, OP, "headers over %d bytes", HTTP_HEADERS_MAX);
    else if (h->bad_upgrade)
        plat_err_set(err, PLAT_ERR_HTTP, 101, OP, "the server switched protocols unasked");
    else /* a content encoding that cannot be decoded ends here too */
        plat_err_set(err, PLAT_ERR_HTTP, h->status, OP, "%s", detail(h, code));
}

void http_fault(struct plat_http *h, CURLcode code, struct plat_err *err)
{
    switch (code) {
    case CURLE_OK:
        plat_err_set(err, PLAT_ERR_HTTP, 0, OP, "the answer ended inside its headers");
        break;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        connecting(h, code, err);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        verification(h, code, err);
        break;
    case CURLE_SSL_CERTPROBLEM:
        plat_err_set(err, PLAT_ERR_AUTH, (int)code, OP,
                     "TLS: the client certificate or its key cannot be used: %s", detail(h, code));
        break;
    case CURLE_SSL_CACERT_BADFILE:
        plat_err_set(err, PLAT_ERR_AUTH, (int)code, OP,
                     "TLS: the CA certificate cannot be used: %s", detail(h, code));
        break;
    case CURLE_SSL_CONNECT_ERROR:
        handshake(h, code, err);
        break;
    case CURLE_OPERATION_TIMEDOUT:
        plat_err_set(err, PLAT_ERR_TIMEOUT, 0, "http.connect", "%s", detail(h, code));
        break;
    case CURLE_PARTIAL_FILE:
        truncated(h, err);
        break;
    case CURLE_WRITE_ERROR:
        unwritten(h, code, err);
        break;
    case CURLE_GOT_NOTHING:
        plat_err_set(err, PLAT_ERR_CONNECT, (int)code, OP,
                     "the server closed the connection without an answer");
        break;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_ABORTED_BY_CALLBACK:
        lost(h, code, err);
        break;
    case CURLE_OUT_OF_MEMORY:
        plat_err_set(err, PLAT_ERR_BUG, (int)code, OP, "out of memory");
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
        plat_err_set(err, PLAT_ERR_HTTP, (int)code, OP, "the answer is not HTTP");
        break;
    default:
        plat_err_set(err, PLAT_ERR_HTTP, (int)code, OP, "%s", detail(h, code));
    }
}
