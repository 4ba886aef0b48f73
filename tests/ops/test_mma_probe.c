/* Trying matrix units in a process of its own, with units that are worked out by ordinary arithmetic. */
#include "ops/mma_probe.h"

#include "base/file.h"
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    char *folder, *tuning, *probe;
    MaxglContext *context;
    GString *log;
} Fixture;

static GLogWriterOutput keep_log(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer data)
{
    (void)level;
    for (gsize i = 0; i < n; i++)
        if (g_str_equal(fields[i].key, "MESSAGE"))
            g_string_append_printf((GString *)data, "%s\n", (const char *)fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

static GString *logged;

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    GError *error = NULL;
    f->folder = g_dir_make_tmp("maxgl-XXXXXX", &error);
    assert_non_null(f->folder);
    f->tuning = g_build_filename(f->folder, "tuning.cfg", NULL);
    assert_true(g_file_set_contents(
        f->tuning,
        "entries = ({ kernel = \"mma\"; parameters = { emulate = \"sm_80\"; }; },\n"
        "{ kernel = \"conv3d_mma\"; parameters = { WM = 32; WN = 32; TM = 32; TN = 64; }; });\n",
        -1, NULL));
    f->probe = g_strdup(g_getenv("MAXGL_PROBE"));
    assert_non_null(f->probe);
    g_setenv("MAXGL_TUNING", f->tuning, TRUE);
    g_string_truncate(logged, 0);
    f->context = maxgl_context_open(NULL, &error);
    assert_non_null(f->context);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    maxgl_context_close(f->context);
    g_setenv("MAXGL_PROBE", f->probe, TRUE);
    g_unlink(f->tuning);
    g_rmdir(f->folder);
    g_free(f->folder);
    g_free(f->tuning);
    g_free(f->probe);
    g_free(f);
    return 0;
}

/* A family of the same name whose answer is in no cache. */
static MaxglMma family_called(const char *name)
{
    return (MaxglMma){.name = name};
}

static char *script(const Fixture *f, const char *text)
{
    char *path = g_build_filename(f->folder, "probe", NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
    assert_int_equal(g_chmod(path, 0700), 0);
    g_setenv("MAXGL_PROBE", path, TRUE);
    return path;
}

static void test_right(void **state)
{
    const Fixture *f = *state;
    const MaxglMma family = family_called("right");
    assert_true(maxgl_mma_is_right(f->context, &family, MAXGL_FACTORS_BF16));
    assert_string_equal(logged->str, "");
    /* The answer is kept: the program is not needed for it any more. */
    g_setenv("MAXGL_PROBE", "/nonexistent", TRUE);
    assert_true(maxgl_mma_is_right(f->context, &family, MAXGL_FACTORS_BF16));
    assert_false(maxgl_mma_is_right(f->context, &family, MAXGL_FACTORS_FP16));
    assert_non_null(strstr(logged->str, "are not used for fp16"));
}

static void test_wrong(void **state)
{
    const Fixture *f = *state;
    const MaxglMma family = family_called("wrong");
    g_autofree char *path = script(f, "#!/bin/sh\necho 'wrong results (forward)'\nexit 1\n");
    assert_false(maxgl_mma_is_right(f->context, &family, MAXGL_FACTORS_BF16));
    assert_non_null(strstr(logged->str, "not used for bf16: wrong results (forward); to try again, remove "));
    g_unlink(path);
}

static void test_crash(void **state)
{
    const Fixture *f = *state;
    const MaxglMma family = family_called("crash");
    g_autofree char *path = script(f, "#!/bin/sh\nkill -SEGV $$\n");
    assert_false(maxgl_mma_is_right(f->context, &family, MAXGL_FACTORS_BF16));
    assert_non_null(strstr(logged->str, "the driver crashed (Segmentation fault)"));
    g_unlink(path);
}

static void remove_folder(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        if (g_unlink(inside) != 0)
            remove_folder(inside);
    }
    g_rmdir(path);
}

/* Units that the device does not have, and numbers that its units do not multiply. */
static void test_try(void **state)
{
    const Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    assert_true(maxgl_mma_try(f->context, MAXGL_FACTORS_TF32, &error));
    assert_false(maxgl_mma_try(f->context, MAXGL_FACTORS_FP32, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_right, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_try, setup, teardown),
    };
    g_autofree char *cache = g_dir_make_tmp("maxgl-cache-XXXXXX", NULL);
    g_setenv("MAXGL_CACHE_DIR", cache, TRUE);
    logged = g_string_new(NULL);
    g_log_set_writer_func(keep_log, logged, NULL);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    g_string_free(logged, TRUE);
    remove_folder(cache);
    return failed;
}
