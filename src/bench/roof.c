#include "bench/roof.h"

#include "bench/timing.h"
#include "compute/buffer.h"
#include "ops/grid.h"

#define REPEATS 7
#define LONG_ENOUGH 10e-3 /* seconds of one run */
#define ROUNDS (1 << 10)
#define MOST_ROUNDS (1 << 24)
#define COPY_BYTES ((gsize)128 << 20)

/* Vectors of sums that a work-item carries: enough to hide a multiply-add's latency on any CPU, few enough to
 * stay in the registers of AVX2's sixteen. */
enum { CHAINS = 12 };

static gsize group_of(MaxglContext *context)
{
    return (gsize)maxgl_tuning_int(context->tuning, "elementwise", NULL, "group", 64);
}

/* A kernel (out, rounds, a, b) that does so much work a round. */
typedef struct {
    const char *file, *kernel;
    const char *options;
    gsize items;     /* work-items */
    gsize group;     /* work-group; 0: as elementwise operators have it */
    int rounds;      /* to begin with */
    gsize out_bytes; /* written by each at the end */
    double work;     /* of all work-items together in a round */
    float a, b;
} Busy;

static gboolean time_busy(MaxglContext *context, const Busy *busy, cl_mem out, int rounds, MaxglTimes *times,
                          GError **error)
{
    MaxglLaunch launch = {.file = busy->file, .kernel = busy->kernel, .options = busy->options};
    maxgl_grid_items(context, busy->items, &launch);
    if (busy->group > 0) {
        launch.local[0] = busy->group;
        launch.global[0] = busy->items;
    }
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    return maxgl_sequence_add(sequence, &launch, error, "miff", out, rounds, (double)busy->a,
                              (double)busy->b) &&
           maxgl_time_sequence(sequence, REPEATS, times, error);
}

/* Work a second, of runs that are long enough for launching them not to count; *@rate stays if it is higher.
 */
static gboolean measure_busy(MaxglContext *context, const Busy *busy, double *rate, GError **error)
{
    MaxglTimes times = {0};
    cl_mem out = maxgl_buffer_new(context, (busy->items + group_of(context)) * busy->out_bytes,
                                  "sums of the peak", error);
    if (!out)
        return FALSE;
    int rounds = busy->rounds;
    gboolean ok = time_busy(context, busy, out, rounds, &times, error);
    while (ok && times.min < LONG_ENOUGH && rounds < MOST_ROUNDS) {
        rounds *= times.min < LONG_ENOUGH / 8 ? 8 : 2;
        ok = time_busy(context, busy, out, rounds, &times, error);
    }
    maxgl_buffer_free(context, out);
    if (ok)
        *rate = MAX(*rate, busy->work * rounds / times.min);
    return ok;
}

/* Enough to fill the device. */
static gsize items_of(MaxglContext *context)
{
    const gsize group = group_of(context);
    return (gsize)context->info->compute_units * (group > 1 ? group * 32 : 8);
}

static gboolean measure_fma(MaxglContext *context, double *flops, GError **error)
{
    const int vector = maxgl_grid_vector(context, 16);
    const gsize items = items_of(context);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DCHAINS=%d", vector, CHAINS);
    const Busy busy = {.file = "peak.cl",
                       .kernel = "peak_fma",
                       .options = options,
                       .items = items,
                       .rounds = ROUNDS,
                       .out_bytes = (gsize)vector * sizeof(float),
                       .work = 2.0 * CHAINS * vector * (double)items,
                       .a = 0.9999F,
                       .b = 0.0001F};
    return measure_busy(context, &busy, flops, error);
}

gboolean maxgl_roof_measure_half(MaxglContext *context, double *flops, GError **error)
{
    enum { VECTOR = 8, HALF_CHAINS = 6 }; /* of the kernel; as many registers on a GPU as float32's */
    const gsize items = items_of(context);
    g_autofree char *options = g_strdup_printf("-DCHAINS=%d", HALF_CHAINS);
    const Busy busy = {.file = "peak_half.cl",
                       .kernel = "peak_fma_half",
                       .options = options,
                       .items = items,
                       .rounds = ROUNDS,
                       .out_bytes = VECTOR * sizeof(float),
                       .work = 2.0 * HALF_CHAINS * VECTOR * (double)items,
                       .a = 0.99F,
                       .b = 0.01F};
    return measure_busy(context, &busy, flops, error);
}

gboolean maxgl_roof_measure_local(MaxglContext *context, double *bytes, GError **error)
{
    enum { SLOTS = 256, READS = 8 }; /* a few KiB a work-group, so that many of them run at once */
    const int vector = maxgl_grid_vector(context, 16);
    const gsize items = items_of(context);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DCHAINS=%d -DSLOTS=%d -DGROUP=%d", vector, READS,
                                               SLOTS, (int)group_of(context));
    const Busy busy = {.file = "peak.cl",
                       .kernel = "peak_local",
                       .options = options,
                       .items = items,
                       .rounds = ROUNDS,
                       .out_bytes = (gsize)vector * sizeof(float),
                       .work = (double)READS * vector * sizeof(float) * (double)items,
                       .a = 0,
                       .b = 0.0625F};
    return measure_busy(context, &busy, bytes, error);
}

gboolean maxgl_roof_measure_matrix(MaxglContext *context, MaxglFactors factors, MaxglRoof *roof,
                                   GError **error)
{
    enum { STEP_PIECES = 4, FRAGMENTS = 2, WAVES = 32 }; /* of cl/mma.clh; each way; for a compute unit */
    gboolean emulated = FALSE;
    const MaxglMma *mma = maxgl_mma_of(context, factors, &emulated);
    if (!mma)
        return TRUE;
    const int m = FRAGMENTS * mma->fragment_m, n = FRAGMENTS * mma->fragment_n;
    const int depth = STEP_PIECES * maxgl_factors_piece(factors) / mma->substeps; /* of a product */
    const gsize waves = (gsize)context->info->compute_units * (emulated ? 1 : WAVES);
    g_autofree char *options = g_strdup_printf(
        "-DUNITS=%d -DGENERATION=%d -DFACTORS=%d -DEMULATED=%d -DTM=%d -DTN=%d -DWM=%d -DWN=%d", mma->units,
        mma->generation, factors, emulated, m, n, m, n);
    const Busy busy = {.file = "peak_mma.cl",
                       .kernel = "peak_mma",
                       .options = options,
                       .items = waves * (gsize)mma->lanes,
                       .group = (gsize)mma->lanes,
                       .rounds = emulated ? 1 : ROUNDS,
                       .out_bytes = sizeof(float),
                       .work = 2.0 * m * n * depth * (double)waves,
                       .a = 1,
                       .b = 0};
    return measure_busy(context, &busy, &roof->matrix[factors], error);
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
