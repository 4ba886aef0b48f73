/* Loss scaling: gradients scaled and unscaled, what is not finite noticed wherever it is, the scale's steps,
 * and the optimiser's. */
#include "checkcl.h"

#include "compute/buffer.h"
#include "ops/loss_scale.h"

#include <math.h>
#include <string.h>

static const struct {
    gsize offset, floats;
    gsize at;  /* where a number is spoilt … */
    float bad; /* … with this; 0: none is */
    gboolean scaled;
} cases[] = {
    {0, 1, 0, 0, TRUE},           {0, 1, 0, NAN, TRUE},          {3, 35, 34, INFINITY, TRUE},
    {16, 64, 0, -INFINITY, TRUE}, {5, 33, 17, NAN, FALSE},       {7, 100, 0, 0, FALSE},
    {0, 100003, 0, 0, TRUE},      {1, 100003, 99999, NAN, TRUE},
};

static char *describe(guint index)
{
    return g_strdup_printf("%" G_GSIZE_FORMAT " from %" G_GSIZE_FORMAT " on, %s%s", cases[index].floats,
                           cases[index].offset, cases[index].scaled ? "scaled" : "not scaled",
                           cases[index].bad != 0 ? ", one not finite" : "");
}

static gboolean is_small(guint index)
{
    return cases[index].floats < 1000;
}

static void compare_state(CheckReport *report, const char *what, const MaxglLossScale *got,
                          const MaxglLossScale *want)
{
    if (memcmp(got, want, sizeof *got) != 0)
        check_fail(report, "%s: skip %u, scale %g, %u good, %u skipped, overflow %u; not %u, %g, %u, %u, %u",
                   what, got->skip, (double)got->scale, got->good, got->skipped, got->overflow, want->skip,
                   (double)want->scale, want->good, want->skipped, want->overflow);
}

/* From state to state with growth after three good steps. */
static gboolean check_updates(MaxglContext *context, CheckReport *report, cl_mem state, GError **error)
{
    static const MaxglLossScale steps[][2] = {
        /* before, after: skip, scale, good, skipped, overflow */
        {{0, 8, 0, 0, 0}, {0, 8, 1, 0, 0}},  {{1, 8, 1, 4, 0}, {0, 8, 2, 4, 0}},
        {{0, 8, 2, 4, 0}, {0, 16, 0, 4, 0}}, {{0, 16, 2, 4, 1}, {1, 8, 0, 5, 0}},
        {{1, 1, 0, 5, 1}, {1, 1, 0, 6, 0}},  {{0, 0x1p30F, 2, 0, 0}, {0, 0x1p30F, 0, 0, 0}},
    };
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    gboolean ok = maxgl_loss_scale_update(sequence, 3, state, error);
    for (gsize i = 0; ok && i < G_N_ELEMENTS(steps); i++) {
        MaxglLossScale got;
        ok = maxgl_loss_scale_write(context, state, &steps[i][0], error) && check_run(sequence, error) &&
             maxgl_loss_scale_read(context, state, &got, error);
        if (ok)
            compare_state(report, "update", &got, &steps[i][1]);
    }
    return ok;
}

/* Numbers of a step after skipped ones are those of an earlier one; of one that is itself skipped they stay.
 */
static gboolean check_counts(MaxglContext *context, CheckReport *report, cl_mem state, GError **error)
{
    static const struct {
        guint32 step, skip, skipped;
    } counts[] = {{1, 0, 0},         {2, 0, 1},          {12, 0, 5},      {3000, 0, 7},
                  {200000, 0, 1000}, {2000000000, 0, 3}, {2000, 0, 1999}, {9, 1, 9}};
    const MaxglOptimizer adam = {.kind = MAXGL_OPTIMIZER_ADAM, .beta1 = 0.9, .beta2 = 0.999};
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    cl_mem step = check_bytes(report, context, sizeof(MaxglOptimizerStep), NULL, error);
    gboolean ok = step && maxgl_loss_scale_count(sequence, &adam, step, state, error);
    for (gsize i = 0; ok && i < G_N_ELEMENTS(counts); i++) {
        const MaxglLossScale scale = {.skip = counts[i].skip, .scale = 8, .skipped = counts[i].skipped};
        const MaxglOptimizerStep before = {counts[i].step, 0.01F, 7, 7};
        const guint32 made = counts[i].skip ? counts[i].step : counts[i].step - counts[i].skipped;
        const double rate = counts[i].skip ? 7 : (double)0.01F / (1 - pow(adam.beta1, made)),
                     root = counts[i].skip ? 7 : sqrt(1 - pow(adam.beta2, made));
        MaxglOptimizerStep got;
        ok = maxgl_loss_scale_write(context, state, &scale, error) &&
             maxgl_buffer_write(context, step, 0, &before, sizeof before, error) &&
             check_run(sequence, error) && maxgl_buffer_read(context, step, 0, &got, sizeof got, error);
        if (ok && (got.step != made || got.learning_rate != before.learning_rate ||
                   !(fabs(got.adam_rate / rate - 1) < 5e-7) || !(fabs(got.adam_root / root - 1) < 5e-7)))
            check_fail(report, "step %u, %u skipped: %u, %.9g, %.9g, %.9g; not %u, %.9g, %.9g, %.9g",
                       counts[i].step, counts[i].skipped, got.step, (double)got.learning_rate,
                       (double)got.adam_rate, (double)got.adam_root, made, (double)before.learning_rate, rate,
                       root);
    }
    return ok;
}

static gboolean check(MaxglContext *context, guint index, CheckReport *report, GError **error)
{
    const gsize offset = cases[index].offset, n = cases[index].floats, all = offset + n;
    const MaxglLossScale before = {.scale = 1024};
    MaxglLossScale want = before, got;
    g_autofree float *values = check_random(all, index), *once = g_new(float, all),
                     *twice = g_new(float, all);
    if (cases[index].bad != 0)
        values[offset + cases[index].at] = cases[index].bad;
    want.overflow = cases[index].bad != 0;
    g_autoptr(MaxglSequence) apply = maxgl_sequence_new(context);
    g_autoptr(MaxglSequence) remove = maxgl_sequence_new(context);
    cl_mem state = check_bytes(report, context, sizeof before, &before, error);
    cl_mem gradients = check_buffer(report, context, all, values, error);
    if (!state || !gradients || !maxgl_loss_scale_apply(apply, gradients, all, state, error) ||
        !maxgl_loss_scale_remove(remove, gradients, offset, n, cases[index].scaled, state, error) ||
        !check_run(apply, error) ||
        !maxgl_buffer_read(context, gradients, 0, once, all * sizeof(float), error) ||
        !check_run(remove, error) ||
        !maxgl_buffer_read(context, gradients, 0, twice, all * sizeof(float), error) ||
        !maxgl_loss_scale_read(context, state, &got, error))
        return FALSE;
    compare_state(report, "remove", &got, &want);
    for (gsize i = 0; i < all; i++) {
        const float scaled = 1024 * values[i],
                    after = i >= offset && cases[index].scaled ? values[i] : scaled;
        if ((once[i] != scaled && !isnan(scaled)) || (twice[i] != after && !isnan(after))) {
            check_fail(report, "%g becomes %g, then %g", (double)values[i], (double)once[i],
                       (double)twice[i]);
            break;
        }
    }
    return index > 0 ||
           (check_updates(context, report, state, error) && check_counts(context, report, state, error));
}

const MaxglCheck check_loss_scale = {
    .name = "loss_scale",
    .n_cases = G_N_ELEMENTS(cases),
    .describe = describe,
    .is_small = is_small,
    .check = check,
};
