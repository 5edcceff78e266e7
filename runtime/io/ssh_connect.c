/* From a name to a session whose host key is known. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/loop.h"
#include "io/ssh_impl.h"

#include "base/banned.h"

#define OP "ssh.connect"

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t parse_address(const char *text, int port, union address *ret)
{
    char bare[PLAT_ADDR_LEN];
    char *zone;

    memset(ret, 0, sizeof(*ret));
    memcpy(bare, text, sizeof(bare));
    if (!strchr(bare, ':')) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        inet_pton(AF_INET, bare, &ret->v4.sin_addr);
        return sizeof(ret->v4);
    }
    zone = strchr(bare, '%');
    if (zone)
        *zone++ = '\0';
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons((uint16_t)port);
    ret->v6.sin6_scope_id = zone ? if_nametoindex(zone) : 0;
    inet_pton(AF_INET6, bare, &ret->v6.sin6_addr);
    return sizeof(ret->v6);
}

/* Small packets at once (a command costs 40 ms more else), and a dead peer is noticed within two
 * minutes though nothing is sent. */
static void tune(int fd)
{
    int yes = 1, idle = 30, interval = 15, count = 4, unacked = 60000;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
}

static void explain(const struct plat_ssh *s, const char *addr, int code, struct plat_err *err)
{
    plat_err_errno(err, code, OP, "cannot connect to %.100s port %d%s%.60s", s->host, s->port,
                   strcmp(addr, s->host) != 0 ? " at " : "",
                   strcmp(addr, s->host) != 0 ? addr : "");
    err->kind = PLAT_ERR_CONNECT;
}

/* An address gets its share of what is left of the time. */
static double share(const struct plat_ssh *s)
{
    uint64_t now = uv_hrtime();
    double left = s->connect_by > now ? (double)(s->connect_by - now) / 1e9 : 0.001;

    return s->connect_by ? left / (double)(s->addrs.n - s->next_addr + 1) : 0;
}

/* True: the attempt is under way.  errno says why not. */
static bool try_address(struct plat_ssh *s, const char *text)
{
    union address addr;
    socklen_t len = parse_address(text, s->port, &addr);
    int fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    tune(fd);
    if (connect(fd, &addr.any, len) && errno != EINPROGRESS) {
        int code = errno;
        close(fd);
        errno = code;
        return false;
    }
    if (!ssh_watch(s, fd)) {
        errno = ENOMEM;
        return false;
    }
    return true;
}

/* Goes on to the next address; loses the session when there is none. */
static void next_address(struct plat_ssh *s)
{
    struct plat_err err;

    s->phase = SSH_CONNECTING;
    while (s->next_addr < s->addrs.n) {
        const char *text = s->addrs.text[s->next_addr++];

        if (s->family && s->family != (strchr(text, ':') ? AF_INET6 : AF_INET)) {
            if (!s->err.kind)
                plat_err_set(&s->err, PLAT_ERR_CONNECT, 0, OP, "%.100s has no IPv%d address",
                             s->host, s->family == AF_INET ? 4 : 6);
            continue;
        }
        if (try_address(s, text)) {
            ssh_set_timer(s, share(s));
            ssh_drive(s); /* sets what the poll waits for */
            return;
        }
        explain(s, text, errno, &s->err);
    }
    err = s->err;
    ssh_lose(s, &err);
}

void ssh_handshake_begin(struct plat_ssh *s)
{
    s->phase = SSH_HANDSHAKE;
    s->lib_fd = ssh_way_fd(s);
    ssh_set_timer(s, s->handshake_timeout);
    ssh_drive(s);
}

/* The socket became writable, or the one of a failed attempt is closed. */
void ssh_connect_event(struct plat_ssh *s)
{
    int code = 0;
    socklen_t len = sizeof(code);

    if (!s->polled) {
        next_address(s);
        return;
    }
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &code, &len))
        code = errno;
    if (!code) {
        ssh_handshake_begin(s);
        return;
    }
    explain(s, s->addrs.text[s->next_addr - 1], code, &s->err);
    ssh_unwatch(s); /* and then the next */
}

void ssh_connect_timeout(struct plat_ssh *s)
{
    struct plat_err err;

    if (s->phase == SSH_CONNECTING) {
        plat_err_set(&s->err, PLAT_ERR_TIMEOUT, 0, OP, "no answer from %.100s port %d%s%.60s",
                     s->host, s->port, s->over ? " through " : "", s->over ? s->over_name : "");
        if (s->next_addr < s->addrs.n) {
            ssh_unwatch(s);
            return;
        }
        err = s->err;
    } else {
        plat_err_set(&err, PLAT_ERR_TIMEOUT, 0, "resolve", "the name servers do not answer for %s",
                     s->host);
    }
    ssh_lose(s, &err);
}

static void on_resolved(struct plat_resolve_wait *wait, const struct plat_addrs *addrs,
                        const struct plat_err *err)
{
    struct plat_ssh *s = (struct plat_ssh *)((char *)wait - offsetof(struct plat_ssh, lookup));

    if (!addrs) {
        ssh_lose(s, err);
        return;
    }
    s->addrs = *addrs;
    next_address(s);
}

bool ssh_connect_start(struct plat_ssh *s, struct plat_err *err)
{
    const struct plat_addrs *addrs;

    s->lookup.done = on_resolved;
    switch (plat_resolve(s->loop, s->host, &s->lookup, &addrs, err)) {
    case PLAT_RESOLVE_FAILED:
        return false;
    case PLAT_RESOLVE_KNOWN:
        s->addrs = *addrs;
        next_address(s);
        if (s->phase == SSH_LOST)
            *err = s->err;
        return s->phase != SSH_LOST;
    case PLAT_RESOLVE_WAIT:
        ssh_set_timer(s, share(s));
        break;
    }
    return true;
}

void ssh_handshake(struct plat_ssh *s)
{
    int rc = libssh2_session_handshake(s->lib, s->lib_fd);

    if (rc == LIBSSH2_ERROR_EAGAIN && !ssh_said_old(s))
        return;
    if (rc == LIBSSH2_ERROR_EAGAIN) {
        struct plat_err err;

        plat_err_set(&err, PLAT_ERR_CONNECT, LIBSSH2_ERROR_PROTO, "ssh.handshake",
                     "%.100s port %d speaks SSH 1 alone, which is not safe", s->host, s->port);
        ssh_lose(s, &err);
        return;
    }
    if (rc) {
        ssh_lose_lib(s, rc, "ssh.handshake");
        return;
    }
    if (!ssh_memory_keep_host_key(s)) {
        ssh_lose_lib(s, LIBSSH2_ERROR_ALLOC, "ssh.handshake");
        return;
    }
    s->tapping = false;
    plat_buf_done(&s->tap);
    s->phase = SSH_KEYED;
    ssh_set_timer(s, 0);
    ssh_wake(&s->waiting);
}
