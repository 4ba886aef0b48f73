/* The tuning database: which entry wins, and what is said of files that cannot be read. */
#include "compute/tuning.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *folder, *path;

static int set_up(void **state)
{
    folder = g_dir_make_tmp("maxgl-tuning-XXXXXX", NULL);
    path = g_build_filename(folder, "tuning.cfg", NULL);
    return !g_setenv("MAXGL_TUNING", path, TRUE);
}

static int tear_down(void **state)
{
    g_unlink(path);
    g_rmdir(folder);
    g_free(path);
    g_free(folder);
    return 0;
}

static MaxglTuning *load(const MaxglDeviceInfo *device, const char *text, GError **error)
{
    assert_true(g_file_set_contents(path, text, -1, NULL));
    return maxgl_tuning_load(device, error);
}

static const MaxglDeviceInfo gpu = {
    .type = MAXGL_DEVICE_GPU, .vendor = MAXGL_VENDOR_AMD, .architecture = "gfx90a", .name = "MI210"};

static void test_the_closest_entry_wins(void **state)
{
    /* Worst first: each test adds the next entry, at either end of the file, and it wins. */
    static const char *const entries[] = {
        "{ kernel = \"k\"; parameters = { x = 0; only = 7; }; }",
        "{ kernel = \"k\"; shape = \"w14 *\"; parameters = { x = 1; }; }",
        "{ kernel = \"k\"; type = \"GPU\"; parameters = { x = 2; }; }",
        "{ kernel = \"k\"; vendor = \"AMD\"; parameters = { x = 3; }; }",
        "{ kernel = \"k\"; architecture = \"gfx90a\"; parameters = { x = 4; }; }",
        "{ kernel = \"k\"; device = \"mi210\"; parameters = { x = 5; }; }",
    };
    for (int front = 0; front < 2; front++) {
        g_autofree char *list = g_strdup("{ kernel = \"other\"; parameters = { x = 99; }; }");
        for (int i = 0; i < (int)G_N_ELEMENTS(entries); i++) {
            char *longer =
                front ? g_strconcat(entries[i], ",", list, NULL) : g_strconcat(list, ",", entries[i], NULL);
            g_free(list);
            list = longer;
            g_autofree char *text = g_strdup_printf("entries = (%s);", list);
            g_autoptr(MaxglTuning) tuning = load(&gpu, text, NULL);
            assert_non_null(tuning);
            assert_int_equal(maxgl_tuning_int(tuning, "k", "w14 h14", "x", -1), i);
            assert_int_equal(maxgl_tuning_int(tuning, "k", "w7 h7", "x", -1), i == 1 ? 0 : i);
            assert_int_equal(maxgl_tuning_int(tuning, "k", NULL, "only", -1), 7); /* nobody else sets it */
            assert_int_equal(maxgl_tuning_int(tuning, "k", NULL, "none", -1), -1);
            assert_int_equal(maxgl_tuning_int(tuning, "nobody", NULL, "x", -2), -2);
        }
    }
}

static void test_entries_of_others_do_not_count(void **state)
{
    static const char text[] = "entries = ({ kernel = \"k\"; type = \"CPU\"; parameters = { x = 1; }; },"
                               "{ kernel = \"k\"; vendor = \"nvidia\"; parameters = { x = 2; }; },"
                               "{ kernel = \"k\"; architecture = \"sm_90\"; parameters = { x = 3; }; },"
                               "{ kernel = \"k\"; device = \"MI300\"; parameters = { x = 4; }; });";
    g_autoptr(MaxglTuning) tuning = load(&gpu, text, NULL);
    assert_non_null(tuning);
    assert_int_equal(maxgl_tuning_int(tuning, "k", NULL, "x", -1), -1);
    assert_false(maxgl_tuning_knows_architecture(tuning));
}

static void test_the_later_of_equals(void **state)
{
    static const char text[] = "entries = ({ kernel = \"k\"; parameters = { x = 1; word = \"a\"; }; },"
                               "{ kernel = \"k\"; parameters = { x = 2; word = \"b\"; }; });";
    g_autoptr(MaxglTuning) tuning = load(&gpu, text, NULL);
    assert_int_equal(maxgl_tuning_int(tuning, "k", NULL, "x", -1), 2);
    assert_string_equal(maxgl_tuning_string(tuning, "k", NULL, "word", ""), "b");
}

/* The user's word against a shipped one that fits more closely. */
static void test_the_user_comes_first(void **state)
{
    static const MaxglDeviceInfo cpu = {
        .type = MAXGL_DEVICE_CPU, .vendor = MAXGL_VENDOR_POCL, .architecture = "avx512", .name = "EPYC"};
    g_autoptr(MaxglTuning) shipped = load(&cpu, "", NULL);
    assert_true(maxgl_tuning_knows_architecture(shipped));
    assert_int_equal(maxgl_tuning_int(shipped, "layout", NULL, "block", -1), 16);
    g_autoptr(MaxglTuning) tuning =
        load(&cpu, "entries = ({ kernel = \"layout\"; parameters = { block = 4; }; });", NULL);
    assert_int_equal(maxgl_tuning_int(tuning, "layout", NULL, "block", -1), 4);
    assert_int_equal(maxgl_tuning_int(tuning, "layout", NULL, "input_block", -1), 1);
}

static void test_what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"entries = (\n{ kernel = ; });", "tuning.cfg:2: "},
        {"entries = (\n\n{ parameters = { x = 1; }; });", "tuning.cfg:3: a tuning entry needs kernel"},
        {"entries = ({ kernel = \"k\"; parameters = {\nx = 1.5; }; });",
         "tuning.cfg:2: parameter x must be a whole number or a word"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        assert_null(load(&gpu, cases[i].text, &error));
        assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
        assert_non_null(strstr(error->message, cases[i].message));
    }
    g_autoptr(GError) error = NULL;
    g_unlink(path);
    assert_null(maxgl_tuning_load(&gpu, &error)); /* named in the environment, so it must be there */
    assert_non_null(strstr(error->message, "tuning.cfg"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_closest_entry_wins), TEST(test_entries_of_others_do_not_count),
        TEST(test_the_later_of_equals),    TEST(test_the_user_comes_first),
        TEST(test_what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
