/* Lists of videos. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <maxgl/error.h>
#include <string.h>
#include <unistd.h>

#include "folder.h"
#include "media/dataset.h"

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

static MaxglDataset *open_ok(const char *folder, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    MaxglDataset *dataset = maxgl_dataset_open(path, &error);
    if (dataset == NULL)
        fail_msg("%s", error->message);
    return dataset;
}

static void open_fails(const char *folder, const char *name, int code, const char *with)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = folder != NULL ? g_build_filename(folder, name, NULL) : g_strdup(name);
    assert_null(maxgl_dataset_open(path, &error));
    assert_int_equal(error->code, code);
    if (strstr(error->message, with) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", error->message, with);
    assert_null(strchr(error->message, '\n'));
}

static void check_path(const MaxglDataset *dataset, gsize index, const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_string_equal(maxgl_dataset_path(dataset, index), path);
}

static void folder_tree(void **state)
{
    const char *files[] = {"walk/b.mkv",   "walk/a.AVI",    "run/deep/c.mp4", "run/.hidden.mp4",
                           ".cache/d.mp4", "run/notes.txt", "top.webm",       "list.csv"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
        test_folder_write(*state, files[i], "x");
    g_autoptr(MaxglDataset) dataset = open_ok(*state, "");
    assert_int_equal(maxgl_dataset_size(dataset), 4);
    const char *labels[] = {"run", NULL, "walk", "walk"};
    const char *paths[] = {"run/deep/c.mp4", "top.webm", "walk/a.AVI", "walk/b.mkv"};
    for (gsize i = 0; i < 4; i++) {
        g_autofree char *path = g_build_filename(*state, "", paths[i], NULL);
        assert_string_equal(maxgl_dataset_path(dataset, i), path);
        const char *value = maxgl_dataset_value(dataset, i, NULL);
        assert_int_equal(g_strcmp0(value, labels[i]), 0);
    }
    gsize n;
    const char *const *classes = maxgl_dataset_classes(dataset, "label", &n);
    assert_int_equal(n, 2);
    assert_string_equal(classes[0], "run");
    assert_int_equal(maxgl_dataset_label(dataset, 1, NULL), -1);
    assert_int_equal(maxgl_dataset_label(dataset, 3, NULL), 1);
}

static void folder_with_splits(void **state)
{
    const char *files[] = {"train/walk/a.mkv", "train/run/b.mkv", "test/walk/c.mkv"};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
        test_folder_write(*state, files[i], "x");
    g_autoptr(MaxglDataset) dataset = open_ok(*state, "");
    assert_string_equal(maxgl_dataset_value(dataset, 0, "split"), "test");
    assert_string_equal(maxgl_dataset_value(dataset, 0, NULL), "walk");
    g_autoptr(MaxglDataset) train = maxgl_dataset_filter(dataset, "split", "train", NULL);
    assert_int_equal(maxgl_dataset_size(train), 2);
    assert_int_equal(maxgl_dataset_label(train, 0, NULL), 0);
    assert_int_equal(maxgl_dataset_label(train, 1, NULL), 1);
}

static void folder_loop(void **state)
{
    test_folder_write(*state, "walk/a.mkv", "x");
    g_autofree char *link = g_build_filename(*state, "walk", "again", NULL);
    assert_int_equal(symlink("..", link), 0);
    g_autoptr(MaxglDataset) dataset = open_ok(*state, "");
    assert_int_equal(maxgl_dataset_size(dataset), 1);
}

/* Names as HMDB51 has them, quotes, CRLF, blanks, a byte order mark, no line end at the end. */
static void awkward_list(void **state)
{
    test_folder_write(*state, "#1 (best)!.avi", "x");
    test_folder_write(*state, "a, \"b\".avi", "x");
    test_folder_write(*state, "c.avi", "x");
    test_folder_write(
        *state, "list.csv",
        "\xEF\xBB\xBF#1 (best)!.avi,wave  \r\n\r\n  \"a, \"\"b\"\".avi\" ,\"two\nlines\"\r\n  c.avi  ,, g7");
    g_autoptr(MaxglDataset) dataset = open_ok(*state, "list.csv");
    assert_int_equal(maxgl_dataset_size(dataset), 3);
    assert_int_equal(maxgl_dataset_bad_count(dataset), 0);
    check_path(dataset, 0, *state, "#1 (best)!.avi");
    check_path(dataset, 1, *state, "a, \"b\".avi");
    check_path(dataset, 2, *state, "c.avi");
    assert_string_equal(maxgl_dataset_value(dataset, 0, NULL), "wave");
    assert_string_equal(maxgl_dataset_value(dataset, 1, NULL), "two\nlines");
    assert_null(maxgl_dataset_value(dataset, 2, NULL));
    assert_int_equal(maxgl_dataset_label(dataset, 2, NULL), -1);
    assert_string_equal(maxgl_dataset_value(dataset, 2, "group"), "g7");
    assert_null(maxgl_dataset_value(dataset, 0, "group"));
}

static void paths_only(void **state)
{
    test_folder_write(*state, "sub/a.mkv", "x");
    test_folder_write(*state, "b.mkv", "x");
    g_autofree char *absolute = g_build_filename(*state, "b.mkv", NULL);
    g_autofree char *text = g_strdup_printf("sub/a.mkv\n%s\n", absolute);
    test_folder_write(*state, "list.txt", text);
    g_autoptr(MaxglDataset) dataset = open_ok(*state, "list.txt");
    assert_int_equal(maxgl_dataset_size(dataset), 2);
    check_path(dataset, 0, *state, "sub/a.mkv");
    assert_string_equal(maxgl_dataset_path(dataset, 1), absolute);
    gsize n = 7;
    assert_null(maxgl_dataset_classes(dataset, NULL, &n)[0]);
    assert_int_equal(n, 0);
    assert_int_equal(maxgl_dataset_label(dataset, 0, NULL), -1);
    assert_null(maxgl_dataset_columns(dataset)[0]);
}

static void named_columns(void **state)
{
    test_folder_write(
        *state, "list.csv",
        "path,split,motion,appearance\na.mkv,train,up,red\nb.mkv,test,down,blue\nc.mkv,test,left\n");
    g_autoptr(MaxglDataset) dataset = open_ok(*state, "list.csv");
    assert_string_equal(maxgl_dataset_value(dataset, 0, NULL), "up");
    assert_int_equal(maxgl_dataset_label(dataset, 0, NULL), 2);
    assert_int_equal(maxgl_dataset_label(dataset, 0, "appearance"), 1);
    assert_int_equal(maxgl_dataset_label(dataset, 2, "appearance"), -1);
    assert_false(maxgl_dataset_has_column(dataset, "label"));
    g_autoptr(MaxglDataset) test = maxgl_dataset_filter(dataset, "split", "test", NULL);
    assert_int_equal(maxgl_dataset_size(test), 2);
    /* The classes keep their numbers even though the training ones are gone. */
    assert_int_equal(maxgl_dataset_label(test, 0, "motion"), 0);
    assert_int_equal(maxgl_dataset_label(test, 1, "motion"), 1);
    gsize n;
    maxgl_dataset_classes(test, "motion", &n);
    assert_int_equal(n, 3);
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_dataset_filter(dataset, "split", "val", &error));
    assert_int_equal(error->code, MAXGL_ERROR_USAGE);
    assert_non_null(strstr(error->message, "test, train"));
    g_clear_error(&error);
    assert_null(maxgl_dataset_filter(dataset, "fold", "1", &error));
    assert_non_null(strstr(error->message, "split, motion, appearance"));
}

static void bad_files(void **state)
{
    test_folder_write(*state, "good.mkv", "x");
    test_folder_write(*state, "empty.mkv", "");
    test_folder_write(*state, "folder.mkv/inside", "x");
    test_folder_write(*state, "list.csv", "good.mkv\nempty.mkv\nmissing.mkv\nfolder.mkv\n");
    g_autoptr(MaxglDataset) dataset = open_ok(*state, "list.csv");
    assert_int_equal(maxgl_dataset_size(dataset), 4);
    assert_int_equal(maxgl_dataset_bad_count(dataset), 3);
    assert_null(maxgl_dataset_bad_reason(dataset, 0));
    assert_non_null(strstr(maxgl_dataset_bad_reason(dataset, 1), "empty"));
    assert_non_null(strstr(maxgl_dataset_bad_reason(dataset, 2), "no such file"));
    assert_non_null(strstr(maxgl_dataset_bad_reason(dataset, 3), "folder"));
}

static void bad_lists(void **state)
{
    test_folder_write(*state, "quote.csv", "a.mkv,x\n\nb.mkv,\"open\nc.mkv,y\n");
    open_fails(*state, "quote.csv", MAXGL_ERROR_FORMAT, "quote.csv:3: a quoted field does not end");
    test_folder_write(*state, "after.csv", "a.mkv,x\n\"b\".mkv,y\n");
    open_fails(*state, "after.csv", MAXGL_ERROR_FORMAT, "after.csv:2: text after a closing quote");
    test_folder_write(*state, "nopath.csv", "a.mkv,x\n,y\n");
    open_fails(*state, "nopath.csv", MAXGL_ERROR_FORMAT, "nopath.csv:2: no path");
    test_folder_write(*state, "many.csv", "a.mkv,x\nb.mkv,1,2,3\n");
    open_fails(*state, "many.csv", MAXGL_ERROR_FORMAT, "many.csv:2: 4 fields for 3 columns");
    test_folder_write(*state, "more.csv", "path,label\na.mkv,1,2\n");
    open_fails(*state, "more.csv", MAXGL_ERROR_FORMAT, "more.csv:2: 3 fields for 2 columns");
    test_folder_write(*state, "twice.csv", "path,label,label\na.mkv,1,2\n");
    open_fails(*state, "twice.csv", MAXGL_ERROR_FORMAT, "twice.csv:1: column 3");
    test_folder_write(*state, "empty.csv", "\n\n");
    open_fails(*state, "empty.csv", MAXGL_ERROR_NOT_FOUND, "no videos");
    test_folder_write(*state, "header.csv", "path,label\n");
    open_fails(*state, "header.csv", MAXGL_ERROR_NOT_FOUND, "no videos");
    g_autofree char *binary = test_folder_path(*state, "binary.csv");
    assert_true(g_file_set_contents(binary, "a\0b", 3, NULL));
    open_fails(*state, "binary.csv", MAXGL_ERROR_FORMAT, "not a text file");
    test_folder_write(*state, "none/readme.txt", "x");
    open_fails(*state, "none", MAXGL_ERROR_NOT_FOUND, "no videos in this folder");
    open_fails(*state, "missing", MAXGL_ERROR_NOT_FOUND, "no such file or folder");
}

static void several_sources(void **state)
{
    test_folder_write(*state, "one/walk/a.mkv", "x");
    test_folder_write(*state, "two.mkv", "x");
    test_folder_write(*state, "list.csv", "path,label,camera\nb.mkv,run,2\n");
    g_autofree char *one = g_build_filename(*state, "one", NULL),
                    *two = g_build_filename(*state, "two.mkv", NULL);
    g_autofree char *list = g_build_filename(*state, "list.csv", NULL);
    const char *sources[] = {one, two, list, NULL};
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open_all(sources, NULL);
    assert_int_equal(maxgl_dataset_size(dataset), 3);
    assert_string_equal(maxgl_dataset_value(dataset, 0, NULL), "walk");
    assert_null(maxgl_dataset_value(dataset, 1, NULL));
    assert_string_equal(maxgl_dataset_value(dataset, 2, NULL), "run");
    assert_null(maxgl_dataset_value(dataset, 0, "camera"));
    assert_string_equal(maxgl_dataset_value(dataset, 2, "camera"), "2");
    g_autoptr(GError) error = NULL;
    const char *mixed[] = {"synth:", two, NULL};
    assert_null(maxgl_dataset_open_all(mixed, &error));
    assert_int_equal(error->code, MAXGL_ERROR_USAGE);
}

static void synthetic(void **state)
{
    g_autoptr(MaxglDataset) dataset = maxgl_dataset_open("synth:videos=40,test=8,test_new=4,seed=3", NULL);
    assert_int_equal(maxgl_dataset_size(dataset), 52);
    assert_string_equal(maxgl_dataset_path(dataset, 40), "test/00000");
    gsize n;
    maxgl_dataset_classes(dataset, "motion", &n);
    assert_int_equal(n, 8);
    assert_string_equal(maxgl_dataset_value(dataset, 0, NULL), maxgl_dataset_value(dataset, 0, "motion"));
    g_autoptr(MaxglDataset) test = maxgl_dataset_filter(dataset, "split", "test-new", NULL);
    assert_int_equal(maxgl_dataset_size(test), 4);
    assert_int_equal(maxgl_dataset_synthetic_index(test, 0), 48);
    assert_non_null(maxgl_dataset_synthetic(test));
    open_fails(NULL, "synth:videos=0", MAXGL_ERROR_USAGE, "videos");
    open_fails(NULL, "synth:vidoes=10", MAXGL_ERROR_USAGE, "synth:vidoes=10: vidoes=10: unknown key");
    open_fails(NULL, "synth:videos", MAXGL_ERROR_USAGE, "videos");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folder_tree, setup, teardown),
        cmocka_unit_test_setup_teardown(folder_with_splits, setup, teardown),
        cmocka_unit_test_setup_teardown(folder_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(awkward_list, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_only, setup, teardown),
        cmocka_unit_test_setup_teardown(named_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_files, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(several_sources, setup, teardown),
        cmocka_unit_test(synthetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
