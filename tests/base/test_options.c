#include "base/options.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef enum { JSD, INFONCE, DV } Estimator;

typedef struct {
    int seed, batch_size, offset;
    double rate, ratio;
    gboolean flip;
    char *data;
    Estimator estimator;
    int regions[3];
} Recipe;

static const char *const estimators[] = {"jsd", "infonce", "dv", NULL};

static const MaxglOption options[] = {
    {"seed", MAXGL_OPTION_INT, offsetof(Recipe, seed), "1", 0, G_MAXINT, .doc = "of all random numbers"},
    {"train.batch_size", MAXGL_OPTION_INT, offsetof(Recipe, batch_size), "32", 1, 4096, .unit = "clips",
     .doc = "videos in a batch", .source = "our choice"},
    {"train.optimizer.rate", MAXGL_OPTION_FLOAT, offsetof(Recipe, rate), "0.03", 0, 10, .doc = "step size",
     .source = "paper, section 4"},
    {"data.path", MAXGL_OPTION_STRING, offsetof(Recipe, data), "", .doc = "list, folder or synth:"},
    {"data.flip", MAXGL_OPTION_BOOL, offsetof(Recipe, flip), "true", .doc = "mirror half of the clips"},
    {"loss.estimator", MAXGL_OPTION_ENUM, offsetof(Recipe, estimator), "jsd", .choices = estimators,
     .doc = "lower bound of mutual information"},
    {"loss.regions", MAXGL_OPTION_INT3, offsetof(Recipe, regions), "[1, 2, 2]", 1, 64, .doc = "grid t, h, w"},
    {"loss.offset", MAXGL_OPTION_INT, offsetof(Recipe, offset), "-3", .doc = "any integer"},
    {"train.ratio", MAXGL_OPTION_FLOAT, offsetof(Recipe, ratio), "0.5", .doc = "any number"},
};
static const MaxglOptionTable table = {options, G_N_ELEMENTS(options), sizeof(Recipe)};

typedef struct {
    Recipe recipe;
    GError *error;
    char *folder, *path;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->folder = g_dir_make_tmp("maxgl-options-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "recipe.cfg", NULL);
    maxgl_options_init(&table, &fixture->recipe);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    maxgl_options_clear(&table, &fixture->recipe);
    g_clear_error(&fixture->error);
    g_unlink(fixture->path);
    g_rmdir(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->folder);
    g_free(fixture);
    return 0;
}

static void assert_no_difference(const Recipe *a, const Recipe *b)
{
    g_auto(GStrv) lines = maxgl_options_diff(&table, a, b);
    assert_null(lines[0]);
}

/* Loads @text as a file and expects exactly @message, with FILE for the path, and unchanged values. */
static void expect_refusal(Fixture *fixture, const char *text, const char *message)
{
    Recipe before;
    maxgl_options_copy(&table, &fixture->recipe, &before);
    assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
    assert_false(maxgl_options_load(&table, &fixture->recipe, fixture->path, NULL, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    g_auto(GStrv) parts = g_strsplit(fixture->error->message, fixture->path, -1);
    g_autofree char *said = g_strjoinv("FILE", parts);
    assert_string_equal(said, message);
    g_clear_error(&fixture->error);
    assert_no_difference(&before, &fixture->recipe);
    maxgl_options_clear(&table, &before);
}

static void test_assign(void **state)
{
    Fixture *fixture = *state;
    const char *const good[] = {"train.batch_size=7", "seed=3", NULL}, *const bad[] = {"seed=-1", "x=2",
                                                                                       NULL};
    assert_true(maxgl_options_assign(&table, &fixture->recipe, good, NULL));
    assert_int_equal(fixture->recipe.batch_size, 7);
    assert_false(maxgl_options_assign(&table, &fixture->recipe, bad, &fixture->error));
    assert_string_equal(fixture->error->message,
                        "seed=-1: -1 is out of range; allowed: at least 0\nx=2: unknown key");
    g_clear_error(&fixture->error);
}

static void expect_set_refusal(Fixture *fixture, const char *assignment, const char *message)
{
    assert_false(maxgl_options_set(&table, &fixture->recipe, assignment, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
    assert_string_equal(fixture->error->message, message);
    g_clear_error(&fixture->error);
}

static void test_defaults(void **state)
{
    Recipe *recipe = &((Fixture *)*state)->recipe;
    assert_int_equal(recipe->seed, 1);
    assert_int_equal(recipe->batch_size, 32);
    assert_true(recipe->rate == 0.03);
    assert_string_equal(recipe->data, "");
    assert_true(recipe->flip);
    assert_int_equal(recipe->estimator, JSD);
    assert_int_equal(recipe->regions[0], 1);
    assert_int_equal(recipe->regions[2], 2);
    assert_int_equal(recipe->offset, -3);
}

static void test_load(void **state)
{
    Fixture *fixture = *state;
    Recipe *recipe = &fixture->recipe;
    const char *text = "seed = 7;\n"
                       "train: { batch_size = 64; optimizer = { rate = 1; }; ratio = -2.5e-3; }\n"
                       "data = { path = \"a \\\"b\\\".csv\"; flip = false; };\n"
                       "loss = { estimator = \"infonce\"; regions = (2, 7, 7); offset = -2147483648; };\n";
    const char *const sets[] = {"seed=8", "loss.regions=4x1x2", "data.path= odd = name ", NULL};
    assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
    assert_true(maxgl_options_load(&table, recipe, fixture->path, sets, &fixture->error));
    assert_int_equal(recipe->seed, 8);
    assert_int_equal(recipe->batch_size, 64);
    assert_true(recipe->rate == 1.0);
    assert_true(recipe->ratio == -2.5e-3);
    assert_string_equal(recipe->data, " odd = name ");
    assert_false(recipe->flip);
    assert_int_equal(recipe->offset, G_MININT);
    assert_int_equal(recipe->estimator, INFONCE);
    assert_int_equal(recipe->regions[0], 4);
    assert_int_equal(recipe->regions[2], 2);
}

static void test_set_forms(void **state)
{
    Fixture *fixture = *state;
    Recipe *recipe = &fixture->recipe;
    static const char *const good[] = {"data.flip=off",           "train.optimizer.rate=1e-4",
                                       "loss.estimator=dv",       "loss.regions=[3,4,5]",
                                       "loss.offset=-2147483648", "train.ratio=7"};
    for (guint i = 0; i < G_N_ELEMENTS(good); i++)
        assert_true(maxgl_options_set(&table, recipe, good[i], NULL));
    assert_false(recipe->flip);
    assert_true(recipe->rate == 1e-4);
    assert_int_equal(recipe->estimator, DV);
    assert_int_equal(recipe->regions[1], 4);
    assert_int_equal(recipe->offset, G_MININT);
    assert_true(recipe->ratio == 7.0);
    assert_true(maxgl_options_set(&table, recipe, "loss.regions=6,7,8", NULL));
    assert_int_equal(recipe->regions[1], 7);
}

static void test_set_refusals(void **state)
{
    static const char *const cases[][2] = {
        {"train.batch_size", "--set train.batch_size: key=value is needed"},
        {"train.batch_size=0", "--set train.batch_size=0: 0 is out of range; allowed: 1 … 4096 clips"},
        {"train.batch_size=4097",
         "--set train.batch_size=4097: 4097 is out of range; allowed: 1 … 4096 clips"},
        {"train.batch_size=", "--set train.batch_size=: \"\" is not an integer; allowed: 1 … 4096 clips"},
        {"train.batch_size=8x",
         "--set train.batch_size=8x: \"8x\" is not an integer; allowed: 1 … 4096 clips"},
        {"train.batch_size=1.5",
         "--set train.batch_size=1.5: \"1.5\" is not an integer; allowed: 1 … 4096 clips"},
        {"loss.offset=2147483648",
         "--set loss.offset=2147483648: 2147483648 is out of range; allowed: any integer"},
        {"seed=-1", "--set seed=-1: -1 is out of range; allowed: at least 0"},
        {"seed=99999999999999999999",
         "--set seed=99999999999999999999: 99999999999999999999 is out of range; allowed: at least 0"},
        {"train.optimizer.rate=nan",
         "--set train.optimizer.rate=nan: \"nan\" is not a number; allowed: 0 … 10"},
        {"train.ratio=inf", "--set train.ratio=inf: inf is out of range; allowed: any number"},
        {"train.ratio=0,5", "--set train.ratio=0,5: \"0,5\" is not a number; allowed: any number"},
        {"data.flip=maybe", "--set data.flip=maybe: \"maybe\" is not true or false"},
        {"loss.estimator=mine",
         "--set loss.estimator=mine: \"mine\" is not a choice; allowed: jsd | infonce | dv"},
        {"loss.regions=1,2",
         "--set loss.regions=1,2: \"1,2\" is not three integers [a, b, c]; allowed: three of 1 … 64"},
        {"loss.regions=1,2,65", "--set loss.regions=1,2,65: 65 is out of range; allowed: three of 1 … 64"},
        {"train.batchsize=8", "--set train.batchsize=8: unknown key; did you mean train.batch_size?"},
        {"loss.flip=true", "--set loss.flip=true: unknown key; did you mean data.flip?"},
        {"colour=3", "--set colour=3: unknown key"},
        {"train=3", "--set train=3: train is a group of options: train.NAME=value is needed"},
    };
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        expect_set_refusal(fixture, cases[i][0], cases[i][1]);
}

static void test_file_refusals(void **state)
{
    static const char *const cases[][2] = {
        {"\ntrain = { batch_size = 0; };",
         "FILE:2: train.batch_size: 0 is out of range; allowed: 1 … 4096 clips"},
        {"train = { batch_size = \"8\"; };",
         "FILE:1: train.batch_size: is a string, not an integer; allowed: 1 … 4096 clips"},
        {"train = { batch_size = 8.0; };",
         "FILE:1: train.batch_size: is a number with a fraction, not an integer; allowed: 1 … 4096 clips"},
        {"train = { batch_size = 4294967297; };",
         "FILE:1: train.batch_size: 4294967297 is out of range; allowed: 1 … 4096 clips"},
        {"/* 9999999999 */ loss = { offset = 2147483648; }; // 9999999999",
         "FILE:1: loss.offset: 2147483648 is out of range; allowed: any integer"},
        {"loss = { regions = (1, 0x1ffffffff, 1); };",
         "FILE:1: loss.regions: 8589934591 is out of range; allowed: three of 1 … 64"},
        {"# a\n@include \"other.cfg\"\n", "FILE: @include is not possible in a recipe"},
        {"train = { ratio = 1e999; };", "FILE:1: train.ratio: inf is out of range; allowed: any number"},
        {"train = { optimizer = { rate = true; }; };",
         "FILE:1: train.optimizer.rate: is true or false, not a number; allowed: 0 … 10"},
        {"data = { flip = 1; };",
         "FILE:1: data.flip: is an integer, not true or false; allowed: true | false"},
        {"data = { path = [\"a\"]; };", "FILE:1: data.path: is a list, not a string; allowed: any text"},
        {"loss = { estimator = 1; };",
         "FILE:1: loss.estimator: is an integer, not a string; allowed: jsd | infonce | dv"},
        {"loss = { estimator = { a = 1; }; };",
         "FILE:1: loss.estimator: is a group, not a string; allowed: jsd | infonce | dv"},
        {"loss = { regions = [1, 2]; };",
         "FILE:1: loss.regions: \"[1, 2]\" is not three integers [a, b, c]; allowed: three of 1 … 64"},
        {"loss = { regions = [1.0, 2.0, 2.0]; };",
         "FILE:1: loss.regions: is a list, not three integers [a, b, c]; allowed: three of 1 … 64"},
        {"train = 3;", "FILE:1: train: is an integer, but it is a group of options: train = { … };"},
        {"trian = { batch_size = 3; };", "FILE:1: trian: unknown key; did you mean train?"},
        {"train = { batchsize = 3; };",
         "FILE:1: train.batchsize: unknown key; did you mean train.batch_size?"},
        {"train = { batch_size = ; };", "FILE:1: syntax error"},
        {"seed = 1;\nseed = 2;", "FILE:2: duplicate setting name"},
        {"seed = 1;\ntrain = {\n", "FILE:3: syntax error"},
    };
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        expect_refusal(fixture, cases[i][0], cases[i][1]);
}

/* Every problem of the file and of --set comes in one message, and not even the good values are applied. */
static void test_all_problems_at_once(void **state)
{
    Fixture *fixture = *state;
    const char *const sets[] = {"seed=5", "nothing", NULL};
    assert_true(g_file_set_contents(
        fixture->path, "seed = 9;\nloss = { offset = 1; regions = [0, 1, 1];\n tau = 2; };", -1, NULL));
    assert_false(maxgl_options_load(&table, &fixture->recipe, fixture->path, sets, &fixture->error));
    g_autofree char *expected =
        g_strdup_printf("%s:2: loss.regions: 0 is out of range; allowed: three of 1 … 64\n"
                        "%s:3: loss.tau: unknown key\n"
                        "--set nothing: key=value is needed",
                        fixture->path, fixture->path);
    assert_string_equal(fixture->error->message, expected);
    assert_int_equal(fixture->recipe.seed, 1);
    assert_int_equal(fixture->recipe.offset, -3);
}

static void test_missing_and_unreadable(void **state)
{
    Fixture *fixture = *state;
    assert_false(maxgl_options_load(&table, &fixture->recipe, fixture->path, NULL, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
    g_clear_error(&fixture->error);
    assert_false(maxgl_options_load(&table, &fixture->recipe, fixture->folder, NULL, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_IO));
}

static void test_text_round_trip(void **state)
{
    Fixture *fixture = *state;
    Recipe *recipe = &fixture->recipe;
    static const char *const sets[] = {"seed=2147483647",
                                       "train.optimizer.rate=0.1",
                                       "train.ratio=3.0000000000000004",
                                       "data.path=C:\\x \"y\"\t\x01\n# … { } ;",
                                       "data.flip=no",
                                       "loss.estimator=dv",
                                       "loss.regions=1,3,7",
                                       NULL};
    assert_true(maxgl_options_load(&table, recipe, NULL, sets, &fixture->error));
    g_autofree char *text = maxgl_options_text(&table, recipe);
    Recipe again;
    maxgl_options_init(&table, &again);
    assert_true(maxgl_options_load_text(&table, &again, text, "recipe", &fixture->error));
    assert_no_difference(recipe, &again);
    assert_true(again.ratio == recipe->ratio);
    g_autofree char *second = maxgl_options_text(&table, &again);
    assert_string_equal(text, second);
    assert_non_null(strstr(text, "# videos in a batch (1 … 4096 clips; our choice)\n    batch_size = 32;\n"));
    maxgl_options_clear(&table, &again);
}

static void test_load_text_names_it(void **state)
{
    Fixture *fixture = *state;
    assert_false(maxgl_options_load_text(&table, &fixture->recipe, "seed = \"x\";",
                                         "model.safetensors: recipe", &fixture->error));
    assert_string_equal(
        fixture->error->message,
        "model.safetensors: recipe:1: seed: is a string, not an integer; allowed: at least 0");
}

static void test_diff(void **state)
{
    Fixture *fixture = *state;
    Recipe other;
    maxgl_options_copy(&table, &fixture->recipe, &other);
    const char *const sets[] = {"train.batch_size=16", "data.path=x.csv", "loss.regions=1,1,1", NULL};
    assert_true(maxgl_options_load(&table, &other, NULL, sets, NULL));
    g_auto(GStrv) lines = maxgl_options_diff(&table, &fixture->recipe, &other);
    assert_int_equal(g_strv_length(lines), 3);
    assert_string_equal(lines[0], "train.batch_size: 32 → 16");
    assert_string_equal(lines[1], "data.path: \"\" → \"x.csv\"");
    assert_string_equal(lines[2], "loss.regions: [1, 2, 2] → [1, 1, 1]");
    maxgl_options_clear(&table, &other);
}

static void test_help(void **state)
{
    g_autofree char *help = maxgl_options_help(&table);
    assert_non_null(strstr(help, "  train.batch_size = 32        videos in a batch\n                         "
                                 "      (1 … 4096 clips; our choice)\n"));
    assert_non_null(strstr(help, "  data.path = \"\"               list, folder or synth:\n"));
    for (guint i = 0; i < table.count; i++)
        assert_non_null(strstr(help, options[i].key));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_load),
        TEST(test_set_forms),
        TEST(test_set_refusals),
        TEST(test_assign),
        TEST(test_file_refusals),
        TEST(test_all_problems_at_once),
        TEST(test_missing_and_unreadable),
        TEST(test_text_round_trip),
        TEST(test_load_text_names_it),
        TEST(test_diff),
        TEST(test_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
