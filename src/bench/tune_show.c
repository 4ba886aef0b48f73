/* Which entries of the tuning database serve which layer: maxgl_tune_uses(). */
#include "bench/tune.h"
#include "bench/tune_conv3d.h"
#include "ops/batch_norm.h"
#include "ops/linear.h"
#include "ops/pool.h"

#include <string.h>

static void use_free(MaxglTuneUse *use)
{
    g_free(use->layer);
    g_free(use->what);
    g_free(use->pass);
    g_free(use->algorithm);
    g_ptr_array_unref(use->answers);
    g_free(use);
}

static MaxglTuneUse *add_use(GPtrArray *uses, const char *layer, const char *what, const char *pass,
                             int count)
{
    MaxglTuneUse *use = g_new0(MaxglTuneUse, 1);
    *use = (MaxglTuneUse){.layer = g_strdup(layer),
                          .what = g_strdup(what),
                          .pass = g_strdup(pass),
                          .count = count,
                          .answers = maxgl_tuning_answers_new()};
    g_ptr_array_add(uses, use);
    return use;
}

static void add_conv3d(MaxglContext *context, const MaxglTuneKind *kind, GPtrArray *uses)
{
    const MaxglTuneWork nothing = {.kind = kind};
    const MaxglConv3d *c = &kind->conv;
    const MaxglShape out = maxgl_conv3d_output(c);
    g_autofree char *what =
        g_strdup_printf("conv %d×%d×%d, stride %d,%d,%d, %d → %d channels, map %d×%d×%d", c->kernel[0],
                        c->kernel[1], c->kernel[2], c->stride[0], c->stride[1], c->stride[2], c->input.c,
                        c->out_channels, out.t, out.h, out.w);
    for (int p = 0; p < MAXGL_TUNE_PASSES; p++) {
        const MaxglConv3dPass pass = (MaxglConv3dPass)p;
        if (!maxgl_tune_has_pass(kind, pass))
            continue;
        MaxglTuneUse *use = add_use(uses, kind->name, what, maxgl_tune_pass_names[p], kind->count);
        g_autoptr(MaxglSequence) sequence = maxgl_sequence_new_dry(context);
        maxgl_tuning_watch(context->tuning, use->answers);
        use->algorithm = g_strdup(maxgl_conv3d_algorithm_name(context, c, pass));
        maxgl_tune_workspace(context, c, pass);
        /* Without memory it may end halfway, when all has been asked for. */
        maxgl_tune_append(&nothing, pass, NULL, sequence, NULL);
        maxgl_tuning_watch(context->tuning, NULL);
    }
}

/* Kernels of which there is nothing to tell layer by layer, since their entries have no shapes. */
static void add_others(MaxglContext *context, const MaxglResnet *resnet, GPtrArray *uses)
{
    static const struct {
        MaxglLayerKind kind;
        const char *what, *kernel, *names[4];
    } others[] = {
        {MAXGL_LAYER_BATCH_NORM, "batch norm", "batch_norm", {"group", "pixels"}},
        {MAXGL_LAYER_MAX_POOL, "max pool", "max_pool", {"group", "pixels"}},
        {MAXGL_LAYER_GLOBAL_POOL, "mean over the map", "average_pool", {"group", "pixels"}},
        {MAXGL_LAYER_LINEAR, "linear", "linear", {"algorithm", "rows", "columns"}},
    };
    for (guint o = 0; o < G_N_ELEMENTS(others); o++) {
        MaxglTuneUse *use = NULL;
        for (int i = 0; i < resnet->n_layers; i++) {
            if (resnet->layers[i].kind != others[o].kind)
                continue;
            if (use)
                use->count++;
            else
                use = add_use(uses, resnet->layers[i].name, others[o].what, "", 1);
        }
        if (!use)
            continue;
        maxgl_tuning_watch(context->tuning, use->answers);
        for (guint n = 0; others[o].names[n]; n++)
            maxgl_tuning_string(context->tuning, others[o].kernel, NULL, others[o].names[n], NULL);
        maxgl_tuning_watch(context->tuning, NULL);
    }
}

GPtrArray *maxgl_tune_uses(MaxglContext *context, const MaxglResnet *resnet, int batch,
                           MaxglPrecision precision)
{
    GPtrArray *uses = g_ptr_array_new_with_free_func((GDestroyNotify)use_free);
    g_autoptr(GArray) kinds = maxgl_tune_kinds(context, resnet, batch, precision);
    for (guint i = 0; i < kinds->len; i++)
        add_conv3d(context, &g_array_index(kinds, MaxglTuneKind, i), uses);
    add_others(context, resnet, uses);
    return uses;
}
