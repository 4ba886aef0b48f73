#include "ops/mma_probe.h"

#include "base/random.h"
#include "ops/conv3d_mma.h"
#include <math.h>
#include <maxgl/error.h>

/* What a convolution multiplies, and what its three passes make of that, in PyTorch's order. */
typedef struct {
    MaxglConv3d conv;
    MaxglShape out;
    gsize x_count, w_count, y_count;
    float *x, *w, *dy;
    double *y, *dx, *dw;
} Trial;

/* Numbers with few digits: whatever the factors are, they are multiplied as they are. */
static float *numbers(gsize n, guint64 stream)
{
    MaxglRandom random;
    float *values = g_new(float, n);
    maxgl_random_init(&random, 0, MAXGL_RANDOM_TEST, 0, stream);
    for (gsize i = 0; i < n; i++)
        values[i] = (float)maxgl_random_below(&random, 129) / 64.0F - 1.0F;
    return values;
}

/* All multiply-adds of sample @n, output channel @k, at @o, for all three passes. */
static void add_output(Trial *t, int n, int k, const int o[3])
{
    const MaxglConv3d *v = &t->conv;
    const MaxglShape *in = &v->input;
    const gsize y = ((((gsize)n * t->out.c + k) * t->out.t + o[0]) * t->out.h + o[1]) * t->out.w + o[2];
    const int taps = v->kernel[0] * v->kernel[1] * v->kernel[2];
    for (int c = 0; c < in->c; c++)
        for (int tap = 0; tap < taps; tap++) {
            const int at = o[0] * v->stride[0] - v->pad[0] + tap / (v->kernel[1] * v->kernel[2]);
            const int ah = o[1] * v->stride[1] - v->pad[1] + tap / v->kernel[2] % v->kernel[1];
            const int aw = o[2] * v->stride[2] - v->pad[2] + tap % v->kernel[2];
            if (at < 0 || at >= in->t || ah < 0 || ah >= in->h || aw < 0 || aw >= in->w)
                continue;
            const gsize x = ((((gsize)n * in->c + c) * in->t + at) * in->h + ah) * in->w + aw;
            const gsize w = ((gsize)k * in->c + c) * taps + tap;
            t->y[y] += (double)t->w[w] * (double)t->x[x];
            t->dx[x] += (double)t->w[w] * (double)t->dy[y];
            t->dw[w] += (double)t->x[x] * (double)t->dy[y];
        }
}

static Trial *trial_new(const MaxglConv3d *conv)
{
    Trial *t = g_new0(Trial, 1);
    t->conv = *conv;
    t->out = maxgl_conv3d_output(conv);
    t->x_count = maxgl_shape_elements(&conv->input);
    t->w_count = maxgl_conv3d_weight_elements(conv);
    t->y_count = maxgl_shape_elements(&t->out);
    t->x = numbers(t->x_count, 0);
    t->w = numbers(t->w_count, 1);
    t->dy = numbers(t->y_count, 2);
    t->y = g_new0(double, t->y_count);
    t->dx = g_new0(double, t->x_count);
    t->dw = g_new0(double, t->w_count);
    for (int n = 0; n < t->out.n; n++)
        for (int k = 0; k < t->out.c; k++)
            for (int a = 0; a < t->out.t; a++)
                for (int b = 0; b < t->out.h; b++)
                    for (int c = 0; c < t->out.w; c++)
                        add_output(t, n, k, (const int[3]){a, b, c});
    return t;
}

static void trial_free(Trial *t)
{
    gpointer owned[] = {t->x, t->w, t->dy, t->y, t->dx, t->dw};
    for (gsize i = 0; i < G_N_ELEMENTS(owned); i++)
        g_free(owned[i]);
    g_free(t);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Trial, trial_free)

/* More than rounding to bfloat16 leaves of numbers, much less than a misplaced one does. */
static gboolean agree(const char *what, const float *got, const double *want, gsize n, GError **error)
{
    double difference = 0, length = 0;
    for (gsize i = 0; i < n; i++) {
        difference += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        length += want[i] * want[i];
    }
    const double relative = sqrt(difference / length);
    if (relative < 0.004)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "wrong results (%s: relative error %.2g)", what,
                relative);
    return FALSE;
}

static gboolean compare(MaxglContext *context, const char *what, const MaxglTensor *tensor,
                        const double *want, GError **error)
{
    const gsize n = maxgl_shape_elements(&tensor->shape);
    g_autofree float *got = g_new0(float, n);
    return maxgl_tensor_read(context, tensor, got, error) && agree(what, got, want, n, error);
}

/* Memory of the device. */
typedef struct {
    MaxglContext *context;
    MaxglTensor x, dy, y, dx;
    cl_mem weights, dw, workspace;
} Memory;

static gboolean fill(Memory *m, const Trial *t, GError **error)
{
    const gsize floats = maxgl_conv3d_weight_floats(&t->conv), bytes = floats * sizeof(float);
    gsize scratch = 1;
    for (int pass = MAXGL_CONV3D_FORWARD; pass <= MAXGL_CONV3D_BACKWARD_WEIGHTS; pass++)
        scratch = MAX(scratch, maxgl_conv3d_mma.workspace(m->context, &t->conv, (MaxglConv3dPass)pass));
    g_autofree float *packed = g_new0(float, floats);
    maxgl_conv3d_pack_weights(&t->conv, t->w, packed);
    m->weights = maxgl_buffer_new(m->context, bytes, "weights", error);
    m->dw = m->weights ? maxgl_buffer_new(m->context, bytes, "gradients", error) : NULL;
    m->workspace = m->dw ? maxgl_buffer_new(m->context, scratch, "workspace", error) : NULL;
    return m->workspace && maxgl_tensor_new(m->context, t->conv.input, "x", &m->x, error) &&
           maxgl_tensor_new(m->context, t->conv.input, "dx", &m->dx, error) &&
           maxgl_tensor_new(m->context, t->out, "y", &m->y, error) &&
           maxgl_tensor_new(m->context, t->out, "dy", &m->dy, error) &&
           maxgl_buffer_write(m->context, m->weights, 0, packed, bytes, error) &&
           maxgl_tensor_write(m->context, &m->x, t->x, error) &&
           maxgl_tensor_write(m->context, &m->dy, t->dy, error);
}

static void release(Memory *m)
{
    MaxglTensor *tensors[] = {&m->x, &m->dy, &m->y, &m->dx};
    cl_mem buffers[] = {m->weights, m->dw, m->workspace};
    for (gsize i = 0; i < G_N_ELEMENTS(tensors); i++)
        maxgl_tensor_release(m->context, tensors[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        maxgl_buffer_free(m->context, buffers[i]);
}

static gboolean compare_weights(const Memory *m, const Trial *t, GError **error)
{
    const gsize floats = maxgl_conv3d_weight_floats(&t->conv);
    g_autofree float *packed = g_new0(float, floats), *got = g_new0(float, t->w_count);
    if (!maxgl_buffer_read(m->context, m->dw, 0, packed, floats * sizeof(float), error))
        return FALSE;
    maxgl_conv3d_unpack_weights(&t->conv, packed, got);
    return agree("backward weights", got, t->dw, t->w_count, error);
}

static gboolean run(const Memory *m, const Trial *t, GError **error)
{
    const MaxglConv3dAlgorithm *mma = &maxgl_conv3d_mma;
    const MaxglConv3dEpilogue none = {0};
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(m->context);
    return mma->forward(sequence, &t->conv, m->x.buffer, m->weights, m->y.buffer, &none, m->workspace,
                        error) &&
           mma->backward_data(sequence, &t->conv, m->dy.buffer, m->weights, m->dx.buffer, FALSE, m->workspace,
                              error) &&
           mma->backward_weights(sequence, &t->conv, m->x.buffer, m->dy.buffer, m->dw, m->workspace, error) &&
           maxgl_sequence_run(sequence, error) && compare(m->context, "forward", &m->y, t->y, error) &&
           compare(m->context, "backward data", &m->dx, t->dx, error) && compare_weights(m, t, error);
}

gboolean maxgl_mma_try(MaxglContext *context, MaxglFactors factors, GError **error)
{
    static const MaxglConv3d convs[] = {
        {{2, 32, 2, 7, 9, 16}, 80, 16, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}},
        {{1, 144, 3, 6, 5, 16}, 32, 16, {1, 3, 3}, {2, 2, 2}, {0, 1, 1}},
    };
    gboolean emulated;
    if (!maxgl_mma_of(context, factors, &emulated)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s has no matrix units that multiply %s",
                    context->info->name, maxgl_factors_name(factors));
        return FALSE;
    }
    gboolean ok = TRUE;
    for (gsize i = 0; ok && i < G_N_ELEMENTS(convs); i++) {
        MaxglConv3d conv = convs[i];
        conv.input.storage = conv.out_storage = maxgl_factors_storage(factors);
        conv.tf32 = factors == MAXGL_FACTORS_TF32;
        g_autoptr(Trial) trial = trial_new(&conv);
        Memory memory = {.context = context};
        ok = fill(&memory, trial, error) && run(&memory, trial, error);
        release(&memory);
    }
    return ok;
}
