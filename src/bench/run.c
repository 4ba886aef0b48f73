#include "bench/run.h"

#include "base/interrupt.h"
#include "base/progress.h"

gboolean maxgl_bench_run(MaxglContext *context, MaxglBenchWork work, gpointer data, int n, double limit,
                         MaxglBenchRun *run, GError **error)
{
    g_autoptr(MaxglProgress) progress = maxgl_progress_new("runs", n + 1);
    const gint64 begun = g_get_monotonic_time();
    run->seconds = g_new0(double, n);
    run->n = 0;
    for (int i = 0; i <= n && (i < 2 || limit <= 0 || maxgl_seconds_since(begun) < limit); i++) {
        const gint64 start = g_get_monotonic_time();
        if (!maxgl_interrupt_check(error) || !work(data, (guint32)i + 1, error) ||
            !maxgl_context_finish(context, error))
            return FALSE;
        const double seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
        if (i > 0)
            run->seconds[run->n++] = seconds;
        maxgl_progress_set(progress, i + 1, "%.1f ms", seconds * 1e3);
    }
    run->device_bytes = context->peak;
    run->resident_bytes = maxgl_peak_resident_bytes();
    return TRUE;
}

void maxgl_bench_run_clear(MaxglBenchRun *run)
{
    g_clear_pointer(&run->seconds, g_free);
}

void maxgl_record_run(JsonBuilder *b, const MaxglBenchRun *run, const MaxglRoof *roof)
{
    const MaxglTimes times = maxgl_times_of(run->seconds, run->n);
    maxgl_record_times(b, &times);
    json_builder_set_member_name(b, "seconds");
    json_builder_begin_array(b);
    for (int i = 0; i < run->n; i++)
        json_builder_add_double_value(b, run->seconds[i]);
    json_builder_end_array(b);
    maxgl_record_number(b, "direct_gflop", run->flops * 1e-9);
    maxgl_record_number(b, "gflop_per_s", run->flops * 1e-9 / times.median);
    maxgl_record_number(b, "of_peak", run->flops / times.median / roof->flops);
    maxgl_record_roof(b, roof);
    maxgl_record_number(b, "peak_device_bytes", (double)run->device_bytes);
    if (run->resident_bytes > 0)
        maxgl_record_number(b, "peak_resident_bytes", (double)run->resident_bytes);
    maxgl_record_number(b, "build_s", run->build_seconds);
}
