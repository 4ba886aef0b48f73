#include "ops/lars.h"

#include "compute/buffer.h"
#include "ops/grid.h"
#include <maxgl/error.h>

enum { CHUNK = 8192 /* floats; a multiple of 16 · 256 lanes */ };

/* A row of the table, which has one a chunk and behind them one a tensor; a uint4 of the kernels. */
typedef struct {
    guint32 first;  /* of a chunk: its first float; of a tensor: its first chunk */
    guint32 count;  /* of floats; of chunks */
    guint32 what;   /* the tensor that it is of; whether it is adapted */
    guint32 unused; /* 0 */
} Row;

static gsize chunks_of(const MaxglLarsTensor *tensor)
{
    return (tensor->floats + CHUNK - 1) / CHUNK;
}

static gsize count_chunks(const MaxglLarsTensor *tensors, gsize n)
{
    gsize chunks = 0;
    for (gsize i = 0; i < n; i++)
        chunks += chunks_of(&tensors[i]);
    return chunks;
}

gsize maxgl_lars_table_bytes(const MaxglLarsTensor *tensors, gsize n)
{
    return MAX(1, (count_chunks(tensors, n) + n) * sizeof(Row));
}

/* Two sums of each chunk; rate and decay of each tensor. */
gsize maxgl_lars_workspace(const MaxglLarsTensor *tensors, gsize n)
{
    return MAX(1, (count_chunks(tensors, n) + n) * 2 * sizeof(float));
}

static gboolean check_size(const MaxglLarsTensor *tensors, gsize n, GError **error)
{
    for (gsize i = 0; i < n; i++)
        if (tensors[i].offset + tensors[i].floats > G_MAXUINT32) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                        "optimizer: %" G_GSIZE_FORMAT " parameters, at most %u are possible",
                        tensors[i].offset + tensors[i].floats, G_MAXUINT32);
            return FALSE;
        }
    return TRUE;
}

gboolean maxgl_lars_table_write(MaxglContext *context, const MaxglLarsTensor *tensors, gsize n, cl_mem table,
                                GError **error)
{
    const gsize chunks = count_chunks(tensors, n);
    if (n == 0)
        return TRUE;
    if (!check_size(tensors, n, error))
        return FALSE;
    g_autofree Row *rows = g_new0(Row, chunks + n);
    guint32 chunk = 0;
    for (gsize i = 0; i < n; i++) {
        const MaxglLarsTensor *t = &tensors[i];
        rows[chunks + i] = (Row){chunk, (guint32)chunks_of(t), t->adapted ? 1 : 0, 0};
        for (gsize at = 0; at < t->floats; at += CHUNK)
            rows[chunk++] =
                (Row){(guint32)(t->offset + at), (guint32)MIN(CHUNK, t->floats - at), (guint32)i, 0};
    }
    return maxgl_buffer_write(context, table, 0, rows, (chunks + n) * sizeof *rows, error);
}

static gboolean all_aligned(const MaxglLarsTensor *tensors, gsize n, gsize vector)
{
    for (gsize i = 0; i < n; i++)
        if (tensors[i].offset % vector != 0)
            return FALSE;
    return TRUE;
}

gboolean maxgl_lars_update(MaxglSequence *sequence, const MaxglOptimizer *optimizer,
                           const MaxglOptimizerBuffers *buffers, const MaxglLarsTensor *tensors, gsize n,
                           double weight_decay, cl_mem table, cl_mem workspace, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const gsize chunks = count_chunks(tensors, n);
    MaxglLaunch sums = {.file = "optimizer.cl", .kernel = "lars_sums"};
    MaxglLaunch ratios = {.file = "optimizer.cl", .kernel = "lars_ratios"};
    MaxglLaunch update = {.file = "optimizer.cl", .kernel = "lars_update"};
    if (chunks == 0)
        return TRUE;
    const int lanes = maxgl_grid_groups(context, chunks, &sums);
    maxgl_grid_groups(context, n, &ratios);
    maxgl_grid_groups(context, chunks, &update);
    const int vector = maxgl_grid_vector(context, 16);
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d -DLANES=%d%s", vector, lanes,
                                               all_aligned(tensors, n, (gsize)vector) ? " -DALIGNED" : "");
    sums.options = ratios.options = update.options = options;
    cl_mem velocities = optimizer->momentum != 0 ? buffers->state[0] : NULL;
    return maxgl_sequence_add(sequence, &sums, error, "mmmm", buffers->parameters, buffers->gradients, table,
                              workspace) &&
           maxgl_sequence_add(sequence, &ratios, error, "mummffm", table, (guint32)chunks, buffers->step,
                              buffers->clip, optimizer->trust, weight_decay, workspace) &&
           maxgl_sequence_add(sequence, &update, error, "mmmummfmm", buffers->parameters, buffers->gradients,
                              velocities, (guint32)chunks, table, buffers->clip, optimizer->momentum,
                              workspace, buffers->skip);
}
