#include "bench/compare_private.h"

#include "bench/record.h"
#include "eval/html.h"

#include <maxgl/error.h>
#include <string.h>

/* ---------------- memory ---------------- */

static void measurer_free(MaxglMeasurer *m)
{
    char *all[] = {m->label, m->file, m->program, m->date, m->device, m->system, m->algorithms};
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        g_free(all[i]);
    g_ptr_array_unref(m->remarks);
    g_free(m);
}

static void row_free(MaxglComparedRow *row, guint measurers)
{
    for (guint i = 0; i < measurers; i++)
        g_free(row->measurements[i].algorithm);
    g_free(row->measurements);
    g_free(row->name);
    g_free(row->what);
    g_free(row->pass);
    g_free(row);
}

void maxgl_comparison_free(MaxglComparison *c)
{
    if (!c)
        return;
    for (guint w = 0; w < c->works->len; w++) {
        MaxglComparedWork *work = g_ptr_array_index(c->works, w);
        for (guint r = 0; r < work->rows->len; r++)
            row_free(g_ptr_array_index(work->rows, r), c->measurers->len);
        g_ptr_array_unref(work->rows);
        g_array_unref(work->by);
        g_free(work->title);
        g_free(work);
    }
    g_ptr_array_unref(c->works);
    g_ptr_array_unref(c->measurers);
    g_free(c);
}

gboolean maxgl_compared_by_suite(const MaxglComparedWork *work)
{
    return work->kind >= MAXGL_COMPARE_LIMITS;
}

gboolean maxgl_measured(const MaxglMeasurement *m)
{
    return m->seconds > 0 || m->clips > 0 || m->flops > 0 || m->bytes > 0;
}

static double quotient(double a, double b)
{
    return a > 0 && b > 0 ? a / b : 0;
}

double maxgl_measured_ratio(const MaxglMeasurement *first, const MaxglMeasurement *this)
{
    if (first->clips > 0)
        return quotient(this->clips, first->clips);
    if (first->seconds > 0)
        return quotient(first->seconds, this->seconds);
    return first->flops > 0 ? quotient(this->flops, first->flops) : quotient(this->bytes, first->bytes);
}

/* @value in whichever of @units (each a thousand times the one before) gives it at most four digits in front
 * of the point. */
static char *scaled(double value, const char *const *units)
{
    for (; units[1] && value >= 1e4; units++)
        value *= 1e-3;
    char buffer[32];
    g_ascii_formatd(buffer, sizeof buffer, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
    return g_strdup_printf("%s %s", buffer, *units);
}

char *maxgl_measurement_text(const MaxglMeasurement *m)
{
    static const char *const times[] = {"µs", "ms", "s", NULL}, *const clips[] = {"clips/s", NULL},
                             *const flops[] = {"GFLOP/s", "TFLOP/s", NULL},
                             *const bytes[] = {"GB/s", "TB/s", NULL};
    if (m->clips > 0)
        return scaled(m->clips, clips);
    if (m->seconds > 0)
        return scaled(m->seconds * 1e6, times);
    if (m->flops > 0)
        return scaled(m->flops * 1e-9, flops);
    return m->bytes > 0 ? scaled(m->bytes * 1e-9, bytes) : g_strdup("–");
}

/* ---------------- reading ---------------- */

gboolean maxgl_compare_refuse(const MaxglCompareReader *r, GError **error, const char *what)
{
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", r->path, what);
    return FALSE;
}

char *maxgl_compare_precision(JsonObject *record)
{
    const char *precision = maxgl_json_string(record, "precision", "fp32");
    return g_str_equal(precision, "fp32") ? g_strdup("") : g_strconcat(", ", precision, NULL);
}

/* All rows get a place for another measurer. */
static MaxglMeasurer *add_measurer(MaxglComparison *c)
{
    const guint n = c->measurers->len;
    for (guint w = 0; w < c->works->len; w++) {
        MaxglComparedWork *work = g_ptr_array_index(c->works, w);
        for (guint r = 0; r < work->rows->len; r++) {
            MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
            row->measurements = g_renew(MaxglMeasurement, row->measurements, n + 1);
            row->measurements[n] = (MaxglMeasurement){.algorithm = g_strdup("")};
        }
    }
    MaxglMeasurer *m = g_new0(MaxglMeasurer, 1);
    m->remarks = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(c->measurers, m);
    return m;
}

static char *system_of(JsonObject *record)
{
    g_autofree char *os = g_strdup_printf("%s %s", maxgl_json_string(record, "os", ""),
                                          maxgl_json_string(record, "kernel", ""));
    const char *platform =
        maxgl_json_string(record, "platform_version", maxgl_json_string(record, "platform", ""));
    g_strstrip(os);
    return g_strjoin(os[0] && platform[0] ? "; " : "", os, platform, NULL);
}

/* Which measurer made @record: a new one if the file has not named the program yet. */
guint maxgl_compare_measurer(const MaxglCompareReader *r, JsonObject *record)
{
    GPtrArray *all = r->comparison->measurers;
    const char *program = maxgl_json_string(record, "program", "PyTorch");
    guint index = r->first;
    while (index < all->len && !g_str_equal(((MaxglMeasurer *)all->pdata[index])->program, program))
        index++;
    MaxglMeasurer *m = index < all->len ? g_ptr_array_index(all, index) : add_measurer(r->comparison);
    if (!m->program) {
        m->file = g_strdup(r->path);
        m->program = g_strdup(program);
        m->date = g_strdup(maxgl_json_string(record, "date", ""));
        m->device = g_strdup(maxgl_json_string(record, "device", ""));
        m->system = system_of(record);
        m->algorithms = g_strdup(maxgl_json_string(record, "algorithms", ""));
    }
    m->peak = MAX(m->peak, 1e9 * maxgl_json_number(record, "peak_gflop_per_s"));
    m->copy = MAX(m->copy, 1e9 * maxgl_json_number(record, "copy_gbyte_per_s"));
    return index;
}

MaxglComparedWork *maxgl_compare_work(const MaxglCompareReader *r, MaxglComparedKind kind, const char *title)
{
    GPtrArray *works = r->comparison->works;
    for (guint i = 0; i < works->len; i++) {
        MaxglComparedWork *work = g_ptr_array_index(works, i);
        if (work->kind == kind && g_str_equal(work->title, title))
            return work;
    }
    MaxglComparedWork *work = g_new0(MaxglComparedWork, 1);
    work->kind = kind;
    work->title = g_strdup(title);
    work->rows = g_ptr_array_new();
    work->by = g_array_new(FALSE, FALSE, sizeof(guint));
    g_ptr_array_add(works, work);
    return work;
}

MaxglComparedRow *maxgl_compare_row(const MaxglCompareReader *r, MaxglComparedWork *work, const char *name,
                                    const char *what, const char *pass)
{
    for (guint i = 0; i < work->rows->len; i++) {
        MaxglComparedRow *row = g_ptr_array_index(work->rows, i);
        if (g_str_equal(row->name, name) && g_str_equal(row->what, what) && g_str_equal(row->pass, pass))
            return row;
    }
    MaxglComparedRow *row = g_new0(MaxglComparedRow, 1);
    row->name = g_strdup(name);
    row->what = g_strdup(what);
    row->pass = g_strdup(pass);
    row->count = 1;
    row->measurements = g_new0(MaxglMeasurement, r->comparison->measurers->len);
    for (guint i = 0; i < r->comparison->measurers->len; i++)
        row->measurements[i].algorithm = g_strdup("");
    g_ptr_array_add(work->rows, row);
    return row;
}

/* Times from their summary, or from the list of all that some records have instead. */
static gboolean read_times(const MaxglCompareReader *r, JsonObject *object, MaxglMeasurement *m,
                           GError **error)
{
    JsonArray *list = maxgl_json_array(object, "seconds");
    const guint n = list ? json_array_get_length(list) : 0;
    m->seconds = maxgl_json_number(object, "median_s");
    m->min = maxgl_json_number(object, "min_s");
    m->p90 = maxgl_json_number(object, "p90_s");
    if (m->seconds <= 0 && n > 0) {
        g_autofree double *seconds = g_new(double, n);
        for (guint i = 0; i < n; i++) {
            JsonNode *node = json_array_get_element(list, i);
            seconds[i] = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_double(node) : 0;
        }
        const MaxglTimes times = maxgl_times_of(seconds, (int)n);
        m->seconds = times.median;
        m->min = times.min;
        m->p90 = times.p90;
    }
    return m->seconds > 0 || maxgl_compare_refuse(r, error, "a record has neither median_s nor seconds");
}

gboolean maxgl_compare_read(const MaxglCompareReader *r, JsonObject *object, MaxglMeasurement *m,
                            GError **error)
{
    g_free(m->algorithm);
    *m = (MaxglMeasurement){
        .algorithm = g_strdup(maxgl_json_string(object, "algorithm", "")),
        .flops = 1e9 * maxgl_json_number(object, "gflop_per_s"),
        .bytes = 1e9 * maxgl_json_number(object, "gbyte_per_s"),
        .clips = maxgl_json_number(object, "clips_per_s"),
        .memory = maxgl_json_number(object, "peak_resident_bytes"),
        .error = maxgl_json_number(object, "relative_l2_error"),
        .of_limit = MAX(maxgl_json_number(object, "of_peak"), maxgl_json_number(object, "of_bandwidth")),
        .predicted = maxgl_json_number(object, "predicted_s")};
    return (m->clips > 0 && !json_object_has_member(object, "median_s")) || read_times(r, object, m, error);
}

/* Of matrix units that @row of @record ran on, FLOP/s; 0: it did not. */
static double units_peak(JsonObject *record, JsonObject *row)
{
    static const char prefix[] = "matrix ";
    const char *peak = maxgl_json_string(row, "peak", "");
    JsonObject *units = maxgl_json_object(record, "matrix_gflop_per_s");
    return g_str_has_prefix(peak, prefix) ? 1e9 * maxgl_json_number(units, peak + strlen(prefix)) : 0;
}

gboolean maxgl_compare_read_rows(const MaxglCompareReader *r, JsonObject *record, guint measurer,
                                 MaxglComparedWork *work, GError **error)
{
    JsonArray *rows = maxgl_json_array(record, "rows");
    for (guint i = 0; rows && i < json_array_get_length(rows); i++) {
        JsonNode *node = json_array_get_element(rows, i);
        JsonObject *row = JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
        if (!row)
            return maxgl_compare_refuse(r, error, "one of its rows is none");
        const char *size = maxgl_json_string(row, "size", "");
        const double count = maxgl_json_number(row, "count");
        g_autofree char *name = count > 1
                                    ? g_strdup_printf("%s ×%.0f", maxgl_json_string(row, "name", ""), count)
                                    : g_strdup(maxgl_json_string(row, "name", ""));
        g_autofree char *what =
            g_strjoin(size[0] ? ", " : "", maxgl_json_string(row, "what", ""), size, NULL);
        MaxglComparedRow *to = maxgl_compare_row(r, work, name, what, maxgl_json_string(row, "pass", ""));
        to->count = MAX(count, 1);
        if (!maxgl_compare_read(r, row, &to->measurements[measurer], error))
            return FALSE;
        to->measurements[measurer].units_peak = units_peak(record, row);
    }
    return rows || maxgl_compare_refuse(r, error, "a record has no rows");
}

/* Older records do not say how pairs are scored: it was this. */
static char *title_of_heads(JsonObject *record)
{
    return g_strdup_printf(
        "heads of %s, %.0f videos, %.0f regions, %s, %s", maxgl_json_string(record, "net", ""),
        maxgl_json_number(record, "batch"), maxgl_json_number(record, "regions"),
        maxgl_json_string(record, "discriminator", "concat"), maxgl_json_string(record, "estimator", "jsd"));
}

/* A record of the bench, made by whatever program. @sibling says what a record without a word of it is
 * about. */
static gboolean read_record(const MaxglCompareReader *r, JsonObject *record, JsonObject *sibling,
                            GError **error)
{
    JsonObject *about = json_object_has_member(record, "net") || !sibling ? record : sibling;
    const char *pass = maxgl_json_string(about, "pass", ""), *net = maxgl_json_string(about, "net", "");
    const char *clip = maxgl_json_string(about, "clip", "");
    const double batch = maxgl_json_number(about, "batch");
    const guint measurer = maxgl_compare_measurer(r, record);
    g_autofree char *title = NULL, *precision = maxgl_compare_precision(sibling ? sibling : record);
    if (g_str_equal(pass, "suite"))
        return maxgl_compare_read_suite(r, record, measurer, error);
    if (g_str_equal(pass, "data")) {
        title = g_strdup_printf("%s, clips of %s, %.0f videos at once",
                                maxgl_json_string(record, "data", "?"), clip, batch);
        return maxgl_compare_read_rows(r, record, measurer, maxgl_compare_work(r, MAXGL_COMPARE_DATA, title),
                                       error);
    }
    if (g_str_equal(pass, "recipe")) {
        title =
            g_strdup_printf("recipe %s on %s, %.0f videos a step", maxgl_json_string(record, "config", "?"),
                            maxgl_json_string(record, "data", "?"), batch);
        return maxgl_compare_read_rows(r, record, measurer, maxgl_compare_work(r, MAXGL_COMPARE_DATA, title),
                                       error);
    }
    if (g_str_equal(pass, "layers")) {
        title = g_strdup_printf("layers of %s, %.0f clips of %s%s", net, batch, clip, precision);
        return maxgl_compare_read_rows(r, record, measurer,
                                       maxgl_compare_work(r, MAXGL_COMPARE_LAYERS, title), error);
    }
    const gboolean heads = g_str_equal(pass, "heads");
    if (!pass[0] || !net[0])
        return maxgl_compare_refuse(r, error,
                                    "no record of maxgl-cl bench or vs_pytorch.py: pass or net is missing");
    title = heads ? title_of_heads(about)
                  : g_strdup_printf("%s, %s, %.0f clips of %s%s", net, pass, batch, clip, precision);
    MaxglComparedWork *work = maxgl_compare_work(r, MAXGL_COMPARE_WHOLE, title);
    MaxglComparedRow *row = maxgl_compare_row(r, work, title, "", pass);
    if (!maxgl_compare_read(r, record, &row->measurements[measurer], error))
        return FALSE;
    g_autofree char *parts = g_strdup_printf("parts of the %s", title);
    return !heads || !json_object_has_member(record, "rows") ||
           maxgl_compare_read_rows(r, record, measurer, maxgl_compare_work(r, MAXGL_COMPARE_LAYERS, parts),
                                   error);
}

/* Two programs' records of the same. */
static gboolean read_result(const MaxglCompareReader *r, JsonObject *result, GError **error)
{
    JsonObject *ours = maxgl_json_object(result, "maxgl"), *theirs = maxgl_json_object(result, "pytorch");
    if (!ours || !theirs)
        return maxgl_compare_refuse(r, error, "one of its results has not a record of each program");
    return read_record(r, ours, NULL, error) && read_record(r, theirs, ours, error);
}

/* Whether a measurer of an earlier file is called so. */
static gboolean is_label(const MaxglCompareReader *r, const char *label)
{
    for (guint i = 0; i < r->first; i++)
        if (g_str_equal(((MaxglMeasurer *)r->comparison->measurers->pdata[i])->label, label))
            return TRUE;
    return FALSE;
}

/* A measurer is called after its file, and its program where the file has several; one of a suite after the
 * device, and its file too if there was such a device before. */
static void label_measurers(const MaxglCompareReader *r)
{
    GPtrArray *all = r->comparison->measurers;
    g_autofree char *name = g_path_get_basename(r->path);
    if (g_str_has_suffix(name, ".json"))
        name[strlen(name) - strlen(".json")] = '\0';
    if (is_label(r, name)) {
        g_free(name);
        name = g_strdup(r->path); /* two of a name in different folders */
    }
    for (guint i = r->first; i < all->len; i++) {
        MaxglMeasurer *m = g_ptr_array_index(all, i);
        if (m->suite)
            m->label =
                is_label(r, m->device) ? g_strdup_printf("%s (%s)", m->device, name) : g_strdup(m->device);
        else
            m->label = all->len - r->first > 1 ? g_strdup_printf("%s: %s", name, m->program) : g_strdup(name);
    }
}

static gboolean read_file(MaxglComparison *c, const char *path, GError **error)
{
    const MaxglCompareReader r = {c, path, c->measurers->len};
    g_autoptr(JsonParser) parser = maxgl_record_parse(path, error);
    if (!parser)
        return FALSE;
    JsonNode *root = json_parser_get_root(parser);
    JsonObject *object = JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
    JsonArray *results = maxgl_json_array(object, "results");
    gboolean ok = object || maxgl_compare_refuse(&r, error, "no record of maxgl-cl bench or vs_pytorch.py");
    if (ok && json_object_has_member(object, "predictions"))
        ok = maxgl_compare_refuse(
            &r, error,
            "predictions of maxgl-cl bench --predict, no measurement: give records of "
            "--json, which have predicted_s where the device is one that the model knows");
    if (ok && !results)
        ok = read_record(&r, object, NULL, error);
    for (guint i = 0; ok && results && i < json_array_get_length(results); i++) {
        JsonNode *node = json_array_get_element(results, i);
        ok = read_result(&r, JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL, error);
    }
    if (ok && c->measurers->len == r.first)
        ok = maxgl_compare_refuse(&r, error, "has no results");
    label_measurers(&r);
    return ok;
}

static gboolean took_part(const MaxglComparedWork *work, guint measurer)
{
    for (guint r = 0; r < work->rows->len; r++)
        if (maxgl_measured(&((MaxglComparedRow *)work->rows->pdata[r])->measurements[measurer]))
            return TRUE;
    return FALSE;
}

/* Rows of which nobody measured anything: limits that none of the devices has. */
static void drop_empty(MaxglComparedWork *work, guint measurers)
{
    for (guint r = work->rows->len; r-- > 0;) {
        MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        gboolean any = FALSE;
        for (guint m = 0; m < measurers; m++)
            any = any || maxgl_measured(&row->measurements[m]);
        if (any)
            continue;
        row_free(row, measurers);
        g_ptr_array_remove_index(work->rows, r);
    }
}

MaxglComparison *maxgl_compare(const char *const *paths, GError **error)
{
    g_autoptr(MaxglComparison) c = g_new0(MaxglComparison, 1);
    c->measurers = g_ptr_array_new_with_free_func((GDestroyNotify)measurer_free);
    c->works = g_ptr_array_new();
    for (; *paths; paths++)
        if (!read_file(c, *paths, error))
            return NULL;
    for (guint w = 0; w < c->works->len; w++) {
        MaxglComparedWork *work = g_ptr_array_index(c->works, w);
        drop_empty(work, c->measurers->len);
        for (guint m = 0; m < c->measurers->len; m++)
            if (took_part(work, m))
                g_array_append_val(work->by, m);
    }
    return g_steal_pointer(&c);
}
