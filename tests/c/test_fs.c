/* io/fs*.c: local files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/fs.h"

#include "base/banned.h"

static char root[PATH_MAX];

static const char *in(const char *name)
{
    static char paths[4][2 * PATH_MAX];
    static int turn;
    char *path = paths[turn++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
    return path;
}

static int set_up(void **state)
{
    struct plat_err err;

    (void)state;
    return plat_fs_mkdtemp("/tmp/test_fs.", root, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct plat_err err;

    (void)state;
    return plat_fs_remove(root, true, &err) ? 0 : -1;
}

static void put(const char *name, const char *text)
{
    struct plat_err err = { 0 };

    if (!plat_fs_write(in(name), text, strlen(text), PLAT_FS_ATOMIC, PLAT_FS_KEEP_MODE, false,
                       &err))
        fail_msg("%s", err.msg);
}

static void has(const char *name, const char *want)
{
    struct plat_err err = { 0 };
    struct plat_buf buf;

    plat_buf_init(&buf, 1 << 20);
    if (!plat_fs_read(in(name), &buf, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(buf.len, strlen(want));
    assert_memory_equal(plat_buf_bytes(&buf), want, strlen(want));
    plat_buf_done(&buf);
}

static unsigned mode_of(const char *name)
{
    struct plat_fs_stat st;
    struct plat_err err;

    assert_true(plat_fs_stat(in(name), true, &st, &err));
    return st.mode;
}

static void reads_up_to_the_ceiling(void **state)
{
    struct plat_err err = { 0 };
    struct plat_buf buf;

    (void)state;
    put("five", "12345");
    plat_buf_init(&buf, 5);
    assert_true(plat_fs_read(in("five"), &buf, &err));
    assert_int_equal(buf.len, 5);
    plat_buf_done(&buf);
    plat_buf_init(&buf, 4);
    assert_false(plat_fs_read(in("five"), &buf, &err));
    assert_int_equal(err.kind, PLAT_ERR_REFUSED);
    plat_buf_done(&buf);
    plat_buf_init(&buf, 0);
    assert_false(plat_fs_read(in("five"), &buf, &err));
    put("empty", "");
    assert_true(plat_fs_read(in("empty"), &buf, &err));
    plat_buf_done(&buf);
}

static void reads_what_has_no_size(void **state)
{
    struct plat_err err = { 0 };
    struct plat_buf buf;
    int fds[2];
    char path[40];

    (void)state;
    plat_buf_init(&buf, 1 << 20);
    assert_true(plat_fs_read("/proc/self/status", &buf, &err));
    assert_non_null(memmem(plat_buf_bytes(&buf), buf.len, "VmPeak", 6));
    plat_buf_clear(&buf);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "piped", 5), 5);
    close(fds[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
    assert_true(plat_fs_read(path, &buf, &err));
    assert_int_equal(buf.len, 5);
    close(fds[0]);
    plat_buf_done(&buf);
}

static void names_what_is_missing(void **state)
{
    struct plat_err err = { 0 };
    struct plat_buf buf;

    (void)state;
    plat_buf_init(&buf, 100);
    assert_false(plat_fs_read(in("absent"), &buf, &err));
    assert_int_equal(err.kind, PLAT_ERR_IO);
    assert_int_equal(err.code, ENOENT);
    assert_non_null(strstr(err.msg, "absent\": no such file"));
    assert_false(plat_fs_read(root, &buf, &err));
    assert_int_equal(err.code, EISDIR);
    plat_buf_done(&buf);
}

static void replaces_atomically_and_keeps_the_mode(void **state)
{
    struct plat_err err = { 0 };
    struct plat_buf names;

    (void)state;
    put("dir", "old");
    assert_int_equal(chmod(in("dir"), 0640), 0);
    put("dir", "new");
    has("dir", "new");
    assert_int_equal(mode_of("dir"), 0640);
    assert_true(plat_fs_write(in("secret"), "s", 1, PLAT_FS_ATOMIC, 0600, true, &err));
    assert_int_equal(mode_of("secret"), 0600);
    assert_true(plat_fs_write(in("script"), "s", 1, PLAT_FS_REPLACE, 0755, true, &err));
    assert_int_equal(mode_of("script"), 0755);
    plat_buf_init(&names, 1000);
    assert_true(plat_fs_list(root, &names, &err));
    assert_null(memmem(plat_buf_bytes(&names), names.len, ".dir.", 5)); /* no temporary stays */
    plat_buf_done(&names);
}

static void writes_through_a_link(void **state)
{
    struct plat_fs_stat st;
    struct plat_err err;

    (void)state;
    put("target", "old");
    assert_int_equal(symlink("target", in("link")), 0);
    put("link", "new");
    has("target", "new");
    assert_true(plat_fs_stat(in("link"), false, &st, &err));
    assert_string_equal(st.type, "link");
}

static void failed_write_leaves_the_old_file(void **state)
{
    struct plat_err err = { 0 };

    (void)state;
    assert_false(plat_fs_write(in("none/file"), "x", 1, PLAT_FS_ATOMIC, 0600, true, &err));
    assert_int_equal(err.code, ENOENT);
    assert_true(plat_fs_mkdir(in("full"), 0700, false, &err));
    assert_false(plat_fs_write(in("full"), "x", 1, PLAT_FS_ATOMIC, 0600, true, &err));
    assert_int_equal(err.code, EISDIR);
}

static void lists_sorted(void **state)
{
    static const char want[] = ".hidden\0B\0a\0b";
    struct plat_err err = { 0 };
    struct plat_buf names;

    (void)state;
    assert_true(plat_fs_mkdir(in("l"), 0700, false, &err));
    put("l/b", "");
    put("l/a", "");
    put("l/B", "");
    put("l/.hidden", "");
    plat_buf_init(&names, 1000);
    assert_true(plat_fs_list(in("l"), &names, &err));
    assert_int_equal(names.len, sizeof(want));
    assert_memory_equal(plat_buf_bytes(&names), want, sizeof(want));
    plat_buf_done(&names);
    plat_buf_init(&names, 3);
    assert_false(plat_fs_list(in("l"), &names, &err));
    plat_buf_done(&names);
}

static void makes_parents(void **state)
{
    struct plat_err err = { 0 };

    (void)state;
    assert_false(plat_fs_mkdir(in("p/q/r"), 0700, false, &err));
    assert_true(plat_fs_mkdir(in("p/q/r/"), 0700, true, &err));
    assert_int_equal(mode_of("p/q/r"), 0700);
    assert_true(plat_fs_mkdir(in("p/q/r"), 0700, true, &err));
    put("p/file", "");
    assert_false(plat_fs_mkdir(in("p/file"), 0700, true, &err));
    assert_false(plat_fs_mkdir(in("p/file/x"), 0700, true, &err));
}

static void removes_trees_but_follows_no_link(void **state)
{
    struct plat_err err = { 0 };

    (void)state;
    assert_true(plat_fs_mkdir(in("keep"), 0700, false, &err));
    put("keep/precious", "x");
    assert_true(plat_fs_mkdir(in("t/u/v"), 0700, true, &err));
    put("t/u/v/file", "x");
    assert_int_equal(symlink("../keep", in("t/link")), 0);
    assert_false(plat_fs_remove(in("t"), false, &err));
    assert_int_equal(err.code, ENOTEMPTY);
    assert_true(plat_fs_remove(in("t"), true, &err));
    assert_int_not_equal(access(in("t"), F_OK), 0);
    has("keep/precious", "x");
    assert_false(plat_fs_remove(in("t"), true, &err));
    assert_int_equal(err.code, ENOENT);
}

static void refuses_dangerous_removals(void **state)
{
    static const char *const paths[] = { "/", "//", "", ".", "..", "./", "/tmp/..", "x/../" };

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        struct plat_err err = { 0 };
        assert_false(plat_fs_remove(paths[i], true, &err));
        assert_int_equal(err.kind, PLAT_ERR_REFUSED);
    }
}

static void appends_and_reserves(void **state)
{
    struct plat_err err = { 0 };
    int64_t size;
    int fd = plat_fs_append_open(in("log"), 0600, &err);

    (void)state;
    assert_true(fd >= 0);
    assert_true(plat_fs_append(fd, "one\n", 4, &err));
    assert_true(plat_fs_reserve(fd, 4096, &err));
    assert_true(plat_fs_size(fd, &size, &err));
    assert_int_equal(size, 4);
    assert_true(plat_fs_append(fd, "two\n", 4, &err));
    assert_true(plat_fs_sync(fd, &err));
    has("log", "one\ntwo\n");
    assert_true(plat_fs_truncate(fd, 4, &err));
    assert_true(plat_fs_append(fd, "x", 1, &err));
    has("log", "one\nx");
    close(fd);
}

static void says_who_holds_a_lock(void **state)
{
    struct plat_err err = { 0 };
    char holder[64];
    int fd = plat_fs_lock(in("lock"), "run 17, pid 4711\n", holder, sizeof(holder), &err);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(plat_fs_lock(in("lock"), "me", holder, sizeof(holder), &err), -1);
    assert_int_equal(err.kind, PLAT_ERR_REFUSED);
    assert_string_equal(holder, "run 17, pid 4711");
    assert_non_null(strstr(err.msg, "held by run 17"));
    has("lock", "run 17, pid 4711\n"); /* the loser wrote nothing */
    close(fd);
    fd = plat_fs_lock(in("lock"), "run 18\n", holder, sizeof(holder), &err);
    assert_true(fd >= 0);
    has("lock", "run 18\n"); /* nothing of the longer text is left */
    close(fd);
    fd = plat_fs_lock(in("lock"), NULL, holder, sizeof(holder), &err);
    assert_true(fd >= 0);
    has("lock", "run 18\n");
    close(fd);
}

static void a_dead_process_holds_no_lock(void **state)
{
    struct plat_err err = { 0 };
    char holder[64];
    int fd, status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(plat_fs_lock(in("dead"), "ghost", holder, sizeof(holder), &err) >= 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    fd = plat_fs_lock(in("dead"), NULL, holder, sizeof(holder), &err);
    assert_true(fd >= 0);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_up_to_the_ceiling),
        cmocka_unit_test(reads_what_has_no_size),
        cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(replaces_atomically_and_keeps_the_mode),
        cmocka_unit_test(writes_through_a_link),
        cmocka_unit_test(failed_write_leaves_the_old_file),
        cmocka_unit_test(lists_sorted),
        cmocka_unit_test(makes_parents),
        cmocka_unit_test(removes_trees_but_follows_no_link),
        cmocka_unit_test(refuses_dangerous_removals),
        cmocka_unit_test(appends_and_reserves),
        cmocka_unit_test(says_who_holds_a_lock),
        cmocka_unit_test(a_dead_process_holds_no_lock),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
