/* Which hosts NO_PROXY exempts, and which variables name a proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/http_impl.h"

#include "base/banned.h"

static void exempt(const char *list, const char *host, const char *port)
{
    if (!http_proxy_exempt(list, host, port))
        fail_msg("\"%s\" should exempt %s:%s", list, host, port);
}

static void proxied(const char *list, const char *host, const char *port)
{
    if (http_proxy_exempt(list, host, port))
        fail_msg("\"%s\" should not exempt %s:%s", list, host, port);
}

static void names(void **state)
{
    (void)state;
    exempt("*", "anything.example", "443");
    exempt("example.com", "example.com", "443");
    exempt("example.com", "EXAMPLE.com", "443");
    exempt("example.com", "a.b.example.com", "443");
    exempt(".example.com", "a.example.com", "443");
    exempt(".example.com", "example.com", "443");
    exempt("*.example.com", "a.example.com", "443");
    exempt("one.test, two.test ,three.test", "three.test", "80");
    exempt("one.test two.test", "two.test", "80");
    exempt("example.com.", "example.com", "443");
    proxied("", "example.com", "443");
    proxied(" , ,", "example.com", "443");
    proxied("example.com", "notexample.com", "443");
    proxied("example.com", "example.com.evil.test", "443");
    proxied("www.example.com", "example.com", "443");
    proxied(".", "example.com", "443");
}

static void ports(void **state)
{
    (void)state;
    exempt("example.com:443", "example.com", "443");
    proxied("example.com:8443", "example.com", "443");
    exempt("10.0.0.1:80", "10.0.0.1", "80");
    proxied("10.0.0.1:81", "10.0.0.1", "80");
    exempt("[::1]:80", "[::1]", "80");
    proxied("[::1]:81", "[::1]", "80");
}

static void networks(void **state)
{
    (void)state;
    exempt("10.0.0.1", "10.0.0.1", "80");
    exempt("10.0.0.0/8", "10.255.1.2", "80");
    exempt("192.168.17.64/26", "192.168.17.127", "80");
    exempt("0.0.0.0/0", "8.8.8.8", "80");
    exempt("fd00::/8", "[fd12::1]", "80");
    exempt("::1", "[::1]", "80");
    exempt("2001:db8::/33", "[2001:db8:7fff::1]", "80");
    proxied("2001:db8::/33", "[2001:db8:8000::1]", "80");
    proxied("10.0.0.0/8", "11.0.0.1", "80");
    proxied("192.168.17.64/26", "192.168.17.128", "80");
    proxied("10.0.0.0/33", "10.0.0.0", "80");
    proxied("10.0.0.0/x", "10.0.0.0", "80");
    proxied("10.0.0.0/", "10.0.0.0", "80");
    proxied("10.0.0.0/8", "ten.test", "80");
    proxied("0.0.1", "10.0.0.1", "80"); /* the end of an address is no domain */
    proxied("fd00::/8", "10.0.0.1", "80");
}

static void sizes(void **state)
{
    char long_list[2000];

    (void)state;
    memset(long_list, 'a', sizeof(long_list));
    memcpy(long_list + sizeof(long_list) - 8, ",ok.test", 8);
    long_list[sizeof(long_list) - 1] = '\0';
    exempt(long_list, "x.ok.tes", "80");
    proxied("ok.test", long_list, "80");
}

static void variables(void **state)
{
    (void)state;
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("HTTPS_PROXY");
    setenv("HTTP_PROXY", "http://evil.test", 1);
    assert_null(http_proxy_of_environment(false));
    assert_null(http_proxy_of_environment(true));
    setenv("http_proxy", "http://p.test", 1);
    assert_string_equal(http_proxy_of_environment(false), "http://p.test");
    assert_null(http_proxy_of_environment(true));
    setenv("HTTPS_PROXY", "http://s.test", 1);
    assert_string_equal(http_proxy_of_environment(true), "http://s.test");
    setenv("https_proxy", "", 1);
    assert_string_equal(http_proxy_of_environment(true), "http://s.test");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names), cmocka_unit_test(ports),     cmocka_unit_test(networks),
        cmocka_unit_test(sizes), cmocka_unit_test(variables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
