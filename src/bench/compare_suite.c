/* The suite's records in a comparison. */
#include "bench/compare_private.h"
#include "eval/html.h"

#include <string.h>

/* A suite's record being read. */
typedef struct {
    const MaxglCompareReader *reader;
    MaxglMeasurer *who;
    guint measurer;
    JsonObject *record, *sections;
} Suite;

static MaxglMeasurement *limit(const Suite *s, const char *name, const char *what)
{
    MaxglComparedWork *work =
        maxgl_compare_work(s->reader, MAXGL_COMPARE_LIMITS, "What the device can do at most");
    return &maxgl_compare_row(s->reader, work, name, what, "")->measurements[s->measurer];
}

static void read_peaks(const Suite *s)
{
    static const struct {
        const char *member, *name, *what;
    } peaks[] = {{"f32_gflop_per_s", "float32 multiply-adds", "independent ones in registers"},
                 {"f16_gflop_per_s", "float16 multiply-adds", "independent ones in registers"}},
      matrix[] = {{"f16", "matrix units, float16", "float32 sums"},
                  {"bf16", "matrix units, bfloat16", "float32 sums"},
                  {"tf32", "matrix units, tf32", "float32 sums"},
                  {"f32", "matrix units, float32", "float32 sums"}},
      memory[] = {{"copy_gbyte_per_s", "copying", "bytes read and written"},
                  {"local_gbyte_per_s", "local memory", "bytes read by all compute units"}};
    JsonObject *all = maxgl_json_object(s->record, "peaks");
    JsonObject *units = maxgl_json_object(all, "matrix_gflop_per_s");
    for (guint i = 0; i < G_N_ELEMENTS(peaks); i++)
        limit(s, peaks[i].name, peaks[i].what)->flops = 1e9 * maxgl_json_number(all, peaks[i].member);
    for (guint i = 0; i < G_N_ELEMENTS(matrix); i++)
        limit(s, matrix[i].name, matrix[i].what)->flops = 1e9 * maxgl_json_number(units, matrix[i].member);
    for (guint i = 0; i < G_N_ELEMENTS(memory); i++)
        limit(s, memory[i].name, memory[i].what)->bytes = 1e9 * maxgl_json_number(all, memory[i].member);
    s->who->peak = 1e9 * maxgl_json_number(all, "f32_gflop_per_s");
    s->who->copy = 1e9 * maxgl_json_number(all, "copy_gbyte_per_s");
}

/* Section @name if something was measured; what was not becomes a remark. */
static JsonObject *section(const Suite *s, const char *name)
{
    JsonObject *object = maxgl_json_object(s->sections, name);
    const char *status = maxgl_json_string(object, "status", "");
    const char *reason = maxgl_json_string(object, "reason", "");
    const gboolean partial = g_str_equal(status, "partial");
    if (object && !g_str_equal(status, "done"))
        g_ptr_array_add(s->who->remarks,
                        g_strdup_printf("%s: %s: %s", name, partial ? "left out" : status, reason));
    return g_str_equal(status, "done") || partial ? object : NULL;
}

static gboolean read_launch(const Suite *s, JsonObject *launch, GError **error)
{
    JsonObject *batched = maxgl_json_object(launch, "batched"),
               *finished = maxgl_json_object(launch, "finished");
    if (!batched || !finished)
        return maxgl_compare_refuse(s->reader, error, "its section launch has no times");
    return maxgl_compare_read(s->reader, batched, limit(s, "launch", "many of a kernel that does nothing"),
                              error) &&
           maxgl_compare_read(s->reader, finished, limit(s, "launch, waited for", "each before the next"),
                              error);
}

static gboolean read_transfers(const Suite *s, JsonObject *transfers, GError **error)
{
    JsonArray *rows = maxgl_json_array(transfers, "rows");
    for (guint i = 0; rows && i < json_array_get_length(rows); i++) {
        JsonNode *node = json_array_get_element(rows, i);
        JsonObject *row = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
        if (!row)
            return maxgl_compare_refuse(s->reader, error, "one of its rows is none");
        limit(s, maxgl_json_string(row, "name", ""), "a large copy")->bytes =
            1e9 * maxgl_json_number(row, "gbyte_per_s");
    }
    return rows || maxgl_compare_refuse(s->reader, error, "a record has no rows");
}

/* What a run is called beside others of its section. */
static char *name_of_run(JsonObject *run)
{
    g_autofree char *precision = maxgl_compare_precision(run);
    const double batch = maxgl_json_number(run, "batch");
    if (json_object_has_member(run, "estimator"))
        return g_strdup_printf("%s, %s%s", maxgl_json_string(run, "estimator", ""),
                               maxgl_json_string(run, "discriminator", ""), precision);
    return g_strdup_printf("%.0f clip%s%s", batch, batch == 1 ? "" : "s", precision);
}

static gboolean read_runs(const Suite *s, JsonObject *runs, const char *title, GError **error)
{
    JsonArray *all = maxgl_json_array(runs, "runs");
    MaxglComparedWork *work = maxgl_compare_work(s->reader, MAXGL_COMPARE_RUNS, title);
    for (guint i = 0; all && i < json_array_get_length(all); i++) {
        JsonNode *node = json_array_get_element(all, i);
        JsonObject *run = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
        if (!run)
            return maxgl_compare_refuse(s->reader, error, "one of its runs is none");
        g_autofree char *name = name_of_run(run);
        MaxglMeasurement *m = &maxgl_compare_row(s->reader, work, name, "", "")->measurements[s->measurer];
        if (!maxgl_compare_read(s->reader, run, m, error))
            return FALSE;
        m->memory = maxgl_json_number(run, "peak_device_bytes");
    }
    return all || maxgl_compare_refuse(s->reader, error, "a section has no runs");
}

static gboolean read_networks(const Suite *s, const char *pass, GError **error)
{
    JsonObject *runs = section(s, pass);
    g_autofree char *title = g_strdup_printf("%s, %s, clips of %s", maxgl_json_string(runs, "net", ""), pass,
                                             maxgl_json_string(runs, "clip", ""));
    return !runs || read_runs(s, runs, title, error);
}

static gboolean read_heads(const Suite *s, GError **error)
{
    JsonObject *runs = section(s, "heads");
    JsonArray *all = maxgl_json_array(runs, "runs");
    JsonNode *first = all && json_array_get_length(all) > 0 ? json_array_get_element(all, 0) : NULL;
    JsonObject *run = first && JSON_NODE_HOLDS_OBJECT(first) ? json_node_get_object(first) : NULL;
    g_autofree char *title = g_strdup_printf(
        "heads of %s, %.0f videos, %.0f regions, with all gradients", maxgl_json_string(runs, "net", ""),
        maxgl_json_number(run, "batch"), maxgl_json_number(run, "regions"));
    return !runs || read_runs(s, runs, title, error);
}

/* The rows of @run, which is the section @layers or one of its runs. */
static gboolean read_layers_of(const Suite *s, JsonObject *layers, JsonObject *run, GError **error)
{
    g_autofree char *precision = maxgl_compare_precision(run);
    g_autofree char *title =
        g_strdup_printf("layers of %s, %.0f clips of %s%s", maxgl_json_string(layers, "net", ""),
                        maxgl_json_number(layers, "batch"), maxgl_json_string(layers, "clip", ""), precision);
    return maxgl_compare_read_rows(s->reader, run, s->measurer,
                                   maxgl_compare_work(s->reader, MAXGL_COMPARE_SUITE_LAYERS, title), error);
}

static gboolean read_layers(const Suite *s, GError **error)
{
    JsonObject *layers = section(s, "layers");
    JsonArray *runs = maxgl_json_array(layers, "runs");
    if (layers && !read_layers_of(s, layers, layers, error))
        return FALSE;
    for (guint i = 0; runs && i < json_array_get_length(runs); i++) {
        JsonNode *node = json_array_get_element(runs, i);
        JsonObject *run = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
        if (!run)
            return maxgl_compare_refuse(s->reader, error, "one of its runs is none");
        if (!read_layers_of(s, layers, run, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_preparation(const Suite *s, GError **error)
{
    JsonObject *rows = section(s, "preparation");
    g_autofree char *title =
        g_strdup_printf("preparing clips of %s from videos of %s", maxgl_json_string(rows, "clip", ""),
                        maxgl_json_string(rows, "video", ""));
    return !rows || maxgl_compare_read_rows(s->reader, rows, s->measurer,
                                            maxgl_compare_work(s->reader, MAXGL_COMPARE_DATA, title), error);
}

gboolean maxgl_compare_read_suite(const MaxglCompareReader *reader, JsonObject *record, guint measurer,
                                  GError **error)
{
    const Suite s = {.reader = reader,
                     .who = g_ptr_array_index(reader->comparison->measurers, measurer),
                     .measurer = measurer,
                     .record = record,
                     .sections = maxgl_json_object(record, "sections")};
    if (!s.sections)
        return maxgl_compare_refuse(reader, error, "a suite without sections");
    s.who->suite = TRUE;
    const char *note = maxgl_json_string(record, "note", "");
    if (note[0])
        g_ptr_array_add(s.who->remarks, g_strdup(note));
    JsonNode *quick = json_object_get_member(record, "quick");
    if (quick && JSON_NODE_HOLDS_VALUE(quick) && json_node_get_boolean(quick))
        g_ptr_array_add(s.who->remarks, g_strdup("small sizes (--quick): this says nothing of speed"));
    section(&s, "peaks");
    read_peaks(&s);
    JsonObject *launch = section(&s, "launch"), *transfers = section(&s, "transfers");
    return (!launch || read_launch(&s, launch, error)) &&
           (!transfers || read_transfers(&s, transfers, error)) && read_networks(&s, "inference", error) &&
           read_networks(&s, "training", error) && read_heads(&s, error) && read_preparation(&s, error) &&
           read_layers(&s, error);
}
