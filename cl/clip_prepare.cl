// Decoded 8-bit frames to a network's input. src/ops/clip_prepare.h says what is computed; here is how:
//
//   resize_width   8-bit samples → float rows of the output's width, for every row of the picture that is needed
//   grey_columns   (contrast only) grey summed over bands of rows of a frame …
//   grey_frames    … and over bands and columns, by LANES work-items together
//   finish         rows of the output's height, colours, normalisation, storing
//
// and of a clip that is blurred, instead of the last,
//
//   planes         the same into planes R, G, B of rows of @pitch floats
//   blur_rows      weighted sums along their rows …
//   blur_columns   … and columns, storing
//
// Which samples an output is made of, and with which weights, comes in tables, so one text serves every pixel format, siting and
// filter. A work-item handles VECTOR pixels of a row at a time and walks on by the grid's size: the launch decides how much each
// one does. Rows are @pitch floats long, a multiple of VECTOR: past the width they repeat the last pixel.
#include "clip_prepare.clh"
#include "group.clh"
#include "layout.clh"

#if VECTOR == 1
#define FLOATV(x) ((float)(x))
#else
#define FLOATV(x) MAXGL_PASTE(convert_float, VECTOR)(x)
#endif

enum { CHANNELS = 3, BLOCKS = (CHANNELS + BLOCK - 1) / BLOCK };

typedef struct {
    floatv r, g, b;
} Colour;

static inline floatv gather(global const uchar *samples, global const int *places)
{
#if VECTOR == 1
    return FLOATV(samples[places[0]]);
#else
    uchar lanes[VECTOR];
#pragma unroll
    for (int i = 0; i < VECTOR; i++)
        lanes[i] = samples[places[i]];
    return FLOATV(VLOAD(0, lanes));
#endif
}

kernel void clip_prepare_resize_width(global const int *tables, global const float *weights, global const uchar *pixels,
                                      const ClipSamples s, const int pitch, global float *resized)
{
    const int plane = get_global_id(2), frame = plane / s.components, component = plane - frame * s.components;
    pixels += s.at + component * s.next_component + frame * s.next_frame;
    tables += s.columns.places;
    weights += s.columns.weights;
    resized += s.resized + plane * s.rows * pitch;
    for (int row = get_global_id(1); row < s.rows; row += get_global_size(1))
        for (int x = get_global_id(0) * VECTOR; x < pitch; x += get_global_size(0) * VECTOR) {
            floatv sum = 0;
            for (int k = 0; k < s.columns.taps; k++)
                sum = fma(gather(pixels + row * s.next_row, tables + k * pitch + x), VLOAD(0, weights + k * pitch + x), sum);
            VSTORE(sum, 0, resized + row * pitch + x);
        }
}

static inline floatv resize_height(global const float *resized, global const int *tables, global const float *weights,
                                   const ClipComponent c, const int pitch, const int frame, const int y, const int x)
{
    floatv sum = 0;
    resized += c.at + frame * c.next_frame + x;
    for (int k = y * c.rows.taps; k < (y + 1) * c.rows.taps; k++)
        sum = fma(VLOAD(0, resized + tables[c.rows.places + k] * pitch), (floatv)(weights[c.rows.weights + k]), sum);
    return sum;
}

static inline floatv in_unit(const floatv x)
{
    return clamp(x, (floatv)(0.0f), (floatv)(1.0f));
}

static inline floatv combine(const float a, const floatv x, const float b, const floatv y, const float c, const floatv z, const float d)
{
    return fma((floatv)(a), x, fma((floatv)(b), y, fma((floatv)(c), z, (floatv)(d))));
}

// One of R, G and B. row: of ClipParameters.matrix.
static inline floatv primary(const float *row, const floatv x, const floatv y, const floatv z)
{
    return in_unit(combine(row[0], x, row[1], y, row[2], z, row[3]));
}

static inline floatv grey(const Colour c)
{
    return combine(0.2989f, c.r, 0.587f, c.g, 0.114f, c.b, 0.0f);
}

// factor·c + (1 − factor)·other.
static inline Colour blend(const Colour c, const floatv other, const float factor)
{
    const floatv rest = (1.0f - factor) * other, f = factor;
    const Colour result = {in_unit(fma(f, c.r, rest)), in_unit(fma(f, c.g, rest)), in_unit(fma(f, c.b, rest))};
    return result;
}

// VECTOR pixels as the mean of grey wants them too: resized, R'G'B', brightness applied. (No loops over components: Mesa 22.3
// crashes on parameters of a kernel at an index that is not a constant.)
static inline Colour load(global const float *resized, global const int *tables, global const float *weights, const ClipParameters *p,
                          const int frame, const int y, const int x)
{
    const floatv first = resize_height(resized, tables, weights, p->component[0], p->pitch, frame, y, x);
    const floatv second = resize_height(resized, tables, weights, p->component[1], p->pitch, frame, y, x);
    const floatv third = resize_height(resized, tables, weights, p->component[2], p->pitch, frame, y, x);
    const Colour colour = {primary(p->matrix, first, second, third), primary(p->matrix + 4, first, second, third),
                           primary(p->matrix + 8, first, second, third)};
    return blend(colour, 0.0f, p->brightness);
}

// sums[(band·frames + frame)·pitch + x]: grey of column x in a band of @rows rows.
kernel void clip_prepare_grey_columns(global const float *resized, global const int *tables, global const float *weights,
                                      const ClipParameters p, const int rows, global float *sums)
{
    const int frame = get_global_id(1), band = get_global_id(2), x = get_global_id(0) * VECTOR, end = min((band + 1) * rows, p.height);
    if (x >= p.pitch)
        return;
    floatv sum = 0;
    for (int y = band * rows; y < end; y++)
        sum += grey(load(resized, tables, weights, &p, frame, y, x));
    VSTORE(sum, 0, sums + (band * p.frames + frame) * p.pitch + x);
}

// frame_sums[frame]: grey of all its pixels. A work-group has a frame.
kernel void clip_prepare_grey_frames(global const float *sums, const int frames, const int bands, const int width, const int pitch,
                                     global float *frame_sums)
{
    GROUP_SCRATCH(scratch);
    const int frame = get_group_id(0);
    float sum = 0;
    for (int band = 0; band < bands; band++)
        for (int x = LANE; x < width; x += LANES)
            sum += sums[(band * frames + frame) * pitch + x];
    sum = group_sum(sum, scratch);
    if (LANE == 0)
        frame_sums[frame] = sum;
}

static inline float clip_mean(global const float *frame_sums, const ClipParameters *p)
{
    float sum = 0;
    for (int frame = 0; frame < p->frames; frame++)
        sum += frame_sums[frame];
    return sum / ((float)p->frames * p->height * p->width);
}

// One channel of HSV to RGB, with hue in sixths of the circle counted from where that channel is largest … + 2: it is max where
// the distance k from there is within 1, and falls to max − chroma over the next sixth.
static inline floatv hue_channel(const floatv hue, const float offset, const floatv largest, const floatv chroma)
{
    floatv k = hue + offset;
    k -= 6.0f * floor(k * (1.0f / 6.0f));
    return fma(-chroma, in_unit(min(k, 4.0f - k)), largest);
}

// Turns hue by shift (1 = the whole circle). Largest and smallest component stay, so the circle has a value for each channel
// without going through saturation.
static inline Colour turn_hue(const Colour c, const float shift)
{
    const floatv largest = fmax(c.r, fmax(c.g, c.b)), smallest = fmin(c.r, fmin(c.g, c.b));
    const floatv chroma = largest - smallest;
    const floatv per_chroma = 1.0f / select(chroma, (floatv)(1.0f), chroma < 1e-12f);
    const floatv blue_most = fma(c.r - c.g, per_chroma, (floatv)(4.0f));
    const floatv green_most = fma(c.b - c.r, per_chroma, (floatv)(2.0f));
    const floatv red_most = (c.g - c.b) * per_chroma;
    const floatv hue = select(select(blue_most, green_most, c.g == largest), red_most, c.r == largest) + 6.0f * shift;
    const Colour result = {hue_channel(hue, 5.0f, largest, chroma), hue_channel(hue, 3.0f, largest, chroma),
                           hue_channel(hue, 1.0f, largest, chroma)};
    return result;
}

static inline Colour change_colour(Colour c, const ClipParameters *p, const float mean)
{
    if (p->contrast != 1.0f)
        c = blend(c, mean, p->contrast);
    if (p->saturation != 1.0f)
        c = blend(c, grey(c), p->saturation);
    if (p->hue != 0.0f)
        c = turn_hue(c, p->hue);
    if (p->grey) {
        const floatv g = grey(c);
        c.r = c.g = c.b = g;
    }
    return c;
}

// Stores VECTOR pixels, or the first @count of them, at @out; @plane: floats from one block of channels to the next.
static inline void store(const Colour c, global float *out, const size_t plane, const int count)
{
#if BLOCK == 1
    if (count >= VECTOR) {
        VSTORE(c.r, 0, out);
        VSTORE(c.g, 0, out + plane);
        VSTORE(c.b, 0, out + 2 * plane);
        return;
    }
#endif
    float lanes[CHANNELS][VECTOR];
    VSTORE(c.r, 0, lanes[0]);
    VSTORE(c.g, 0, lanes[1]);
    VSTORE(c.b, 0, lanes[2]);
#pragma unroll
    for (int i = 0; i < VECTOR; i++)
        if (i < count) {
#if BLOCK % 4 == 0
            vstore4((float4)(lanes[0][i], lanes[1][i], lanes[2][i], 0.0f), 0, out + i * BLOCK);
            for (int quarter = 1; quarter < BLOCK / 4; quarter++)
                vstore4((float4)(0.0f), quarter, out + i * BLOCK);
#else
            for (int channel = 0; channel < BLOCKS * BLOCK; channel++)
                out[channel / BLOCK * plane + i * BLOCK + channel % BLOCK] = channel < CHANNELS ? lanes[channel][i] : 0.0f;
#endif
        }
}

// VECTOR pixels with their colours changed, normalised. mean: of grey.
static inline Colour finished(global const float *resized, global const int *tables, global const float *weights,
                              const ClipParameters *p, const float mean, const int frame, const int y, const int x)
{
    Colour c = change_colour(load(resized, tables, weights, p, frame, y, x), p, mean);
    c.r = fma(c.r, (floatv)(p->scale[0]), (floatv)(p->shift[0]));
    c.g = fma(c.g, (floatv)(p->scale[1]), (floatv)(p->shift[1]));
    c.b = fma(c.b, (floatv)(p->scale[2]), (floatv)(p->shift[2]));
    return c;
}

// out: the first float of the sample. frame_sums is read only where contrast is changed.
kernel void clip_prepare_finish(global const float *resized, global const int *tables, global const float *weights,
                                const ClipParameters p, global const float *frame_sums, global float *out, const ulong sample)
{
    const int frame = get_global_id(2);
    const size_t pixels = (size_t)p.frames * p.height * p.width;
    const float mean = p.contrast != 1.0f ? clip_mean(frame_sums, &p) : 0.0f;
    for (int y = get_global_id(1); y < p.height; y += get_global_size(1))
        for (int x = get_global_id(0) * VECTOR; x < p.width; x += get_global_size(0) * VECTOR) {
            const Colour c = finished(resized, tables, weights, &p, mean, frame, y, x);
            const size_t pixel = ((size_t)frame * p.height + y) * p.width + x;
            store(c, out + sample + pixel * BLOCK, pixels * BLOCK, p.width - x);
        }
}

// planes: 3 × frames × height × pitch.
kernel void clip_prepare_planes(global const float *resized, global const int *tables, global const float *weights,
                                const ClipParameters p, global const float *frame_sums, global float *planes)
{
    const int frame = get_global_id(2);
    const size_t plane = (size_t)p.frames * p.height * p.pitch;
    const float mean = p.contrast != 1.0f ? clip_mean(frame_sums, &p) : 0.0f;
    for (int y = get_global_id(1); y < p.height; y += get_global_size(1))
        for (int x = get_global_id(0) * VECTOR; x < p.pitch; x += get_global_size(0) * VECTOR) {
            const Colour c = finished(resized, tables, weights, &p, mean, frame, y, x);
            global float *to = planes + ((size_t)frame * p.height + y) * p.pitch + x;
            VSTORE(c.r, 0, to);
            VSTORE(c.g, 0, to + plane);
            VSTORE(c.b, 0, to + 2 * plane);
        }
}

// Which of n pixels in a row stands for pixel i beyond their ends: 2 1 0 1 2 … n−1 n−2 …, and back again where n is small.
static inline int mirrored(const int i, const int n)
{
    if (i >= 0 && i < n)
        return i;
    const int period = max(2 * (n - 1), 1), at = (int)abs(i) % period;
    return min(at, period - at);
}

// The weighted sums around VECTOR pixels of a row from x on. weights[0]: of the pixel itself.
static inline floatv blur_row(global const float *row, const int width, global const float *weights, const int radius, const int x)
{
    floatv sum = 0;
#if VECTOR == 1
    for (int k = -radius; k <= radius; k++)
        sum = fma(weights[k], row[mirrored(x + k, width)], sum);
#else
    if (x >= radius && x + VECTOR + radius <= width) {
        for (int k = -radius; k <= radius; k++)
            sum = fma((floatv)(weights[k]), VLOAD(0, row + x + k), sum);
        return sum;
    }
    float around[VECTOR + 2 * CLIP_BLUR_RADIUS];
    for (int i = 0; i < VECTOR + 2 * radius; i++)
        around[i] = row[mirrored(x - radius + i, width)];
    for (int k = -radius; k <= radius; k++)
        sum = fma((floatv)(weights[k]), VLOAD(0, around + radius + k), sum);
#endif
    return sum;
}

kernel void clip_prepare_blur_rows(global const float *planes, global const float *weights, const ClipParameters p,
                                   global float *blurred)
{
    const size_t picture = get_global_id(2); // of all planes and frames
    for (int y = get_global_id(1); y < p.height; y += get_global_size(1)) {
        const size_t row = (picture * p.height + y) * p.pitch;
        for (int x = get_global_id(0) * VECTOR; x < p.pitch; x += get_global_size(0) * VECTOR)
            VSTORE(blur_row(planes + row, p.width, weights + p.blur_weights, p.blur_radius, x), 0, blurred + row + x);
    }
}

// out: the first float of the sample.
kernel void clip_prepare_blur_columns(global const float *blurred, global const float *weights, const ClipParameters p,
                                      global float *out, const ulong sample)
{
    const int frame = get_global_id(2);
    const size_t pixels = (size_t)p.frames * p.height * p.width, plane = (size_t)p.frames * p.height * p.pitch;
    weights += p.blur_weights;
    for (int y = get_global_id(1); y < p.height; y += get_global_size(1))
        for (int x = get_global_id(0) * VECTOR; x < p.width; x += get_global_size(0) * VECTOR) {
            Colour c = {0, 0, 0};
            for (int k = -p.blur_radius; k <= p.blur_radius; k++) {
                global const float *from = blurred + ((size_t)frame * p.height + mirrored(y + k, p.height)) * p.pitch + x;
                const floatv weight = weights[k];
                c.r = fma(weight, VLOAD(0, from), c.r);
                c.g = fma(weight, VLOAD(0, from + plane), c.g);
                c.b = fma(weight, VLOAD(0, from + 2 * plane), c.b);
            }
            const size_t pixel = ((size_t)frame * p.height + y) * p.width + x;
            store(c, out + sample + pixel * BLOCK, pixels * BLOCK, p.width - x);
        }
}
