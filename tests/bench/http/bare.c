/*
 * bare URL N: N requests, one after the other on one kept connection, by libcurl's multi interface
 * on libuv and nothing else.  Prints "CPU WALL" in microseconds, without start and end.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <uv.h>

struct watch {
    uv_poll_t poll;
    curl_socket_t fd;
};

static CURLM *multi;
static CURL *easy;
static uv_timer_t timer;
static const char *url;
static long left;

static double cpu(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e6 +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    (void)data;
    (void)arg;
    return size * n;
}

static void next(void)
{
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_multi_add_handle(multi, easy);
}

static void check(void)
{
    CURLMsg *msg;
    int queued;

    while ((msg = curl_multi_info_read(multi, &queued))) {
        if (msg->msg != CURLMSG_DONE)
            continue;
        if (msg->data.result)
            abort();
        curl_multi_remove_handle(multi, easy);
        if (--left > 0)
            next();
        else
            uv_stop(uv_default_loop());
    }
}

static void on_timer(uv_timer_t *t)
{
    int running;

    (void)t;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    check();
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = (struct watch *)poll;
    int running, bits = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                        (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    (void)status;
    curl_multi_socket_action(multi, w->fd, bits, &running);
    check();
}

static int on_socket(CURL *e, curl_socket_t fd, int what, void *arg, void *of_socket)
{
    static struct watch w; /* one connection is all there is */

    (void)e;
    (void)arg;
    (void)of_socket;
    if (what == CURL_POLL_REMOVE)
        return uv_poll_stop(&w.poll);
    if (w.fd != fd)
        uv_poll_init_socket(uv_default_loop(), &w.poll, fd);
    w.fd = fd;
    return uv_poll_start(
        &w.poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0),
        on_poll);
}

static int on_timeout(CURLM *m, long ms, void *arg)
{
    (void)m;
    (void)arg;
    return ms < 0 ? uv_timer_stop(&timer) : uv_timer_start(&timer, on_timer, (uint64_t)ms, 0);
}

static void run(long n)
{
    left = n;
    next();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    double cpu0;
    uint64_t wall0;

    if (argc != 3 || curl_global_init(CURL_GLOBAL_DEFAULT))
        return 64;
    url = argv[1];
    multi = curl_multi_init();
    easy = curl_easy_init();
    uv_timer_init(uv_default_loop(), &timer);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    run(10); /* connects */
    cpu0 = cpu();
    wall0 = uv_hrtime();
    run(strtol(argv[2], NULL, 10));
    printf("%.0f %.0f\n", cpu() - cpu0, (double)(uv_hrtime() - wall0) / 1000);
    return 0;
}
