/* io/sftp*.c: requests, against OpenSSH's own server. */
#include "sftp_rig.h"

#include "base/banned.h"

static void test_requests(void **state)
{
    struct rig *rig = rig_of(state);
    char a[200], b[200];
    struct plat_sftp_ask what = ask_path(rig, PLAT_SFTP_LSTAT, a, sizeof(a), "none");
    struct plat_sftp_call *call;
    struct plat_err err;

    wait_ready(rig);
    call = ask(rig, &what);
    assert_false(plat_sftp_call_result(call, &err));
    assert_int_equal(err.code, ENOENT);
    plat_sftp_call_free(call);
    put(rig, "one", "1", 1);
    put(rig, "two", "22", 2);
    what = ask_path(rig, PLAT_SFTP_RENAME, a, sizeof(a), "one"); /* never replaces */
    what.to = b;
    what.to_len = ask_path(rig, PLAT_SFTP_STAT, b, sizeof(b), "two").path_len;
    call = ask(rig, &what);
    assert_false(plat_sftp_call_result(call, &err));
    plat_sftp_call_free(call);
    what.what = PLAT_SFTP_RENAME_OVER;
    ask_ok(rig, &what);
    check_get(rig, "two", 1, "1", 1);
    what = ask_path(rig, PLAT_SFTP_SETSTAT, a, sizeof(a), "two");
    what.attrs = (struct plat_sftp_attrs){ .has = PLAT_SFTP_MODE, .mode = 0640 };
    ask_ok(rig, &what);
    what.what = PLAT_SFTP_STAT;
    call = ask(rig, &what);
    assert_int_equal(plat_sftp_call_attrs(call)->mode, S_IFREG | 0640);
    assert_int_equal(plat_sftp_call_attrs(call)->size, 1);
    plat_sftp_call_free(call);
    what.what = PLAT_SFTP_SPACE;
    call = ask(rig, &what);
    assert_true(plat_sftp_call_space(call) > 0);
    plat_sftp_call_free(call);
    what.what = PLAT_SFTP_REMOVE;
    ask_ok(rig, &what);
    call = ask(rig, &what);
    assert_false(plat_sftp_call_result(call, &err));
    plat_sftp_call_free(call);
}

static void test_names(void **state)
{
    static const char *const odd[] = { "a b", "q'\"$`\\", "new\nline", "\xff\xfe", "-x" };
    struct rig *rig = rig_of(state);
    char path[200];
    struct plat_sftp_ask what = ask_path(rig, PLAT_SFTP_OPENDIR, path, sizeof(path), "");
    struct plat_sftp_call *call;
    struct plat_sftp_file *dir;
    struct plat_sftp_attrs attrs;
    unsigned found = 0, plain = 0;
    const char *name;
    size_t len, got;

    wait_ready(rig);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "plain%d", i);
        put(rig, path, "", 0);
    }
    for (unsigned i = 0; i < 5; i++)
        put(rig, odd[i], "x", 1);
    what = ask_path(rig, PLAT_SFTP_OPENDIR, path, sizeof(path), "");
    call = ask(rig, &what);
    dir = plat_sftp_call_file(call);
    assert_non_null(dir);
    plat_sftp_call_free(call);
    do {
        struct plat_sftp_ask more = { .what = PLAT_SFTP_READDIR, .file = dir };

        call = ask(rig, &more);
        for (got = 0; plat_sftp_call_name(call, &name, &len, &attrs); got++) {
            for (unsigned i = 0; i < 5; i++)
                if (strlen(odd[i]) == len && memcmp(odd[i], name, len) == 0)
                    found |= 1u << i;
            plain += len > 5 && memcmp(name, "plain", 5) == 0 && S_ISREG(attrs.mode);
        }
        plat_sftp_call_free(call);
    } while (got);
    assert_int_equal(found, 31);
    assert_int_equal(plain, 300);
    plat_sftp_file_free(dir);
}

static void test_lost(void **state)
{
    struct rig *rig = rig_of(state);
    struct plat_sftp_file *file;
    struct plat_sftp_copy_opts opts = { .put = true, .len = 9000000, .fd = -1 };
    struct plat_op op = new_op(), other = new_op();
    struct plat_sftp_ask what;
    struct plat_sftp_call *call;
    struct plat_sftp_copy *copy;
    struct plat_err err;
    char *data = calloc(1, opts.len), path[200];
    uint64_t size;

    assert_non_null(data);
    wait_ready(rig);
    opts.data = data;
    opts.file = file = open_file(rig, "big", NEW);
    kill(rig->pid, SIGSTOP);
    copy = plat_sftp_copy_new(rig->s, &opts, &op, &err);
    what = ask_path(rig, PLAT_SFTP_STAT, path, sizeof(path), "big");
    call = plat_sftp_ask(rig->s, &what, &other, &err);
    kill(rig->pid, SIGKILL);
    run_until(rig, &op);
    assert_false(plat_sftp_copy_result(copy, &size, &err));
    assert_string_equal(err.msg, "gone");
    assert_int_equal(other.state, PLAT_OP_READY);
    assert_false(plat_sftp_call_result(call, &err));
    assert_null(plat_sftp_ask(rig->s, &what, &other, &err));
    assert_int_equal(err.kind, PLAT_ERR_CONNECT);
    plat_sftp_copy_free(copy);
    plat_sftp_call_free(call);
    plat_sftp_file_free(file);
    free(data);
}

/* The session goes first. */
static void test_freed_first(void **state)
{
    struct rig *rig = rig_of(state);
    struct plat_sftp_file *file;
    struct plat_op op = new_op();
    char path[200];
    struct plat_sftp_ask what;
    struct plat_sftp_call *call;
    struct plat_err err;

    wait_ready(rig);
    file = open_file(rig, "f", NEW);
    what = ask_path(rig, PLAT_SFTP_STAT, path, sizeof(path), "f");
    call = plat_sftp_ask(rig->s, &what, &op, &err);
    plat_sftp_free(rig->s);
    rig->s = NULL;
    assert_int_equal(op.state, PLAT_OP_READY);
    assert_false(plat_sftp_call_result(call, &err));
    plat_sftp_call_free(call);
    plat_sftp_file_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_freed_first, set_up, tear_down),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
