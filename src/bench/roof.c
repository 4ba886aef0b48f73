#include "bench/roof.h"

#include "bench/timing.h"
#include "compute/buffer.h"
#include "ops/grid.h"

#define REPEATS 7
#define LONG_ENOUGH 10e-3 /* seconds of one run */
#define MOST_ROUNDS (1 << 24)
#define COPY_BYTES ((gsize)128 << 20)

/* Vectors of sums that a work-item carries: enough to hide a multiply-add's latency on any CPU, few enough to
 * stay in the registers of AVX2's sixteen. */
enum { CHAINS = 12 };

static gboolean time_fma(MaxglContext *context, cl_mem out, int vector, gsize items, int rounds,
                         MaxglTimes *times, GError **error)
{
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DCHAINS=%d", vector, CHAINS);
    MaxglLaunch launch = {.file = "peak.cl", .kernel = "peak_fma", .options = options};
    maxgl_grid_items(context, items, &launch);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    return maxgl_sequence_add(sequence, &launch, error, "miff", out, rounds, 0.9999, 0.0001) &&
           maxgl_time_sequence(sequence, REPEATS, times, error);
}

/* Runs that are long enough for launching them not to count. */
static gboolean measure_fma(MaxglContext *context, double *flops, GError **error)
{
    const int group = maxgl_tuning_int(context->tuning, "elementwise", NULL, "group", 64);
    const int vector = maxgl_grid_vector(context, 16);
    const gsize items = (gsize)context->info->compute_units * (group > 1 ? (gsize)group * 32 : 8);
    MaxglTimes times = {0};
    cl_mem out = maxgl_buffer_new(context, (items + (gsize)group) * (gsize)vector * sizeof(float),
                                  "sums of the peak", error);
    if (!out)
        return FALSE;
    int rounds = 1 << 10;
    gboolean ok = time_fma(context, out, vector, items, rounds, &times, error);
    while (ok && times.min < LONG_ENOUGH && rounds < MOST_ROUNDS) {
        rounds *= times.min < LONG_ENOUGH / 8 ? 8 : 2;
        ok = time_fma(context, out, vector, items, rounds, &times, error);
    }
    maxgl_buffer_free(context, out);
    if (ok)
        *flops = MAX(*flops, 2.0 * CHAINS * vector * (double)items * rounds / times.min);
    return ok;
}

static gboolean time_copy(MaxglContext *context, cl_mem x, cl_mem y, gsize bytes, MaxglTimes *times,
                          GError **error)
{
    const int vector = maxgl_grid_vector(context, 16);
    const guint32 vectors = (guint32)(bytes / sizeof(float) / (gsize)vector);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DCHAINS=%d", vector, CHAINS);
    MaxglLaunch launch = {.file = "peak.cl", .kernel = "peak_copy", .options = options};
    const int each = maxgl_grid_split(context, vectors, &launch);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    return maxgl_buffer_zero(context, x, 0, bytes, error) &&
           maxgl_sequence_add(sequence, &launch, error, "mmui", x, y, vectors, each) &&
           maxgl_time_sequence(sequence, REPEATS, times, error);
}

static gboolean measure_copy(MaxglContext *context, double *copy_bytes, GError **error)
{
    const gsize limit = MIN(context->info->max_allocation / 2, context->info->global_memory / 8);
    const gsize bytes = MIN(COPY_BYTES, limit) / 64 * 64;
    MaxglTimes times = {0};
    cl_mem x = maxgl_buffer_new(context, bytes, "memory to copy from", error);
    cl_mem y = x ? maxgl_buffer_new(context, bytes, "memory to copy to", error) : NULL;
    const gboolean ok = y && time_copy(context, x, y, bytes, &times, error);
    maxgl_buffer_free(context, x);
    maxgl_buffer_free(context, y);
    if (ok)
        *copy_bytes = MAX(*copy_bytes, 2.0 * (double)bytes / times.min);
    return ok;
}

gboolean maxgl_roof_measure(MaxglContext *context, MaxglRoof *roof, GError **error)
{
    return measure_fma(context, &roof->flops, error) && measure_copy(context, &roof->copy_bytes, error);
}
