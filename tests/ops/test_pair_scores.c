/* Which pairs a batch has, and which are refused. */
#include "ops/pair_scores.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const MaxglShape global = {8, 32, 1, 1, 1, 16}, local = {8, 32, 2, 7, 7, 16};

static void clips_of_a_batch(void **state)
{
    const MaxglPairs cross = maxgl_pairs_of_clips(global, local, 2, 0, 1);
    assert_int_equal(cross.left_first, 0);
    assert_int_equal(cross.right_first, 4);
    assert_int_equal(cross.left_count, 4);
    assert_int_equal(cross.right_count, 4);
    assert_true(maxgl_pairs_validate(&cross, NULL));
    assert_int_equal(maxgl_pairs_count(&cross), 4 * 4 * 98);
    assert_true(maxgl_concat_macs(&cross) == 4 * 4 * 98 * (32 * 32 + 32));

    const MaxglPairs same = maxgl_pairs_of_clips(global, local, 2, 1, 1);
    assert_int_equal(same.left_first, 4);
    assert_int_equal(same.right_first, 4);
    assert_true(maxgl_pairs_validate(&same, NULL));

    const MaxglPairs third = maxgl_pairs_of_clips(global, local, 4, 1, 3);
    assert_int_equal(third.left_first, 2);
    assert_int_equal(third.right_first, 6);
    assert_int_equal(third.left_count, 2);
    assert_int_equal(third.right_count, 2);
    assert_true(maxgl_pairs_validate(&third, NULL));
}

static void impossible_pairs_are_refused(void **state)
{
    MaxglPairs cases[6];
    for (int i = 0; i < 6; i++)
        cases[i] = maxgl_pairs_of_clips(global, local, 2, 0, 0);
    cases[0].right.c = 33;
    cases[1].left.w = 2;
    cases[2].left_first = 5;
    cases[3].right_first = -1;
    cases[4].right_count = 9;
    cases[5].left_count = 0;
    for (int i = 0; i < 6; i++) {
        g_autoptr(GError) error = NULL;
        assert_false(maxgl_pairs_validate(&cases[i], &error));
        assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    }
}

static void bad_tuning_is_refused(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("maxgl-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "tuning.cfg", NULL);
    assert_true(g_file_set_contents(
        file, "entries = ({ kernel = \"pair_scores\"; parameters = { tile = 8; tiles = 5; }; });", -1, NULL));
    g_setenv("MAXGL_TUNING", file, TRUE);
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, &error);
    assert_non_null(context);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    const MaxglPairs pairs = maxgl_pairs_of_clips(global, local, 2, 0, 1);
    assert_false(maxgl_dot_forward(sequence, &pairs, (MaxglPairFeatures){NULL, NULL}, 1, NULL, NULL, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_int_equal(maxgl_sequence_length(sequence), 0);
    assert_int_equal(g_remove(file), 0);
    assert_int_equal(g_rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clips_of_a_batch),
        cmocka_unit_test(impossible_pairs_are_refused),
        cmocka_unit_test(bad_tuning_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
