#include "base/file.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* The linker sends every fsync() and rename() of this program here, so that the disk can be full exactly
 * then. */
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

static int fsync_failure, rename_failure, fsync_calls;

int __wrap_fsync(int fd)
{
    fsync_calls++;
    if (!fsync_failure)
        return __real_fsync(fd);
    errno = fsync_failure;
    return -1;
}

int __wrap_rename(const char *from, const char *to)
{
    if (!rename_failure)
        return __real_rename(from, to);
    errno = rename_failure;
    return -1;
}

typedef struct {
    char *folder, *path;
    GError *error;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->folder = g_dir_make_tmp("maxgl-file-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "model.bin", NULL);
    fsync_failure = rename_failure = fsync_calls = 0;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    g_clear_error(&fixture->error);
    g_unlink(fixture->path);
    int left = g_rmdir(fixture->folder); /* fails if a temporary file is left */
    g_free(fixture->path);
    g_free(fixture->folder);
    g_free(fixture);
    return left;
}

static void assert_contents(const char *path, const char *expected)
{
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, expected);
}

static guint count_files(const char *folder)
{
    guint n = 0;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    while (g_dir_read_name(dir))
        n++;
    return n;
}

static void assert_message(const Fixture *fixture, const char *rest)
{
    g_autofree char *expected = g_strdup_printf("%s: cannot write: %s", fixture->path, rest);
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_IO));
    assert_string_equal(fixture->error->message, expected);
}

static void test_commit(void **state)
{
    Fixture *fixture = *state;
    MaxglFile *file = maxgl_file_create(fixture->path, &fixture->error);
    assert_non_null(file);
    assert_true(maxgl_file_write(file, "0000 ", 5, &fixture->error));
    assert_true(maxgl_file_printf(file, &fixture->error, "%s %d", "rows", 12));
    assert_true(maxgl_file_overwrite(file, 1, "99", 2, &fixture->error));
    assert_true(maxgl_file_printf(file, &fixture->error, "."));
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    assert_true(maxgl_file_commit(file, &fixture->error));
    assert_contents(fixture->path, "0990 rows 12.");
    assert_int_equal(fsync_calls, 2); /* the file and its folder */
    assert_int_equal(count_files(fixture->folder), 1);
}

static void test_replaces(void **state)
{
    Fixture *fixture = *state;
    assert_true(maxgl_file_write_atomic(fixture->path, "old and long", 12, &fixture->error));
    assert_true(maxgl_file_write_atomic(fixture->path, "new", 3, &fixture->error));
    assert_contents(fixture->path, "new");
}

static void test_abandon(void **state)
{
    Fixture *fixture = *state;
    assert_true(maxgl_file_write_atomic(fixture->path, "old", 3, &fixture->error));
    {
        g_autoptr(MaxglFile) file = maxgl_file_create(fixture->path, &fixture->error);
        assert_true(maxgl_file_write(file, "new", 3, &fixture->error));
        assert_int_equal(count_files(fixture->folder), 2);
    }
    assert_contents(fixture->path, "old");
    assert_int_equal(count_files(fixture->folder), 1);
}

static void test_two_writers(void **state)
{
    Fixture *fixture = *state;
    MaxglFile *first = maxgl_file_create(fixture->path, NULL);
    MaxglFile *second = maxgl_file_create(fixture->path, NULL);
    assert_true(maxgl_file_write(first, "first", 5, NULL));
    assert_true(maxgl_file_write(second, "second", 6, NULL));
    assert_true(maxgl_file_commit(second, NULL));
    assert_true(maxgl_file_commit(first, NULL));
    assert_contents(fixture->path, "first");
}

static void test_disk_full_at_sync(void **state)
{
    Fixture *fixture = *state;
    fsync_failure = ENOSPC;
    assert_false(maxgl_file_write_atomic(fixture->path, "new", 3, &fixture->error));
    assert_message(fixture, "No space left on device");
    g_clear_error(&fixture->error);
    assert_int_equal(count_files(fixture->folder), 0);

    fsync_failure = 0;
    assert_true(maxgl_file_write_atomic(fixture->path, "old", 3, &fixture->error));
    fsync_failure = ENOSPC;
    assert_false(maxgl_file_write_atomic(fixture->path, "new", 3, &fixture->error));
    assert_message(fixture, "No space left on device (the previous file is intact)");
    assert_contents(fixture->path, "old");
    assert_int_equal(count_files(fixture->folder), 1);
}

static void test_rename_fails(void **state)
{
    Fixture *fixture = *state;
    rename_failure = EDQUOT;
    assert_false(maxgl_file_write_atomic(fixture->path, "new", 3, &fixture->error));
    assert_message(fixture, "Disk quota exceeded");
    assert_int_equal(count_files(fixture->folder), 0);
}

/* A write that fails half-way (here at the size limit of the process) sticks until the commit. */
static void test_write_fails(void **state)
{
    Fixture *fixture = *state;
    assert_true(maxgl_file_write_atomic(fixture->path, "old", 3, &fixture->error));
    struct rlimit before, limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 65536;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    g_autofree char *data = g_malloc0(1 << 20);
    MaxglFile *file = maxgl_file_create(fixture->path, &fixture->error);
    gboolean written = maxgl_file_write(file, data, 1 << 20, &fixture->error);
    gboolean again = maxgl_file_write(file, data, 1, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(written);
    assert_message(fixture, "File too large (the previous file is intact)");
    assert_false(again);
    g_clear_error(&fixture->error);
    assert_false(maxgl_file_commit(file, &fixture->error));
    assert_message(fixture, "File too large (the previous file is intact)");
    assert_contents(fixture->path, "old");
    assert_int_equal(count_files(fixture->folder), 1);
}

static void test_no_such_folder(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->folder, "missing", "x", NULL);
    g_autofree char *expected = g_strdup_printf("%s: cannot write: No such file or directory", path);
    assert_null(maxgl_file_create(path, &fixture->error));
    assert_string_equal(fixture->error->message, expected);
    g_clear_error(&fixture->error);
    assert_null(maxgl_file_create(fixture->folder, &fixture->error));
    assert_non_null(strstr(fixture->error->message, "it is a folder"));
}

static void test_dir_ensure(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *outer = g_build_filename(fixture->folder, "a", NULL);
    g_autofree char *inner = g_build_filename(outer, "b", NULL);
    assert_true(maxgl_dir_ensure(inner, &fixture->error));
    assert_true(maxgl_dir_ensure(inner, &fixture->error));
    assert_int_equal(count_files(inner), 0);
    g_rmdir(inner);
    g_rmdir(outer);

    assert_true(maxgl_file_write_atomic(fixture->path, "x", 1, NULL));
    g_autofree char *under = g_build_filename(fixture->path, "c", NULL);
    g_autofree char *expected = g_strdup_printf("%s: cannot make this folder: Not a directory", under);
    assert_false(maxgl_dir_ensure(under, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_IO));
    assert_string_equal(fixture->error->message, expected);
}

/* /proc/self/fd can be entered but never written to, not even by root. */
static void test_dir_unwritable(void **state)
{
    Fixture *fixture = *state;
    if (!g_file_test("/proc/self/fd", G_FILE_TEST_IS_DIR))
        skip();
    assert_false(maxgl_dir_ensure("/proc/self/fd", &fixture->error));
    assert_true(g_str_has_prefix(fixture->error->message, "/proc/self/fd: cannot write in this folder: "));
}

static void test_dir_space(void **state)
{
    Fixture *fixture = *state;
    assert_true(maxgl_dir_require_space(fixture->folder, 1, &fixture->error));
    assert_false(maxgl_dir_require_space(fixture->folder, G_MAXUINT64, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_IO));
    assert_non_null(strstr(fixture->error->message, "not enough space: 17592186044416.0 MiB needed, "));
}

static void test_remove_partial(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *leftover = g_build_filename(fixture->folder, ".model.bin.77-3.partial", NULL);
    assert_true(g_file_set_contents(leftover, "half", -1, NULL));
    assert_true(maxgl_file_write_atomic(fixture->path, "whole", 5, NULL));
    maxgl_dir_remove_partial(fixture->folder);
    assert_false(g_file_test(leftover, G_FILE_TEST_EXISTS));
    assert_contents(fixture->path, "whole");
}

static void test_map(void **state)
{
    Fixture *fixture = *state;
    assert_null(maxgl_file_map(fixture->path, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
    g_clear_error(&fixture->error);
    assert_null(maxgl_file_map(fixture->folder, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_IO));
    assert_true(maxgl_file_write_atomic(fixture->path, "abc", 3, NULL));
    g_autoptr(GMappedFile) file = maxgl_file_map(fixture->path, NULL);
    assert_int_equal(g_mapped_file_get_length(file), 3);
    assert_memory_equal(g_mapped_file_get_contents(file), "abc", 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_commit),
        TEST(test_replaces),
        TEST(test_abandon),
        TEST(test_two_writers),
        TEST(test_disk_full_at_sync),
        TEST(test_rename_fails),
        TEST(test_write_fails),
        TEST(test_no_such_folder),
        TEST(test_dir_ensure),
        TEST(test_dir_unwritable),
        TEST(test_dir_space),
        TEST(test_remove_partial),
        TEST(test_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
