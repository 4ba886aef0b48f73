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
        "{ kernel = \"k\"; architecture = \"GFX9*\"; parameters = { x = 4; }; }",
        "{ kernel = \"k\"; architecture = \"gfx90a\"; parameters = { x = 5; }; }",
        "{ kernel = \"k\"; device = \"mi210\"; parameters = { x = 6; }; }",
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
                               "{ kernel = \"k\"; architecture = \"gfx11*\"; parameters = { x = 5; }; },"
                               "{ kernel = \"k\"; device = \"MI300\"; parameters = { x = 4; }; });";
    g_autoptr(MaxglTuning) tuning = load(&gpu, text, NULL);
    assert_non_null(tuning);
    assert_int_equal(maxgl_tuning_int(tuning, "k", NULL, "x", -1), -1);
    assert_false(maxgl_tuning_knows_architecture(tuning));
}

/* Only what was measured makes a device a known one. */
static void test_modelled_entries_are_no_knowledge(void **state)
{
    static const struct {
        const char *entry;
        gboolean knows;
    } cases[] = {
        {"architecture = \"gfx90a\"; note = \"modelled: 3 waves a SIMD\";", FALSE},
        {"architecture = \"gfx9*\"; note = \"modelled\";", FALSE},
        {"architecture = \"gfx90a\"; note = \"measured, ROCm 6.2\";", TRUE},
        {"architecture = \"gfx9*\";", TRUE},
        {"device = \"MI210\";", TRUE},
        {"vendor = \"amd\";", FALSE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("entries = ({ kernel = \"k\"; %s parameters = { x = 1; }; });", cases[i].entry);
        g_autoptr(MaxglTuning) tuning = load(&gpu, text, NULL);
        assert_non_null(tuning);
        assert_int_equal(maxgl_tuning_int(tuning, "k", NULL, "x", -1), 1);
        assert_int_equal(maxgl_tuning_knows_architecture(tuning), cases[i].knows);
    }
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

static void test_what_is_tried_wins(void **state)
{
    g_autoptr(MaxglTuning) tuning = load(
        &gpu, "entries = ({ kernel = \"k\"; device = \"MI210\"; parameters = { x = 1; y = 2; }; });", NULL);
    maxgl_tuning_try(tuning, "k", "w7", "x", "5");
    maxgl_tuning_try(tuning, "k", NULL, "word", "abc");
    assert_int_equal(maxgl_tuning_int(tuning, "k", "w7", "x", -1), 5);
    assert_int_equal(maxgl_tuning_int(tuning, "k", "w14", "x", -1), 1);
    assert_int_equal(maxgl_tuning_int(tuning, "k", "w7", "y", -1), 2);
    assert_string_equal(maxgl_tuning_string(tuning, "k", "w7", "word", ""), "abc");
    maxgl_tuning_try(tuning, "k", "w7", "x", "6");
    assert_int_equal(maxgl_tuning_int(tuning, "k", "w7", "x", -1), 6);
    g_autoptr(GPtrArray) tried = maxgl_tuning_tried(tuning);
    assert_int_equal(tried->len, 2);
    maxgl_tuning_try(tuning, "k", "w7", "x", NULL);
    assert_int_equal(maxgl_tuning_int(tuning, "k", "w7", "x", -1), 1);
    g_autoptr(GPtrArray) left = maxgl_tuning_tried(tuning);
    assert_int_equal(left->len, 1);
    const MaxglTuningSetting *setting = g_ptr_array_index(left, 0);
    assert_string_equal(setting->value, "abc");
    assert_null(setting->shape);
}

static void test_answers_say_where_they_are_from(void **state)
{
    g_autoptr(MaxglTuning) tuning = load(&gpu,
                                         "entries = (\n{ kernel = \"k\"; parameters = { x = 1; }; },\n"
                                         "{ kernel = \"k\"; shape = \"w7\"; parameters = { x = 2; }; });",
                                         NULL);
    g_autoptr(GPtrArray) answers = maxgl_tuning_answers_new();
    maxgl_tuning_watch(tuning, answers);
    for (int i = 0; i < 2; i++) { /* the same again is no news */
        assert_int_equal(maxgl_tuning_int(tuning, "k", "w7", "x", 9), 2);
        assert_int_equal(maxgl_tuning_int(tuning, "k", NULL, "x", 9), 1);
        assert_int_equal(maxgl_tuning_int(tuning, "k", "w7", "z", 9), 9);
    }
    maxgl_tuning_watch(tuning, NULL);
    maxgl_tuning_int(tuning, "k", "w7", "unheard", 9);
    assert_int_equal(answers->len, 3);
    const MaxglTuningAnswer *a = g_ptr_array_index(answers, 0), *b = g_ptr_array_index(answers, 1),
                            *c = g_ptr_array_index(answers, 2);
    assert_string_equal(a->value, "2");
    assert_true(g_str_has_suffix(a->source, "tuning.cfg:3"));
    assert_true(g_str_has_suffix(b->source, "tuning.cfg:2"));
    assert_null(b->shape);
    assert_string_equal(c->value, "9");
    assert_null(c->source);
}

static void test_saved_and_merged(void **state)
{
    static const MaxglDeviceInfo other = {
        .type = MAXGL_DEVICE_GPU, .vendor = MAXGL_VENDOR_AMD, .architecture = "gfx90a", .name = "MI250"};
    MaxglDeviceInfo device = gpu;
    device.platform_name = (char *)"P";
    device.driver_version = (char *)"1";
    g_autoptr(MaxglTuning) tuning =
        load(&gpu,
             "# mine\nentries = ({ kernel = \"k\"; parameters = { x = 1; y = 2; }; },\n"
             "{ kernel = \"k\"; shape = \"w7\"; device = \"MI210\"; parameters = { x = 3; z = 4; }; });",
             NULL);
    maxgl_tuning_try(tuning, "k", "w7", "x", "5");
    maxgl_tuning_try(tuning, "k", "w9", "x", "6");
    maxgl_tuning_try(tuning, "k", NULL, "word", "abc");
    g_autoptr(GPtrArray) settings = maxgl_tuning_tried(tuning);
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 2; i++) { /* the second time changes nothing */
        assert_true(maxgl_tuning_save(path, &device, settings, "by a test", &error));
        g_autofree char *text = NULL;
        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        assert_non_null(strstr(text, "by a test"));
        g_autoptr(MaxglTuning) again = maxgl_tuning_load(&gpu, &error);
        assert_non_null(again);
        assert_int_equal(maxgl_tuning_int(again, "k", "w7", "x", -1), 5);
        assert_int_equal(maxgl_tuning_int(again, "k", "w7", "z", -1), 4);
        assert_int_equal(maxgl_tuning_int(again, "k", "w9", "x", -1), 6);
        assert_int_equal(maxgl_tuning_int(again, "k", "w8", "x", -1), 1);
        assert_int_equal(maxgl_tuning_int(again, "k", "w8", "y", -1), 2);
        assert_string_equal(maxgl_tuning_string(again, "k", "w8", "word", ""), "abc");
        g_autoptr(MaxglTuning) elsewhere = maxgl_tuning_load(&other, &error);
        assert_int_equal(maxgl_tuning_int(elsewhere, "k", "w7", "x", -1), 1);
        int entries = 0;
        for (const char *at = text; (at = strstr(at, "kernel = ")); at++)
            entries++;
        assert_int_equal(entries, 4);
    }
    assert_true(g_file_set_contents(path, "entries = (", -1, NULL));
    assert_false(maxgl_tuning_save(path, &device, settings, "by a test", &error));
    assert_int_equal(error->code, MAXGL_ERROR_FORMAT);
    assert_non_null(strstr(error->message, "tuning.cfg:1"));
    g_autofree char *left = NULL;
    assert_true(g_file_get_contents(path, &left, NULL, NULL));
    assert_string_equal(left, "entries = (");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_the_closest_entry_wins),
        TEST(test_entries_of_others_do_not_count),
        TEST(test_modelled_entries_are_no_knowledge),
        TEST(test_the_later_of_equals),
        TEST(test_the_user_comes_first),
        TEST(test_what_is_wrong_is_named),
        TEST(test_what_is_tried_wins),
        TEST(test_answers_say_where_they_are_from),
        TEST(test_saved_and_merged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
