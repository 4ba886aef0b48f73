/* A whole evaluation of a tiny network on procedural videos: splits, labels, comparisons, JSON. */
#include "eval/evaluation.h"
#include "tiny_model.h"

#include <json-glib/json-glib.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DATA                                                                                                 \
    "synth:videos=48,test=12,test_new=6,frames=9,directions=4,colors=2,shapes=1,backgrounds=2,seed=78"

static char *folder, *model;
static const MaxglEvaluationOptions defaults = {
    .linear = TRUE, .retrieval = TRUE, .data = DATA, .train_split = "train", .clips = 2};

static int set_up(void **state)
{
    folder = tiny_folder_new();
    model = g_build_filename(folder, "model.safetensors", NULL);
    tiny_model_write(model, 3);
    return 0;
}

static int tear_down(void **state)
{
    tiny_folder_remove(folder);
    g_free(model);
    return 0;
}

static MaxglEvaluation *evaluate(MaxglEvaluationOptions options)
{
    g_autoptr(GError) error = NULL;
    options.model = model;
    MaxglEvaluation *evaluation = maxgl_evaluation_run(&options, &error);
    if (!evaluation)
        fail_msg("%s", error->message);
    return evaluation;
}

static void assert_refused(MaxglEvaluationOptions options, MaxglError code, const char *part)
{
    g_autoptr(GError) error = NULL;
    options.model = options.model ? options.model : model;
    assert_null(maxgl_evaluation_run(&options, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, (int)code));
    if (!strstr(error->message, part))
        fail_msg("\"%s\" is not in \"%s\"", part, error->message);
}

static JsonObject *parse(const char *text, JsonParser *parser)
{
    g_autoptr(GError) error = NULL;
    if (!text || !json_parser_load_from_data(parser, text, -1, &error))
        fail_msg("%s: %s", error ? error->message : "no text", text);
    return json_node_get_object(json_parser_get_root(parser));
}

static void everything(void **state)
{
    MaxglEvaluationOptions options = defaults;
    options.random_init = options.still = TRUE;
    g_autoptr(MaxglEvaluation) e = evaluate(options);
    assert_int_equal(e->n_splits, 3);
    assert_string_equal(e->splits[0], "train");
    assert_string_equal(e->splits[1], "test");
    assert_string_equal(e->splits[2], "test-new");
    assert_int_equal(g_strv_length(e->labels), 3);
    assert_int_equal(e->n_networks, 3);
    assert_int_equal(e->features, TINY_FEATURES);
    assert_string_equal(e->network, "r3d-vcop@0.0625");
    /* motion and appearance on both splits; new backgrounds have no training videos */
    assert_int_equal(e->linear->len, 5);
    assert_int_equal(e->retrieval->len, 5);
    const MaxglLinearResult *motion = g_ptr_array_index(e->linear, 0);
    assert_string_equal(motion->label, "motion");
    assert_string_equal(motion->split, "test");
    assert_int_equal(motion->classes, 4);
    assert_float_equal(motion->chance, 0.25, 1e-12);
    assert_int_equal(motion->scores[0].videos, 12);
    assert_int_equal(motion->scores[2].videos, 12);
    /* Two backgrounds are what any network sees, still pictures or not, and better than by lot. */
    const MaxglLinearResult *background = g_ptr_array_index(e->linear, 4);
    assert_string_equal(background->label, "background");
    for (int i = 0; i < 3; i++)
        assert_true(background->scores[i].accuracy > 0.6);
    int right = 0;
    for (int i = 0; i < background->n_classes; i++)
        right += background->confusion[i * (background->n_classes + 1)];
    assert_int_equal(right, background->scores[0].correct);
    const MaxglRetrievalResult *found = g_ptr_array_index(e->retrieval, 4);
    assert_string_equal(found->label, "background");
    assert_true(found->scores[0].recall[0] > 0.6);
    assert_float_equal(found->scores[0].recall[4], 1, 1e-12);
}

static void repeatable(void **state)
{
    MaxglEvaluationOptions options = defaults;
    options.random_init = TRUE;
    g_autoptr(MaxglEvaluation) a = evaluate(options);
    options.workers = 3;
    g_autoptr(MaxglEvaluation) b = evaluate(options);
    for (guint i = 0; i < a->linear->len; i++) {
        const MaxglLinearResult *x = g_ptr_array_index(a->linear, i), *y = g_ptr_array_index(b->linear, i);
        assert_memory_equal(x->scores, y->scores, sizeof x->scores);
        assert_memory_equal(x->c, y->c, sizeof x->c);
    }
    for (int n = 0; n < 2; n++)
        assert_memory_equal(a->networks[n].splits[0]->data, b->networks[n].splits[0]->data,
                            a->networks[n].splits[0]->n * TINY_FEATURES * sizeof(float));
}

static void choice_of_labels_and_splits(void **state)
{
    static const char *const labels[] = {"appearance", NULL}, *const splits[] = {"test-new", NULL};
    MaxglEvaluationOptions options = defaults;
    options.labels = labels;
    options.test_splits = splits;
    options.retrieval = FALSE;
    g_autoptr(MaxglEvaluation) e = evaluate(options);
    assert_int_equal(e->linear->len, 1);
    assert_int_equal(e->retrieval->len, 0);
    const MaxglLinearResult *result = g_ptr_array_index(e->linear, 0);
    assert_string_equal(result->label, "appearance");
    assert_string_equal(result->split, "test-new");
    assert_int_equal(result->scores[0].videos, 6);
}

static void linear_json(void **state)
{
    g_autoptr(MaxglEvaluation) e = evaluate(defaults);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *text = maxgl_evaluation_linear_json(e, NULL);
    JsonObject *root = parse(text, parser);
    assert_string_equal(json_object_get_string_member(root, "protocol"), "linear");
    assert_string_equal(json_object_get_string_member(root, "data"), DATA);
    assert_int_equal(strlen(json_object_get_string_member(root, "model_sha256")), 64);
    assert_int_equal(json_object_get_int_member(root, "clips"), 2);
    assert_int_equal(json_object_get_int_member(root, "features"), TINY_FEATURES);
    JsonObject *train = json_object_get_object_member(json_object_get_object_member(root, "splits"), "train");
    assert_int_equal(json_object_get_int_member(train, "videos"), 48);
    assert_int_equal(json_object_get_int_member(train, "clips"), 96);
    JsonArray *results = json_object_get_array_member(root, "results");
    assert_int_equal(json_array_get_length(results), 5);
    for (guint i = 0; i < 5; i++) {
        const MaxglLinearResult *result = g_ptr_array_index(e->linear, i);
        JsonObject *row = json_array_get_object_element(results, i);
        JsonObject *networks = json_object_get_object_member(row, "networks");
        JsonObject *trained = json_object_get_object_member(networks, "trained");
        assert_int_equal(json_object_get_size(networks), 1);
        assert_string_equal(json_object_get_string_member(row, "label"), result->label);
        assert_float_equal(json_object_get_double_member(trained, "accuracy"), result->scores[0].accuracy,
                           1e-12);
        assert_int_equal(json_array_get_length(json_object_get_array_member(row, "class_names")),
                         json_array_get_length(json_object_get_array_member(row, "confusion")));
    }
}

static void retrieval_json(void **state)
{
    g_autoptr(MaxglEvaluation) e = evaluate(defaults);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *text = maxgl_evaluation_retrieval_json(e, NULL);
    JsonObject *root = parse(text, parser);
    assert_string_equal(json_object_get_string_member(root, "protocol"), "retrieval");
    JsonObject *row = json_array_get_object_element(json_object_get_array_member(root, "results"), 0);
    JsonObject *trained =
        json_object_get_object_member(json_object_get_object_member(row, "networks"), "trained");
    const MaxglRetrievalResult *result = g_ptr_array_index(e->retrieval, 0);
    assert_float_equal(json_object_get_double_member(json_object_get_object_member(trained, "recall"), "5"),
                       result->scores[0].recall[1], 1e-12);
    assert_true(json_object_has_member(json_object_get_object_member(row, "chance"), "50"));
    JsonArray *samples = json_object_get_array_member(root, "samples");
    assert_int_equal(json_array_get_length(samples), 8);
    for (guint i = 0; i < 8; i++) {
        JsonObject *query = json_array_get_object_element(samples, i);
        JsonArray *hits = json_object_get_array_member(query, "hits");
        assert_true(g_str_has_prefix(json_object_get_string_member(query, "path"), "test/"));
        assert_int_equal(json_array_get_length(hits), 5);
        double before = 1.0001;
        for (guint h = 0; h < 5; h++) {
            JsonObject *hit = json_array_get_object_element(hits, h);
            const double similarity = json_object_get_double_member(hit, "similarity");
            assert_true(similarity <= before);
            before = similarity;
            assert_true(g_str_has_prefix(json_object_get_string_member(hit, "path"), "train/"));
            assert_true(json_object_has_member(json_object_get_object_member(hit, "labels"), "motion"));
        }
    }
}

static void refusals(void **state)
{
    static const char *const no_label[] = {"speed", NULL}, *const no_split[] = {"testing", NULL};
    MaxglEvaluationOptions options = defaults;
    options.labels = no_label;
    assert_refused(options, MAXGL_ERROR_USAGE, "no column \"speed\"; the columns are: split, motion");
    options = defaults;
    options.test_splits = no_split;
    assert_refused(options, MAXGL_ERROR_USAGE, "testing");
    options = defaults;
    options.data = "synth:videos=4,test=0,test_new=0";
    assert_refused(options, MAXGL_ERROR_USAGE, "no test videos");
    options = defaults;
    options.model = "no such model";
    assert_refused(options, MAXGL_ERROR_NOT_FOUND, "no such model");
    g_autofree char *list = g_build_filename(folder, "list.csv", NULL);
    assert_true(g_file_set_contents(list, "path,label\na.mp4,x\n", -1, NULL));
    options = defaults;
    options.data = list;
    assert_refused(options, MAXGL_ERROR_USAGE, "no column \"split\"");
    assert_true(g_file_set_contents(list, "path,split,label\na.mp4,train,x\nb.mp4,test,x\n", -1, NULL));
    assert_refused(options, MAXGL_ERROR_FORMAT, "bad");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything),
        cmocka_unit_test(repeatable),
        cmocka_unit_test(choice_of_labels_and_splits),
        cmocka_unit_test(linear_json),
        cmocka_unit_test(retrieval_json),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
