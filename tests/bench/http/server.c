/* server: answers every request on its connections with 200 and two bytes; prints its port.  One
 * connection at a time: the peers of this benchmark keep one.  Ends when stdin does. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                             "X-Request-Id: 0123456789\r\nContent-Length: 2\r\n\r\nok";

static void serve(int fd)
{
    char buf[4096];
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0)
        if (n >= 4 && !memcmp(buf + n - 4, "\r\n\r\n", 4))
            if (write(fd, ANSWER, sizeof(ANSWER) - 1) < 0)
                break;
    close(fd);
}

int main(void)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(addr);
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (s < 0 || bind(s, (struct sockaddr *)&addr, len) || listen(s, 16) ||
        getsockname(s, (struct sockaddr *)&addr, &len))
        return 1;
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    for (;;) {
        struct pollfd fds[] = { { s, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
        int fd;

        if (poll(fds, 2, -1) < 0 || fds[1].revents)
            return 0;
        fd = accept(s, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (fd >= 0)
            serve(fd);
    }
}
