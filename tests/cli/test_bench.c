/* maxgl-cl bench: what it prints and records, and what it says when it cannot. */
#include "cli.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A network whose layers take microseconds. */
#define TINY "--net", "r3d-vcop@0.0625", "--clip", "4x16x16", "--repeats", "2"

static JsonParser *parse(const char *name)
{
    g_autofree char *text = cli_read(name);
    g_autoptr(GError) error = NULL;
    JsonParser *parser = json_parser_new();
    if (!json_parser_load_from_data(parser, text, -1, &error))
        fail_msg("%s: %s", name, error->message);
    return parser;
}

static JsonObject *root_of(JsonParser *parser)
{
    return json_node_get_object(json_parser_get_root(parser));
}

static double positive(JsonObject *object, const char *member)
{
    if (!json_object_has_member(object, member))
        fail_msg("no member \"%s\"", member);
    const double value = json_object_get_double_member(object, member);
    if (!(value > 0) || isinf(value))
        fail_msg("%s is %g", member, value);
    return value;
}

/* What every record says of the place where it was made. */
static void assert_place(JsonObject *record, const char *pass)
{
    static const char *const texts[] = {"program",          "date",   "device",
                                        "architecture",     "driver", "platform",
                                        "platform_version", "os",     "kernel"};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        if (!json_object_has_member(record, texts[i]))
            fail_msg("no member \"%s\"", texts[i]);
    assert_string_equal(json_object_get_string_member(record, "pass"), pass);
    positive(record, "compute_units");
    positive(record, "peak_gflop_per_s");
    positive(record, "copy_gbyte_per_s");
}

static void assert_times(JsonObject *object, int n)
{
    const double median = positive(object, "median_s");
    assert_int_equal((int)json_object_get_double_member(object, "n"), n);
    assert_true(positive(object, "min_s") <= median);
    assert_true(positive(object, "p90_s") >= median);
}

static void network(void **state)
{
    g_autoptr(CliRun) run =
        cli_expect(0, "bench", TINY, "--pass", "training", "--json", "training.json", NULL);
    cli_assert_contains(run->out, "r3d-vcop@0.0625, 2 clips of 4x16x16, training step, fast algorithms");
    cli_assert_contains(run->out, "GFLOP/s of multiply-adds, copies at ");
    g_autoptr(JsonParser) parser = parse("training.json");
    JsonObject *record = root_of(parser);
    assert_place(record, "training");
    assert_times(record, 2);
    assert_int_equal(json_array_get_length(json_object_get_array_member(record, "seconds")), 2);
    assert_string_equal(json_object_get_string_member(record, "precision"), "fp32");
    positive(record, "peak_device_bytes");
    positive(record, "direct_gflop");
    positive(record, "of_peak");
}

static void layers(void **state)
{
    static const char *const passes[] = {"inference", "forward", "backward_data", "backward_weights",
                                         "backward"};
    gboolean seen[G_N_ELEMENTS(passes)] = {FALSE};
    double layers = 0;
    g_autoptr(CliRun) run = cli_expect(0, "bench", TINY, "--pass", "layers", "--json", "layers.json", NULL);
    cli_assert_contains(run->out, "layer1.0.conv1 ×2");
    cli_assert_contains(run->out, "2×4×4×8×8 → 2×4×4×8×8");
    cli_assert_contains(run->out, "all layers, each as often as the network has it:");
    g_autoptr(JsonParser) parser = parse("layers.json");
    JsonObject *record = root_of(parser);
    assert_place(record, "layers");
    JsonArray *rows = json_object_get_array_member(record, "rows");
    for (guint i = 0; i < json_array_get_length(rows); i++) {
        JsonObject *row = json_array_get_object_element(rows, i);
        const char *pass = json_object_get_string_member(row, "pass");
        assert_times(row, 2);
        positive(row, "bytes");
        positive(row, "of_bandwidth");
        assert_true(positive(row, "error_samples") == 200);
        /* Winograd's is the largest that there is. */
        assert_true(json_object_get_double_member(row, "relative_l2_error") < 2e-5);
        if (g_str_has_prefix(json_object_get_string_member(row, "what"), "convolution")) {
            assert_true(json_object_has_member(row, "algorithm"));
            positive(row, "of_peak");
        }
        for (guint p = 0; p < G_N_ELEMENTS(passes); p++)
            seen[p] |= strcmp(pass, passes[p]) == 0;
        if (strcmp(pass, "forward") == 0)
            layers += positive(row, "count");
    }
    for (guint p = 0; p < G_N_ELEMENTS(passes); p++)
        if (!seen[p])
            fail_msg("no row of %s", passes[p]);
    /* 12 convolutions (stem, 4 blocks of two, 3 shortcuts), as many batch norms, pool and fc */
    assert_int_equal((int)layers, 26);
}

/* Of every layer in the record @name; the largest error that is allowed. */
static void assert_errors(JsonObject *record, double most)
{
    JsonArray *rows = json_object_get_array_member(record, "rows");
    for (guint i = 0; i < json_array_get_length(rows); i++) {
        JsonObject *row = json_array_get_object_element(rows, i);
        const double error = json_object_get_double_member(row, "relative_l2_error");
        if (!(error <= most))
            fail_msg("%s, %s: off by %g; allowed are %g", json_object_get_string_member(row, "name"),
                     json_object_get_string_member(row, "pass"), error, most);
    }
}

/* The row of layer @name and pass @pass. */
static JsonObject *row_of(JsonObject *record, const char *name, const char *pass)
{
    JsonArray *rows = json_object_get_array_member(record, "rows");
    for (guint i = 0; i < json_array_get_length(rows); i++) {
        JsonObject *row = json_array_get_object_element(rows, i);
        if (strcmp(json_object_get_string_member(row, "name"), name) == 0 &&
            strcmp(json_object_get_string_member(row, "pass"), pass) == 0)
            return row;
    }
    fail_msg("no row of %s, %s", name, pass);
    return NULL;
}

/* @row's part of the peak is of the one called @name, @gflop_per_s. */
static void assert_peak(JsonObject *row, const char *name, double gflop_per_s)
{
    assert_string_equal(json_object_get_string_member(row, "peak"), name);
    const double part = positive(row, "of_peak"), expected = positive(row, "gflop_per_s") / gflop_per_s;
    assert_true(fabs(part - expected) < 1e-9 * expected);
}

/* As a network stores them in each precision; what was rounded in storing operands is no error. */
static void layers_by_precision(void **state)
{
    static const struct {
        const char *precision;
        double numbers, error; /* bytes of a number, the largest error */
    } all[] = {{"fp16", 2, 1e-3}, {"bf16", 2, 8e-3}, {"tf32", 4, 1e-3}, {"fp32", 4, 2e-5}};
    const double map = 2 * 4 * 4 * 8 * 8, clip = 2 * 3 * 4 * 16 * 16, filters = 4 * 3 * 3 * 7 * 7;
    for (guint i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autoptr(CliRun) run = cli_expect(0, "bench", TINY, "--pass", "layers", "--precision",
                                           all[i].precision, "--json", "precision.json", NULL);
        g_autoptr(JsonParser) parser = parse("precision.json");
        JsonObject *record = root_of(parser);
        assert_string_equal(json_object_get_string_member(record, "precision"), all[i].precision);
        assert_errors(record, all[i].error);
        const double norm = positive(row_of(record, "bn1", "forward"), "bytes");
        assert_true(norm >= 3 * map * all[i].numbers); /* padding channels of a larger block count */
        const double first = positive(row_of(record, "conv1", "forward"), "bytes");
        assert_true(first >= 4 * (clip + filters) + all[i].numbers * map); /* clips and weights are floats */
        if (all[i].numbers == 2)
            assert_true(positive(row_of(record, "conv1", "forward"), "relative_l2_error") > 1e-5);
        else /* behind the global pool all are floats */
            assert_true(norm > 3 * map * 2);
        assert_true(json_object_get_double_member(row_of(record, "fc", "forward"), "relative_l2_error") <
                    2e-5);
        g_autoptr(CliRun) good = cli_expect(0, "bench", "--check", "precision.json", NULL);
        g_autoptr(CliRun) compared =
            cli_expect(0, "bench", "--compare", "precision.json", "-o", "precision.html", NULL);
        g_autofree char *title = g_strdup_printf("layers of r3d-vcop@0.0625, 2 clips of 4x16x16%s%s\n",
                                                 i == 3 ? "" : ", ", i == 3 ? "" : all[i].precision);
        cli_assert_contains(compared->out, title);
    }
}

/* Matrix units, worked out by ordinary instructions: their peak is the one that counts. */
static void layers_on_units(void **state)
{
    static const char *const arguments[] = {"bench", TINY,     "--pass",     "layers", "--precision",
                                            "fp16",  "--json", "units.json", NULL};
    g_autoptr(CliRun) run = cli_run_under("MAXGL_TUNING", UNITS_CFG, NULL, arguments);
    if (run->status != 0)
        fail_msg("%s", run->err);
    cli_assert_contains(run->out, "fast algorithms, fp16, 2 runs");
    cli_assert_contains(run->out, "matrix units, fp16, measured: ");
    g_autoptr(JsonParser) parser = parse("units.json");
    JsonObject *record = root_of(parser);
    JsonObject *units = json_object_get_object_member(record, "matrix_gflop_per_s");
    assert_int_equal(json_object_get_size(units), 1); /* what ran on them */
    JsonObject *conv = row_of(record, "layer1.0.conv1", "backward_weights");
    assert_string_equal(json_object_get_string_member(conv, "algorithm"), "mma");
    assert_peak(conv, "matrix f16", positive(units, "f16"));
    assert_peak(row_of(record, "conv1", "inference"), "matrix f16", positive(units, "f16"));
    assert_peak(row_of(record, "fc", "forward"), "f32", positive(record, "peak_gflop_per_s"));
    assert_errors(record, 1e-3);
    g_autoptr(CliRun) good = cli_expect(0, "bench", "--check", "units.json", NULL);
    g_autoptr(CliRun) page = cli_expect(0, "bench", "--compare", "units.json", "-o", "units.html", NULL);
    g_autofree char *html = cli_read("units.html");
    char part[32]; /* of the peak, as a cell of the table has it */
    g_snprintf(part, sizeof part, "<td class=\"r\">%.0f</td>", 100 * positive(conv, "of_peak"));
    cli_assert_contains(html, part);
}

/* Max-pool and shortcut A are layers of hara's networks only. */
static void other_layers(void **state)
{
    g_autoptr(CliRun) run = cli_expect(0, "bench", "--net", "hara-r3d10-a@0.0625", "--clip", "4x16x16",
                                       "--batch", "1", "--repeats", "1", "--exact", "--pass", "layers", NULL);
    cli_assert_contains(run->out, "max-pool 3×3×3 /2,2,2");
    cli_assert_contains(run->out, "subsampling, zero channels /2,2,2");
    cli_assert_contains(run->out, "exact algorithms");
    g_autoptr(CliRun) half =
        cli_expect(0, "bench", "--net", "hara-r3d10-a@0.0625", "--clip", "4x16x16", "--batch", "1",
                   "--repeats", "1", "--precision", "fp16", "--pass", "layers", "--json", "hara.json", NULL);
    g_autoptr(JsonParser) parser = parse("hara.json");
    assert_errors(root_of(parser), 1e-3);
}

/* One measurement of the heads: @macs of the forward pass. */
static void check_heads(const char *estimator, const char *discriminator, const char *clips, double macs)
{
    g_autoptr(CliRun) run = cli_expect(0, "bench", TINY, "--pass", "heads", "--batch", "3", "--regions", "5",
                                       "--estimator", estimator, "--discriminator", discriminator,
                                       "--clips-per-video", clips, "--json", "heads.json", NULL);
    g_autofree char *title =
        g_strdup_printf("heads of r3d-vcop@0.0625, 3 videos (%s clips each), 5 regions, %s 512, %s", clips,
                        discriminator, estimator);
    cli_assert_contains(run->out, title);
    g_autoptr(JsonParser) parser = parse("heads.json");
    JsonObject *record = root_of(parser);
    assert_place(record, "heads");
    assert_times(record, 2);
    assert_true(json_object_get_double_member(record, "regions") == 5);
    assert_true(json_object_get_double_member(record, "clips_per_video") == atoi(clips));
    assert_string_equal(json_object_get_string_member(record, "estimator"), estimator);
    assert_string_equal(json_object_get_string_member(record, "discriminator"), discriminator);
    assert_true(fabs(positive(record, "direct_gflop") - 6e-9 * macs) < 1e-9);
    JsonArray *rows = json_object_get_array_member(record, "rows");
    assert_int_equal(json_array_get_length(rows), 6);
    for (guint i = 0; i < 6; i++) {
        JsonObject *row = json_array_get_object_element(rows, i);
        assert_times(row, 2);
        positive(row, "error_samples");
        assert_true(json_object_get_double_member(row, "relative_l2_error") < 2e-5);
    }
}

static void heads(void **state)
{
    const double d = 512, f = 32, c = 16; /* width, features, channels; the smaller ones are the network's */
    /* Two clips: 4·3 rows of features and 2·3·5 of regions for the encoders, 9 + 2·5·9 pairs. */
    check_heads("jsd", "concat", "2", 4 * 3 * f * d + 2 * 3 * 5 * c * d + 99 * (d * d + d));
    /* Three: 7·3 rows and 3·3·5, three pairings of 9 and three of 5·9. */
    check_heads("infonce", "concat", "3", 7 * 3 * f * d + 3 * 3 * 5 * c * d + 162 * (d * d + d));
    const double g = 2 * f * d + d * d, l = 2 * c * d + d * d; /* of one row */
    check_heads("dv", "dot", "2", 4 * 3 * g + 2 * 3 * 5 * l + 99 * d);
    check_heads("infonce", "dot", "2", 4 * 3 * g + 2 * 3 * 5 * l + 99 * d);
}

/* The record has three rows with these names, each of whole batches of @clips in at least 0.2 s. */
static void assert_flow(const char *record, const char *const names[3], int clips)
{
    g_autoptr(JsonParser) parser = parse(record);
    JsonArray *rows = json_object_get_array_member(root_of(parser), "rows");
    assert_int_equal(json_array_get_length(rows), 3);
    for (guint i = 0; i < 3; i++) {
        JsonObject *row = json_array_get_object_element(rows, i);
        assert_string_equal(json_object_get_string_member(row, "name"), names[i]);
        positive(row, "clips_per_s");
        assert_true((int)positive(row, "clips") % clips == 0);
        assert_true(positive(row, "seconds") >= 0.2);
    }
}

static void data(void **state)
{
    static const char *const names[] = {"decode", "decode, prepare", "cache, prepare"};
    g_autoptr(CliRun) run =
        cli_expect(0, "bench", "--pass", "data", "--data", "synth:videos=9,test=0,test_new=0", "--clip",
                   "4x16x16", "--batch", "3", "--seconds", "0.2", "--json", "data.json", NULL);
    cli_assert_contains(run->out, "synth:videos=9,test=0,test_new=0, clips of 4x16x16, batches of 3 videos");
    assert_flow("data.json", names, 6);
    g_autoptr(CliRun) nowhere = cli_expect(1, "bench", "--pass", "data", "--data", "no-such-folder", NULL);
    cli_assert_contains(nowhere->err, "no-such-folder");
    g_autoptr(CliRun) few = cli_expect(2, "bench", "--pass", "data", "--data",
                                       "synth:videos=4,test=0,test_new=0", "--batch", "5", NULL);
    cli_assert_contains(few->err, "5");
}

static void recipe(void **state)
{
    static const char *const names[] = {"step", "train, first epoch", "train"};
    cli_write("tiny.cfg", "network: { name = \"r3d-vcop\"; width = 0.0625; };\n"
                          "clip: { frames = 4; stride = 1; size = 16; };\n"
                          "objective: { hidden = 16; regions = [1, 1, 1]; };\n"
                          "train: { batch = 4; };\n");
    g_autoptr(CliRun) run =
        cli_expect(0, "bench", "--pass", "recipe", "--config", "tiny.cfg", "--data",
                   "synth:videos=9,test=0,test_new=0,width=16,height=16,frames=8", "--set",
                   "train.optimizer=adam", "--seconds", "0.2", "--json", "recipe.json", NULL);
    cli_assert_contains(run->out, "tiny.cfg: r3d-vcop@0.0625, 4 videos a step, 2 clips of each");
    cli_assert_contains(run->out, "of the step alone");
    assert_flow("recipe.json", names, 8);
    assert_false(cli_exists("runs"));
    g_autoptr(CliRun) compared =
        cli_expect(0, "bench", "--compare", "recipe.json", "-o", "recipe.html", NULL);
    cli_assert_contains(compared->out, "recipe tiny.cfg on synth:videos=9");
    g_autoptr(CliRun) few = cli_expect(2, "bench", "--pass", "recipe", "--config", "tiny.cfg", "--data",
                                       "synth:videos=3,test=0,test_new=0", NULL);
    cli_assert_contains(few->err, "train.batch: 4 is more than the 3 videos");
    g_autoptr(CliRun) two = cli_expect(2, "bench", "--pass", "recipe", "--config", "tiny.cfg", "--data",
                                       "synth:", "--set", "data.path=b.csv", NULL);
    cli_assert_contains(two->err, "--data=synth: and --set data.path=b.csv are two values of one option");
    g_autoptr(CliRun) none = cli_expect(2, "bench", "--pass", "recipe", NULL);
    cli_assert_contains(none->err, "--config is missing: the recipe that trains");
    g_autoptr(CliRun) other = cli_expect(2, "bench", "--config", "tiny.cfg", NULL);
    cli_assert_contains(other->err, "--config=tiny.cfg is for --pass recipe");
    g_autoptr(CliRun) set = cli_expect(2, "bench", "--set", "train.batch=4", NULL);
    cli_assert_contains(set->err, "--set=train.batch=4 is for --pass recipe");
    g_autoptr(CliRun) missing = cli_expect(1, "bench", "--pass", "recipe", "--config", "missing.cfg", NULL);
    cli_assert_contains(missing->err, "missing.cfg: cannot read");
}

static void usage(void **state)
{
    g_autoptr(CliRun) pass = cli_expect(2, "bench", "--pass", "everything", NULL);
    cli_assert_contains(pass->err,
                        "--pass=everything: give inference, training, layers, heads, data or recipe");
    g_autoptr(CliRun) clip = cli_expect(2, "bench", "--clip", "16x112", NULL);
    cli_assert_contains(clip->err, "--clip=16x112: give frames, height and width, such as 16x112x112");
    g_autoptr(CliRun) batch = cli_expect(2, "bench", "--batch", "-3", NULL);
    cli_assert_contains(batch->err, "--batch=-3 is out of range; allowed: 1 … 65536");
    g_autoptr(CliRun) repeats = cli_expect(2, "bench", "--repeats", "0", NULL);
    cli_assert_contains(repeats->err, "--repeats=0 is out of range; allowed: 1 … 100000");
    g_autoptr(CliRun) heads_of_one = cli_expect(2, "bench", "--pass", "heads", "--batch", "1", NULL);
    cli_assert_contains(heads_of_one->err, "--batch=1 is out of range; allowed: 2 … 65536");
    g_autoptr(CliRun) estimator = cli_expect(2, "bench", "--pass", "heads", "--estimator", "mine", NULL);
    cli_assert_contains(estimator->err, "--estimator=mine: give one of jsd, infonce, dv");
    g_autoptr(CliRun) discriminator = cli_expect(2, "bench", "--discriminator", "cosine", NULL);
    cli_assert_contains(discriminator->err, "--discriminator=cosine: give one of concat, dot");
    g_autoptr(CliRun) precision = cli_expect(2, "bench", "--precision", "fp8", NULL);
    cli_assert_contains(precision->err, "--precision=fp8: give one of fp32, tf32, fp16, bf16");
    g_autoptr(CliRun) fp32_only = cli_expect(2, "bench", "--pass", "heads", "--precision", "fp16", NULL);
    cli_assert_contains(fp32_only->err, "--precision=fp16 is for inference, training and layers");
    g_autoptr(CliRun) clips = cli_expect(2, "bench", "--pass", "heads", "--clips-per-video", "1", NULL);
    cli_assert_contains(clips->err, "--clips-per-video=1 is out of range; allowed: 2 … 8");
    g_autoptr(CliRun) seconds = cli_expect(2, "bench", "--seconds", "0", NULL);
    cli_assert_contains(seconds->err, "--seconds=0 is out of range; allowed: above 0, up to 3600");
    g_autoptr(CliRun) no_data = cli_expect(2, "bench", "--pass", "data", NULL);
    cli_assert_contains(no_data->err, "--data is missing: a folder of videos, a list, or synth:");
    g_autoptr(CliRun) net = cli_expect(2, "bench", "--net", "r3d_19", NULL);
    cli_assert_contains(net->err, "r3d_18");
    g_autoptr(CliRun) help = cli_expect(0, "bench", "--help", NULL);
    cli_assert_contains(help->out, "maxgl-cl bench --device gpu --pass layers --json layers.json");
}

static void record_cannot_be_written(void **state)
{
    g_autoptr(CliRun) run = cli_expect(1, "bench", TINY, "--json", "nowhere/x.json", NULL);
    cli_assert_contains(run->err, "nowhere/x.json: cannot write");
}

/* Of another program: only what a comparison cannot do without. */
#define OTHER                                                                                                \
    "{\"results\": [{\"maxgl\": {\"program\": \"maxgl-cl 9\", \"pass\": \"training\", \"net\": "             \
    "\"r3d-vcop@0.0625\","                                                                                   \
    " \"clip\": \"4x16x16\", \"batch\": 2, \"median_s\": 0.5},"                                              \
    " \"pytorch\": {\"program\": \"PyTorch 1.13.1\", \"seconds\": [3.0, 1.0, 0.25]}}]}"

/* One layer in so many milliseconds on a device that does 100 GFLOP/s. */
#define ONE_LAYER(ms, gflop_per_s)                                                                           \
    "{\"program\": \"maxgl-cl 9\", \"pass\": \"layers\", \"net\": \"r3d_18\", \"clip\": \"4x16x16\","        \
    " \"batch\": 2, \"peak_gflop_per_s\": 100, \"copy_gbyte_per_s\": 10, \"rows\": [{\"name\": \"conv1\","   \
    " \"pass\": \"forward\", \"count\": 1, \"median_s\": " ms ", \"direct_gflop\": 0.06,"                    \
    " \"gflop_per_s\": " gflop_per_s "}]}"

/* A limit is drawn beside bars that come near it, and does not shrink others to nothing. */
static void limits_on_the_page(void **state)
{
    cli_write("near.json", ONE_LAYER("0.001", "60"));
    cli_write("far.json", ONE_LAYER("1", "0.06"));
    g_autoptr(CliRun) near = cli_expect(0, "bench", "--compare", "near.json", "-o", "near.html", NULL);
    g_autoptr(CliRun) far = cli_expect(0, "bench", "--compare", "far.json", "-o", "far.html", NULL);
    g_autofree char *drawn = cli_read("near.html"), *not_drawn = cli_read("far.html");
    cli_assert_contains(drawn, "class=\"limit stroke0\"");
    assert_null(strstr(not_drawn, "class=\"limit stroke0\""));
}

static void compare(void **state)
{
    g_autoptr(CliRun) first = cli_expect(0, "bench", TINY, "--pass", "layers", "--json", "a.json", NULL);
    g_autoptr(CliRun) second =
        cli_expect(0, "bench", TINY, "--pass", "layers", "--exact", "--json", "b.json", NULL);
    g_autoptr(CliRun) whole = cli_expect(0, "bench", TINY, "--pass", "training", "--json", "c.json", NULL);
    cli_write("sides.json", OTHER);
    g_autoptr(CliRun) run =
        cli_expect(0, "bench", "--compare", "a.json", "b.json", "c.json", "sides.json", NULL);
    cli_assert_contains(run->out, "layers of r3d-vcop@0.0625, 2 clips of 4x16x16\n");
    cli_assert_contains(run->out, "layer1.0.conv1 ×2, backward_weights");
    cli_assert_contains(run->out, "r3d-vcop@0.0625, training, 2 clips of 4x16x16\n");
    cli_assert_contains(run->out, "sides: maxgl-cl 9  as fast  sides: PyTorch 1.13.1  as fast");
    cli_assert_contains(run->out, "500.000 ms");
    cli_assert_contains(run->out, "1000.000 ms");
    cli_assert_contains(run->err, "bench.html: the page with plots");
    g_autofree char *page = cli_read("bench.html");
    assert_true(g_str_has_prefix(page, "<!DOCTYPE html>"));
    cli_assert_contains(page, "</html>");
    cli_assert_contains(page, "<svg ");
    cli_assert_contains(page, "Made by maxgl-cl bench --compare ");
    assert_null(strstr(page, "nan"));
    assert_null(strstr(page, "http://")); /* it needs nothing else */
    g_autoptr(CliRun) other = cli_expect(0, "bench", "--compare", "sides.json", "-o", "other.html", NULL);
    cli_assert_contains(other->out, "0.50×");
    assert_true(cli_exists("other.html"));
}

static void records_that_are_none(void **state)
{
    static const char *const records[][2] = {
        {"", "is empty"},
        {"hello", "is no JSON ("},
        {"[1, 2]", "no record of maxgl-cl bench or vs_pytorch.py"},
        {"{\"a\": 1}", "pass or net is missing"},
        {"{\"results\": []}", "has no results"},
        {"{\"net\": \"x\", \"predictions\": []}",
         "predictions of maxgl-cl bench --predict, no measurement: give records of --json"},
        {"{\"results\": [3]}", "one of its results has not a record of each program"},
        {"{\"pass\": \"training\", \"net\": \"x\"}", "neither median_s nor seconds"},
        {"{\"pass\": \"training\", \"net\": \"x\", \"seconds\": [\"y\"]}", "neither median_s nor seconds"},
        {"{\"pass\": \"layers\", \"net\": \"x\", \"rows\": 7}", "has no rows"},
        {"{\"pass\": \"layers\", \"net\": \"x\", \"rows\": [7]}", "one of its rows is none"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(records); i++) {
        cli_write("odd.json", records[i][0]);
        g_autoptr(CliRun) run = cli_expect(1, "bench", "--compare", "odd.json", "-o", "odd.html", NULL);
        cli_assert_contains(run->err, "odd.json: ");
        cli_assert_contains(run->err, records[i][1]);
        assert_false(cli_exists("odd.html"));
    }
    g_autoptr(CliRun) missing = cli_expect(1, "bench", "--compare", "missing.json", NULL);
    cli_assert_contains(missing->err, "missing.json: cannot read");
    g_autoptr(CliRun) none = cli_expect(2, "bench", "--compare", NULL);
    cli_assert_contains(none->err, "--compare: records expected");
    g_autoptr(CliRun) alone = cli_expect(2, "bench", "a.json", NULL);
    cli_assert_contains(alone->err, "\"a.json\" was not expected without --compare");
    g_autoptr(CliRun) out = cli_expect(2, "bench", "-o", "x.html", NULL);
    cli_assert_contains(out->err, "--out=x.html is for --compare");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(network),
        cmocka_unit_test(layers),
        cmocka_unit_test(layers_by_precision),
        cmocka_unit_test(layers_on_units),
        cmocka_unit_test(other_layers),
        cmocka_unit_test(heads),
        cmocka_unit_test(data),
        cmocka_unit_test(recipe),
        cmocka_unit_test(usage),
        cmocka_unit_test(record_cannot_be_written),
        cmocka_unit_test(compare),
        cmocka_unit_test(limits_on_the_page),
        cmocka_unit_test(records_that_are_none),
    };
    return cmocka_run_group_tests(tests, cli_set_up, cli_tear_down);
}
