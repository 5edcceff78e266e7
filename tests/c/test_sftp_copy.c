/* io/sftp_copy.c: contents, against OpenSSH's own server. */
#include "sftp_rig.h"

#include "base/banned.h"

static void test_contents(void **state)
{
    static const size_t sizes[] = { 0, 1, 32768, 32769, 261120, 261121, 3000000 };
    struct rig *rig = rig_of(state);
    char *data = malloc(3000000);

    assert_non_null(data);
    for (size_t i = 0; i < 3000000; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    wait_ready(rig);
    assert_int_equal(plat_sftp_extensions(rig->s), 31);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char name[32];

        snprintf(name, sizeof(name), "f%zu", i);
        put(rig, name, data, sizes[i]);
        check_get(rig, name, sizes[i], data, sizes[i]);
        check_get(rig, name, 0, data, sizes[i]);            /* its size was not known */
        check_get(rig, name, sizes[i] / 2, data, sizes[i]); /* it has grown */
        check_get(rig, name, sizes[i] * 3, data, sizes[i]); /* it has shrunk */
    }
    assert_true(rig->high < 1024 * 1024);
    free(data);
}

static void test_ceiling(void **state)
{
    struct rig *rig = rig_of(state);
    struct plat_sftp_copy *copy;
    struct plat_err err;

    wait_ready(rig);
    put(rig, "f", "12345", 5);
    assert_false(get(rig, "f", 5, 4, &copy, &err));
    assert_int_equal(err.kind, PLAT_ERR_REFUSED);
    plat_sftp_copy_free(copy);
    check_get(rig, "f", 5, "12345", 5);
}

/* Fifty at once, opened at once: each handle is that of its own request. */
static void test_many_at_once(void **state)
{
    enum { N = 50, SIZE = 200000 };
    struct rig *rig = rig_of(state);
    struct plat_op ops[N];
    struct plat_sftp_call *calls[N];
    struct plat_sftp_copy *copies[N];
    struct plat_sftp_file *files[N];
    static char data[N][SIZE];
    struct plat_err err;
    uint64_t size;

    wait_ready(rig);
    for (int i = 0; i < N; i++) {
        char path[200], name[16];
        struct plat_sftp_ask what;

        memset(data[i], 'A' + i, SIZE);
        snprintf(name, sizeof(name), "m%d", i);
        what = ask_path(rig, PLAT_SFTP_OPEN, path, sizeof(path), name);
        what.flags = NEW;
        ops[i] = new_op();
        calls[i] = plat_sftp_ask(rig->s, &what, &ops[i], &err);
        assert_non_null(calls[i]);
    }
    for (int i = 0; i < N; i++) {
        struct plat_sftp_copy_opts opts = {
            .put = true, .data = data[i], .len = SIZE - (size_t)i, .fd = -1
        };

        run_until(rig, &ops[i]);
        opts.file = files[i] = plat_sftp_call_file(calls[i]);
        assert_non_null(files[i]);
        plat_sftp_call_free(calls[i]);
        ops[i] = new_op();
        copies[i] = plat_sftp_copy_new(rig->s, &opts, &ops[i], &err);
        assert_non_null(copies[i]);
    }
    for (int i = 0; i < N; i++) {
        run_until(rig, &ops[i]);
        assert_true(plat_sftp_copy_result(copies[i], &size, &err));
        plat_sftp_copy_free(copies[i]);
        plat_sftp_file_free(files[i]);
    }
    assert_true(rig->high < 1024 * 1024);
    for (int i = 0; i < N; i++) {
        char name[16];

        snprintf(name, sizeof(name), "m%d", i);
        check_get(rig, name, SIZE, data[i], SIZE - (size_t)i);
    }
}

/* Whatever is given up while it is under way: its file is closed, and the session goes on. */
static void test_given_up(void **state)
{
    struct rig *rig = rig_of(state);
    char path[200], link[64], target[200], *data = calloc(1, 1000000);
    struct plat_sftp_ask what;
    struct plat_err err;
    int open_files = 0;

    assert_non_null(data);
    wait_ready(rig);
    for (int i = 0; i < 40; i++) {
        struct plat_op op = new_op();
        struct plat_sftp_copy_opts opts = { .put = true, .data = data, .len = 1000000, .fd = -1 };
        char name[16];

        snprintf(name, sizeof(name), "g%d", i);
        what = ask_path(rig, PLAT_SFTP_OPEN, path, sizeof(path), name);
        what.flags = NEW;
        plat_sftp_call_free(plat_sftp_ask(rig->s, &what, &op, &err));
        snprintf(name, sizeof(name), "h%d", i);
        opts.file = open_file(rig, name, NEW);
        plat_sftp_copy_free(plat_sftp_copy_new(rig->s, &opts, &op, &err));
        plat_sftp_file_free(opts.file);
    }
    free(data);
    put(rig, "after", "x", 1);
    check_get(rig, "after", 1, "x", 1);
    what = ask_path(rig, PLAT_SFTP_STAT, path, sizeof(path), "after");
    ask_ok(rig, &what); /* the last close is answered before it */
    for (int fd = 3; fd < 100; fd++) {
        snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)rig->pid, fd);
        open_files += readlink(link, target, sizeof(target)) > 0 &&
                      strncmp(target, rig->dir, strlen(rig->dir)) == 0;
    }
    assert_int_equal(open_files, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_contents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ceiling, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_given_up, set_up, tear_down),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
