#include "bench/reference.h"

#include <math.h>

void maxgl_deviation_add(MaxglDeviation *d, double got, double want)
{
    d->wrong += isnan(got) ? INFINITY : (got - want) * (got - want);
    d->right += want * want;
    d->n++;
}

double maxgl_deviation_relative(const MaxglDeviation *d)
{
    return d->wrong == 0 ? 0 : sqrt(d->wrong / d->right);
}

MaxglPlace maxgl_place_of(const MaxglShape *s, gsize index)
{
    MaxglPlace p;
    p.w = (int)(index % (gsize)s->w);
    index /= (gsize)s->w;
    p.h = (int)(index % (gsize)s->h);
    index /= (gsize)s->h;
    p.t = (int)(index % (gsize)s->t);
    index /= (gsize)s->t;
    p.c = (int)(index % (gsize)s->c);
    p.n = (int)(index / (gsize)s->c);
    return p;
}

gsize maxgl_place_index(const MaxglShape *s, MaxglPlace p)
{
    return ((((gsize)p.n * (gsize)s->c + (gsize)p.c) * (gsize)s->t + (gsize)p.t) * (gsize)s->h + (gsize)p.h) *
               (gsize)s->w +
           (gsize)p.w;
}

static gboolean inside(const MaxglShape *s, int t, int h, int w)
{
    return t >= 0 && t < s->t && h >= 0 && h < s->h && w >= 0 && w < s->w;
}

/* Index of w[k, c, 0, 0, 0]. */
static gsize filter_index(const MaxglConv3d *conv, int k, int c)
{
    return ((gsize)k * (gsize)conv->input.c + (gsize)c) *
           ((gsize)conv->kernel[0] * (gsize)conv->kernel[1] * (gsize)conv->kernel[2]);
}

double maxgl_reference_conv3d(const MaxglConv3d *conv, const float *x, const float *weights, MaxglPlace p)
{
    const MaxglShape *in = &conv->input;
    double sum = 0;
    for (int c = 0; c < in->c; c++) {
        const float *filter = weights + filter_index(conv, p.c, c);
        for (int a = 0; a < conv->kernel[0]; a++)
            for (int b = 0; b < conv->kernel[1]; b++)
                for (int d = 0; d < conv->kernel[2]; d++, filter++) {
                    const int t = p.t * conv->stride[0] + a - conv->pad[0];
                    const int h = p.h * conv->stride[1] + b - conv->pad[1];
                    const int w = p.w * conv->stride[2] + d - conv->pad[2];
                    if (inside(in, t, h, w))
                        sum += (double)*filter * x[maxgl_place_index(in, (MaxglPlace){p.n, c, t, h, w})];
                }
    }
    return sum;
}

/* The output position that sees input position @i through tap @tap; −1 if there is none. */
static int seen_from(int i, int tap, int stride, int pad)
{
    const int at = i + pad - tap;
    return at >= 0 && at % stride == 0 ? at / stride : -1;
}

double maxgl_reference_conv3d_data(const MaxglConv3d *conv, const float *dy, const float *weights,
                                   MaxglPlace p)
{
    const MaxglShape out = maxgl_conv3d_output(conv);
    double sum = 0;
    for (int k = 0; k < conv->out_channels; k++) {
        const float *filter = weights + filter_index(conv, k, p.c);
        for (int a = 0; a < conv->kernel[0]; a++)
            for (int b = 0; b < conv->kernel[1]; b++)
                for (int d = 0; d < conv->kernel[2]; d++, filter++) {
                    const int t = seen_from(p.t, a, conv->stride[0], conv->pad[0]);
                    const int h = seen_from(p.h, b, conv->stride[1], conv->pad[1]);
                    const int w = seen_from(p.w, d, conv->stride[2], conv->pad[2]);
                    if (inside(&out, t, h, w))
                        sum += (double)*filter * dy[maxgl_place_index(&out, (MaxglPlace){p.n, k, t, h, w})];
                }
    }
    return sum;
}

double maxgl_reference_conv3d_weights(const MaxglConv3d *conv, const float *x, const float *dy, gsize index)
{
    const MaxglShape *in = &conv->input, out = maxgl_conv3d_output(conv);
    const MaxglShape filters =
        maxgl_shape(conv->out_channels, in->c, conv->kernel[0], conv->kernel[1], conv->kernel[2], 1);
    const MaxglPlace f = maxgl_place_of(&filters, index); /* n: output channel, c: input channel, then taps */
    double sum = 0;
    for (int n = 0; n < in->n; n++)
        for (int t = 0; t < out.t; t++)
            for (int h = 0; h < out.h; h++)
                for (int w = 0; w < out.w; w++) {
                    const MaxglPlace from = {n, f.c, t * conv->stride[0] + f.t - conv->pad[0],
                                             h * conv->stride[1] + f.h - conv->pad[1],
                                             w * conv->stride[2] + f.w - conv->pad[2]};
                    if (inside(in, from.t, from.h, from.w))
                        sum += (double)x[maxgl_place_index(in, from)] *
                               dy[maxgl_place_index(&out, (MaxglPlace){n, f.n, t, h, w})];
                }
    return sum;
}

gsize maxgl_reference_max_pool_winner(const MaxglMaxPool *pool, const float *x, MaxglPlace p)
{
    gsize winner = G_MAXSIZE;
    for (int a = 0; a < pool->kernel[0]; a++)
        for (int b = 0; b < pool->kernel[1]; b++)
            for (int d = 0; d < pool->kernel[2]; d++) {
                const MaxglPlace from = {p.n, p.c, p.t * pool->stride[0] + a - pool->pad[0],
                                         p.h * pool->stride[1] + b - pool->pad[1],
                                         p.w * pool->stride[2] + d - pool->pad[2]};
                if (!inside(&pool->input, from.t, from.h, from.w))
                    continue;
                const gsize index = maxgl_place_index(&pool->input, from);
                if (winner == G_MAXSIZE || x[index] > x[winner])
                    winner = index;
            }
    return winner;
}

double maxgl_reference_max_pool_data(const MaxglMaxPool *pool, const float *x, const float *dy, MaxglPlace p)
{
    const MaxglShape out = maxgl_max_pool_output(pool);
    const gsize self = maxgl_place_index(&pool->input, p);
    double sum = 0;
    for (int a = 0; a < pool->kernel[0]; a++)
        for (int b = 0; b < pool->kernel[1]; b++)
            for (int d = 0; d < pool->kernel[2]; d++) {
                const MaxglPlace window = {p.n, p.c, seen_from(p.t, a, pool->stride[0], pool->pad[0]),
                                           seen_from(p.h, b, pool->stride[1], pool->pad[1]),
                                           seen_from(p.w, d, pool->stride[2], pool->pad[2])};
                if (inside(&out, window.t, window.h, window.w) &&
                    maxgl_reference_max_pool_winner(pool, x, window) == self)
                    sum += dy[maxgl_place_index(&out, window)];
            }
    return sum;
}
