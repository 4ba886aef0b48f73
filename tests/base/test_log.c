#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "capture.h"

#include <maxgl/error.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int set_up(void **state)
{
    g_unsetenv("MAXGL_LOG");
    g_setenv("LC_ALL", "C", TRUE);
    g_setenv("TERM", "xterm", TRUE);
    g_setenv("NO_COLOR", "1", TRUE);
    return 0;
}

static char *log_everything(GLogLevelFlags level)
{
    capture_start(0);
    maxgl_log_init("maxgl-cl", level);
    g_warning("a.avi: %s", "cannot decode");
    g_message("done");
    g_info("chose %d", 3);
    g_debug("detail");
    g_log("GStreamer", G_LOG_LEVEL_WARNING, "odd");
    return capture_stop();
}

static void test_levels(void **state)
{
    g_autofree char *text = log_everything(G_LOG_LEVEL_MESSAGE);
    assert_string_equal(text, "maxgl-cl: warning: a.avi: cannot decode\n"
                              "maxgl-cl: done\n"
                              "maxgl-cl: warning: GStreamer: odd\n");
}

static void test_environment(void **state)
{
    g_setenv("MAXGL_LOG", "debug", TRUE);
    g_autofree char *all = log_everything(G_LOG_LEVEL_MESSAGE);
    assert_string_equal(all, "maxgl-cl: warning: a.avi: cannot decode\n"
                             "maxgl-cl: done\n"
                             "maxgl-cl: info: chose 3\n"
                             "maxgl-cl: debug: detail\n"
                             "maxgl-cl: warning: GStreamer: odd\n");
    g_setenv("MAXGL_LOG", "error", TRUE);
    g_autofree char *none = log_everything(G_LOG_LEVEL_DEBUG);
    assert_string_equal(none, "");
    g_setenv("MAXGL_LOG", "loud", TRUE);
    g_autofree char *wrong = log_everything(G_LOG_LEVEL_WARNING);
    assert_true(
        g_str_has_prefix(wrong, "maxgl-cl: warning: MAXGL_LOG=loud: not a level; use error, warning, "));
}

static void test_above_the_bar(void **state)
{
    capture_start(40);
    maxgl_log_init("maxgl-cl", G_LOG_LEVEL_MESSAGE);
    MaxglProgress *progress = maxgl_progress_new("train", 4);
    g_warning("odd");
    maxgl_progress_free(progress);
    g_autofree char *text = capture_stop();
    const char *bar = "\rtrain  [----------------]  0/4  ", *line = "\033[K\r\033[Kmaxgl-cl: warning: odd\n";
    const char *found = strstr(text, line);
    assert_true(g_str_has_prefix(text, bar));
    assert_non_null(found);
    assert_true(g_str_has_prefix(found + strlen(line), bar));
    assert_true(g_str_has_suffix(text, "\r\033[K"));
}

static void test_error_lines(void **state)
{
    g_autoptr(GError) error = g_error_new(MAXGL_ERROR, MAXGL_ERROR_USAGE, "a: wrong\nb: wrong too");
    maxgl_log_init("maxgl-cl", G_LOG_LEVEL_MESSAGE);
    capture_start(0);
    maxgl_log_error(error);
    g_autofree char *text = capture_stop();
    assert_string_equal(text, "maxgl-cl: a: wrong\nmaxgl-cl: b: wrong too\n");
}

static void test_exit_codes(void **state)
{
    const struct {
        GQuark domain;
        int code, exit_code;
    } cases[] = {{MAXGL_ERROR, MAXGL_ERROR_USAGE, 2},
                 {MAXGL_ERROR, MAXGL_ERROR_CANCELLED, 130},
                 {MAXGL_ERROR, MAXGL_ERROR_FORMAT, 1},
                 {G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION, 2},
                 {G_FILE_ERROR, G_FILE_ERROR_NOENT, 1}};
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = g_error_new_literal(cases[i].domain, cases[i].code, "x");
        assert_int_equal(maxgl_error_exit_code(error), cases[i].exit_code);
    }
}

/* In a child: the first signal only raises the flag, the second ends the process with 130. */
static void test_interrupt(void **state)
{
    static const int signals[][2] = {{SIGINT, SIGINT}, {SIGTERM, SIGINT}};
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++) {
        pid_t child = fork();
        if (child == 0) {
            g_autoptr(GError) error = NULL;
            maxgl_interrupt_install();
            if (maxgl_interrupt_requested() || !maxgl_interrupt_check(&error))
                _exit(10);
            raise(signals[i][0]);
            if (!maxgl_interrupt_requested() || maxgl_interrupt_check(&error))
                _exit(11);
            if (!g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED))
                _exit(12);
            raise(signals[i][1]);
            _exit(13);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 130);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_levels),      TEST(test_environment), TEST(test_above_the_bar),
        TEST(test_error_lines), TEST(test_exit_codes),  TEST(test_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
