/* The report: well-formed, complete, and in need of nothing else. */
#include "eval/report.h"
#include "tiny_model.h"

#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char run_json[] =
    "{\"network\": \"r3d-vcop@0.25\", \"parameters\": 1151282, \"gmac_per_clip\": 0.0616, \"data\": \"a <b> "
    "& c\","
    " \"videos\": 12, \"seed\": 7, \"steps\": 30, \"step\": 30, \"state\": \"finished\", \"sessions\": [{"
    "\"started\": \"2026-01-31T12:34:56Z\", \"version\": \"9.8.7\", \"seconds\": 125.4, \"device\": "
    "{\"name\": "
    "\"Test Device\", \"platform\": \"P\", \"driver\": \"1\", \"compute_units\": 2}}]}";
static const char linear_json[] = "{\"protocol\": \"linear\", \"data\": "
                                  "\"synth:videos=6,test=2,test_new=0\", \"clips\": 10, \"train_split\": "
                                  "\"train\", \"splits\": {\"train\": {\"videos\": 6}}, \"results\": "
                                  "[{\"label\": \"motion\", \"split\": \"test\", "
                                  "\"classes\": 2, \"chance\": 0.5, \"networks\": {\"trained\": "
                                  "{\"accuracy\": 0.987, \"videos\": 2}, \"random\": "
                                  "{\"accuracy\": 0.25, \"videos\": 2}}, \"class_names\": [\"a\", \"<b>\"], "
                                  "\"confusion\": [[31, 1], [0, 42]]}]}";
static const char retrieval_json[] = "{\"protocol\": \"retrieval\", \"data\": "
                                     "\"synth:videos=6,test=2,test_new=0\", \"clips\": 10, \"train_split\": "
                                     "\"train\", \"splits\": {\"train\": {\"videos\": 6}}, \"sample_split\": "
                                     "\"test\", \"results\": [{\"label\": "
                                     "\"motion\", \"split\": \"test\", \"queries\": 2, \"chance\": {\"1\": "
                                     "0.125}, \"networks\": {\"trained\": "
                                     "{\"recall\": {\"1\": 0.765, \"5\": 0.8, \"10\": 0.9, \"20\": 1, "
                                     "\"50\": 1}}}}], \"samples\": [{\"path\": "
                                     "\"test/00001\", \"labels\": {\"motion\": \"up\"}, \"hits\": "
                                     "[{\"path\": \"train/00003\", \"labels\": {\"motion\": "
                                     "\"up\"}, \"similarity\": 0.9}, {\"path\": \"train/99999\", \"labels\": "
                                     "{\"motion\": \"down\"}, \"similarity\": "
                                     "0.8}]}]}";

static MaxglReportOptions options;

static void write_file(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(options.run, name, NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int set_up(void **state)
{
    options = (MaxglReportOptions){
        .run = tiny_folder_new(),
        .data = "synth:videos=6,test=2,test_new=0",
        .split = "train",
        .clip = {.frames = 8, .stride = 1, .short_policy = MAXGL_SHORT_LOOP},
        .clips_per_video = 2,
        .size = 32,
        .global_bound = 3.4657,
    };
    maxgl_augmentation_init(&options.augmentation);
    return 0;
}

static int tear_down(void **state)
{
    tiny_folder_remove((char *)options.run);
    return 0;
}

/* Every test begins with a whole run. */
static int fill(void **state)
{
    g_autoptr(GString) metrics = g_string_new("step,epoch,loss,global_mi,local_mi,lr,clips_per_s,waiting\n");
    for (int i = 1; i <= 30; i++)
        g_string_append_printf(metrics, "%d,1,%.3f,%.3f,0,0.001,100,0.05\n", 10 * i, 3.0 / i, 3 - 3.0 / i);
    write_file("metrics.csv", metrics->str);
    write_file("run.json", run_json);
    write_file("recipe.cfg", "train = { batch = 32; }; # <&>\n");
    write_file("eval-linear.json", linear_json);
    write_file("eval-retrieval.json", retrieval_json);
    return 0;
}

static char *make(void)
{
    g_autoptr(GError) error = NULL;
    char *page = maxgl_report_make(&options, &error);
    if (!page)
        fail_msg("%s", error->message);
    return page;
}

static void assert_contains(const char *page, const char *part)
{
    if (!strstr(page, part))
        fail_msg("the page lacks \"%s\"", part);
}

static guint count(const char *page, const char *part)
{
    guint n = 0;
    for (const char *at = page; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* The page is XML too, which a parser that knows no HTML can check. */
static void assert_well_formed(const char *page)
{
    g_autoptr(GError) error = NULL;
    const GMarkupParser nothing = {0};
    g_autoptr(GMarkupParseContext) parser = g_markup_parse_context_new(&nothing, 0, NULL, NULL);
    if (!g_markup_parse_context_parse(parser, page, -1, &error) ||
        !g_markup_parse_context_end_parse(parser, &error))
        fail_msg("%s", error->message);
}

static void whole_page(void **state)
{
    g_autofree char *page = make();
    assert_well_formed(page);
    assert_contains(page, "98.7&#160;%");
    assert_contains(page, "2 min 05 s");
    assert_contains(page, "2026-01-31 12:34 UTC");
    assert_contains(page, "Test Device");
    assert_contains(page, "12 of a &lt;b&gt; &amp; c");
    assert_contains(page, "<th>&lt;b&gt;</th>");
    assert_contains(page, "upper bound 3.47");
    assert_contains(page, "Global-MI");
    assert_contains(page, "0.765");
    assert_contains(page, "# &lt;&amp;&gt;");
    assert_int_equal(count(page, "<svg "), 5); /* Local-MI was switched off */
    /* Two clips of each of six training videos, a query and a hit; the other hit is gone. */
    assert_int_equal(count(page, "data:image/png;base64,"), 14);
    assert_contains(page, "not in the data any more");
    assert_contains(page, "<div class=\"hit right\">");
    assert_contains(page, "<div class=\"hit wrong\">");
}

static void needs_nothing_else(void **state)
{
    g_autofree char *page = make();
    static const char *const reaching_out[] = {
        "http:", "https:", "src=", "href=", "@import", "<script", "<link"};
    for (guint i = 0; i < G_N_ELEMENTS(reaching_out); i++)
        if (strstr(page, reaching_out[i]))
            fail_msg("the page has \"%s\"", reaching_out[i]);
    assert_int_equal(count(page, "url("), count(page, "url(data:image/png;base64,"));
}

/* The pictures are PNGs of eight frames of 32×32. */
static void pictures(void **state)
{
    g_autofree char *page = make();
    const char *base64 = strstr(page, "base64,") + strlen("base64,");
    g_autofree char *text = g_strndup(base64, strcspn(base64, ")"));
    gsize length;
    g_autofree guchar *png = g_base64_decode(text, &length);
    static const guchar signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    assert_true(length > 100);
    assert_memory_equal(png, signature, sizeof signature);
    const guchar size[] = {0, 0, 1, 0, 0, 0, 0, 32}; /* 256 × 32 in the header */
    assert_memory_equal(png + 16, size, sizeof size);
    assert_contains(page, "--n:8;--w:32;--h:32;--t:0.80");
}

static void parts_that_are_missing(void **state)
{
    g_autofree char *recipe = g_build_filename(options.run, "recipe.cfg", NULL);
    write_file("eval-broken.json", "{\"protocol\": \"linear\", \"results\": [3]}");
    write_file("eval-other.json", "not JSON");
    MaxglReportOptions without = options;
    without.data = "no such folder";
    g_autoptr(GError) error = NULL;
    g_autofree char *page = maxgl_report_make(&without, &error);
    if (!page)
        fail_msg("%s", error->message);
    assert_well_formed(page);
    assert_contains(page, "Training clips: cannot be shown (no such folder");
    assert_int_equal(count(page, "data:image/png;base64,"), 2); /* the results have data of their own */
    without.device = "no such device";
    without.data = options.data;
    g_autofree char *blind = maxgl_report_make(&without, &error);
    assert_non_null(blind);
    assert_contains(blind, "Pictures: cannot be shown");
    assert_well_formed(blind);
}

static void refusals(void **state)
{
    g_autoptr(GError) error = NULL;
    MaxglReportOptions nothing = {.run = "no such run"};
    assert_null(maxgl_report_make(&nothing, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
    g_clear_error(&error);
    write_file("metrics.csv", "step,epoch,loss\n1,1,2\n2,1,x\n3,1,1\n");
    assert_null(maxgl_report_make(&options, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "metrics.csv:3:"));
    /* A row that a killed run did not finish is no damage. */
    write_file("metrics.csv", "step,epoch,loss\n1,1,2\n2,1,1.5\n3,1");
    g_autofree char *page = make();
    assert_int_equal(count(page, "<svg "), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whole_page, fill), cmocka_unit_test_setup(needs_nothing_else, fill),
        cmocka_unit_test_setup(pictures, fill),   cmocka_unit_test_setup(parts_that_are_missing, fill),
        cmocka_unit_test_setup(refusals, fill),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
