// Bounds on mutual information from scores T[r][i][j], positive where j = i, and their gradients: see
// ops/mi_estimator.h. A row is one (r, i), a column one (r, j); there are equally many. A work-item takes
// @run of them.
//
// infonce and dv share their kernels. Both are a mean over positive pairs of T − log Σ_c exp T_c plus a
// constant; `others` has the logarithm of the sum over negatives c for each row (and column), or of the pool
// of rows it belongs to. infonce's sum has the positive pair as well. Then
//
//   ∂value/∂T of a negative = −exp(T − others) · F / (N·R)
//
// where F is, for infonce, Σ over the positive pairs that have this negative of sigmoid(others − T_positive)
// and, for dv, the number of positive pairs that share the pool.
#include "group.clh"

// The workspace: arrays of a float a row.
#define OTHERS (workspace)
#define FACTORS (workspace + (size_t)rows)
#define COLUMN_OTHERS (workspace + (size_t)rows * 2)
#define COLUMN_FACTORS (workspace + (size_t)rows * 3)
#define PARTS (workspace + (size_t)rows * 4)

// Work-item i takes i·run … (i+1)·run − 1 of n.
#define FOR_RUN(x, run, n)                                                                                   \
    for (int x = (int)get_global_id(0) * (run), end_ = min(x + (run), (n)); x < end_; x++)

static float softplus(float x)
{
    return fmax(x, 0.0f) + log1p(exp(-fabs(x)));
}

static float sigmoid(float x)
{
    const float e = exp(-fabs(x));
    return (x >= 0.0f ? 1.0f : e) / (1.0f + e);
}

// log Σ exp p[k·stride], k ≠ without.
static float log_sum_exp(global const float *p, int n, int stride, int without)
{
    float most = -INFINITY, sum = 0.0f;
    for (int k = 0; k < n; k++)
        if (k != without)
            most = fmax(most, p[(size_t)k * stride]);
    for (int k = 0; k < n; k++)
        if (k != without)
            sum += exp(p[(size_t)k * stride] - most);
    return most + log(sum);
}

kernel void mi_estimator_jsd(global const float *scores, global float *dscores, global float *workspace,
                             int items, int rows, int run, float scale)
{
    const float negative = 1.0f / (float)(items - 1);
    FOR_RUN(row, run, rows)
    {
        const size_t at = (size_t)row * items;
        const int i = row % items;
        const float positive = scores[at + i];
        float sum = 0.0f;
        for (int j = 0; j < items; j++) {
            const float score = scores[at + j];
            if (j != i)
                sum += softplus(score) - M_LN2_F;
            if (dscores)
                dscores[at + j] = scale * (j == i ? sigmoid(-score) : -negative * sigmoid(score));
        }
        PARTS[row] = M_LN2_F - softplus(-positive) - negative * sum;
    }
}

// Negatives of each row, and its F for infonce.
kernel void mi_estimator_rows(global const float *scores, global float *workspace, int items, int rows,
                              int run)
{
    FOR_RUN(row, run, rows)
    {
        global const float *score = scores + (size_t)row * items;
        OTHERS[row] = log_sum_exp(score, items, 1, row % items);
        FACTORS[row] = sigmoid(OTHERS[row] - score[row % items]);
    }
}

kernel void mi_estimator_columns(global const float *scores, global float *workspace, int items, int rows,
                                 int run)
{
    FOR_RUN(column, run, rows)
    {
        const int r = column / items,
                  j = column - r * items; // not %: Oclgrind 21.10 cannot run / and % of the same
        global const float *score = scores + (size_t)r * items * items + j;
        COLUMN_OTHERS[column] = log_sum_exp(score, items, items, j);
        COLUMN_FACTORS[column] = sigmoid(COLUMN_OTHERS[column] - score[(size_t)j * items]);
    }
}

// Pools the rows of a region.
kernel void mi_estimator_pool_items(global float *workspace, int items, int rows, int run)
{
    FOR_RUN(r, run, rows / items)
    {
        global float *others = OTHERS + (size_t)r * items;
        const float pool = log_sum_exp(others, items, 1, -1);
        for (int i = 0; i < items; i++)
            others[i] = pool;
    }
}

// Pools the rows of a left item.
kernel void mi_estimator_pool_regions(global const float *scores, global float *workspace, int items,
                                      int rows, int run)
{
    FOR_RUN(i, run, items)
    {
        const float pool = log_sum_exp(OTHERS + i, rows / items, items, -1);
        float factor = 0.0f;
        for (int row = i; row < rows; row += items)
            factor += sigmoid(pool - scores[(size_t)row * items + i]);
        for (int row = i; row < rows; row += items) {
            OTHERS[row] = pool;
            FACTORS[row] = factor;
        }
    }
}

// Parts of the value and the gradient from rows and, if @symmetric, columns, each with half the weight. pool:
// 0 for infonce; for dv the positive pairs that share a pool.
kernel void mi_estimator_gradient(global const float *scores, global float *dscores, global float *workspace,
                                  int items, int rows, int run, int symmetric, int pool, float scale)
{
    const float share = symmetric ? 0.5f : 1.0f;
    FOR_RUN(row, run, rows)
    {
        const size_t at = (size_t)row * items;
        const int i = row % items;
        const float positive = scores[at + i], other = OTHERS[row];
        const float factor = pool ? (float)pool : FACTORS[row];
        float part = pool ? positive - other : -softplus(other - positive);
        float dpositive = pool ? 1.0f : sigmoid(other - positive);
        if (symmetric) {
            part -= softplus(COLUMN_OTHERS[row] - positive);
            dpositive += sigmoid(COLUMN_OTHERS[row] - positive);
        }
        PARTS[row] = share * part;
        for (int j = 0; dscores && j < items; j++) {
            const int column = row - i + j;
            const float score = scores[at + j];
            float d = j == i ? dpositive : -factor * exp(score - other);
            if (symmetric && j != i)
                d -= COLUMN_FACTORS[column] * exp(score - COLUMN_OTHERS[column]);
            dscores[at + j] = scale * share * d;
        }
    }
}

// value = share · (offset + mean of parts) by one work-group, region by region.
kernel void mi_estimator_value(global const float *workspace, int items, int rows, float share, float offset,
                               global float *values, int slot, int add)
{
    GROUP_SCRATCH(scratch);
    float sum = 0.0f;
    for (uint r = LANE; r < (uint)(rows / items); r += LANES) {
        float part = 0.0f;
        for (int i = 0; i < items; i++)
            part += PARTS[(size_t)r * items + i];
        sum += part;
    }
    sum = group_sum(sum, scratch);
    const float value = share * (offset + sum / (float)rows);
    if (LANE == 0)
        values[slot] = add ? values[slot] + value : value;
}
