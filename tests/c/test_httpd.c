/* io/httpd*.c: what a client may send that no HTTP library would. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/httpd.h"
#include "io/loop.h"

#include "base/banned.h"

static struct plat_loop *loop;
static struct plat_httpd *server;

static void on_resume(struct plat_op *op, void *arg)
{
    (void)op;
    plat_loop_stop(arg);
}

static void on_release(struct plat_op *op, void *arg)
{
    (void)op;
    (void)arg;
}

static int set_up(void **state)
{
    struct plat_httpd_opts opts = { .host = "127.0.0.1", .max_body = 1000 };
    struct plat_err err;

    (void)state;
    loop = plat_loop_new();
    if (!loop)
        return -1;
    plat_loop_hooks(loop, on_resume, on_release, loop);
    server = plat_httpd_listen(loop, &opts, &err);
    return server ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    plat_httpd_free(server);
    plat_loop_free(loop);
    return 0;
}

static void turn(double seconds)
{
    static const struct plat_op_class pause_class = { .name = "test.pause" };
    struct plat_op op = { .cls = &pause_class, .loop = loop, .waiter = loop, .timeout = seconds };

    plat_op_start(&op, 0);
    plat_loop_run(loop);
}

/* ---- the client: a process that sends bytes and writes what it gets to a file ---- */

struct client {
    pid_t pid;
    FILE *got;
};

static _Noreturn void be_client(const char *bytes, size_t len, bool half_close, int to)
{
    struct sockaddr_in addr = { .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)plat_httpd_port(server)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = 10 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char buf[4096];
    ssize_t n;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
        _exit(2);
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        _exit(3);
    if (half_close)
        shutdown(fd, SHUT_WR);
    while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
        if (write(to, buf, (size_t)n) != n)
            _exit(4);
    }
    _exit(n == 0 ? 0 : 5);
}

static struct client start_client(const char *bytes, size_t len, bool half_close)
{
    struct client client = { .got = tmpfile() };

    assert_non_null(client.got);
    client.pid = fork();
    if (client.pid == 0)
        be_client(bytes, len, half_close, fileno(client.got));
    return client;
}

/* Waits until the client has seen the end of the connection; gives what it got, ended by '\0'. */
static const char *finish_client(struct client *client)
{
    static char text[1 << 16];
    int status = 0;
    size_t n;

    for (int i = 0; i < 1000 && waitpid(client->pid, &status, WNOHANG) == 0; i++)
        turn(0.01);
    rewind(client->got);
    n = fread(text, 1, sizeof(text) - 1, client->got);
    text[n] = '\0';
    fclose(client->got);
    if (status)
        fail_msg("the client ended with %d after: %s", WEXITSTATUS(status), text);
    return text;
}

static struct plat_httpd_req *accept_one(void)
{
    struct plat_httpd_op op = { .op = { .cls = &plat_httpd_accept_class, .loop = loop } };
    struct plat_err err;

    op.op.waiter = &op;
    op.op.timeout = 10;
    assert_true(plat_httpd_accept(server, &op, &err));
    plat_op_start(&op.op, 0);
    plat_loop_run(loop);
    assert_non_null(op.accepted);
    return op.accepted;
}

static void respond(struct plat_httpd_req *req, const char *body)
{
    struct plat_httpd_head head = { .status = 200 };
    struct plat_err err = { 0 };

    if (!plat_httpd_respond(req, &head, body, strlen(body), &err))
        fail_msg("%s", err.msg);
    plat_httpd_req_free(req);
}

/* Expects that libmicrohttpd or we answer without anybody accepting. */
static void refused(const char *bytes, size_t len, const char *status)
{
    struct client client = start_client(bytes, len, false);
    const char *got = finish_client(&client);

    if (strncmp(got, status, strlen(status)))
        fail_msg("expected %s, got: %s", status, got);
}

/* ---- tests ---- */

static void answers_nonsense_with_400(void **state)
{
    static const char missing_host[] = "GET / HTTP/1.1\r\n\r\n";
    static const char bad_length[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n";

    (void)state;
    refused(missing_host, sizeof(missing_host) - 1, "HTTP/1.1 400 ");
    refused(bad_length, sizeof(bad_length) - 1, "HTTP/1.1 400 ");
}

static void bounds_the_head(void **state)
{
    enum { SIZE = 200 * 1024 };
    char *head = malloc(SIZE);
    int n = snprintf(head, SIZE, "GET / HTTP/1.1\r\nHost: x\r\nX: ");

    (void)state;
    memset(head + n, 'x', SIZE - (size_t)n);
    memcpy(head + 120 * 1024, "\r\n\r\n", 4);
    refused(head, 120 * 1024 + 4, "HTTP/1.1 431 ");
    free(head);
}

static void refuses_before_the_body_if_asked(void **state)
{
    static const char asks[] = "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n";

    (void)state;
    refused(asks, sizeof(asks) - 1, "HTTP/1.1 413 ");
}

static void bounds_chunked_bodies(void **state)
{
    char bytes[2048];
    int n = snprintf(bytes, sizeof(bytes),
                     "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"
                     "3e9\r\n%1001s\r\n0\r\n\r\n",
                     "");

    (void)state;
    refused(bytes, (size_t)n, "HTTP/1.1 413 ");
}

static void answers_pipelined_requests_in_order(void **state)
{
    static const char two[] = "GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct client client = start_client(two, sizeof(two) - 1, false);
    const char *got, *first, *second;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct plat_httpd_req *req = accept_one();
        assert_string_equal(plat_httpd_target(req), i ? "/two" : "/one");
        respond(req, i ? "second" : "first");
    }
    got = finish_client(&client);
    first = strstr(got, "first");
    second = strstr(got, "second");
    assert_true(first && second && first < second);
}

static void answers_a_client_that_has_closed_its_side(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct client client = start_client(get, sizeof(get) - 1, true);
    struct plat_httpd_req *req = accept_one();

    (void)state;
    turn(0.05);
    respond(req, "still here");
    assert_non_null(strstr(finish_client(&client), "still here"));
}

static void streams_to_http_1_0_without_chunks(void **state)
{
    static const char get[] = "GET / HTTP/1.0\r\n\r\n";
    struct client client = start_client(get, sizeof(get) - 1, false);
    struct plat_httpd_req *req = accept_one();
    struct plat_httpd_head head = { .status = 200 };
    struct plat_err err;
    const char *got;

    (void)state;
    assert_true(plat_httpd_start(req, &head, &err));
    for (int i = 0; i < 3; i++) {
        struct plat_httpd_op op = { .op = { .cls = &plat_httpd_write_class, .loop = loop } };

        assert_true(plat_httpd_write(req, &op, "piece ", 6, &err));
        turn(0.01);
    }
    plat_httpd_finish(req);
    plat_httpd_req_free(req);
    got = finish_client(&client);
    assert_non_null(strstr(got, "\r\n\r\npiece piece piece "));
    assert_null(strstr(got, "chunked"));
}

static void a_request_outlives_its_connection_and_server(void **state)
{
    static const char get[] = "GET /late HTTP/1.1\r\nHost: x\r\n\r\n";
    struct plat_httpd_head head = { .status = 200 };
    struct client client = start_client(get, sizeof(get) - 1, false);
    struct plat_httpd_req *req = accept_one();
    struct plat_err err;

    (void)state;
    plat_httpd_free(server);
    server = NULL;
    assert_true(plat_httpd_is_gone(req));
    assert_string_equal(plat_httpd_target(req), "/late");
    assert_false(plat_httpd_respond(req, &head, "x", 1, &err));
    assert_int_equal(err.kind, PLAT_ERR_CONNECT);
    plat_httpd_req_free(req);
    assert_string_equal(finish_client(&client), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_nonsense_with_400, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_the_head, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_before_the_body_if_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bounds_chunked_bodies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_pipelined_requests_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_a_client_that_has_closed_its_side, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(streams_to_http_1_0_without_chunks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_request_outlives_its_connection_and_server, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
