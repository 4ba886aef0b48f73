#include "ops/clip_mix.h"

#include "ops/grid.h"
#include <string.h>

/* Entries that one fill of the table writes: 128 bytes are the longest pattern. */
enum { RUN = 8 };

gsize maxgl_clip_mix_table_bytes(int n)
{
    return ((gsize)n + RUN - 1) / RUN * RUN * sizeof(MaxglClipMix);
}

/* Floats of one picture of one block of channels. */
static gsize picture_floats(const MaxglShape *input)
{
    return (gsize)input->h * (gsize)input->w * (gsize)input->block;
}

static gsize pictures_floats(const MaxglShape *input)
{
    return (gsize)input->n * (gsize)maxgl_shape_blocks(input) * picture_floats(input);
}

gsize maxgl_clip_mix_workspace(const MaxglShape *input)
{
    return pictures_floats(input) * sizeof(float);
}

/* Appends @kernel for each of the @floats, that many in a picture. */
static gboolean launch(MaxglSequence *sequence, const MaxglShape *input, const char *kernel, gsize floats,
                       cl_mem x, cl_mem table, cl_mem stills, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const int vector = maxgl_grid_vector(context, picture_floats(input));
    const gsize vectors = floats / (gsize)vector;
    if (vectors > G_MAXUINT32) {
        g_autofree char *text = maxgl_shape_text(input);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT, "mixing clips of %s: at most 2^32 vectors", text);
        return FALSE;
    }
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d", vector);
    MaxglLaunch l = {.file = "clip_mix.cl", .kernel = kernel, .options = options};
    const int run = maxgl_grid_split(context, vectors, &l);
    return maxgl_sequence_add(sequence, &l, error, "mmmuiuii", x, table, stills, (guint32)vectors, run,
                              (guint32)(picture_floats(input) / (gsize)vector), maxgl_shape_blocks(input),
                              input->t);
}

gboolean maxgl_clip_mix(MaxglSequence *sequence, const MaxglShape *input, cl_mem x, cl_mem table,
                        cl_mem workspace, GError **error)
{
    return launch(sequence, input, "clip_mix_take", pictures_floats(input), x, table, workspace, error) &&
           launch(sequence, input, "clip_mix_lay", maxgl_shape_floats(input), x, table, workspace, error);
}

static gboolean check(const MaxglShape *input, const MaxglClipMix *mixes, GError **error)
{
    for (int n = 0; n < input->n; n++) {
        const MaxglClipMix *m = &mixes[n];
        if (m->weight == 0 || (m->weight > 0 && m->weight <= 1 && m->other >= 0 && m->other < input->n &&
                               m->frame >= 0 && m->frame < input->t))
            continue;
        g_set_error(
            error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
            "mixing into clip %d: frame %d of clip %d with weight %g; there are %d clips of %d frames, and "
            "weights are 0 to 1",
            n, m->frame, m->other, m->weight, input->n, input->t);
        return FALSE;
    }
    return TRUE;
}

/* A fill copies its pattern when it is enqueued; a write that does not wait would need the numbers to live
 * on. */
gboolean maxgl_clip_mix_set(MaxglContext *context, const MaxglShape *input, cl_mem table,
                            const MaxglClipMix *mixes, GError **error)
{
    if (!check(input, mixes, error))
        return FALSE;
    for (int n = 0; n < input->n; n += RUN) {
        MaxglClipMix pattern[RUN] = {{0}};
        memcpy(pattern, mixes + n, (gsize)MIN(RUN, input->n - n) * sizeof *mixes);
        const cl_int code = clEnqueueFillBuffer(context->queue, table, pattern, sizeof pattern,
                                                (gsize)n * sizeof *mixes, sizeof pattern, 0, NULL, NULL);
        if (!maxgl_opencl_check(code, error, "%s: what is mixed into clips", context->info->name))
            return FALSE;
    }
    return TRUE;
}
