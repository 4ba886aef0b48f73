// Scores of all pairs of a left and a right feature, and their gradients: see ops/pair_scores.h.
//
// Left items are i = 0 … lefts−1; right rows are q = r·rights + j for region r and item j. A group is ROWS =
// TILE·TILES right rows. Before the heavy kernels everything is packed, so that they see whole vectors and
// whole groups only; the width is D padded with zeros to a multiple of UNITS = VECTOR·VECTORS and of both
// tensors' blocks:
//
//   left     [i][width]
//   right    [group][width/VECTOR][ROWS][VECTOR]   rows past the last are zero
//   panels   [width/UNITS][width][UNITS]           weights, UNITS columns of them beside each other
//   dscores  [group][i][ROWS]                      zero past the last row
//   kept     [group][i][width]                     a WORD each: bit m says whether row m's unit is above zero
//
// Matrix products hold TILE rows × VECTORS vectors of sums in registers (concat_backward_w2: WIDE × VECTORS).
// UNROLL is how far their innermost loop is unrolled.
#include "vector.clh"

#define ROWS (TILE * TILES)
// Where a group is one tile, what is kept for its rows can be registers: if loops over them are written out.
#if TILES == 1
#define UNROLL_ROWS _Pragma("unroll")
#else
#define UNROLL_ROWS
#endif
#define UNITS (VECTOR * VECTORS)

typedef MAXGL_PASTE(int, VECTOR) intv;
#define TO_INTV MAXGL_PASTE(convert_int, VECTOR)
#define TO_WORDV MAXGL_PASTE(convert_, MAXGL_PASTE(WORD, VECTOR))

// The workspace and its parts are aligned to vectors. An unaligned vload of PoCL comes in pieces, and where
// those are first added to something they never become one vector again.
#define AT(i, p) (((global floatv *)(p))[i])
#define AT_CONST(i, p) (((global const floatv *)(p))[i])
// A small array that is written by the vector and read by the float, which becomes a broadcast from memory.
#define BROADCAST_TILE(name, rows) __attribute__((aligned(VECTOR * 4))) float name[(rows)*VECTOR]
#define AT_TILE(i, p) (((floatv *)(p))[i])

static float sum_lanes(floatv v)
{
    float lanes[VECTOR];
    VSTORE(v, 0, lanes);
    for (int step = VECTOR / 2; step > 0; step /= 2)
        for (int l = 0; l < step; l++)
            lanes[l] += lanes[l + step];
    return lanes[0];
}

// A tensor of features of which one pixel is meant.
typedef struct {
    int blocks, pixels, block; // ⌈C/b⌉, T·H·W, b
} Layout;

// Remainders are written as x − x/n·n: Oclgrind 21.10 cannot run what / and % of the same numbers become.
static size_t place(Layout at, int item, int c, int pixel)
{
    const int block = c / at.block;
    return (((size_t)item * at.blocks + block) * at.pixels + pixel) * at.block + (c - block * at.block);
}

// Where the score of left item i and right row q is.
static size_t score_place(int lefts, int rights, int i, int q)
{
    const int r = q / rights;
    return ((size_t)r * lefts + i) * rights + (q - r * rights);
}

// Channels c … c + VECTOR − 1; zeros past the last block.
static floatv load_channels(global const float *tensor, Layout at, int item, int c, int pixel)
{
    const int channels = at.blocks * at.block;
    if (at.block % VECTOR == 0)
        return c < channels ? VLOAD(0, tensor + place(at, item, c, pixel)) : (floatv)0.0f;
    float lanes[VECTOR];
    for (int l = 0; l < VECTOR; l++)
        lanes[l] = c + l < channels ? tensor[place(at, item, c + l, pixel)] : 0.0f;
    return VLOAD(0, lanes);
}

static void store_channels(floatv v, global float *tensor, Layout at, int item, int c, int pixel, int add)
{
    const int channels = at.blocks * at.block;
    float lanes[VECTOR];
    VSTORE(v, 0, lanes);
    for (int l = 0; l < VECTOR && c + l < channels; l++) {
        const size_t i = place(at, item, c + l, pixel);
        tensor[i] = add ? tensor[i] + lanes[l] : lanes[l];
    }
}

// The same for right row q; rows past the last are none.
static void store_right(floatv v, global float *tensor, Layout at, int first, int rights, int q, int c,
                        int add)
{
    const int pixel = q / rights;
    if (pixel < at.pixels)
        store_channels(v, tensor, at, first + q - pixel * rights, c, pixel, add);
}

kernel void pair_scores_pack_left(global const float *tensor, int blocks, int block, int first, int width,
                                  global float *workspace, uint left_at)
{
    const Layout layout = {blocks, 1, block};
    const int v = (int)get_global_id(0), i = (int)get_global_id(1), vectors = width / VECTOR;
    if (v < vectors)
        AT((size_t)i * vectors + v, workspace + left_at) =
            load_channels(tensor, layout, first + i, v * VECTOR, 0);
}

kernel void pair_scores_pack_right(global const float *tensor, int blocks, int pixels, int block, int first,
                                   int rights, int width, global float *workspace, uint right_at)
{
    const Layout layout = {blocks, pixels, block};
    const int v = (int)get_global_id(0), group = (int)get_global_id(1), vectors = width / VECTOR;
    if (v >= vectors)
        return;
    for (int m = 0; m < ROWS; m++) {
        const int q = group * ROWS + m, pixel = q / rights, item = first + q - pixel * rights;
        AT(((size_t)group * vectors + v) * ROWS + m, workspace + right_at) =
            pixel < pixels ? load_channels(tensor, layout, item, v * VECTOR, pixel) : (floatv)0.0f;
    }
}

// And the sum of each group's, for the gradient of bias3.
kernel void pair_scores_pack_dscores(global const float *dscores, int lefts, int rights, int regions,
                                     global float *workspace, uint packed_at, uint sums_at)
{
    const int i = (int)get_global_id(0), group = (int)get_global_id(1);
    if (i >= lefts)
        return;
    const size_t at = (size_t)group * lefts + i;
    float sum = 0.0f;
    for (int m = 0; m < ROWS; m++) {
        const int q = group * ROWS + m;
        const float d = q < rights * regions ? dscores[score_place(lefts, rights, i, q)] : 0.0f;
        workspace[packed_at + at * ROWS + m] = d;
        sum += d;
    }
    workspace[sums_at + at] = sum;
}

// w2[c][k] in panels of columns k; bias2 and w3 padded to the width.
kernel void concat_pack_forward(global const float *w2, global const float *bias2, global const float *w3,
                                int pitch, int width, global float *workspace, uint panels_at, uint bias2_at,
                                uint w3_at)
{
    const int c = (int)get_global_id(0);
    if (c >= width)
        return;
    for (int panel = 0; panel < width / UNITS; panel++)
        for (int u = 0; u < VECTORS; u++) {
            const int k = (panel * VECTORS + u) * VECTOR;
            AT(((size_t)panel * width + c) * VECTORS + u, workspace + panels_at) =
                c < pitch && k < pitch ? vector_load(w2 + (size_t)c * pitch + k, pitch - k) : (floatv)0.0f;
        }
    workspace[bias2_at + c] = c < pitch ? bias2[c] : 0.0f;
    workspace[w3_at + c] = c < pitch ? w3[c] : 0.0f;
}

// w3[k]·w2[c][k] in panels of columns c.
kernel void concat_pack_backward(global const float *w2, global const float *w3, int pitch, int width,
                                 global float *workspace, uint panels_at)
{
    const int c = (int)get_global_id(0), panel = c / UNITS;
    if (c >= width)
        return;
    for (int k = 0; k < width; k++)
        workspace[panels_at + ((size_t)panel * width + k) * UNITS + (c - panel * UNITS)] =
            c < pitch && k < pitch ? w3[k] * w2[(size_t)c * pitch + k] : 0.0f;
}

// sum[m][u] += Σ_k tile[m][k]·weights[k][u] for VECTOR channels k.
static void add_products(const float *tile, global const float *weights, floatv sum[TILE][VECTORS])
{
#pragma unroll UNROLL
    for (int k = 0; k < VECTOR; k++) {
        floatv w[VECTORS];
#pragma unroll
        for (int u = 0; u < VECTORS; u++)
            w[u] = AT_CONST(k * VECTORS + u, weights);
#pragma unroll
        for (int m = 0; m < TILE; m++)
#pragma unroll
            for (int u = 0; u < VECTORS; u++)
                sum[m][u] = fma((floatv)tile[m * VECTOR + k], w[u], sum[m][u]);
    }
}

// A work-item makes the scores of one left item and one group. The first hidden layer is made anew, tile by
// tile, for each panel: a load, an addition, a maximum and a store for VECTOR·VECTORS vector multiply-adds.
kernel void concat_forward(global const float *workspace, uint left_at, uint right_at, uint panels_at,
                           uint bias2_at, uint w3_at, global const float *bias3, int lefts, int rights,
                           int regions, int width, global float *scores, global WORD *kept)
{
    const int i = (int)get_global_id(0), group = (int)get_global_id(1), vectors = width / VECTOR;
    if (i >= lefts)
        return;
    global const float *left = workspace + left_at + (size_t)i * width;
    global const float *right = workspace + right_at + (size_t)group * ROWS * width;
    floatv total[ROWS];
    for (int m = 0; m < ROWS; m++)
        total[m] = (floatv)0.0f;
    for (int panel = 0; panel < width / UNITS; panel++) {
        global const float *weights = workspace + panels_at + (size_t)panel * width * UNITS;
        global const float *bias2 = workspace + bias2_at + panel * UNITS;
        global const float *w3 = workspace + w3_at + panel * UNITS;
        intv above[VECTORS];
#pragma unroll
        for (int u = 0; u < VECTORS; u++)
            above[u] = (intv)0;
        for (int tile = 0; tile < TILES; tile++) {
            floatv sum[TILE][VECTORS];
#pragma unroll
            for (int m = 0; m < TILE; m++)
#pragma unroll
                for (int u = 0; u < VECTORS; u++)
                    sum[m][u] = AT_CONST(u, bias2);
            for (int v = 0; v < vectors; v++) {
                BROADCAST_TILE(hidden, TILE);
                const floatv a = AT_CONST(v, left);
#pragma unroll
                for (int m = 0; m < TILE; m++)
                    AT_TILE(m, hidden) =
                        fmax(a + AT_CONST((size_t)v * ROWS + tile * TILE + m, right), (floatv)0.0f);
                add_products(hidden, weights + (size_t)v * VECTOR * UNITS, sum);
            }
#pragma unroll
            for (int m = 0; m < TILE; m++)
#pragma unroll
                for (int u = 0; u < VECTORS; u++) {
                    const int row = tile * TILE + m;
                    total[row] = fma(AT_CONST(u, w3), fmax(sum[m][u], (floatv)0.0f), total[row]);
                    above[u] |= (sum[m][u] > (floatv)0.0f) & (intv)(1 << row);
                }
        }
        if (kept)
            for (int u = 0; u < VECTORS; u++)
                VSTORE(TO_WORDV(above[u]), ((size_t)group * lefts + i) * vectors + panel * VECTORS + u, kept);
    }
    for (int m = 0; m < ROWS; m++) {
        const int q = group * ROWS + m;
        if (q < rights * regions)
            scores[score_place(lefts, rights, i, q)] = sum_lanes(total[m]) + bias3[0];
    }
}

// Sums over the (group, i) of a split: Σ dscore · hidden[c] · [unit k above zero] for WIDE channels c and
// UNITS units k, which is the gradient of w2 but for the factor w3[k]; and the same without hidden[c], once
// for all c.
kernel void concat_backward_w2(global const WORD *kept, global float *workspace, uint left_at, uint right_at,
                               uint dscores_at, uint partial_at, uint partial_bias_at, int lefts, int groups,
                               int width, int splits)
{
    const int panel = (int)get_global_id(0), c = (int)get_global_id(1) * WIDE, split = (int)get_global_id(2);
    if (panel >= width / UNITS)
        return;
    const int begin = (int)((long)lefts * groups * split / splits);
    const int end = (int)((long)lefts * groups * (split + 1) / splits);
    floatv sum[WIDE][VECTORS], bias[VECTORS];
#pragma unroll
    for (int u = 0; u < VECTORS; u++) {
        bias[u] = (floatv)0.0f;
#pragma unroll
        for (int w = 0; w < WIDE; w++)
            sum[w][u] = (floatv)0.0f;
    }
    const int v = c / VECTOR, w_first = c - v * VECTOR;
    int group = begin / lefts, i = begin - group * lefts;
    for (int at = begin; at < end; at++) {
        global const float *right = workspace + right_at + ((size_t)group * width + v * VECTOR) * ROWS;
        global const float *dscore = workspace + dscores_at + (size_t)at * ROWS;
        const floatv a = AT_CONST(v, workspace + left_at + (size_t)i * width);
        BROADCAST_TILE(hidden, ROWS);
        for (int m = 0; m < ROWS; m++)
            AT_TILE(m, hidden) = fmax(a + AT_CONST(m, right), (floatv)0.0f);
        intv above[VECTORS];
#pragma unroll
        for (int u = 0; u < VECTORS; u++)
            above[u] = TO_INTV(VLOAD((size_t)at * (width / VECTOR) + panel * VECTORS + u, kept));
#pragma unroll UNROLL
        for (int m = 0; m < ROWS; m++) {
            floatv d[VECTORS];
#pragma unroll
            for (int u = 0; u < VECTORS; u++) {
                d[u] = select((floatv)0.0f, (floatv)dscore[m], (above[u] & (intv)(1 << m)) != (intv)0);
                bias[u] += d[u];
            }
#pragma unroll
            for (int w = 0; w < WIDE; w++)
#pragma unroll
                for (int u = 0; u < VECTORS; u++)
                    sum[w][u] = fma((floatv)hidden[m * VECTOR + w_first + w], d[u], sum[w][u]);
        }
        if (++i == lefts) {
            i = 0;
            group++;
        }
    }
    global float *partial = workspace + partial_at + ((size_t)split * width + c) * width + panel * UNITS;
    global float *partial_bias = workspace + partial_bias_at + (size_t)split * width + panel * UNITS;
#pragma unroll
    for (int u = 0; u < VECTORS; u++) {
#pragma unroll
        for (int w = 0; w < WIDE; w++)
            AT(u, partial + (size_t)w * width) = sum[w][u];
        if (c == 0)
            AT(u, partial_bias) = bias[u];
    }
}

// p = v, or p += v, n floats of it.
static void put(floatv v, global float *p, uint n, int add)
{
    vector_store(add ? vector_load(p, n) + v : v, p, n);
}

// From those sums S[c][k] and s[k], the gradients of w2 = w3[k]·S, of bias2 = w3[k]·s, and of w3, which is
// Σ dscore · relu(unit k) = Σ_c w2[c][k]·S[c][k] + bias2[k]·s[k]; of bias3, from the groups' sums. A
// work-item has VECTOR units k.
kernel void concat_backward_weights(global const float *workspace, uint partial_at, uint partial_bias_at,
                                    uint sums_at, int n_sums, int width, int splits, global const float *w2,
                                    global const float *bias2, global const float *w3, int pitch,
                                    global float *dw2, global float *dbias2, global float *dw3,
                                    global float *dbias3, int add)
{
    const int k = (int)get_global_id(0) * VECTOR;
    if (k >= pitch)
        return;
    const floatv factor = vector_load(w3 + k, pitch - k);
    floatv bias = (floatv)0.0f;
    for (int split = 0; split < splits; split++)
        bias += AT_CONST(0, workspace + partial_bias_at + (size_t)split * width + k);
    floatv d3 = vector_load(bias2 + k, pitch - k) * bias;
    for (int c = 0; c < pitch; c++) {
        floatv sum = (floatv)0.0f;
        for (int split = 0; split < splits; split++)
            sum += AT_CONST(0, workspace + partial_at + ((size_t)split * width + c) * width + k);
        d3 = fma(vector_load(w2 + (size_t)c * pitch + k, pitch - k), sum, d3);
        put(factor * sum, dw2 + (size_t)c * pitch + k, pitch - k, add);
    }
    put(factor * bias, dbias2 + k, pitch - k, add);
    put(d3, dw3 + k, pitch - k, add);
    if (k == 0) {
        float sum = 0.0f;
        for (int i = 0; i < n_sums; i++)
            sum += workspace[sums_at + i];
        dbias3[0] = add ? dbias3[0] + sum : sum;
    }
}

// Gradients of the features for UNITS channels and one group: complete for the right side, for the left a
// part of the sum over groups.
kernel void concat_backward_features(global const WORD *kept, global float *workspace, uint left_at,
                                     uint right_at, uint panels_at, uint dscores_at, uint partial_at,
                                     int lefts, int rights, int width, global float *dright, int blocks,
                                     int pixels, int block, int first, int add)
{
    const int panel = (int)get_global_id(0), group = (int)get_global_id(1), vectors = width / VECTOR;
    if (panel >= width / UNITS)
        return;
    global const float *weights = workspace + panels_at + (size_t)panel * width * UNITS;
    global const float *right = workspace + right_at + ((size_t)group * width + panel * UNITS) * ROWS;
    floatv right_sum[ROWS][VECTORS];
    UNROLL_ROWS
    for (int m = 0; m < ROWS; m++)
#pragma unroll
        for (int u = 0; u < VECTORS; u++)
            right_sum[m][u] = (floatv)0.0f;
    for (int i = 0; i < lefts; i++) {
        const size_t at = (size_t)group * lefts + i;
        global const float *left = workspace + left_at + (size_t)i * width + panel * UNITS;
        global const float *dscore = workspace + dscores_at + at * ROWS;
        floatv left_sum[VECTORS];
#pragma unroll
        for (int u = 0; u < VECTORS; u++)
            left_sum[u] = (floatv)0.0f;
        for (int tile = 0; tile < TILES; tile++) {
            floatv sum[TILE][VECTORS];
#pragma unroll
            for (int m = 0; m < TILE; m++)
#pragma unroll
                for (int u = 0; u < VECTORS; u++)
                    sum[m][u] = (floatv)0.0f;
            for (int v = 0; v < vectors; v++) {
                BROADCAST_TILE(unit, TILE);
                const intv above = TO_INTV(VLOAD(at * vectors + v, kept));
#pragma unroll
                for (int m = 0; m < TILE; m++)
                    AT_TILE(m, unit) = select((floatv)0.0f, (floatv)1.0f,
                                              (above & (intv)(1 << (tile * TILE + m))) != (intv)0);
                add_products(unit, weights + (size_t)v * VECTOR * UNITS, sum);
            }
#pragma unroll
            for (int m = 0; m < TILE; m++)
#pragma unroll
                for (int u = 0; u < VECTORS; u++) {
                    const int row = tile * TILE + m;
                    const floatv hidden = AT_CONST(u, left) + AT_CONST((size_t)u * ROWS + row, right);
                    const floatv d = select((floatv)0.0f, dscore[row] * sum[m][u], hidden > (floatv)0.0f);
                    left_sum[u] += d;
                    right_sum[row][u] += d;
                }
        }
#pragma unroll
        for (int u = 0; u < VECTORS; u++)
            AT(u, workspace + partial_at + at * width + panel * UNITS) = left_sum[u];
    }
    const Layout layout = {blocks, pixels, block};
    UNROLL_ROWS
    for (int m = 0; m < ROWS; m++) {
        const int q = group * ROWS + m;
        for (int u = 0; u < VECTORS; u++)
            store_right(right_sum[m][u], dright, layout, first, rights, q, panel * UNITS + u * VECTOR, add);
    }
}

// The left side's sum over groups.
kernel void concat_backward_left(global const float *workspace, uint partial_at, int lefts, int groups,
                                 int width, global float *dleft, int blocks, int block, int first, int add)
{
    const Layout layout = {blocks, 1, block};
    const int v = (int)get_global_id(0), i = (int)get_global_id(1), vectors = width / VECTOR;
    if (v >= vectors)
        return;
    floatv sum = (floatv)0.0f;
    for (int group = 0; group < groups; group++)
        sum += AT_CONST(((size_t)group * lefts + i) * vectors + v, workspace + partial_at);
    store_channels(sum, dleft, layout, first + i, v * VECTOR, 0, add);
}

kernel void dot_forward(global const float *workspace, uint left_at, uint right_at, int lefts, int rights,
                        int regions, int width, float scale, global float *scores)
{
    const int i = (int)get_global_id(0), group = (int)get_global_id(1), vectors = width / VECTOR;
    if (i >= lefts)
        return;
    global const float *left = workspace + left_at + (size_t)i * width;
    global const float *right = workspace + right_at + (size_t)group * ROWS * width;
    for (int tile = 0; tile < TILES; tile++) {
        floatv sum[TILE];
#pragma unroll
        for (int m = 0; m < TILE; m++)
            sum[m] = (floatv)0.0f;
        for (int v = 0; v < vectors; v++) {
            const floatv a = AT_CONST(v, left);
#pragma unroll
            for (int m = 0; m < TILE; m++)
                sum[m] = fma(a, AT_CONST((size_t)v * ROWS + tile * TILE + m, right), sum[m]);
        }
        for (int m = 0; m < TILE; m++) {
            const int q = group * ROWS + tile * TILE + m;
            if (q < rights * regions)
                scores[score_place(lefts, rights, i, q)] = scale * sum_lanes(sum[m]);
        }
    }
}

// TILE left items, VECTOR channels.
kernel void dot_backward_left(global const float *workspace, uint right_at, uint dscores_at, int lefts,
                              int groups, int width, float scale, global float *dleft, int blocks, int block,
                              int first, int add)
{
    const Layout layout = {blocks, 1, block};
    const int v = (int)get_global_id(0), i = (int)get_global_id(1) * TILE, vectors = width / VECTOR;
    if (v >= vectors)
        return;
    floatv sum[TILE];
#pragma unroll
    for (int n = 0; n < TILE; n++)
        sum[n] = (floatv)0.0f;
    for (int group = 0; group < groups; group++) {
        global const float *dscore = workspace + dscores_at + (size_t)group * lefts * ROWS;
        for (int m = 0; m < ROWS; m++) {
            const floatv b = AT_CONST(((size_t)group * vectors + v) * ROWS + m, workspace + right_at);
#pragma unroll
            for (int n = 0; n < TILE; n++)
                sum[n] = fma((floatv)dscore[min(i + n, lefts - 1) * ROWS + m], b, sum[n]);
        }
    }
    UNROLL_ROWS
    for (int n = 0; n < TILE; n++)
        if (i + n < lefts)
            store_channels(scale * sum[n], dleft, layout, first + i + n, v * VECTOR, 0, add);
}

// One group of right rows, VECTOR channels.
kernel void dot_backward_right(global const float *workspace, uint left_at, uint dscores_at, int lefts,
                               int rights, int width, float scale, global float *dright, int blocks,
                               int pixels, int block, int first, int add)
{
    const Layout layout = {blocks, pixels, block};
    const int v = (int)get_global_id(0), group = (int)get_global_id(1), vectors = width / VECTOR;
    if (v >= vectors)
        return;
    for (int tile = 0; tile < TILES; tile++) {
        floatv sum[TILE];
#pragma unroll
        for (int m = 0; m < TILE; m++)
            sum[m] = (floatv)0.0f;
        for (int i = 0; i < lefts; i++) {
            const floatv a = AT_CONST((size_t)i * vectors + v, workspace + left_at);
            global const float *dscore =
                workspace + dscores_at + ((size_t)group * lefts + i) * ROWS + tile * TILE;
#pragma unroll
            for (int m = 0; m < TILE; m++)
                sum[m] = fma((floatv)dscore[m], a, sum[m]);
        }
        UNROLL_ROWS
        for (int m = 0; m < TILE; m++) {
            const int q = group * ROWS + tile * TILE + m;
            store_right(scale * sum[m], dright, layout, first, rights, q, v * VECTOR, add);
        }
    }
}
