/* server MILLISECONDS: answers every request on up to 128 connections with 200 and two bytes, so
 * long after it came; prints its port.  A request is whole when its body, one "." long, is there.
 * Ends when stdin does. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 128, FIRST = 2 };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                             "Content-Length: 2\r\n\r\nok";

static struct pollfd fds[FIRST + MOST];
static double due[FIRST + MOST]; /* when to answer; 0: nothing was asked */
static int count = FIRST;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void take(int s)
{
    int fd = accept(s, NULL, NULL), on = 1;

    if (fd < 0 || count == FIRST + MOST)
        exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    due[count] = 0;
    fds[count++] = (struct pollfd){ fd, POLLIN, 0 };
}

static bool serve(int i, double delay)
{
    char buf[4096];
    ssize_t n;

    if (fds[i].revents) {
        n = read(fds[i].fd, buf, sizeof(buf));
        if (n <= 0)
            return false;
        if (buf[n - 1] == '.')
            due[i] = now() + delay;
    }
    if (due[i] > 0 && due[i] <= now()) {
        due[i] = 0;
        return write(fds[i].fd, ANSWER, sizeof(ANSWER) - 1) > 0;
    }
    return true;
}

static int until_next(void)
{
    double next = -1;

    for (int i = FIRST; i < count; i++)
        if (due[i] > 0 && (next < 0 || due[i] < next))
            next = due[i];
    if (next < 0)
        return -1;
    return next > now() ? (int)(next - now()) + 1 : 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(addr);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    double delay = argc > 1 ? atof(argv[1]) : 0;

    if (s < 0 || bind(s, (struct sockaddr *)&addr, len) || listen(s, MOST) ||
        getsockname(s, (struct sockaddr *)&addr, &len))
        return 1;
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    fds[0] = (struct pollfd){ s, POLLIN, 0 };
    fds[1] = (struct pollfd){ STDIN_FILENO, POLLIN, 0 };
    for (;;) {
        if (poll(fds, (nfds_t)count, until_next()) < 0 || fds[1].revents)
            return 0;
        if (fds[0].revents)
            take(s);
        for (int i = count - 1; i >= FIRST; i--) {
            if (serve(i, delay))
                continue;
            close(fds[i].fd);
            count--;
            fds[i] = fds[count];
            due[i] = due[count];
        }
    }
}
