#include "bench/host_device.h"

#include "base/interrupt.h"
#include "compute/buffer.h"
#include "ops/grid.h"

#include <string.h>

enum { LAUNCHES = 64 }; /* in one sequence */

static gboolean add_empty(MaxglSequence *sequence, GError **error)
{
    MaxglLaunch launch = {.file = "peak.cl", .kernel = "peak_empty", .options = "-DVECTOR=1 -DCHAINS=1"};
    maxgl_grid_items(maxgl_sequence_context(sequence), 1, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "i", 0);
}

/* Each launch by itself: maxgl_time_sequence() would enqueue several. */
static gboolean time_finished(MaxglContext *context, MaxglSequence *sequence, int repeats, MaxglTimes *times,
                              GError **error)
{
    g_autofree double *seconds = g_new(double, repeats);
    for (int i = 0; i < repeats; i++) {
        const gint64 start = g_get_monotonic_time();
        for (int n = 0; n < LAUNCHES; n++) /* the clock has microseconds */
            if (!maxgl_sequence_run(sequence, error) || !maxgl_context_finish(context, error))
                return FALSE;
        seconds[i] = maxgl_seconds_since(start) / LAUNCHES;
        if (!maxgl_interrupt_check(error))
            return FALSE;
    }
    *times = maxgl_times_of(seconds, repeats);
    times->inner = LAUNCHES;
    return TRUE;
}

gboolean maxgl_bench_launch(MaxglContext *context, int repeats, MaxglLaunchCost *cost, GError **error)
{
    g_autoptr(MaxglSequence) one = maxgl_sequence_new(context), many = maxgl_sequence_new(context);
    gboolean ok = add_empty(one, error);
    for (int i = 0; i < LAUNCHES && ok; i++)
        ok = add_empty(many, error);
    if (!ok || !maxgl_time_sequence(many, repeats, &cost->batched, error))
        return FALSE;
    MaxglTimes *t = &cost->batched;
    *t = (MaxglTimes){.n = t->n,
                      .inner = t->inner * LAUNCHES,
                      .median = t->median / LAUNCHES,
                      .min = t->min / LAUNCHES,
                      .p90 = t->p90 / LAUNCHES};
    return time_finished(context, one, repeats, &cost->finished, error);
}

/* Memory on both sides. */
typedef struct {
    MaxglContext *context;
    gsize bytes;
    int repeats;
    cl_mem device, staging;
    guint8 *pageable, *pinned; /* the latter: the staging buffer, mapped */
    GArray *rows;
} Transfers;

static void transfers_clear(Transfers *t)
{
    if (t->pinned) {
        clEnqueueUnmapMemObject(t->context->queue, t->staging, t->pinned, 0, NULL, NULL);
        clFinish(t->context->queue);
    }
    maxgl_buffer_free(t->context, t->staging);
    maxgl_buffer_free(t->context, t->device);
    g_free(t->pageable);
    if (t->rows)
        g_array_unref(t->rows);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Transfers, transfers_clear)

static gboolean allocate(Transfers *t, GError **error)
{
    cl_int code = CL_SUCCESS;
    t->device = maxgl_buffer_new(t->context, t->bytes, "memory to copy to", error);
    t->staging =
        t->device ? maxgl_buffer_new_staging(t->context, t->bytes, "memory to copy from", error) : NULL;
    if (!t->staging)
        return FALSE;
    t->pinned = clEnqueueMapBuffer(t->context->queue, t->staging, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                   t->bytes, 0, NULL, NULL, &code);
    if (!maxgl_opencl_check(code, error, "mapping memory to copy from"))
        return FALSE;
    t->pageable = g_malloc(t->bytes);
    memset(t->pageable, 1, t->bytes); /* both are there, not only promised */
    memset(t->pinned, 2, t->bytes);
    return TRUE;
}

static gboolean measure(Transfers *t, const char *name, guint8 *host, gboolean to_device, GError **error)
{
    MaxglTransfer row = {.name = name, .bytes = t->bytes};
    g_autofree double *seconds = g_new(double, t->repeats);
    for (int i = -1; i < t->repeats; i++) { /* the first does not count */
        const gint64 start = g_get_monotonic_time();
        if (!maxgl_interrupt_check(error) ||
            !(to_device ? maxgl_buffer_write(t->context, t->device, 0, host, t->bytes, error)
                        : maxgl_buffer_read(t->context, t->device, 0, host, t->bytes, error)))
            return FALSE;
        if (i >= 0)
            seconds[i] = MAX(maxgl_seconds_since(start), 1e-6);
    }
    row.times = maxgl_times_of(seconds, t->repeats);
    g_array_append_val(t->rows, row);
    return TRUE;
}

GArray *maxgl_bench_transfers(MaxglContext *context, gsize bytes, int repeats, GError **error)
{
    const gsize limit = MIN(context->info->max_allocation, context->info->global_memory / 8);
    g_auto(Transfers) t = {.context = context, .bytes = MIN(bytes, limit), .repeats = repeats};
    t.rows = g_array_new(FALSE, FALSE, sizeof(MaxglTransfer));
    if (!allocate(&t, error) || !measure(&t, "host to device, pageable", t.pageable, TRUE, error) ||
        !measure(&t, "device to host, pageable", t.pageable, FALSE, error) ||
        !measure(&t, "host to device, pinned", t.pinned, TRUE, error) ||
        !measure(&t, "device to host, pinned", t.pinned, FALSE, error))
        return NULL;
    return g_steal_pointer(&t.rows);
}
