/* Clips from frames of every format: the definition in ops/clip_prepare.h, step by step in double precision.
 */
#include "checkcl.h"

#include "base/random.h"
#include "ops/clip_prepare.h"
#include <math.h>
#include <string.h>

enum { FORMATS = MAXGL_PIXEL_GRAY8 + 1 };
static const char *const format_names[FORMATS] = {"RGB", "BGR", "RGBx", "BGRx", "I420", "NV12", "GRAY8"};

/* Every variant is run for every format. Colours: brightness, contrast, saturation, hue. */
typedef struct {
    int width, height; /* of the frames */
    int frames, rows, columns, block;
    int padding;      /* bytes behind each row, and before each plane */
    float x, y, w, h; /* crop box */
    gboolean antialias, flip, full_range;
    MaxglColorMatrix matrix;
    float colours[4];
    gboolean grey;
    float blur;
} Variant;

#define SAME                                                                                                 \
    {                                                                                                        \
        1, 1, 1, 0                                                                                           \
    }
static const Variant variants[] = {
    {7, 5, 2, 5, 7, 1, 0, 0, 0, 7, 5, FALSE, FALSE, FALSE, MAXGL_MATRIX_BT601, SAME, FALSE, 0},
    {9,
     7,
     2,
     4,
     5,
     16,
     3,
     1.3F,
     0.7F,
     6.1F,
     5.2F,
     FALSE,
     TRUE,
     TRUE,
     MAXGL_MATRIX_BT709,
     {0.7F, 1.3F, 1.4F, 0.1F},
     FALSE,
     0.7F},
    {1, 1, 1, 1, 1, 4, 1, 0, 0, 1, 1, FALSE, FALSE, FALSE, MAXGL_MATRIX_BT709, SAME, TRUE, 1},
    {6,
     9,
     3,
     3,
     6,
     8,
     2,
     0.5F,
     0,
     5,
     9,
     TRUE,
     FALSE,
     FALSE,
     MAXGL_MATRIX_BT601,
     {1.2F, 0.6F, 0, -0.3F},
     FALSE,
     2.1F},
    {2, 3, 1, 7, 9, 3, 0, -1, -2, 6, 8, TRUE, TRUE, TRUE, MAXGL_MATRIX_BT601, {1.4F, 1, 0.6F, 0.5F}, TRUE, 0},
    {13, 3, 1, 2, 70, 2, 0, 1, 0, 12, 3, FALSE, TRUE, TRUE, MAXGL_MATRIX_BT601, SAME, FALSE, 0.4F},
    {43,
     31,
     3,
     16,
     17,
     1,
     13,
     2.5F,
     1.25F,
     37.7F,
     28.1F,
     FALSE,
     TRUE,
     FALSE,
     MAXGL_MATRIX_BT709,
     {0.6F, 1.4F, 0.6F, -0.1F},
     FALSE,
     1.3F},
    {64, 48, 2, 20, 33, 16, 0, 0, 0, 64, 48, TRUE, FALSE, FALSE, MAXGL_MATRIX_BT601, {1, 0, 1, 0}, FALSE, 2},
    {90,
     121,
     2,
     18,
     32,
     4,
     5,
     10,
     60,
     75,
     61,
     FALSE,
     FALSE,
     TRUE,
     MAXGL_MATRIX_BT709,
     {1, 1, 1.9F, 0.25F},
     FALSE,
     0},
    {33,
     18,
     2,
     40,
     50,
     8,
     1,
     30,
     2,
     12,
     4.5F,
     FALSE,
     TRUE,
     FALSE,
     MAXGL_MATRIX_BT709,
     {1.5F, 1.5F, 1, 0},
     FALSE,
     3.5F},
    {171,
     64,
     1,
     5,
     19,
     5,
     7,
     3,
     -4,
     190,
     64,
     TRUE,
     TRUE,
     FALSE,
     MAXGL_MATRIX_BT709,
     {0, 1.5F, 1, 0.2F},
     FALSE,
     16},
};
enum { SMALL_VARIANTS = 6 };

static const float channel_mean[3] = {0.43216F, 0.394666F, 0.37645F},
                   channel_std[3] = {0.22803F, 0.22145F, 0.216989F};

static char *describe(guint index)
{
    const Variant *v = &variants[index / FORMATS];
    return g_strdup_printf("%s %d×%d + %d → %d×%d×%d, block %d%s%s, blur %g", format_names[index % FORMATS],
                           v->width, v->height, v->padding, v->frames, v->rows, v->columns, v->block,
                           v->antialias ? ", antialias" : "", v->flip ? ", flip" : "", (double)v->blur);
}

static gboolean is_small(guint index)
{
    return index / FORMATS < SMALL_VARIANTS;
}

static MaxglFrameLayout make_layout(const Variant *v, MaxglPixelFormat format)
{
    static const int bytes[FORMATS] = {3, 3, 4, 4, 1, 1, 1};
    const int half_width = (v->width + 1) / 2, half_height = (v->height + 1) / 2;
    MaxglFrameLayout l = {format, v->width, v->height, v->matrix, v->full_range, {0}, {0}, 0};
    const gboolean i420 = format == MAXGL_PIXEL_I420, nv12 = format == MAXGL_PIXEL_NV12;
    const int planes = i420 ? 3 : nv12 ? 2 : 1;
    for (int p = 0; p < planes; p++) {
        const int row = p == 0 ? v->width * bytes[format] : nv12 ? 2 * half_width : half_width;
        const int height = p == 0 ? v->height : half_height;
        l.offset[p] = l.frame_bytes + (gsize)v->padding;
        l.stride[p] = row + v->padding;
        l.frame_bytes = l.offset[p] + (gsize)l.stride[p] * (gsize)(height - 1) + (gsize)row;
    }
    return l;
}

static guint8 *make_frames(const Variant *v, const MaxglFrameLayout *l, guint64 seed)
{
    MaxglRandom random;
    maxgl_random_init(&random, seed, MAXGL_RANDOM_TEST, 0, 0);
    const gsize n = l->frame_bytes * (gsize)v->frames;
    guint8 *frames = g_malloc(n);
    for (gsize i = 0; i < n; i++)
        frames[i] = (guint8)maxgl_random_below(&random, 256);
    return frames;
}

static int inside(int i, int n)
{
    return CLAMP(i, 0, n - 1);
}

/* Chroma at luma sample (x, y) of one frame: columns 2i hold the samples, rows lie between 2j and 2j + 1. */
static double chroma_at(const MaxglFrameLayout *l, const guint8 *plane, int stride, int step, int x, int y)
{
    const int width = (l->width + 1) / 2, height = (l->height + 1) / 2;
    const int left = x / 2, right = inside((x + 1) / 2, width);
    const int near = y / 2, far = inside(y % 2 ? near + 1 : near - 1, height);
    const guint8 *a = plane + (gsize)near * (gsize)stride, *b = plane + (gsize)far * (gsize)stride;
    return 0.75 * (a[left * step] + a[right * step]) / 2 + 0.25 * (b[left * step] + b[right * step]) / 2;
}

/* Component c of pixel (x, y) at full resolution, 0 … 255. */
static double sample_at(const MaxglFrameLayout *l, const guint8 *frame, int c, int x, int y)
{
    const gsize row = (gsize)y * (gsize)l->stride[0];
    const guint8 *first = frame + l->offset[0] + row;
    switch (l->format) {
    case MAXGL_PIXEL_RGB:
        return first[3 * x + c];
    case MAXGL_PIXEL_BGR:
        return first[3 * x + 2 - c];
    case MAXGL_PIXEL_RGBX:
        return first[4 * x + c];
    case MAXGL_PIXEL_BGRX:
        return first[4 * x + 2 - c];
    case MAXGL_PIXEL_I420:
        return c == 0 ? first[x] : chroma_at(l, frame + l->offset[c], l->stride[c], 1, x, y);
    case MAXGL_PIXEL_NV12:
        return c == 0 ? first[x] : chroma_at(l, frame + l->offset[1] + c - 1, l->stride[1], 2, x, y);
    case MAXGL_PIXEL_GRAY8:
        break;
    }
    return first[x];
}

/* Weight of sample i in an output centred at @centre (pixels, edges at integers), not normalised. */
static double tap_weight(double centre, double scale, gboolean antialias, int i, int n)
{
    if (antialias)
        return MAX(0.0, 1 - fabs(i + 0.5 - centre) / MAX(scale, 1.0));
    return MAX(0.0, 1 - fabs(i + 0.5 - CLAMP(centre, 0.5, n - 0.5)));
}

/* The n weights of an output, which add up to 1; caller frees. */
static double *make_weights(double centre, double scale, gboolean antialias, int n)
{
    double *weights = check_zeros((gsize)n), total = 0;
    for (int i = 0; i < n; i++)
        total += weights[i] = tap_weight(centre, scale, antialias, i, n);
    for (int i = 0; i < n; i++)
        weights[i] = total > 0 ? weights[i] / total : (double)(i == (centre < 0 ? 0 : n - 1));
    return weights;
}

static double resized_at(const Variant *v, const MaxglFrameLayout *l, const guint8 *frame, int c, double cx,
                         double cy)
{
    g_autofree double *wx = make_weights(cx, v->w / (double)v->columns, v->antialias, l->width);
    g_autofree double *wy = make_weights(cy, v->h / (double)v->rows, v->antialias, l->height);
    double sum = 0;
    for (int y = 0; y < l->height; y++)
        for (int x = 0; wy[y] > 0 && x < l->width; x++)
            if (wx[x] > 0)
                sum += wy[y] * wx[x] * sample_at(l, frame, c, x, y);
    return sum;
}

static double unit(double x)
{
    return CLAMP(x, 0.0, 1.0);
}

static void to_rgb(const MaxglFrameLayout *l, const double raw[3], double rgb[3])
{
    const double kr = l->matrix == MAXGL_MATRIX_BT601 ? 0.299 : 0.2126;
    const double kb = l->matrix == MAXGL_MATRIX_BT601 ? 0.114 : 0.0722;
    const double luma = l->full_range ? raw[0] / 255 : (raw[0] - 16) / 219;
    const double range = l->full_range ? 255 : 224, cb = (raw[1] - 128) / range, cr = (raw[2] - 128) / range;
    switch (l->format) {
    case MAXGL_PIXEL_I420:
    case MAXGL_PIXEL_NV12:
        rgb[0] = luma + 2 * (1 - kr) * cr;
        rgb[2] = luma + 2 * (1 - kb) * cb;
        rgb[1] = (luma - kr * rgb[0] - kb * rgb[2]) / (1 - kr - kb);
        break;
    case MAXGL_PIXEL_GRAY8:
        rgb[0] = rgb[1] = rgb[2] = luma;
        break;
    default:
        for (int c = 0; c < 3; c++)
            rgb[c] = raw[c] / 255;
    }
    for (int c = 0; c < 3; c++)
        rgb[c] = unit(rgb[c]);
}

static double grey_of(const double rgb[3])
{
    return 0.2989 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
}

static void blend(double rgb[3], double other, double factor)
{
    for (int c = 0; c < 3; c++)
        rgb[c] = unit(factor * rgb[c] + (1 - factor) * other);
}

/* By way of hue, saturation and value, with the hexagon's six sides told apart. */
static void turn_hue(double rgb[3], double shift)
{
    const double r = rgb[0], g = rgb[1], b = rgb[2];
    const double value = MAX(r, MAX(g, b)), chroma = value - MIN(r, MIN(g, b));
    if (chroma == 0)
        return;
    double hue = value == r ? (g - b) / chroma : value == g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
    hue = hue / 6 + shift;
    hue = 6 * (hue - floor(hue));
    const double saturation = chroma / value;
    const int side = (int)hue % 6;
    const double part = hue - floor(hue);
    const double p = value * (1 - saturation), q = value * (1 - saturation * part);
    const double t = value * (1 - saturation * (1 - part));
    const double sides[6][3] = {{value, t, p}, {q, value, p}, {p, value, t},
                                {p, q, value}, {t, p, value}, {value, p, q}};
    memcpy(rgb, sides[side], sizeof sides[side]);
}

static void change_colours(const Variant *v, double *rgb, gsize pixels)
{
    double mean = 0;
    for (gsize i = 0; i < pixels; i++) {
        blend(rgb + 3 * i, 0, v->colours[0]);
        mean += grey_of(rgb + 3 * i) / (double)pixels;
    }
    for (gsize i = 0; i < pixels; i++) {
        double *c = rgb + 3 * i;
        blend(c, mean, v->colours[1]);
        blend(c, grey_of(c), v->colours[2]);
        turn_hue(c, v->colours[3]);
        if (v->grey)
            c[0] = c[1] = c[2] = grey_of(c);
    }
}

/* Pixel of a row of @n that stands for @i: back and forth between the ends. */
static int mirrored(int i, int n)
{
    while (n > 1 && (i < 0 || i >= n))
        i = i < 0 ? -i : 2 * (n - 1) - i;
    return n > 1 ? i : 0;
}

/* Blurs @n numbers, @step apart. */
static void blur_line(double *line, int n, int step, double sigma)
{
    const int radius = (int)ceil(3 * sigma);
    g_autofree double *from = check_zeros((gsize)n);
    double total = 0;
    for (int i = 0; i < n; i++) {
        from[i] = line[i * step];
        line[i * step] = 0;
    }
    for (int k = -radius; k <= radius; k++) {
        const double weight = exp(-0.5 * k * k / (sigma * sigma));
        total += weight;
        for (int i = 0; i < n; i++)
            line[i * step] += weight * from[mirrored(i + k, n)];
    }
    for (int i = 0; i < n; i++)
        line[i * step] /= total;
}

static void blur(const Variant *v, double *rgb)
{
    const int width = v->columns;
    for (int line = 0; v->blur > 0 && line < v->frames * v->rows; line++)
        for (int c = 0; c < 3; c++)
            blur_line(rgb + 3 * line * width + c, width, 3, (double)v->blur);
    for (int t = 0; v->blur > 0 && t < v->frames; t++)
        for (int column = 0; column < 3 * width; column++)
            blur_line(rgb + 3 * t * v->rows * width + column, v->rows, 3 * width, (double)v->blur);
}

/* The sample that should come out, 3×T×H×W. */
static double *reference(const Variant *v, const MaxglFrameLayout *l, const guint8 *frames)
{
    const gsize pixels = (gsize)v->frames * (gsize)v->rows * (gsize)v->columns;
    g_autofree double *rgb = check_zeros(3 * pixels);
    double *out = check_zeros(3 * pixels), *to = rgb;
    for (int t = 0; t < v->frames; t++)
        for (int y = 0; y < v->rows; y++)
            for (int x = 0; x < v->columns; x++, to += 3) {
                const int column = v->flip ? v->columns - 1 - x : x;
                double raw[3];
                for (int c = 0; c < 3; c++)
                    raw[c] = resized_at(v, l, frames + (gsize)t * l->frame_bytes, c,
                                        v->x + (column + 0.5) * v->w / v->columns,
                                        v->y + (y + 0.5) * v->h / v->rows);
                to_rgb(l, raw, to);
            }
    change_colours(v, rgb, pixels);
    blur(v, rgb);
    for (gsize i = 0; i < 3 * pixels; i++)
        out[i % 3 * pixels + i / 3] = (rgb[i] - channel_mean[i % 3]) / channel_std[i % 3];
    return out;
}

static MaxglClipPreparerOptions make_options(const Variant *v)
{
    MaxglClipPreparerOptions o = {v->frames, v->rows, v->columns, v->block, {0}, {0}, v->antialias, 0};
    memcpy(o.mean, channel_mean, sizeof o.mean);
    memcpy(o.std, channel_std, sizeof o.std);
    return o;
}

static MaxglClipView make_view(const Variant *v)
{
    return (MaxglClipView){v->x,          v->y,          v->w,          v->h,    v->flip, v->colours[0],
                           v->colours[1], v->colours[2], v->colours[3], v->grey, v->blur};
}

/* Three samples: the clip, zeros that must stay, and the same clip again with its frames in reverse order. */
static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const Variant *v = &variants[index / FORMATS];
    const MaxglFrameLayout layout = make_layout(v, (MaxglPixelFormat)(index % FORMATS));
    const MaxglClipPreparerOptions options = make_options(v);
    const MaxglClipView view = make_view(v);
    const MaxglShape shape = maxgl_shape(3, 3, v->frames, v->rows, v->columns, v->block);
    const gsize sample = maxgl_shape_elements(&shape) / 3, frame = (gsize)v->rows * (gsize)v->columns;
    g_autofree guint8 *frames = make_frames(v, &layout, index);
    g_autofree double *first = reference(v, &layout, frames), *want = check_zeros(3 * sample);
    g_autofree float *zeros = g_new0(float, 3 * sample);
    g_autofree const guint8 **backwards = g_new(const guint8 *, v->frames);
    memcpy(want, first, sample * sizeof *want);
    for (int t = 0; t < v->frames; t++) {
        backwards[t] = frames + (gsize)(v->frames - 1 - t) * layout.frame_bytes;
        for (gsize c = 0; c < 3; c++)
            memcpy(want + 2 * sample + (c * (gsize)v->frames + (gsize)t) * frame,
                   first + (c * (gsize)v->frames + (gsize)(v->frames - 1 - t)) * frame, frame * sizeof *want);
    }

    g_autoptr(MaxglClipPreparer) preparer = maxgl_clip_preparer_new(context, &options, error);
    MaxglTensor out;
    if (!preparer || !check_tensor(report, context, shape, zeros, &out, error) ||
        !maxgl_clip_preparer_run(preparer, &layout, &view, frames, &out, 0, error) ||
        !maxgl_clip_preparer_run_frames(preparer, &layout, &view, backwards, &out, 2, error))
        return FALSE;
    return check_compare_tensor(report, context, "clip", &out, want, 2e-6, error);
}

typedef struct {
    const char *name;
    MaxglPixelFormat format;
    int width, height;
    Variant variant; /* without the frames' size and box */
} Bench;

#define BENCH(antialias, blur, ...)                                                                          \
    {                                                                                                        \
        0, 0, 16, 112, 112, 1, 0, 0, 0, 0, 0, antialias, TRUE, FALSE, MAXGL_MATRIX_BT601, __VA_ARGS__,       \
            FALSE, blur                                                                                      \
    }
#define JITTER                                                                                               \
    {                                                                                                        \
        0.8F, 1.2F, 1.1F, 0.05F                                                                              \
    }
static const Bench benches[] = {
    {"I420 320×240, box of 128×171 → 112", MAXGL_PIXEL_I420, 320, 240, BENCH(FALSE, 0, SAME)},
    {"the same, colours changed", MAXGL_PIXEL_I420, 320, 240, BENCH(FALSE, 0, JITTER)},
    {"the same, antialias, colours changed", MAXGL_PIXEL_I420, 320, 240, BENCH(TRUE, 0, JITTER)},
    {"the same, colours changed, blur 1", MAXGL_PIXEL_I420, 320, 240, BENCH(FALSE, 1, JITTER)},
    {"the same, colours changed, blur 2", MAXGL_PIXEL_I420, 320, 240, BENCH(FALSE, 2, JITTER)},
    {"NV12 1920×1080", MAXGL_PIXEL_NV12, 1920, 1080, BENCH(FALSE, 0, SAME)},
    {"NV12 1920×1080, antialias", MAXGL_PIXEL_NV12, 1920, 1080, BENCH(TRUE, 0, SAME)},
    {"RGB 320×240", MAXGL_PIXEL_RGB, 320, 240, BENCH(FALSE, 0, SAME)},
};

typedef struct {
    MaxglClipPreparer *preparer;
    MaxglFrameLayout layout;
    MaxglClipView view;
    guint8 *frames;
    MaxglTensor out;
} BenchRun;

static void bench_run_free(gpointer data)
{
    BenchRun *run = data;
    maxgl_clip_preparer_free(run->preparer);
    g_free(run->frames);
    g_free(run);
}

static gboolean bench_run(MaxglContext *context, gpointer data, GError **error)
{
    const BenchRun *run = data;
    return maxgl_clip_preparer_run(run->preparer, &run->layout, &run->view, run->frames, &run->out, 0, error);
}

static char *describe_bench(guint index)
{
    return g_strdup(benches[index].name);
}

static gboolean bench(MaxglSequence *sequence, guint index, CheckReport *report, double *flops, double *bytes,
                      GError **error)
{
    const Bench *b = &benches[index];
    MaxglContext *context = maxgl_sequence_context(sequence);
    Variant v = b->variant;
    v.width = b->width;
    v.height = b->height;
    v.h = 112 * (float)b->height / 128;
    v.w = 112 * (float)b->width / 171;
    const MaxglClipPreparerOptions options = make_options(&v);
    const MaxglShape shape = maxgl_shape(1, 3, v.frames, v.rows, v.columns, v.block);
    BenchRun *run = g_new0(BenchRun, 1);
    maxgl_sequence_add_call(sequence, "clip_prepare", bench_run, run, bench_run_free);
    run->layout = make_layout(&v, b->format);
    run->view = make_view(&v);
    run->frames = make_frames(&v, &run->layout, index);
    run->preparer = maxgl_clip_preparer_new(context, &options, error);
    *flops = 0;
    *bytes = (double)run->layout.frame_bytes * v.frames + (double)maxgl_shape_bytes(&shape);
    return run->preparer && check_tensor(report, context, shape, NULL, &run->out, error);
}

const MaxglCheck check_clip_prepare = {
    .name = "clip_prepare",
    .n_cases = G_N_ELEMENTS(variants) * FORMATS,
    .describe = describe,
    .is_small = is_small,
    .check = check,
    .n_benches = G_N_ELEMENTS(benches),
    .describe_bench = describe_bench,
    .bench = bench,
};
