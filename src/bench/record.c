#include "bench/record.h"

#include "base/file.h"
#include "base/json.h"

#include <math.h>
#include <maxgl/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

MaxglBenchRow *maxgl_bench_row_new(const char *name, const char *what, const char *size, const char *pass)
{
    MaxglBenchRow *row = g_new0(MaxglBenchRow, 1);
    row->name = g_strdup(name);
    row->what = g_strdup(what);
    row->size = g_strdup(size);
    row->pass = pass;
    row->count = 1;
    return row;
}

void maxgl_bench_row_free(MaxglBenchRow *row)
{
    if (!row)
        return;
    g_free(row->name);
    g_free(row->what);
    g_free(row->size);
    g_free(row->algorithm);
    g_free(row);
}

void maxgl_record_string(JsonBuilder *b, const char *name, const char *value)
{
    json_builder_set_member_name(b, name);
    json_builder_add_string_value(b, value);
}

void maxgl_record_number(JsonBuilder *b, const char *name, double value)
{
    json_builder_set_member_name(b, name);
    if (isfinite(value))
        json_builder_add_double_value(b, value);
    else
        json_builder_add_null_value(b);
}

static void add_device(JsonBuilder *b, const MaxglDeviceInfo *d)
{
    struct utsname os;
    uname(&os);
    maxgl_record_string(b, "device", d->name);
    maxgl_record_string(b, "architecture", d->architecture);
    maxgl_record_string(b, "platform", d->platform_name);
    maxgl_record_string(b, "platform_version", d->platform_version);
    maxgl_record_string(b, "driver", d->driver_version);
    maxgl_record_number(b, "compute_units", d->compute_units);
    maxgl_record_number(b, "clock_mhz", d->clock_mhz);
    maxgl_record_string(b, "os", os.sysname);
    maxgl_record_string(b, "kernel", os.release);
}

JsonBuilder *maxgl_record_begin(const MaxglContext *context, const char *pass)
{
    JsonBuilder *b = json_builder_new();
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *date = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
    json_builder_begin_object(b);
    maxgl_record_string(b, "program", "maxgl-cl " MAXGL_VERSION);
    maxgl_record_string(b, "date", date);
    add_device(b, context->info);
    maxgl_record_string(b, "pass", pass);
    return b;
}

void maxgl_record_times(JsonBuilder *b, const MaxglTimes *times)
{
    maxgl_record_number(b, "n", times->n);
    maxgl_record_number(b, "executions_per_run", times->inner);
    maxgl_record_number(b, "median_s", times->median);
    maxgl_record_number(b, "min_s", times->min);
    maxgl_record_number(b, "p90_s", times->p90);
}

void maxgl_record_roof(JsonBuilder *b, const MaxglRoof *roof)
{
    maxgl_record_number(b, "peak_gflop_per_s", roof->flops * 1e-9);
    maxgl_record_number(b, "copy_gbyte_per_s", roof->copy_bytes * 1e-9);
}

/* By MaxglFactors. */
static const char *const peak_names[] = {"f32", "f16", "bf16", "tf32"};

void maxgl_record_matrix(JsonBuilder *b, const MaxglRoof *roof)
{
    gboolean any = FALSE;
    for (guint f = 0; f < G_N_ELEMENTS(peak_names); f++)
        any = any || roof->matrix[f] > 0;
    if (!any)
        return;
    json_builder_set_member_name(b, "matrix_gflop_per_s");
    json_builder_begin_object(b);
    for (guint f = 0; f < G_N_ELEMENTS(peak_names); f++)
        if (roof->matrix[f] > 0)
            maxgl_record_number(b, peak_names[f], roof->matrix[f] * 1e-9);
    json_builder_end_object(b);
}

double maxgl_bench_row_peak(const MaxglBenchRow *row, const MaxglRoof *roof)
{
    return row->on_units ? roof->matrix[row->factors] : roof->flops;
}

static void add_peak(JsonBuilder *b, const MaxglBenchRow *row, const MaxglRoof *roof)
{
    g_autofree char *name = g_strconcat(row->on_units ? "matrix " : "", peak_names[row->factors], NULL);
    maxgl_record_number(b, "of_peak", row->flops / row->times.median / maxgl_bench_row_peak(row, roof));
    maxgl_record_string(b, "peak", name);
}

static void add_row(JsonBuilder *b, const MaxglBenchRow *row, const MaxglRoof *roof)
{
    json_builder_begin_object(b);
    maxgl_record_string(b, "name", row->name);
    maxgl_record_string(b, "what", row->what);
    maxgl_record_string(b, "size", row->size);
    maxgl_record_string(b, "pass", row->pass);
    if (row->algorithm)
        maxgl_record_string(b, "algorithm", row->algorithm);
    maxgl_record_number(b, "count", row->count);
    maxgl_record_times(b, &row->times);
    maxgl_record_number(b, "direct_gflop", row->flops * 1e-9);
    maxgl_record_number(b, "gflop_per_s", row->flops * 1e-9 / row->times.median);
    add_peak(b, row, roof);
    maxgl_record_number(b, "bytes", row->bytes);
    maxgl_record_number(b, "gbyte_per_s", row->bytes * 1e-9 / row->times.median);
    maxgl_record_number(b, "of_bandwidth", row->bytes / row->times.median / roof->copy_bytes);
    maxgl_record_number(b, "workspace_bytes", (double)row->workspace);
    if (row->predicted > 0)
        maxgl_record_number(b, "predicted_s", row->predicted);
    if (row->samples > 0) {
        maxgl_record_number(b, "relative_l2_error", row->error);
        maxgl_record_number(b, "error_samples", row->samples);
    }
    json_builder_end_object(b);
}

void maxgl_record_rows(JsonBuilder *b, const GPtrArray *rows, const MaxglRoof *roof)
{
    json_builder_set_member_name(b, "rows");
    json_builder_begin_array(b);
    for (guint i = 0; i < rows->len; i++)
        add_row(b, g_ptr_array_index(rows, i), roof);
    json_builder_end_array(b);
}

gboolean maxgl_record_write(JsonBuilder *b, const char *path, GError **error)
{
    json_builder_end_object(b);
    return maxgl_json_write(b, path, error);
}

JsonParser *maxgl_record_parse(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = maxgl_file_map(path, error);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) reason = NULL;
    if (!file)
        return NULL;
    if (g_mapped_file_get_length(file) == 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: is empty", path);
        return NULL;
    }
    if (!json_parser_load_from_data(parser, g_mapped_file_get_contents(file),
                                    (gssize)g_mapped_file_get_length(file), &reason) ||
        !json_parser_get_root(parser)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: is no JSON (%s)", path,
                    reason ? reason->message : "nothing in it");
        return NULL;
    }
    return g_steal_pointer(&parser);
}

static guint64 status_bytes(const char *key)
{
    g_autofree char *text = NULL;
    if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
        return 0;
    const char *line = strstr(text, key);
    return line ? g_ascii_strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

guint64 maxgl_resident_bytes(void)
{
    return status_bytes("\nVmRSS:");
}

guint64 maxgl_peak_resident_bytes(void)
{
    return status_bytes("\nVmHWM:");
}
