#include "ops/clip_taps.h"

#include <math.h>

void maxgl_clip_taps_clear(MaxglClipTaps *taps)
{
    g_clear_pointer(&taps->place, g_free);
    g_clear_pointer(&taps->weight, g_free);
    taps->outputs = taps->taps = 0;
}

/* Weights of one output while it is being put together: dense over the picture's samples, and the stretch of
 * them that is in use. */
typedef struct {
    double *weight;
    int first, last;
} Sum;

static void sum_add(Sum *sum, int place, double weight)
{
    if (weight == 0)
        return;
    sum->weight[place] += weight;
    sum->first = MIN(sum->first, place);
    sum->last = MAX(sum->last, place);
}

static void sum_begin(Sum *sum)
{
    sum->first = G_MAXINT;
    sum->last = -1;
}

typedef void (*AddOutput)(Sum *sum, int output, gconstpointer data);

/* Calls @add for every output twice: to find how many taps there are, and to store them. */
static void build(MaxglClipTaps *taps, int outputs, int samples, AddOutput add, gconstpointer data)
{
    Sum sum = {g_new0(double, samples), 0, 0};
    *taps = (MaxglClipTaps){outputs, 1, NULL, NULL};
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            taps->place = g_new(int, (gsize)outputs * taps->taps);
            taps->weight = g_new0(double, (gsize)outputs * taps->taps);
        }
        for (int o = 0; o < outputs; o++) {
            sum_begin(&sum);
            add(&sum, o, data);
            const int used = sum.last - sum.first + 1;
            for (int k = 0; pass == 1 && k < taps->taps; k++) {
                taps->place[(gsize)o * taps->taps + k] = sum.first + MIN(k, used - 1);
                taps->weight[(gsize)o * taps->taps + k] = k < used ? sum.weight[sum.first + k] : 0;
            }
            if (pass == 0)
                taps->taps = MAX(taps->taps, used);
            for (int i = sum.first; i <= sum.last; i++)
                sum.weight[i] = 0;
        }
    }
    g_free(sum.weight);
}

typedef struct {
    int samples, outputs;
    double start, scale;
    gboolean antialias, mirror;
} Resize;

static void add_bilinear(Sum *sum, const Resize *r, double centre)
{
    const double position = CLAMP(centre - 0.5, 0.0, (double)(r->samples - 1));
    const int below = (int)position;
    const double part = position - below;
    sum_add(sum, below, 1 - part);
    sum_add(sum, MIN(below + 1, r->samples - 1), part);
}

static void add_triangle(Sum *sum, const Resize *r, double centre)
{
    const double support = MAX(r->scale, 1.0);
    const double low = floor(centre - support + 0.5), high = floor(centre + support + 0.5);
    const int first = (int)CLAMP(low, 0.0, (double)r->samples);
    const int end = (int)CLAMP(high, 0.0, (double)r->samples);
    double total = 0;
    for (int i = first; i < end; i++)
        total += MAX(0.0, 1 - fabs(i + 0.5 - centre) / support);
    if (total <= 0) { /* the picture is out of the filter's reach */
        sum_add(sum, centre < 0 ? 0 : r->samples - 1, 1);
        return;
    }
    for (int i = first; i < end; i++)
        sum_add(sum, i, MAX(0.0, 1 - fabs(i + 0.5 - centre) / support) / total);
}

static void add_resize(Sum *sum, int output, gconstpointer data)
{
    const Resize *r = data;
    const int o = r->mirror ? r->outputs - 1 - output : output;
    const double centre = r->start + (o + 0.5) * r->scale;
    if (r->antialias)
        add_triangle(sum, r, centre);
    else
        add_bilinear(sum, r, centre);
}

void maxgl_clip_taps_resize(MaxglClipTaps *taps, int samples, double start, double length, int outputs,
                            gboolean antialias, gboolean mirror)
{
    const Resize resize = {samples, outputs, start, length / outputs, antialias, mirror};
    build(taps, outputs, samples, add_resize, &resize);
}

typedef struct {
    const MaxglClipTaps *full;
    int samples; /* of the plane of half the resolution */
    MaxglClipSiting siting;
} Halve;

static void add_half(Sum *sum, int output, gconstpointer data)
{
    const Halve *h = data;
    for (int k = 0; k < h->full->taps; k++) {
        const int place = h->full->place[(gsize)output * h->full->taps + k];
        const double weight = h->full->weight[(gsize)output * h->full->taps + k];
        const int half = place / 2, odd = place % 2;
        const int neighbour = CLAMP(odd ? half + 1 : half - 1, 0, h->samples - 1);
        const double share = h->siting == MAXGL_SITING_BETWEEN ? 0.25 : odd ? 0.5 : 0;
        sum_add(sum, half, (1 - share) * weight);
        sum_add(sum, neighbour, share * weight);
    }
}

void maxgl_clip_taps_halve(MaxglClipTaps *taps, const MaxglClipTaps *full, int samples,
                           MaxglClipSiting siting)
{
    const Halve halve = {full, (samples + 1) / 2, siting};
    build(taps, full->outputs, halve.samples, add_half, &halve);
}

int *maxgl_clip_taps_select(MaxglClipTaps *taps, int samples, int *n)
{
    const gsize count = (gsize)taps->outputs * taps->taps;
    g_autofree int *index = g_new0(int, samples);
    for (gsize i = 0; i < count; i++)
        if (taps->weight[i] != 0)
            index[taps->place[i]] = 1;
    int *list = g_new(int, samples);
    *n = 0;
    for (int s = 0; s < samples; s++)
        if (index[s]) {
            index[s] = *n;
            list[(*n)++] = s;
        } else {
            index[s] = -1;
        }
    for (gsize i = 0; i < count; i++)
        taps->place[i] = MAX(index[taps->place[i]], 0);
    return list;
}
