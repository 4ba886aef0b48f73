#include "learn/run.h"

#include "../media/folder.h"
#include "learn/checkpoint.h"

#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    char *folder, *run;
    MaxglRecipe *recipe;
    GPtrArray *contexts;
    MaxglContext *context; /* the only one of them */
    MaxglResnet *resnet;
    GError *error;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->folder = test_folder_new();
    fixture->run = g_build_filename(fixture->folder, "runs", "one", NULL);
    fixture->recipe = maxgl_recipe_new();
    fixture->contexts = maxgl_contexts_open(NULL, NULL);
    fixture->context = fixture->contexts ? g_ptr_array_index(fixture->contexts, 0) : NULL;
    fixture->resnet = maxgl_recipe_resnet(fixture->recipe, 0, NULL);
    *state = fixture;
    return fixture->context ? 0 : -1;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    maxgl_resnet_free(fixture->resnet);
    g_clear_pointer(&fixture->contexts, g_ptr_array_unref);
    maxgl_recipe_free(fixture->recipe);
    g_clear_error(&fixture->error);
    g_free(fixture->run);
    test_folder_remove(fixture->folder);
    g_free(fixture);
    return 0;
}

static MaxglRun *open_run(Fixture *fixture, gboolean resume)
{
    g_clear_error(&fixture->error);
    return maxgl_run_open(fixture->run, fixture->recipe, resume, &fixture->error);
}

/* Makes a run of @step steps and closes it. */
static void make_run(Fixture *fixture, gboolean resume, gint64 step)
{
    const MaxglRunSizes sizes = {.steps = 100, .steps_per_epoch = 10, .videos = 320, .parameters = 5};
    g_autoptr(MaxglRun) run = open_run(fixture, resume);
    assert_non_null(run);
    assert_true(maxgl_run_begin(run, fixture->contexts, fixture->resnet, &sizes, resume ? step : 0, NULL));
    assert_true(maxgl_run_end(run, "interrupted", step, 2, NULL));
}

static void assert_refused(Fixture *fixture, gboolean resume, MaxglError code, const char *part)
{
    g_autoptr(MaxglRun) run = open_run(fixture, resume);
    assert_null(run);
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, (int)code));
    if (!strstr(fixture->error->message, part))
        fail_msg("\"%s\" does not say \"%s\"", fixture->error->message, part);
}

static void test_new_and_resumed(void **state)
{
    Fixture *fixture = *state;
    assert_refused(fixture, TRUE, MAXGL_ERROR_NOT_FOUND, "no run to resume");
    make_run(fixture, FALSE, 7);
    assert_refused(fixture, FALSE, MAXGL_ERROR_USAGE, "--resume");
    make_run(fixture, TRUE, 9);
    fixture->recipe->train.lr = 0.5;
    fixture->recipe->data.workers = 3;
    assert_refused(fixture, TRUE, MAXGL_ERROR_USAGE, "train.lr: 0.00375 → 0.5");
    assert_null(strstr(fixture->error->message, "workers"));
}

static void test_foreign_folders_are_left_alone(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *file = test_folder_path(fixture->run, "thesis.txt");
    assert_true(g_file_set_contents(file, "x", 1, NULL));
    assert_refused(fixture, FALSE, MAXGL_ERROR_USAGE, "is no run");
    assert_refused(fixture, TRUE, MAXGL_ERROR_NOT_FOUND, "no run to resume");
    g_unlink(file);
    g_rmdir(fixture->run);
    assert_true(g_file_set_contents(fixture->run, "x", 1, NULL));
    assert_refused(fixture, FALSE, MAXGL_ERROR_USAGE, "is no run");
}

static void test_a_folder_that_came_to_nothing_goes(void **state)
{
    Fixture *fixture = *state;
    maxgl_run_close(open_run(fixture, FALSE));
    assert_null(fixture->error);
    assert_false(g_file_test(fixture->run, G_FILE_TEST_EXISTS));
    /* One that was there before stays, and an empty one will do for a run. */
    g_mkdir_with_parents(fixture->run, 0755);
    maxgl_run_close(open_run(fixture, FALSE));
    assert_null(fixture->error);
    assert_true(g_file_test(fixture->run, G_FILE_TEST_IS_DIR));
}

static void test_one_process_at_a_time(void **state)
{
    Fixture *fixture = *state;
    make_run(fixture, FALSE, 1);
    g_autoptr(MaxglRun) first = open_run(fixture, TRUE);
    assert_non_null(first);
    assert_refused(fixture, TRUE, MAXGL_ERROR_FAILED, "another process");
}

static void test_unwritable(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *file = test_folder_path(fixture->folder, "file");
    assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_free(fixture->run);
    fixture->run = g_build_filename(file, "run", NULL);
    assert_refused(fixture, FALSE, MAXGL_ERROR_IO, "cannot make this folder");
}

static void test_what_killed_writers_left_goes(void **state)
{
    Fixture *fixture = *state;
    make_run(fixture, FALSE, 7);
    g_autofree char *partial = g_build_filename(fixture->run, ".model.safetensors.77-0.partial", NULL);
    assert_true(g_file_set_contents(partial, "x", 1, NULL));
    make_run(fixture, TRUE, 8);
    assert_false(g_file_test(partial, G_FILE_TEST_EXISTS));
}

static void test_recipe_and_info(void **state)
{
    Fixture *fixture = *state;
    g_free(fixture->recipe->data.path);
    fixture->recipe->data.path = g_strdup("videos/list.csv");
    make_run(fixture, FALSE, 7);
    make_run(fixture, TRUE, 9);

    g_autoptr(MaxglRecipe) read = maxgl_recipe_new();
    assert_true(maxgl_run_read_recipe(fixture->run, read, NULL, NULL));
    assert_string_equal(read->data.path, "videos/list.csv");

    g_autofree char *path = g_build_filename(fixture->run, MAXGL_RUN_INFO, NULL);
    g_autoptr(JsonParser) parser = json_parser_new();
    assert_true(json_parser_load_from_file(parser, path, NULL));
    JsonObject *run = json_node_get_object(json_parser_get_root(parser));
    assert_int_equal(json_object_get_int_member(run, "seed"), 1);
    assert_int_equal(json_object_get_int_member(run, "step"), 9);
    assert_int_equal(json_object_get_int_member(run, "videos"), 320);
    assert_string_equal(json_object_get_string_member(run, "state"), "interrupted");
    JsonArray *sessions = json_object_get_array_member(run, "sessions");
    assert_int_equal(json_array_get_length(sessions), 2);
    JsonObject *first = json_array_get_object_element(sessions, 0);
    assert_int_equal(json_object_get_int_member(first, "last_step"), 7);
    assert_int_equal(json_object_get_int_member(first, "bad_videos"), 2);
    JsonObject *device = json_object_get_object_member(first, "device");
    assert_string_equal(json_object_get_string_member(device, "name"), fixture->context->info->name);
    JsonObject *second = json_array_get_object_element(sessions, 1);
    assert_int_equal(json_object_get_int_member(second, "first_step"), 9);
}

static void touch_checkpoint(const Fixture *fixture, gint64 step)
{
    g_autofree char *name = maxgl_checkpoint_name(step);
    test_folder_write(fixture->run, name, "x");
}

static void test_checkpoints_by_number(void **state)
{
    Fixture *fixture = *state;
    make_run(fixture, FALSE, 7);
    g_autoptr(MaxglRun) run = open_run(fixture, TRUE);
    assert_null(maxgl_run_checkpoint(run));
    const gint64 steps[] = {500, 9, 1000000, 80};
    for (guint i = 0; i < G_N_ELEMENTS(steps); i++)
        touch_checkpoint(fixture, steps[i]);
    test_folder_write(fixture->run, "checkpoint-2000000.safetensors.old", "x");
    test_folder_write(fixture->run, "checkpoint-best.safetensors", "x");

    g_autofree char *newest = maxgl_run_checkpoint(run);
    assert_true(g_str_has_suffix(newest, "/checkpoint-1000000.safetensors"));
    maxgl_checkpoint_prune(fixture->run, 2);
    g_autoptr(GArray) left = maxgl_checkpoint_list(fixture->run);
    assert_int_equal(left->len, 2);
    assert_int_equal(g_array_index(left, gint64, 0), 500);
    g_autofree char *best = test_folder_path(fixture->run, "checkpoint-best.safetensors");
    assert_true(g_file_test(best, G_FILE_TEST_EXISTS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_and_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign_folders_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_folder_that_came_to_nothing_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_process_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unwritable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_killed_writers_left_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_recipe_and_info, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_checkpoints_by_number, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
