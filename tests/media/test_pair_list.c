/* Lists of pairs: every form they come in, and what is said of those that are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <maxgl/error.h>
#include <string.h>

#include "folder.h"
#include "media/pair_list.h"
#include "pairs_mat.h"

static int setup(void **state)
{
    *state = test_folder_new();
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(*state);
    return 0;
}

static MaxglPairList *read_list(const char *folder, const char *name)
{
    g_autofree char *path = test_folder_path(folder, name);
    g_autoptr(GError) error = NULL;
    MaxglPairList *list = maxgl_pair_list_read(path, &error);
    if (!list)
        fail_msg("%s", error->message);
    return list;
}

static void read_fails(const char *folder, const char *name, int code, const char *with)
{
    g_autofree char *path = test_folder_path(folder, name);
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_pair_list_read(path, &error));
    if (!strstr(error->message, with) || !strstr(error->message, name))
        fail_msg("\"%s\" lacks \"%s\" or the list's name", error->message, with);
    assert_int_equal(error->code, code);
}

static void csv_fails(const char *folder, const char *text, const char *with)
{
    test_folder_write(folder, "bad.csv", text);
    read_fails(folder, "bad.csv", MAXGL_ERROR_FORMAT, with);
}

static void is_pair(const MaxglPairList *list, guint i, int fold, const char *first, const char *second,
                    gboolean same)
{
    const MaxglPair *pair = &g_array_index(list->pairs, MaxglPair, i);
    assert_int_equal(pair->fold, fold);
    assert_string_equal(list->ids->pdata[pair->first], first);
    assert_string_equal(list->ids->pdata[pair->second], second);
    assert_int_equal(pair->same, same);
}

static void csv(void **state)
{
    test_folder_write(*state, "view2.csv",
                      "fold,id1,id2,same,action1,action2\r\n1, 17 ,v#2!,1,run,run\r\n\r\n"
                      "2,\"a, b\",17,0,\"jump, high\",run  \r\n");
    g_autoptr(MaxglPairList) two = read_list(*state, "view2.csv");
    assert_int_equal(two->view, 2);
    assert_int_equal(two->folds, 2);
    assert_int_equal(two->pairs->len, 2);
    assert_int_equal(two->ids->len, 3);
    is_pair(two, 0, 0, "17", "v#2!", TRUE);
    is_pair(two, 1, 1, "a, b", "17", FALSE);

    test_folder_write(*state, "view1.csv", "same,id2,id1,split\n1,b,a,train\n0,c,a,test\n0,c,b,train");
    g_autoptr(MaxglPairList) one = read_list(*state, "view1.csv");
    assert_int_equal(one->view, 1);
    assert_int_equal(one->folds, 2);
    is_pair(one, 0, 0, "a", "b", TRUE);
    is_pair(one, 1, 1, "a", "c", FALSE);
    is_pair(one, 2, 0, "b", "c", FALSE);
}

static void broken_csv(void **state)
{
    csv_fails(*state, "", "has no pairs");
    csv_fails(*state, "1,17,18,1\n", "bad.csv:1: no column fold; the first line has to name fold (or split)");
    csv_fails(*state, "fold,id1,id2\n1,2,3\n", "bad.csv:1: no column same");
    csv_fails(*state, "fold,id1,id2,same\n1,2,3,1\n\n1,2,3\n", "bad.csv:4: 3 fields are too few");
    csv_fails(*state, "fold,id1,id2,same\n0,2,3,1\n", "bad.csv:2: fold \"0\" is not a number from 1 to 1000");
    csv_fails(*state, "fold,id1,id2,same\n1,2,3,yes\n", "bad.csv:2: same is \"yes\", neither 0 nor 1");
    csv_fails(*state, "fold,id1,id2,same\n1,2,,0\n", "bad.csv:2: an id is empty");
    csv_fails(*state, "fold,id1,id2,same\n1,2,\"3\"x,0\n", "bad.csv:2: ");
    csv_fails(*state, "split,id1,id2,same\ndev,2,3,0\n",
              "bad.csv:2: split \"dev\" is neither train nor test");
    csv_fails(*state, "fold,id1,id2,same\n1,2,3,0\n3,2,3,1\n", "has no pairs of fold 2");
    csv_fails(*state, "fold,id1,id2,same\n1,2,3,0\n", "has no pairs of fold 2");
    csv_fails(*state, "split,id1,id2,same\ntrain,2,3,0\n", "has no pairs of the split test");
    csv_fails(*state, "fold,id1,id2,same\n1,2,\xff,0\n", "is not a text file");
    read_fails(*state, "nothing.csv", MAXGL_ERROR_NOT_FOUND, "no such list of pairs");
}

#define ROWS 4
#define COLUMNS 5
#define FOLDS 3

/* Row r of fold f: the videos 10f + r and 10f + r + 1, the same where r is even. */
static void fill(double *data)
{
    for (int f = 0; f < FOLDS; f++)
        for (int r = 0; r < ROWS; r++) {
            const double row[COLUMNS] = {10.0 * f + r, 10.0 * f + r + 1, r % 2 == 0, 7, 8};
            for (int c = 0; c < COLUMNS; c++)
                data[(f * COLUMNS + c) * ROWS + r] = row[c];
        }
}

static void mat(void **state)
{
    double data[ROWS * COLUMNS * FOLDS];
    fill(data);
    for (PairsForm form = PAIRS_CUBE; form <= PAIRS_STRUCTS; form++) {
        g_autofree char *name = g_strdup_printf("view2-%d.MAT", (int)form);
        g_autofree char *path = test_folder_path(*state, name);
        const double other[] = {1, 2, 3, 4};
        pairs_mat_add_matrix(path, "something_else", 2, 2, other);
        pairs_mat_add(path, "action_splits_pairs", form, ROWS, COLUMNS, FOLDS, data);
        g_autoptr(MaxglPairList) list = read_list(*state, name);
        assert_int_equal(list->view, 2);
        assert_int_equal(list->folds, FOLDS);
        assert_int_equal(list->pairs->len, ROWS * FOLDS);
        for (int f = 0; f < FOLDS; f++)
            for (int r = 0; r < ROWS; r++) {
                g_autofree char *first = g_strdup_printf("%d", 10 * f + r);
                g_autofree char *second = g_strdup_printf("%d", 10 * f + r + 1);
                is_pair(list, (guint)(f * ROWS + r), f, first, second, r % 2 == 0);
            }
    }
    g_autofree char *path = test_folder_path(*state, "view1.mat");
    pairs_mat_add_matrix(path, "pairs_Test", ROWS, COLUMNS, data + ROWS * COLUMNS);
    pairs_mat_add_matrix(path, "pairs_Train", ROWS, COLUMNS, data);
    g_autoptr(MaxglPairList) list = read_list(*state, "view1.mat");
    assert_int_equal(list->view, 1);
    assert_int_equal(list->pairs->len, 2 * ROWS);
    is_pair(list, 0, 0, "0", "1", TRUE);
    is_pair(list, ROWS + 1, 1, "11", "12", FALSE);
}

static void broken_mat(void **state)
{
    double data[ROWS * COLUMNS * FOLDS];
    g_autofree char *same = test_folder_path(*state, "same.mat"), *id = test_folder_path(*state, "id.mat");
    fill(data);
    data[(2 * COLUMNS + 2) * ROWS + 1] = 2;
    pairs_mat_add(same, "action_splits_pairs", PAIRS_CUBE, ROWS, COLUMNS, FOLDS, data);
    read_fails(*state, "same.mat", MAXGL_ERROR_FORMAT,
               "action_splits_pairs, fold 3, row 2: same is 2, neither 0 nor 1");
    fill(data);
    data[(1 * COLUMNS + 1) * ROWS + 3] = 2.5;
    pairs_mat_add(id, "action_splits_pairs", PAIRS_CELLS, ROWS, COLUMNS, FOLDS, data);
    read_fails(*state, "id.mat", MAXGL_ERROR_FORMAT,
               "action_splits_pairs, fold 2, row 4: id2 is 2.5, not a video's number");

    g_autofree char *narrow = test_folder_path(*state, "narrow.mat");
    pairs_mat_add(narrow, "action_splits_pairs", PAIRS_STRUCTS, ROWS, 2, FOLDS, data);
    read_fails(*state, "narrow.mat", MAXGL_ERROR_FORMAT,
               "action_splits_pairs, fold 1 is not a matrix with the columns id1, id2, same");
    g_autofree char *flat = test_folder_path(*state, "flat.mat");
    pairs_mat_add_matrix(flat, "action_splits_pairs", ROWS, COLUMNS, data);
    read_fails(*state, "flat.mat", MAXGL_ERROR_FORMAT, "neither rows × columns × folds");
    g_autofree char *other = test_folder_path(*state, "other.mat");
    pairs_mat_add_matrix(other, "train", ROWS, COLUMNS, data);
    read_fails(*state, "other.mat", MAXGL_ERROR_FORMAT, "it has: train");
    /* Cut off in the middle. */
    fill(data);
    g_autofree char *whole = test_folder_path(*state, "whole.mat"), *bytes = NULL;
    g_autofree char *part = test_folder_path(*state, "part.mat");
    gsize size = 0;
    pairs_mat_add(whole, "action_splits_pairs", PAIRS_CUBE, ROWS, COLUMNS, FOLDS, data);
    assert_true(g_file_get_contents(whole, &bytes, &size, NULL));
    assert_true(g_file_set_contents(part, bytes, (gssize)(size - 60), NULL));
    read_fails(*state, "part.mat", MAXGL_ERROR_FORMAT, "part.mat: ");
    test_folder_write(*state, "text.mat", "fold,id1,id2,same\n");
    read_fails(*state, "text.mat", MAXGL_ERROR_FORMAT, "is not a MATLAB file");
}

static gsize *find(const MaxglPairList *list, const char *const *paths, gsize n, GError **error)
{
    return maxgl_pair_list_find(list, "videos", paths, n, error);
}

static void videos(void **state)
{
    test_folder_write(*state, "ids.csv", "fold,id1,id2,same\n1,17,005,1\n2,clip,17,0\n");
    g_autoptr(MaxglPairList) list = read_list(*state, "ids.csv");
    const char *const paths[] = {"d/video_0017 of 30.avi", "d/5.b/000005.mp4", "e/clip.mkv", "e/9.mkv"};
    g_autoptr(GError) error = NULL;
    g_autofree gsize *found = find(list, paths, G_N_ELEMENTS(paths), &error);
    assert_non_null(found);
    assert_int_equal(found[0], 0);
    assert_int_equal(found[1], 1);
    assert_int_equal(found[2], 2);

    /* The name itself goes before a number in it. */
    const char *const exact[] = {"a/x17.avi", "a/17.avi", "a/5.avi", "a/clip.avi"};
    g_autofree gsize *chosen = find(list, exact, G_N_ELEMENTS(exact), &error);
    assert_non_null(chosen);
    assert_int_equal(chosen[0], 1);

    const char *const two[] = {"a/x17.avi", "b/y17.avi", "a/5.avi", "a/clip.avi"};
    assert_null(find(list, two, G_N_ELEMENTS(two), &error));
    assert_string_equal(error->message, "videos: both a/x17.avi and b/y17.avi can be video 17");
    g_clear_error(&error);
    const char *const few[] = {"a/17.avi", "a/clips.avi"};
    assert_null(find(list, few, G_N_ELEMENTS(few), &error));
    assert_string_equal(error->message, "videos: no video is called 005, clip (2 of 3 are missing)");
    assert_int_equal(error->code, MAXGL_ERROR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv),        cmocka_unit_test(broken_csv), cmocka_unit_test(mat),
        cmocka_unit_test(broken_mat), cmocka_unit_test(videos),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
