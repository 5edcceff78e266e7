#include "io/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

enum { BACKLOG = 511 };

static int fail_close(int fd)
{
    int code = errno;

    if (fd >= 0)
        close(fd);
    errno = code;
    return -1;
}

/* True when the path is a socket that nobody listens on any more. */
static bool is_stale(const struct sockaddr_un *addr)
{
    struct stat st;
    int fd;
    bool stale;

    if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stale = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) &&
            errno == ECONNREFUSED;
    fail_close(fd);
    return stale;
}

static int bind_unix(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (is_stale(&addr))
        unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* on Linux the file gets the mode that the socket has when it is bound: no gap for others */
    if (fd < 0 || fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(fd, BACKLOG))
        return fail_close(fd);
    return fd;
}

static int bind_address(const struct addrinfo *ai)
{
    int on = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG))
        return fail_close(fd);
    return fd;
}

static int real_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } addr = { .in6 = { 0 } };
    socklen_t len = sizeof(addr);

    if (getsockname(fd, &addr.any, &len))
        return 0;
    return ntohs(addr.any.sa_family == AF_INET6 ? addr.in6.sin6_port : addr.in.sin_port);
}

int plat_listen(const struct plat_listen_opts *opts, int *ret_port, struct plat_err *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
    const char *host = strcmp(opts->host, "localhost") ? opts->host : "127.0.0.1";
    struct addrinfo *ai;
    char port[16];
    int fd, rc;

    *ret_port = 0;
    if (opts->unix_socket) {
        fd = bind_unix(opts->unix_socket);
        if (fd < 0)
            plat_err_errno(err, errno, opts->op, "cannot listen on \"%s\"", opts->unix_socket);
        return fd;
    }
    snprintf(port, sizeof(port), "%d", opts->port);
    rc = getaddrinfo(host, port, &hints, &ai); /* literals only: asks no resolver */
    if (rc) {
        plat_err_set(err, PLAT_ERR_USAGE, 0, opts->op, "\"%s\" is not an address: %s", host,
                     gai_strerror(rc));
        return -1;
    }
    fd = bind_address(ai);
    if (fd < 0)
        plat_err_errno(err, errno, opts->op, "cannot listen on %s port %d", host, opts->port);
    else
        *ret_port = real_port(fd);
    freeaddrinfo(ai);
    return fd;
}
