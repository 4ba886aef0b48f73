#include "bench/heads.h"

#include "bench/pairs.h"
#include "net/max_gl_terms.h"

enum { GLOBAL, LOCAL, TERMS };

/* Of the terms, which have a number each: Local-MI has one layer. */
static int layer_of(int which)
{
    return which == LOCAL ? 0 : MAXGL_TERM_GLOBAL;
}

/* What maxgl_objective_new() does behind a network, with random features in the network's place. */
typedef struct {
    const MaxglHeadsOptions *options;
    MaxglContext *context;
    MaxglMaterial *material;
    MaxglObjectiveOptions objective;
    MaxglShape global, regions;
    MaxglTensor g, dg, l, dl; /* features and their gradients */
    cl_mem values;
    MaxglParameters *parameters;
    MaxglMemoryPlan *plan;
    MaxglSequence *sequence;
} Heads;

static gboolean make_features(Heads *h, GError **error)
{
    MaxglMaterial *m = h->material;
    const float *g = maxgl_material_random(m, maxgl_shape_elements(&h->global), 1);
    const float *l = maxgl_material_random(m, maxgl_shape_elements(&h->regions), 2);
    return maxgl_material_tensor(m, h->global, g, &h->g, error) &&
           maxgl_material_tensor(m, h->global, NULL, &h->dg, error) &&
           maxgl_material_tensor(m, h->regions, l, &h->l, error) &&
           maxgl_material_tensor(m, h->regions, NULL, &h->dl, error) &&
           maxgl_material_buffer(m, TERMS * sizeof(float), &h->values, error);
}

static gboolean make_parameters(Heads *h, GError **error)
{
    h->parameters = maxgl_parameters_new(h->context);
    for (int which = 0; which < TERMS; which++) {
        MaxglTerm term;
        maxgl_term_init(&term, &h->objective, layer_of(which), h->global,
                        which == LOCAL ? h->regions : h->global);
        maxgl_term_declare(&term, h->parameters);
        maxgl_term_clear(&term);
    }
    return maxgl_parameters_allocate(h->parameters, TRUE, error) &&
           maxgl_parameters_initialise(h->parameters, 1, error);
}

/* Runs twice, see MaxglHeadBuilder. */
static gboolean build(Heads *h, MaxglHeadBuilder *b, GError **error)
{
    gboolean ok = TRUE;
    for (int which = 0; which < TERMS && ok; which++) {
        const MaxglTermSide global = {h->g.buffer, h->dg.buffer, which > 0};
        const MaxglTermSide local = {h->l.buffer, h->dl.buffer, FALSE};
        MaxglTerm term;
        maxgl_term_init(&term, &h->objective, layer_of(which), h->global,
                        which == LOCAL ? h->regions : h->global);
        b->time = which;
        ok = maxgl_term_build(&term, b, global, which == LOCAL ? local : global,
                              (MaxglTermValue){h->values, which, FALSE}, error);
        maxgl_term_clear(&term);
    }
    return ok;
}

static gboolean prepare(Heads *h, GError **error)
{
    MaxglHeadBuilder builder = {.context = h->context, .parameters = h->parameters, .plan = h->plan};
    if (!build(h, &builder, error))
        return FALSE;
    const guint workspace =
        maxgl_memory_plan_add(h->plan, builder.workspace_bytes, 0, TERMS, "the heads' workspace");
    if (!maxgl_memory_plan_solve(h->plan, error) ||
        !maxgl_memory_plan_allocate(h->plan, h->context, "the Max-GL heads", error))
        return FALSE;
    builder.workspace = maxgl_memory_plan_window(h->plan, workspace);
    builder.sequence = h->sequence;
    builder.next_block = 0;
    return build(h, &builder, error);
}

static gboolean run_once(gpointer data, guint32 number, GError **error)
{
    Heads *h = data;
    return maxgl_sequence_run(h->sequence, error);
}

/* Both terms and their gradients: each encoder where it is needed, then the pairs. In Global-MI the last
 * clip of a video is on no left side and the first on no right side; an encoder of dot serves both sides. */
static double direct_flops(const MaxglHeadsOptions *o)
{
    const double n = o->videos, c = o->clips, d = o->hidden, r = o->regions;
    const double pairs = c * (c - 1) / 2 * n * n + c * r * n * n;
    if (o->discriminator == MAXGL_DISCRIMINATOR_CONCAT)
        return 2 * 3 *
               ((3 * c - 2) * n * o->features * d + c * n * r * o->channels * d + pairs * (d * d + d));
    const double global = 2 * o->features * d + d * d, local = 2 * o->channels * d + d * d;
    return 2 * 3 * (2 * c * n * global + c * n * r * local + pairs * d);
}

static gboolean measure_whole(Heads *h, MaxglBenchRun *run, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    h->plan = maxgl_memory_plan_new(h->context->info->base_align, h->context->info->max_allocation);
    h->sequence = maxgl_sequence_new(h->context);
    *run = (MaxglBenchRun){.flops = direct_flops(h->options)};
    const gboolean ok = make_features(h, error) && make_parameters(h, error) && prepare(h, error);
    run->build_seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
    return ok && maxgl_bench_run(h->context, run_once, h, h->options->repeats, h->options->limit, run, error);
}

static void heads_clear(Heads *h)
{
    g_clear_pointer(&h->sequence, maxgl_sequence_free);
    g_clear_pointer(&h->plan, maxgl_memory_plan_free);
    g_clear_pointer(&h->parameters, maxgl_parameters_free);
}

GPtrArray *maxgl_bench_heads(MaxglContext *context, const MaxglHeadsOptions *options, MaxglBenchRun *run,
                             GError **error)
{
    const int block = maxgl_layout_block(context);
    g_autoptr(MaxglMaterial) material = maxgl_material_new(context);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)maxgl_bench_row_free);
    Heads heads = {.options = options,
                   .context = context,
                   .material = material,
                   .global = maxgl_shape(options->clips * options->videos, options->features, 1, 1, 1, block),
                   .regions = maxgl_shape(options->clips * options->videos, options->channels, 1, 1,
                                          options->regions, block)};
    maxgl_objective_options_init(&heads.objective);
    heads.objective.hidden = options->hidden;
    heads.objective.clips = options->clips;
    heads.objective.estimator = options->estimator;
    heads.objective.discriminator = options->discriminator;
    const gboolean ok = measure_whole(&heads, run, error);
    heads_clear(&heads);
    return ok && maxgl_bench_pairs(material, options, FALSE, rows, error) &&
                   maxgl_bench_pairs(material, options, TRUE, rows, error)
               ? g_steal_pointer(&rows)
               : NULL;
}

void maxgl_heads_options_init(MaxglHeadsOptions *options, const MaxglResnet *resnet, int videos)
{
    const MaxglMap map = resnet->tensors[maxgl_resnet_tap(resnet, "layer3")].map;
    *options = (MaxglHeadsOptions){.videos = videos,
                                   .clips = 2,
                                   .features = maxgl_resnet_features(resnet),
                                   .channels = map.c,
                                   .regions = map.t * map.h * map.w,
                                   .hidden = 512,
                                   .repeats = 5,
                                   .estimator = MAXGL_MI_JSD,
                                   .discriminator = MAXGL_DISCRIMINATOR_CONCAT};
}

void maxgl_record_heads(JsonBuilder *b, const MaxglHeadsOptions *o)
{
    maxgl_record_string(b, "estimator", maxgl_mi_estimator_names[o->estimator]);
    maxgl_record_string(b, "discriminator", maxgl_discriminator_names[o->discriminator]);
    maxgl_record_number(b, "clips_per_video", o->clips);
    maxgl_record_number(b, "regions", o->regions);
    maxgl_record_number(b, "features", o->features);
    maxgl_record_number(b, "channels", o->channels);
    maxgl_record_number(b, "hidden", o->hidden);
}
