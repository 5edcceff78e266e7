/*
 * Which proxy the environment asks for.  HTTP_PROXY in capitals is not read: in a CGI program
 * anybody sets it by a "Proxy:" header.  NO_PROXY: "*", names (and everything below them),
 * addresses, CIDR, each with an optional port.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/http_impl.h"

#include "base/banned.h"

static const char *first_of(const char *const *names)
{
    for (; *names; names++) {
        const char *value = getenv(*names);

        if (value && *value)
            return value;
    }
    return NULL;
}

const char *http_proxy_of_environment(bool tls)
{
    static const char *const secure[] = { "https_proxy", "HTTPS_PROXY", NULL };
    static const char *const plain[] = { "http_proxy", NULL };

    return first_of(tls ? secure : plain);
}

static int address_of(const char *text, unsigned char bin[16])
{
    if (inet_pton(AF_INET, text, bin) == 1)
        return 32;
    return inet_pton(AF_INET6, text, bin) == 1 ? 128 : 0;
}

static bool in_network(const char *network, const char *bits_text, const char *host)
{
    unsigned char net[16], addr[16];
    int size = address_of(network, net), bits = size, i;

    if (!size || address_of(host, addr) != size)
        return false;
    if (bits_text) {
        char *end;
        long n = strtol(bits_text, &end, 10);

        if (*end || end == bits_text || n < 0 || n > size)
            return false;
        bits = (int)n;
    }
    for (i = 0; i < bits; i++)
        if ((net[i / 8] ^ addr[i / 8]) & (0x80 >> i % 8))
            return false;
    return true;
}

/* ".example.com", "*.example.com" and "example.com" all mean the name and what is below it. */
static bool below(const char *domain, const char *host)
{
    size_t len, host_len = strlen(host);

    if (domain[0] == '*')
        domain++;
    while (domain[0] == '.')
        domain++;
    len = strlen(domain);
    while (len && domain[len - 1] == '.')
        len--;
    if (!len || host_len < len || strncasecmp(host + host_len - len, domain, len) != 0)
        return false;
    return host_len == len || host[host_len - len - 1] == '.';
}

static char *unbracket(char *text)
{
    size_t n = strlen(text);

    if (n < 2 || text[0] != '[' || text[n - 1] != ']')
        return text;
    text[n - 1] = '\0';
    return text + 1;
}

static bool matches(char *item, const char *host, const char *port)
{
    unsigned char bin[16];
    char *colon, *slash;

    if (!strcmp(item, "*"))
        return true;
    colon = strrchr(item, ':');
    if (colon && !address_of(item, bin) && colon[1] &&
        strspn(colon + 1, "0123456789") == strlen(colon + 1) &&
        (colon == strchr(item, ':') || colon[-1] == ']')) {
        if (strcmp(colon + 1, port) != 0)
            return false;
        *colon = '\0';
    }
    item = unbracket(item);
    slash = strchr(item, '/');
    if (slash) {
        *slash = '\0';
        return in_network(item, slash + 1, host);
    }
    return in_network(item, NULL, host) || (!address_of(host, bin) && below(item, host));
}

bool http_proxy_exempt(const char *list, const char *host, const char *port)
{
    char item[300], bare[300];
    size_t n;

    n = strlen(host);
    if (n >= sizeof(bare))
        return false;
    memcpy(bare, host, n + 1);
    host = unbracket(bare);
    for (; *list; list += n) {
        list += strspn(list, ", \t");
        n = strcspn(list, ", \t");
        if (!n || n >= sizeof(item))
            continue;
        memcpy(item, list, n);
        item[n] = '\0';
        if (matches(item, host, port))
            return true;
    }
    return false;
}
