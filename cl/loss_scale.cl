// Dynamic loss scaling: see src/ops/loss_scale.h. Options: VECTOR floats at once. A work-item takes the vectors
// i·run … (i+1)·run − 1.
#include "optimizer_step.clh"
#include "vector.clh"

// MaxglLossScale
typedef struct {
    uint skip;
    float scale;
    uint good;
    uint skipped;
    uint overflow;
} LossScale;

#define FOR_EACH_VECTOR(at, floats, run)                                                                     \
    for (ulong at = get_global_id(0) * (ulong)(run)*VECTOR,                                                  \
               end_ = min(at + (ulong)(run)*VECTOR, (ulong)(floats));                                        \
         at < end_; at += VECTOR)

kernel void loss_scale_apply(global float *gradients, global const LossScale *state, uint floats, int run)
{
    const float scale = state->scale;
    FOR_EACH_VECTOR(at, floats, run)
    {
        const int n = (int)min((ulong)VECTOR, floats - at);
        vector_store(scale * vector_load(gradients + at, n), gradients + at, n);
    }
}

// Takes the scale off @floats gradients from @offset on, where they are @scaled, and notes whether all are numbers.
kernel void loss_scale_remove(global float *gradients, global LossScale *state, uint offset, uint floats, int run,
                              int scaled)
{
    const float factor = 1.0f / state->scale;
    floatv nothing = 0.0f; // v − v is 0 for numbers, and NaN for others
    FOR_EACH_VECTOR(at, floats, run)
    {
        const int n = (int)min((ulong)VECTOR, floats - at);
        const floatv v = vector_load(gradients + offset + at, n);
        nothing += v - v;
        if (scaled)
            vector_store(factor * v, gradients + offset + at, n);
    }
    if (!(vector_sum(nothing) == 0.0f))
        atomic_or(&state->overflow, 1u);
}

// One work-item.
kernel void loss_scale_update(global LossScale *state, uint growth_steps, float least, float most)
{
    const uint overflow = state->overflow;
    uint good = overflow ? 0 : state->good + 1;
    float scale = overflow ? fmax(0.5f * state->scale, least) : state->scale;
    if (good == growth_steps) {
        scale = fmin(2.0f * scale, most);
        good = 0;
    }
    state->skip = overflow;
    state->scale = scale;
    state->good = good;
    state->skipped += overflow;
    state->overflow = 0;
}

// One work-item. @log_beta1, @log_beta2: logarithms of Adam's. 1 − beta^n is −expm1(n · log(beta)), which keeps its
// digits where beta^n is close to 1.
kernel void loss_scale_count(global OptimizerStep *step, global const LossScale *state, float log_beta1,
                             float log_beta2)
{
    if (state->skip)
        return;
    const uint made = step->step - state->skipped;
    step->step = made;
    step->adam_rate = step->learning_rate / -expm1((float)made * log_beta1);
    step->adam_root = sqrt(-expm1((float)made * log_beta2));
}
