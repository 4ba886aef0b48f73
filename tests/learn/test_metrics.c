#include "learn/metrics.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const values[] = {"loss", "mi", NULL};

#define HEADER "step,epoch,loss,mi,lr,clips_per_s,waiting\n"

typedef struct {
    char *folder, *path;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->folder = g_dir_make_tmp("maxgl-metrics-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "metrics.csv", NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    g_unlink(fixture->path);
    g_rmdir(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->folder);
    g_free(fixture);
    return 0;
}

static void add(MaxglMetrics *metrics, gint64 step)
{
    const MaxglMetricsRow row = {step, 1, 0.001, 123.45, 0.25};
    const double numbers[] = {-1.5, 0.75};
    assert_true(maxgl_metrics_add(metrics, &row, numbers, NULL));
}

static char *contents(const Fixture *fixture)
{
    char *text = NULL;
    assert_true(g_file_get_contents(fixture->path, &text, NULL, NULL));
    return text;
}

/* Opens the file as a run resumed after step @last does, adds a row, and returns what is in it then. */
static char *resumed(const Fixture *fixture, const char *before, gint64 last)
{
    assert_true(g_file_set_contents(fixture->path, before, -1, NULL));
    g_autoptr(MaxglMetrics) metrics = maxgl_metrics_open(fixture->path, values, last, NULL);
    assert_non_null(metrics);
    add(metrics, last + 1);
    return contents(fixture);
}

static void test_rows(void **state)
{
    Fixture *fixture = *state;
    MaxglMetrics *metrics = maxgl_metrics_open(fixture->path, values, 0, NULL);
    assert_non_null(metrics);
    add(metrics, 10);
    /* Visible at once, for whoever watches the run. */
    g_autofree char *text = contents(fixture);
    assert_string_equal(text, HEADER "10,1,-1.5,0.75,0.001,123.5,0.250\n");
    maxgl_metrics_close(metrics);
}

static void test_resume_keeps_the_past_and_nothing_else(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *text =
        resumed(fixture, HEADER "10,1,1,2,3,4,5\n20,1,1,2,3,4,5\n30,2,1,2,3,4,5\n40,2,1,2", 20);
    assert_string_equal(text, HEADER "10,1,1,2,3,4,5\n20,1,1,2,3,4,5\n21,1,-1.5,0.75,0.001,123.5,0.250\n");
}

static void test_torn_rows_go(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *text = resumed(fixture, HEADER "10,1,1,2,3,4,5\n20,1\nx\n15,1,1,2,3,4,5", 20);
    assert_string_equal(text, HEADER "10,1,1,2,3,4,5\n21,1,-1.5,0.75,0.001,123.5,0.250\n");
    g_autofree char *foreign = resumed(fixture, "a,b\n1,2\n", 20);
    assert_string_equal(foreign, HEADER "21,1,-1.5,0.75,0.001,123.5,0.250\n");
}

static void test_unwritable(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(fixture->folder, "missing", "metrics.csv", NULL);
    assert_null(maxgl_metrics_open(path, values, 0, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_IO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resume_keeps_the_past_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_torn_rows_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unwritable, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
