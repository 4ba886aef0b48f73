#include "base/progress.h"
#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    g_setenv("TERM", "xterm", TRUE);
    g_setenv("NO_COLOR", "1", TRUE);
    return 0;
}

static void expect_render(const char *expected, gint64 done, gint64 total, double elapsed, double remaining,
                          const char *metrics, int columns, gboolean utf8)
{
    g_autofree char *line =
        maxgl_progress_render("epoch 1/2", done, total, elapsed, remaining, metrics, columns, utf8);
    assert_string_equal(line, expected);
    assert_true(g_utf8_strlen(line, -1) <= columns);
}

static void test_render(void **state)
{
    expect_render("epoch 1/2  [####----]  5/10  loss 1.5  10 s left", 5, 10, 9, 10, "loss 1.5", 50, FALSE);
    expect_render("epoch 1/2  ▕████    ▏  5/10  loss 1.5  10 s left", 5, 10, 9, 10, "loss 1.5", 50, TRUE);
    /* 1/16 of eight columns is the half of one. */
    expect_render("epoch 1/2  ▕▌       ▏  5/80  loss 1.5  10 s left", 5, 80, 9, 10, "loss 1.5", 50, TRUE);
    expect_render("epoch 1/2  [--------]  0/10  0 s", 0, 10, 0, -1, "", 34, FALSE);
    expect_render("epoch 1/2  [########]  10/10  2:05", 10, 10, 125, -1, "", 36, FALSE);
    expect_render("epoch 1/2  [########]  12/10  2:05", 12, 10, 125, -1, "", 36, FALSE);
}

static void test_render_total_unknown(void **state)
{
    expect_render("epoch 1/2  7  clips  3 s", 7, 0, 3, -1, "clips", 80, TRUE);
}

static void test_render_narrow(void **state)
{
    /* No room for a bar; then not even for the text. */
    expect_render("epoch 1/2  5/10  loss 1.5  10 s left", 5, 10, 9, 10, "loss 1.5", 40, FALSE);
    expect_render("epoch 1/2  5/10  l...", 5, 10, 9, 10, "loss 1.5", 21, FALSE);
    expect_render("epoch 1/2  5/10  los…", 5, 10, 9, 10, "loss 1.5", 21, TRUE);
    expect_render("", 5, 10, 9, 10, "loss 1.5", 3, FALSE);
}

static void test_bar_is_no_wider_than_forty(void **state)
{
    g_autofree char *line = maxgl_progress_render("t", 1, 2, 1, -1, "", 500, FALSE);
    assert_int_equal(strlen(line), strlen("t  []  1/2  1 s") + 40);
}

static void test_time_text(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0 s"},        {59.4, "59 s"},    {59.6, "1:00"},       {187, "3:07"},
                 {3600, "1:00:00"}, {3729, "1:02:09"}, {86400, "1 d 00:00"}, {183840, "2 d 03:04"}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = maxgl_progress_time_text(cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_bar_on_a_terminal(void **state)
{
    capture_start(60);
    MaxglProgress *progress = maxgl_progress_new("train", 4);
    for (int i = 1; i <= 4; i++)
        maxgl_progress_set(progress, i, "loss %d", i);
    maxgl_progress_line("saved %s", "x");
    maxgl_progress_finish(progress);
    g_autofree char *text = capture_stop();
    /* Drawn at once, then above and below the line, then left behind. No seconds here: the machine may be
     * busy. */
    static const char *const pieces[] = {
        "\rtrain  [----------------------------------------]  0/4  ", "\r\033[Ksaved x\n",
        "\rtrain  [########################]  4/4  loss 4  ",         " left\033[K\r\033[K",
        "\rtrain  [################################]  4/4  loss 4  ",
    };
    const char *at = text;
    for (guint i = 0; i < G_N_ELEMENTS(pieces); i++) {
        at = strstr(at, pieces[i]);
        assert_non_null(at);
        at += strlen(pieces[i]);
    }
    assert_true(g_str_has_suffix(text, " s\033[K\n"));
}

static void test_bar_is_redrawn(void **state)
{
    capture_start(60);
    MaxglProgress *progress = maxgl_progress_new("train", 4);
    g_usleep(110000);
    maxgl_progress_set(progress, 2, "half");
    g_autofree char *text = capture_stop();
    assert_non_null(strstr(text, "2/4  half"));
    maxgl_progress_free(progress);
}

static void test_color(void **state)
{
    g_unsetenv("NO_COLOR");
    capture_start(40);
    maxgl_progress_finish(maxgl_progress_new("train", 4));
    g_autofree char *text = capture_stop();
    assert_non_null(strstr(text, "\033[36m[----------------]\033[0m"));
}

static void test_plain_lines(void **state)
{
    capture_start(0);
    MaxglProgress *progress = maxgl_progress_new("train", 4);
    for (int i = 1; i <= 4; i++)
        maxgl_progress_set(progress, i, "loss %d", i);
    maxgl_progress_line("saved");
    maxgl_progress_finish(progress);
    maxgl_progress_free(maxgl_progress_new("dropped", 4));
    g_autofree char *text = capture_stop();
    assert_true(g_str_has_prefix(text, "saved\ntrain: 4/4, loss 4, "));
    assert_null(strstr(text, "dropped"));
}

static void test_dumb_terminal(void **state)
{
    g_setenv("TERM", "dumb", TRUE);
    capture_start(80);
    MaxglProgress *progress = maxgl_progress_new("train", 0);
    maxgl_progress_set(progress, 9, "x");
    maxgl_progress_finish(progress);
    g_autofree char *text = capture_stop();
    assert_true(g_str_has_prefix(text, "train: 9, x, "));
}

static void test_nested(void **state)
{
    capture_start(60);
    MaxglProgress *outer = maxgl_progress_new("outer", 2);
    MaxglProgress *inner = maxgl_progress_new("inner", 2);
    g_usleep(110000);
    maxgl_progress_set(outer, 1, "hidden");
    maxgl_progress_free(inner);
    g_autofree char *text = capture_stop();
    const char *second = strstr(text, "\rinner");
    assert_non_null(second);
    /* The outer one comes back, with what happened meanwhile, when the inner one has gone. */
    const char *third = strstr(second, "\r\033[K\router");
    assert_non_null(third);
    assert_non_null(strstr(third, "hidden"));
    assert_true(strstr(text, "hidden") > third);
    maxgl_progress_free(outer);
}

static void test_restart(void **state)
{
    capture_start(0);
    MaxglProgress *progress = maxgl_progress_new("epoch 1", 2);
    maxgl_progress_set(progress, 2, "loss");
    maxgl_progress_restart(progress, "epoch 2", 3);
    maxgl_progress_set(progress, 1, "loss");
    maxgl_progress_finish(progress);
    g_autofree char *text = capture_stop();
    assert_true(g_str_has_prefix(text, "epoch 2: 1/3, loss, "));
}

/* A start of a second, fifty quick steps: by the mean of them all, at least 19 seconds would be left. */
static void test_slow_start_is_forgotten(void **state)
{
    capture_start(80);
    MaxglProgress *progress = maxgl_progress_new("train", 1000);
    g_usleep(G_USEC_PER_SEC);
    maxgl_progress_set(progress, 1, "%s", "");
    maxgl_progress_line("first");
    for (int i = 2; i <= 50; i++)
        maxgl_progress_set(progress, i, "%s", "");
    maxgl_progress_line("now");
    g_autofree char *text = capture_stop();
    maxgl_progress_free(progress);
    const char *first = strstr(text, "1/1000  ");
    assert_non_null(first);
    assert_true(g_str_has_prefix(first, "1/1000  1 s\033[K") || g_str_has_prefix(first, "1/1000  2 s\033[K"));
    const char *drawn = strstr(text, "50/1000  ");
    assert_non_null(drawn);
    double seconds = g_ascii_strtod(drawn + strlen("50/1000  "), NULL);
    assert_true(seconds < 19);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_render),
        TEST(test_render_total_unknown),
        TEST(test_render_narrow),
        TEST(test_bar_is_no_wider_than_forty),
        TEST(test_time_text),
        TEST(test_bar_on_a_terminal),
        TEST(test_bar_is_redrawn),
        TEST(test_color),
        TEST(test_plain_lines),
        TEST(test_dumb_terminal),
        TEST(test_nested),
        TEST(test_restart),
        TEST(test_slow_start_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
