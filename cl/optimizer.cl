// Updates of flat parameter buffers with the arithmetic of torch.optim, and the gradient's norm.

#include "group.clh"
#include "optimizer_step.clh"
#include "vector.clh"

// Work-item i takes the vectors i·run … (i+1)·run − 1 of the range.
#define FOR_EACH_VECTOR(at, floats, run)                                                                     \
    for (ulong at = get_global_id(0) * (ulong)(run)*VECTOR,                                                  \
               end_ = min(at + (ulong)(run)*VECTOR, (ulong)(floats));                                        \
         at < end_; at += VECTOR)

// The step is one to be skipped. @skip: not 0 then; or NULL.
static int skips(global const uint *skip)
{
    return skip && *skip != 0;
}

static float clip_scale(global const float *clip)
{
    return clip ? clip[0] : 1.0f;
}

kernel void optimizer_sgd(global float *parameters, global const float *gradients, global float *velocities,
                          global const OptimizerStep *step, global const float *clip, uint offset,
                          uint floats, int run, float weight_decay, float momentum, int nesterov,
                          global const uint *skip)
{
    if (skips(skip))
        return;
    const float rate = step->learning_rate, scale = clip_scale(clip);
    FOR_EACH_VECTOR(at, floats, run)
    {
        const ulong i = offset + at;
        const int n = (int)min((ulong)VECTOR, floats - at);
        floatv parameter = vector_load(parameters + i, n);
        floatv gradient = fma((floatv)weight_decay, parameter, scale * vector_load(gradients + i, n));
        if (velocities) {
            const floatv velocity = fma((floatv)momentum, vector_load(velocities + i, n), gradient);
            vector_store(velocity, velocities + i, n);
            gradient = nesterov ? fma((floatv)momentum, velocity, gradient) : velocity;
        }
        vector_store(fma((floatv)-rate, gradient, parameter), parameters + i, n);
    }
}

// @gain1, @gain2: 1 − beta, which must not be computed from a rounded beta.
kernel void optimizer_adam(global float *parameters, global const float *gradients, global float *first,
                           global float *second, global const OptimizerStep *step, global const float *clip,
                           uint offset, uint floats, int run, float weight_decay, float beta1, float gain1,
                           float beta2, float gain2, float epsilon, int decoupled,
                           global const uint *skip)
{
    if (skips(skip))
        return;
    const float scale = clip_scale(clip), rate = step->adam_rate, root = step->adam_root;
    const float coupled_decay = decoupled ? 0.0f : weight_decay;
    const float shrink = decoupled ? step->learning_rate * weight_decay : 0.0f;
    FOR_EACH_VECTOR(at, floats, run)
    {
        const ulong i = offset + at;
        const int n = (int)min((ulong)VECTOR, floats - at);
        floatv parameter = vector_load(parameters + i, n);
        const floatv gradient = fma((floatv)coupled_decay, parameter, scale * vector_load(gradients + i, n));
        const floatv m = fma((floatv)beta1, vector_load(first + i, n), gain1 * gradient);
        const floatv v = fma((floatv)beta2, vector_load(second + i, n), gain2 * gradient * gradient);
        vector_store(m, first + i, n);
        vector_store(v, second + i, n);
        parameter = fma((floatv)-shrink, parameter, parameter);
        const floatv denominator = sqrt(v) / root + epsilon;
        vector_store(fma((floatv)-rate, m / denominator, parameter), parameters + i, n);
    }
}

// Each work-group adds up the squares of a chunk of @chunk floats (a multiple of VECTOR · LANES).
kernel void gradient_norm_partial(global const float *gradients, uint floats, uint chunk,
                                  global float *partial)
{
    GROUP_SCRATCH(scratch);
    const ulong start = get_group_id(0) * (ulong)chunk;
    const ulong end = min(start + chunk, (ulong)floats);
    floatv sum = 0.0f;
    for (ulong at = start + LANE * VECTOR; at < end; at += LANES * VECTOR) {
        const floatv g = vector_load(gradients + at, (int)min((ulong)VECTOR, end - at));
        sum = fma(g, g, sum);
    }
    const float total = group_sum(vector_sum(sum), scratch);
    if (LANE == 0)
        partial[get_group_id(0)] = total;
}

// One work-group. @result: MaxglGradientNorm. 1e-6 as in torch.nn.utils.clip_grad_norm_.
kernel void gradient_norm_total(global const float *partial, uint n, float max_norm, global float *result)
{
    GROUP_SCRATCH(scratch);
    float sum = 0.0f, lost = 0.0f;
    for (uint i = LANE; i < n; i += LANES)
        add_compensated(&sum, &lost, partial[i]);
    const float norm = sqrt(group_sum(sum, scratch));
    if (LANE == 0) {
        result[0] = fmin(1.0f, max_norm / (norm + 1e-6f));
        result[1] = norm;
    }
}

// Each work-group adds up the squares of a chunk of parameters and of its gradients. @table: a row a chunk,
// then a row a tensor (lars.c). @sums: a pair a chunk.
kernel void lars_sums(global const float *parameters, global const float *gradients,
                      global const uint4 *table, global float *sums)
{
    GROUP_SCRATCH(scratch);
    const uint4 chunk = table[get_group_id(0)];
    const ulong end = (ulong)chunk.x + chunk.y;
    floatv of_parameters = 0.0f, of_gradients = 0.0f;
    for (ulong at = chunk.x + LANE * VECTOR; at < end; at += LANES * VECTOR) {
        const int n = (int)min((ulong)VECTOR, end - at);
        const floatv w = vector_load(parameters + at, n), g = vector_load(gradients + at, n);
        of_parameters = fma(w, w, of_parameters);
        of_gradients = fma(g, g, of_gradients);
    }
    const float w2 = group_sum(vector_sum(of_parameters), scratch);
    const float g2 = group_sum(vector_sum(of_gradients), scratch);
    if (LANE == 0) {
        sums[2 * get_group_id(0)] = w2;
        sums[2 * get_group_id(0) + 1] = g2;
    }
}

// Each work-group comes to the rate and the decay of a tensor, which it writes behind the @chunks sums.
kernel void lars_ratios(global const uint4 *table, uint chunks, global const OptimizerStep *step,
                        global const float *clip, float trust, float weight_decay, global float *sums)
{
    GROUP_SCRATCH(scratch);
    const uint row = chunks + (uint)get_group_id(0);
    const uint4 tensor = table[row];
    float w2 = 0.0f, g2 = 0.0f, lost_w = 0.0f, lost_g = 0.0f;
    for (uint i = LANE; i < tensor.y; i += LANES) {
        add_compensated(&w2, &lost_w, sums[2 * (tensor.x + i)]);
        add_compensated(&g2, &lost_g, sums[2 * (tensor.x + i) + 1]);
    }
    const float w = sqrt(group_sum(w2, scratch)), g = clip_scale(clip) * sqrt(group_sum(g2, scratch));
    if (LANE == 0) {
        const bool adapted = tensor.z != 0;
        const float ratio = adapted && w > 0.0f && g > 0.0f ? trust * w / fma(weight_decay, w, g) : 1.0f;
        sums[2 * row] = ratio * step->learning_rate;
        sums[2 * row + 1] = adapted ? weight_decay : 0.0f;
    }
}

// Each work-group updates a chunk. @rates: what lars_ratios wrote.
kernel void lars_update(global float *parameters, global const float *gradients, global float *velocities,
                        uint chunks, global const uint4 *table, global const float *clip, float momentum,
                        global const float *rates, global const uint *skip)
{
    if (skips(skip))
        return;
    const uint4 chunk = table[get_group_id(0)];
    const ulong end = (ulong)chunk.x + chunk.y;
    const float rate = rates[2 * (chunks + chunk.z)], decay = rates[2 * (chunks + chunk.z) + 1];
    const float scale = clip_scale(clip);
    for (ulong at = chunk.x + LANE * VECTOR; at < end; at += LANES * VECTOR) {
        const int n = (int)min((ulong)VECTOR, end - at);
        const floatv parameter = vector_load(parameters + at, n);
        floatv move = rate * fma((floatv)decay, parameter, scale * vector_load(gradients + at, n));
        if (velocities) {
            move = fma((floatv)momentum, vector_load(velocities + at, n), move);
            vector_store(move, velocities + at, n);
        }
        vector_store(parameter - move, parameters + at, n);
    }
}

// @least: 1 − decay, which must not be computed from a rounded decay.
kernel void weight_average(global const float *values, global float *averages,
                           global const OptimizerStep *step, float least, uint floats, int run,
                           global const uint *skip)
{
    if (skips(skip))
        return;
    // 1 − (1 + t) / (10 + t)
    const float gain = fmax(least, 9.0f / (10.0f + (float)step->step));
    FOR_EACH_VECTOR(at, floats, run)
    {
        const int n = (int)min((ulong)VECTOR, floats - at);
        const floatv average = vector_load(averages + at, n);
        const floatv change = vector_load(values + at, n) - average;
        vector_store(fma((floatv)gain, change, average), averages + at, n);
    }
}
