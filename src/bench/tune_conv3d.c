#include "bench/tune_conv3d.h"

#include "base/interrupt.h"
#include "compute/buffer.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

#define RUNS 5
#define SHORTEST_RUN 1e-3      /* seconds: shorter work is done several times at once */
#define LARGEST_DEVIATION 1e-4 /* relative L2, of floats */
#define GIVE_UP_FACTOR 1.3     /* slower than that in its first run: not worth another */

const char *const maxgl_tune_pass_names[MAXGL_TUNE_PASSES] = {"forward", "backward_data", "backward_weights"};

static gboolean same_conv(const MaxglConv3d *a, const MaxglConv3d *b)
{
    return maxgl_shape_equal(&a->input, &b->input) && a->out_channels == b->out_channels &&
           a->out_block == b->out_block && memcmp(a->kernel, b->kernel, sizeof a->kernel) == 0 &&
           memcmp(a->stride, b->stride, sizeof a->stride) == 0 && memcmp(a->pad, b->pad, sizeof a->pad) == 0;
}

static int compare_kinds(gconstpointer a, gconstpointer b)
{
    const MaxglTuneKind *x = a, *y = b;
    const double more = y->count * maxgl_conv3d_macs(&y->conv) - x->count * maxgl_conv3d_macs(&x->conv);
    return (more > 0) - (more < 0);
}

GArray *maxgl_tune_kinds(MaxglContext *context, const MaxglResnet *resnet, int batch,
                         MaxglPrecision precision)
{
    GArray *kinds = g_array_new(FALSE, FALSE, sizeof(MaxglTuneKind));
    for (int i = 0; i < resnet->n_layers; i++) {
        const MaxglLayer *l = &resnet->layers[i];
        if (l->kind != MAXGL_LAYER_CONV3D)
            continue;
        MaxglTuneKind kind = {.name = l->name,
                              .conv = maxgl_precision_conv3d(precision, context, resnet, i, batch),
                              .first = l->input == 0,
                              .count = 1};
        guint same = 0;
        while (same < kinds->len && !same_conv(&g_array_index(kinds, MaxglTuneKind, same).conv, &kind.conv))
            same++;
        if (same < kinds->len)
            g_array_index(kinds, MaxglTuneKind, same).count++;
        else
            g_array_append_val(kinds, kind);
    }
    g_array_sort(kinds, compare_kinds);
    return kinds;
}

gboolean maxgl_tune_has_pass(const MaxglTuneKind *kind, MaxglConv3dPass pass)
{
    return pass != MAXGL_CONV3D_BACKWARD_DATA || !kind->first;
}

gboolean maxgl_tune_work_init(MaxglTuneWork *work, const MaxglTuneKind *kind, MaxglContext *context,
                              GError **error)
{
    const MaxglConv3d *conv = &kind->conv;
    const MaxglShape out = maxgl_conv3d_output(conv);
    MaxglMaterial *m = maxgl_material_new(context);
    *work = (MaxglTuneWork){.kind = kind, .material = m};
    const gsize floats = maxgl_conv3d_weight_floats(conv);
    g_autofree float *packed = g_new(float, floats);
    maxgl_conv3d_pack_weights(conv, maxgl_material_random(m, maxgl_conv3d_weight_elements(conv), 3), packed);
    return maxgl_material_tensor(m, conv->input,
                                 maxgl_material_random(m, maxgl_shape_elements(&conv->input), 1), &work->x,
                                 error) &&
           maxgl_material_tensor(m, out, maxgl_material_random(m, maxgl_shape_elements(&out), 2), &work->dy,
                                 error) &&
           maxgl_material_tensor(m, out, NULL, &work->y, error) &&
           maxgl_material_tensor(m, conv->input, NULL, &work->dx, error) &&
           maxgl_material_upload(m, packed, floats * sizeof(float), &work->weights, error) &&
           maxgl_material_buffer(m, floats * sizeof(float), &work->dw, error);
}

void maxgl_tune_work_clear(MaxglTuneWork *work)
{
    for (int i = 0; i < MAXGL_TUNE_PASSES; i++)
        g_clear_pointer(&work->expected[i], g_free);
    g_clear_pointer(&work->material, maxgl_material_free);
}

gsize maxgl_tune_workspace(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass)
{
    if (pass == MAXGL_CONV3D_FORWARD)
        return maxgl_conv3d_forward_workspace(context, conv);
    return pass == MAXGL_CONV3D_BACKWARD_DATA ? maxgl_conv3d_backward_data_workspace(context, conv)
                                              : maxgl_conv3d_backward_weights_workspace(context, conv);
}

gboolean maxgl_tune_append(const MaxglTuneWork *work, MaxglConv3dPass pass, cl_mem workspace,
                           MaxglSequence *sequence, GError **error)
{
    const MaxglConv3d *conv = &work->kind->conv;
    if (pass == MAXGL_CONV3D_FORWARD)
        return maxgl_conv3d_forward(sequence, conv, work->x.buffer, work->weights, work->y.buffer, NULL,
                                    workspace, error);
    if (pass == MAXGL_CONV3D_BACKWARD_DATA)
        return maxgl_conv3d_backward_data(sequence, conv, work->dy.buffer, work->weights, work->dx.buffer,
                                          FALSE, workspace, error);
    return maxgl_conv3d_backward_weights(sequence, conv, work->x.buffer, work->dy.buffer, work->dw, workspace,
                                         error);
}

/* Seconds of one of @inner executions. */
static gboolean run(MaxglSequence *sequence, int inner, double *seconds, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    for (int i = 0; i < inner; i++)
        if (!maxgl_sequence_run(sequence, error))
            return FALSE;
    if (!maxgl_context_finish(maxgl_sequence_context(sequence), error))
        return FALSE;
    *seconds = (double)MAX(g_get_monotonic_time() - start, 1) * 1e-6 / inner;
    return TRUE;
}

/* The shortest of a few runs; after the first one if that is too long. */
static gboolean time_runs(MaxglSequence *sequence, double most, double *seconds, gboolean *slow,
                          GError **error)
{
    double once;
    *slow = FALSE;
    if (!run(sequence, 1, &once, error) || !run(sequence, 1, seconds, error)) /* the first may compile */
        return FALSE;
    if (*seconds > most * GIVE_UP_FACTOR) {
        *slow = TRUE;
        return TRUE;
    }
    const int inner = (int)CLAMP(ceil(SHORTEST_RUN / *seconds), 1, 100);
    for (int i = 0; i < RUNS; i++) {
        if (!run(sequence, inner, &once, error))
            return FALSE;
        *seconds = MIN(*seconds, once);
    }
    return TRUE;
}

/* Where the pass writes, how many numbers, and how they are stored. */
typedef struct {
    cl_mem buffer;
    gsize numbers;
    MaxglStorage storage;
} Result;

static Result result_of(const MaxglTuneWork *work, MaxglConv3dPass pass)
{
    const MaxglTensor *tensor = pass == MAXGL_CONV3D_FORWARD ? &work->y : &work->dx;
    if (pass == MAXGL_CONV3D_BACKWARD_WEIGHTS)
        return (Result){work->dw, maxgl_conv3d_weight_floats(&work->kind->conv), MAXGL_FLOAT32};
    return (Result){tensor->buffer, maxgl_shape_floats(&tensor->shape), tensor->shape.storage};
}

/* NULL with @error. Caller frees. */
static float *read_result(MaxglContext *context, const Result *result, GError **error)
{
    const gsize bytes = result->numbers * maxgl_storage_bytes(result->storage);
    g_autofree void *stored = g_malloc(bytes);
    if (!maxgl_buffer_read(context, result->buffer, 0, stored, bytes, error))
        return NULL;
    float *floats = g_new0(float, result->numbers);
    maxgl_storage_unpack(result->storage, stored, floats, result->numbers);
    return floats;
}

/* Sums of factors of 16 bits or 11 digits, and what is stored in 16 bits, differ by their rounding. */
static double tolerance(const MaxglConv3d *conv)
{
    if (conv->out_storage == MAXGL_BFLOAT16)
        return 1e-2;
    return conv->out_storage == MAXGL_FLOAT16 || conv->tf32 ? 2e-3 : LARGEST_DEVIATION;
}

static gboolean agrees(const float *got, const float *expected, gsize n, double most)
{
    double difference = 0, norm = 0;
    for (gsize i = 0; i < n; i++) {
        const double d = (double)got[i] - expected[i];
        difference += d * d;
        norm += (double)expected[i] * expected[i];
    }
    return sqrt(difference) <= most * sqrt(norm);
}

/* Builds, runs and checks the pass. FALSE if something does not work. */
static gboolean try_pass(MaxglTuneWork *work, MaxglConv3dPass pass, double most, double *seconds,
                         MaxglTuneVerdict *verdict, GError **error)
{
    MaxglContext *context = maxgl_material_context(work->material);
    g_autoptr(MaxglMaterial) scratch = maxgl_material_new(context);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    const Result result = result_of(work, pass);
    cl_mem workspace;
    gboolean slow = FALSE;
    if (!maxgl_material_buffer(scratch, maxgl_tune_workspace(context, &work->kind->conv, pass), &workspace,
                               error) ||
        !maxgl_tune_append(work, pass, workspace, sequence, error) ||
        !maxgl_buffer_zero(context, result.buffer, 0, /* what was there before is no result */
                           result.numbers * maxgl_storage_bytes(result.storage), error) ||
        !time_runs(sequence, most, seconds, &slow, error))
        return FALSE;
    *verdict = slow ? MAXGL_TUNE_SLOW : MAXGL_TUNE_GOOD;
    if (slow)
        return TRUE;
    g_autofree float *got = read_result(context, &result, error);
    if (!got)
        return FALSE;
    if (!work->expected[pass])
        work->expected[pass] = g_steal_pointer(&got);
    else if (!agrees(got, work->expected[pass], result.numbers, tolerance(&work->kind->conv)))
        *verdict = MAXGL_TUNE_WRONG;
    return TRUE;
}

gboolean maxgl_tune_measure(MaxglTuneWork *work, MaxglConv3dPass pass, double most, double *seconds,
                            MaxglTuneVerdict *verdict, GError **error)
{
    g_autoptr(GError) reason = NULL;
    *seconds = INFINITY;
    if (!maxgl_interrupt_check(error))
        return FALSE;
    if (try_pass(work, pass, most, seconds, verdict, &reason))
        return TRUE;
    if (!work->expected[pass]) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    g_info("tuning: %s %s: %s", work->kind->name, maxgl_tune_pass_names[pass], reason->message);
    *seconds = INFINITY;
    *verdict = MAXGL_TUNE_IMPOSSIBLE;
    return TRUE;
}
