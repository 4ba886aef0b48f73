/* Data sets by the lists that they were published with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <maxgl/error.h>
#include <string.h>

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

static MaxglDataset *open_ok(const char *source)
{
    g_autoptr(GError) error = NULL;
    MaxglDataset *dataset = maxgl_dataset_open(source, &error);
    if (!dataset)
        fail_msg("%s", error->message);
    return dataset;
}

static void open_fails(const char *source, int code, const char *with)
{
    g_autoptr(GError) error = NULL;
    assert_null(maxgl_dataset_open(source, &error));
    if (!strstr(error->message, with))
        fail_msg("\"%s\" lacks \"%s\"", error->message, with);
    assert_int_equal(error->code, code);
}

static gsize count(const MaxglDataset *dataset, const char *split)
{
    gsize n = 0;
    for (gsize i = 0; i < maxgl_dataset_size(dataset); i++)
        n += g_strcmp0(maxgl_dataset_value(dataset, i, "split"), split) == 0;
    return n;
}

static void is_row(const MaxglDataset *dataset, gsize i, const char *end, const char *label,
                   const char *split, const char *group)
{
    if (!g_str_has_suffix(maxgl_dataset_path(dataset, i), end))
        fail_msg("row %zu: %s does not end in %s", (size_t)i, maxgl_dataset_path(dataset, i), end);
    assert_int_equal(g_strcmp0(maxgl_dataset_value(dataset, i, "label"), label), 0);
    assert_int_equal(g_strcmp0(maxgl_dataset_value(dataset, i, "split"), split), 0);
    assert_int_equal(g_strcmp0(maxgl_dataset_value(dataset, i, "group"), group), 0);
}

/* CRLF, a missing end of line, files in whatever case, folder and container. */
static void ucf101(void **state)
{
    const char *root = *state;
    test_folder_write(root, "lists/classInd.txt", "1 ApplyEyeMakeup\r\n37 HandstandPushups\r\n101 YoYo\r\n");
    test_folder_write(root, "lists/trainlist02.txt",
                      "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1\r\n\r\n"
                      "HandstandPushups/v_HandStandPushups_g08_c02.avi 37  \r\n");
    test_folder_write(root, "lists/testlist02.txt",
                      "HandstandPushups/v_HandStandPushups_g01_c01.avi\r\n"
                      "YoYo/v_YoYo_g02_c07.avi");
    test_folder_write(root, "videos/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", "x");
    test_folder_write(root, "videos/HandStandPushups/v_HandstandPushups_g08_c02.avi", "x");
    test_folder_write(root, "videos/v_HandStandPushups_g01_c01.mp4", "x");
    g_autofree char *source = g_strdup_printf("ucf101:videos=%s/videos,lists=%s/lists,split=2", root, root);
    g_autoptr(MaxglDataset) dataset = open_ok(source);
    assert_int_equal(maxgl_dataset_size(dataset), 4);
    is_row(dataset, 0, "/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi", "ApplyEyeMakeup", "train", "g08");
    is_row(dataset, 1, "/HandStandPushups/v_HandstandPushups_g08_c02.avi", "HandstandPushups", "train",
           "g08");
    is_row(dataset, 2, "/videos/v_HandStandPushups_g01_c01.mp4", "HandstandPushups", "test", "g01");
    is_row(dataset, 3, "/videos/YoYo/v_YoYo_g02_c07.avi", "YoYo", "test", "g02");
    assert_null(maxgl_dataset_bad_reason(dataset, 2));
    assert_string_equal(maxgl_dataset_bad_reason(dataset, 3), "no such file");
    gsize n = 0;
    assert_string_equal(maxgl_dataset_classes(dataset, NULL, &n)[1], "HandstandPushups");
    assert_int_equal(n, 3);
}

static void ucf101_mistakes(void **state)
{
    static const struct {
        const char *classes, *train, *says;
        int code;
    } cases[] = {
        {"1 A\n2 B\n", "A/v.avi 2\n", "trainlist01.txt:1: class 2 is not A in classInd.txt",
         MAXGL_ERROR_FORMAT},
        {"1 A\n2 B\n", "A/v.avi 1\nC/v.avi 3\n", "trainlist01.txt:2: class C is not in classInd.txt",
         MAXGL_ERROR_FORMAT},
        {"1 A\n", "A/v.avi\n", "trainlist01.txt:1: the number of the class is missing", MAXGL_ERROR_FORMAT},
        {"1 A\n", "v.avi 1\n", "trainlist01.txt:1: \"v.avi\" is not CLASS/VIDEO", MAXGL_ERROR_FORMAT},
        {"1 A\n", "A/v.txt 1\n", "is not CLASS/VIDEO", MAXGL_ERROR_FORMAT},
        {"A 1\n", "A/v.avi 1\n", "classInd.txt:1: \"A 1\" is not a number and a class", MAXGL_ERROR_FORMAT},
        {"1 A\n1 B\n", "A/v.avi 1\n", "classInd.txt:2: another class has the number 1", MAXGL_ERROR_FORMAT},
        {"1 A\n2 a\n", "A/v.avi 1\n", "classInd.txt:2: another class is called a", MAXGL_ERROR_FORMAT},
        {"", "", "the lists name no video", MAXGL_ERROR_NOT_FOUND},
    };
    const char *root = *state;
    g_autofree char *source = g_strdup_printf("ucf101:videos=%s", root);
    open_fails(source, MAXGL_ERROR_NOT_FOUND, "classInd.txt: no such list");
    test_folder_write(root, "testlist01.txt", "");
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        test_folder_write(root, "classInd.txt", cases[i].classes);
        test_folder_write(root, "trainlist01.txt", cases[i].train);
        open_fails(source, cases[i].code, cases[i].says);
    }
}

/* Trailing spaces, unused videos, names with signs and spaces; a list's name has the class. */
static void hmdb51(void **state)
{
    const char *root = *state;
    test_folder_write(root, "lists/brush_hair_test_split1.txt",
                      "Chanta!____THAT_(IS)_hair!_brush_hair_u_cm_np1_fr_goo_2.avi 2 \n"
                      "a [new] #one_brush_hair_h.avi 1 \n"
                      "unused_brush_hair_h.avi 0 \n");
    test_folder_write(root, "lists/wave_test_split1.txt", "a_wave.avi 1\n");
    test_folder_write(root, "lists/wave_test_split2.txt", "b_wave.avi 1\n");
    test_folder_write(root, "videos/brush_hair/a [new] #one_brush_hair_h.avi", "x");
    test_folder_write(root, "videos/run/a_wave.avi", "x");
    test_folder_write(root, "videos/wave/a_wave.avi", "x");
    g_autofree char *source = g_strdup_printf("hmdb51:videos=%s/videos,lists=%s/lists", root, root);
    g_autoptr(MaxglDataset) dataset = open_ok(source);
    assert_int_equal(maxgl_dataset_size(dataset), 3);
    is_row(dataset, 0, "/brush_hair/Chanta!____THAT_(IS)_hair!_brush_hair_u_cm_np1_fr_goo_2.avi",
           "brush_hair", "test", NULL);
    is_row(dataset, 1, "/brush_hair/a [new] #one_brush_hair_h.avi", "brush_hair", "train", NULL);
    is_row(dataset, 2, "/wave/a_wave.avi", "wave", "train", NULL);
    assert_int_equal(maxgl_dataset_bad_count(dataset), 1);
    assert_false(maxgl_dataset_has_column(dataset, "group"));
    test_folder_write(root, "lists/wave_test_split1.txt", "a_wave.avi 1\nb_wave.avi 3\n");
    open_fails(source, MAXGL_ERROR_FORMAT, "wave_test_split1.txt:2: \"b_wave.avi\" does not end in 0");
    g_autofree char *third = g_strconcat(source, ",split=3", NULL);
    open_fails(third, MAXGL_ERROR_NOT_FOUND, "no list ends in _test_split3.txt");
}

static void kinetics(void **state)
{
    const char *root = *state;
    test_folder_write(root, "train.csv",
                      "label,youtube_id,time_start,time_end,split,is_cc\r\n"
                      "\"air drumming, loud\",-0ab_c,1,11,train,0\r\n"
                      "abseiling,---QUuC4vJs,84,94,train,1\r\n");
    test_folder_write(root, "val.csv",
                      "label,youtube_id,time_start,time_end,split\nabseiling,xyz,5,15,validate\n");
    test_folder_write(root, "videos/abseiling/---QUuC4vJs_000084_000094.mkv", "x");
    g_autofree char *one = g_strdup_printf("kinetics:videos=%s/videos,lists=%s/train.csv", root, root);
    g_autoptr(MaxglDataset) train = open_ok(one);
    assert_int_equal(maxgl_dataset_size(train), 2);
    is_row(train, 0, "/videos/air drumming, loud/-0ab_c_000001_000011.mp4", "air drumming, loud", "train",
           NULL);
    is_row(train, 1, "/abseiling/---QUuC4vJs_000084_000094.mkv", "abseiling", "train", NULL);
    assert_int_equal(maxgl_dataset_bad_count(train), 1);
    g_autofree char *both = g_strdup_printf("kinetics:videos=%s/videos,lists=%s", root, root);
    g_autoptr(MaxglDataset) all = open_ok(both);
    assert_int_equal(count(all, "train"), 2);
    assert_int_equal(count(all, "validate"), 1);
    test_folder_write(root, "train.csv", "label,youtube_id,time_start,time_end,split\na,b,1,x,train\n");
    open_fails(one, MAXGL_ERROR_FORMAT, "train.csv:2: times \"1\" and \"x\" are not both whole seconds");
    test_folder_write(root, "train.csv", "label,youtube_id,time_start,time_end,split\na,b\n");
    open_fails(one, MAXGL_ERROR_FORMAT, "train.csv:2: 2 fields, and no time_start");
    test_folder_write(root, "train.csv", "label,id,time_start,time_end,split\na,b,1,2,train\n");
    open_fails(one, MAXGL_ERROR_FORMAT, "train.csv:1: no column youtube_id");
}

static void options(void **state)
{
    const char *root = *state;
    open_fails("ucf101:", MAXGL_ERROR_USAGE, "Give videos=FOLDER");
    open_fails("ucf101:split=4,videos=.", MAXGL_ERROR_USAGE, "split");
    open_fails("hmdb51:video=.", MAXGL_ERROR_USAGE, "videos");
    open_fails("kinetics:videos=/no/such/folder", MAXGL_ERROR_NOT_FOUND, "/no/such/folder: no such folder");
    g_autofree char *missing = g_strdup_printf("kinetics:videos=%s,lists=%s/no.csv", root, root);
    open_fails(missing, MAXGL_ERROR_NOT_FOUND, "no.csv: no such list");
    /* A comma ends a value only before the next key. */
    test_folder_write(root, "a,b/w_test_split1.txt", "v.avi 2\n");
    g_autofree char *comma = g_strdup_printf("hmdb51:videos=%s/a,b,split=1", root);
    g_autoptr(MaxglDataset) dataset = open_ok(comma);
    is_row(dataset, 0, "/a,b/w/v.avi", "w", "test", NULL);
}

/* The real lists, which are not part of the project: MAXGL_SHARED/splits, else ../shared/splits beside the
 * source. As many videos as were published. */
static void real_lists(void **state)
{
    static const struct {
        const char *kind;
        int split;
        gsize train, test, classes;
    } published[] = {{"ucf101", 1, 9537, 3783, 101}, {"ucf101", 2, 9586, 3734, 101},
                     {"ucf101", 3, 9624, 3696, 101}, {"hmdb51", 1, 3570, 1530, 51},
                     {"hmdb51", 2, 3570, 1530, 51},  {"hmdb51", 3, 3570, 1530, 51}};
    const char *shared = g_getenv("MAXGL_SHARED"), *root = g_getenv("MAXGL_SOURCE_DIR");
    g_autofree char *splits = shared ? g_build_filename(shared, "splits", NULL)
                                     : g_build_filename(root ? root : ".", "..", "shared", "splits", NULL);
    if (!g_file_test(splits, G_FILE_TEST_IS_DIR)) {
        print_message("left out: no published lists in %s\n", splits);
        g_clear_pointer(&splits, g_free); /* skip() jumps */
        skip();
    }
    for (guint i = 0; i < G_N_ELEMENTS(published); i++) {
        g_autofree char *source =
            g_strdup_printf("%s:videos=%s,lists=%s/%s,split=%d", published[i].kind, (char *)*state, splits,
                            published[i].kind, published[i].split);
        g_autoptr(MaxglDataset) dataset = open_ok(source);
        gsize classes = 0;
        maxgl_dataset_classes(dataset, NULL, &classes);
        assert_int_equal(count(dataset, "train"), published[i].train);
        assert_int_equal(count(dataset, "test"), published[i].test);
        assert_int_equal(classes, published[i].classes);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(ucf101),   TEST(ucf101_mistakes), TEST(hmdb51),
                                       TEST(kinetics), TEST(options),         TEST(real_lists)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
