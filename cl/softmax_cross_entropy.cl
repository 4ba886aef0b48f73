// Softmax cross-entropy of integer labels. A work-group of LANES takes @run rows after each other.

#include "group.clh"
#include "vector.clh"

// MaxglCrossEntropy
typedef struct {
    float loss, weight;
    int rows, hits;
} CrossEntropy;

// What is kept of a row, a float4: log Σ exp, weighted loss, weight, and what became of it.
enum { IGNORED = 0, MISS = 1, HIT = 2 };

static float row_max(global const float *row, uint classes, group_scratch scratch)
{
    floatv greatest = -INFINITY;
    for (uint k = LANE * VECTOR; k < classes; k += LANES * VECTOR)
        greatest = fmax(greatest, vector_head(VLOAD(0, row + k), (int)(classes - k), -INFINITY));
    return group_max(vector_max(greatest), scratch);
}

static float row_sum_exp(global const float *row, uint classes, float greatest, group_scratch scratch)
{
    floatv sum = 0.0f;
    for (uint k = LANE * VECTOR; k < classes; k += LANES * VECTOR)
        sum += vector_head(exp(VLOAD(0, row + k) - greatest), (int)(classes - k), 0.0f);
    return group_sum(vector_sum(sum), scratch);
}

// Whether @label is the first class with the greatest logit.
static bool row_hit(global const float *row, uint label, float greatest, group_scratch scratch)
{
    float beaten = row[label] == greatest ? 0.0f : 1.0f;
    for (uint k = LANE; k < label; k += LANES)
        beaten = row[k] == greatest ? 1.0f : beaten;
    return group_max(beaten, scratch) == 0.0f;
}

kernel void softmax_cross_entropy_rows(global const float *logits, global const int *labels,
                                       global const float *class_weights, global float *kept, uint n_rows,
                                       int run, uint classes, uint pitch)
{
    GROUP_SCRATCH(scratch);
    const uint start = get_group_id(0) * (uint)run, end = min(start + (uint)run, n_rows);
    for (uint n = start; n < end; n++) {
        global const float *row = logits + (ulong)n * pitch;
        const uint label = (uint)labels[n];
        float4 result = (float4)(0.0f, 0.0f, 0.0f, IGNORED);
        if (label < classes) { // the same for the whole group; a negative label is a great one
            const float greatest = row_max(row, classes, scratch);
            result.x = greatest + log(row_sum_exp(row, classes, greatest, scratch));
            result.z = class_weights ? class_weights[label] : 1.0f;
            result.y = result.z * (result.x - row[label]);
            result.w = row_hit(row, label, greatest, scratch) ? HIT : MISS;
        }
        if (LANE == 0)
            vstore4(result, n, kept);
    }
}

// One work-group.
kernel void softmax_cross_entropy_total(global const float *kept, uint n_rows, global CrossEntropy *result)
{
    GROUP_SCRATCH(scratch);
    float loss = 0.0f, loss_lost = 0.0f, weight = 0.0f, weight_lost = 0.0f, rows = 0.0f, hits = 0.0f;
    for (uint n = LANE; n < n_rows; n += LANES) {
        const float4 row = vload4(n, kept);
        add_compensated(&loss, &loss_lost, row.y);
        add_compensated(&weight, &weight_lost, row.z);
        rows += row.w != IGNORED ? 1.0f : 0.0f;
        hits += row.w == HIT ? 1.0f : 0.0f;
    }
    loss = group_sum(loss, scratch);
    weight = group_sum(weight, scratch);
    rows = group_sum(rows, scratch);
    hits = group_sum(hits, scratch);
    if (LANE == 0) {
        result->loss = weight > 0.0f ? loss / weight : 0.0f;
        result->weight = weight;
        result->rows = (int)rows;
        result->hits = (int)hits;
    }
}

// dlogits = (softmax − one-hot) · weight / total weight.
kernel void softmax_cross_entropy_gradient(global const float *logits, global const int *labels,
                                           global const float *kept, global const CrossEntropy *result,
                                           global float *dlogits, uint n_rows, int run, uint classes,
                                           uint pitch)
{
    const uint start = get_group_id(0) * (uint)run, end = min(start + (uint)run, n_rows);
    for (uint n = start; n < end; n++) {
        const float4 row = vload4(n, kept);
        const float scale = row.z > 0.0f ? row.z / result->weight : 0.0f;
        for (uint k = LANE * VECTOR; k < pitch; k += LANES * VECTOR) {
            const ulong at = (ulong)n * pitch + k;
            const floatv softmax = exp(VLOAD(0, logits + at) - row.x);
            const floatv gradient = scale > 0.0f ? scale * softmax : (floatv)(0.0f);
            VSTORE(vector_head(gradient, (int)classes - (int)k, 0.0f), 0, dlogits + at);
            const uint label = (uint)labels[n];
            if (scale > 0.0f && label >= k && label < k + VECTOR)
                dlogits[(ulong)n * pitch + label] -= scale;
        }
    }
}
