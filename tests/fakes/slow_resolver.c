/*
 * LD_PRELOAD: a resolver for tests.  "slow.test" takes 10 s, "fast.test" is 127.0.0.1, anything
 * else goes to the C library.  Every lookup of a name is appended to $SLOW_RESOLVER_LOG with the
 * program object that asked, so that a test sees who asked how often.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);

enum { SLOW = 10 }; /* seconds */

static void note(const char *name, const void *caller)
{
    const char *path = getenv("SLOW_RESOLVER_LOG");
    FILE *log = path ? fopen(path, "a") : NULL;
    Dl_info info = { .dli_fname = "?" };
    const char *slash;

    if (!log)
        return;
    dladdr(caller, &info);
    slash = strrchr(info.dli_fname, '/');
    fprintf(log, "%s %s\n", name, slash ? slash + 1 : info.dli_fname);
    fclose(log);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    union {
        void *symbol;
        resolver *call;
    } real = { dlsym(RTLD_NEXT, "getaddrinfo") };
    struct in6_addr address;

    if (!name || inet_pton(AF_INET, name, &address) == 1 ||
        inet_pton(AF_INET6, name, &address) == 1)
        return real.call(name, service, hints, ret);
    note(name, __builtin_return_address(0));
    if (!strcmp(name, "slow.test")) {
        sleep(SLOW);
        return EAI_AGAIN;
    }
    if (!strcmp(name, "fast.test") || !strcmp(name, "fast.test.") || !strcmp(name, "other.test"))
        name = "127.0.0.1";
    return real.call(name, service, hints, ret);
}
