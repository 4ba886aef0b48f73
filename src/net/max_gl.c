#include "net/max_gl.h"

#include "net/max_gl_terms.h"
#include "ops/pool.h"
#include <math.h>
#include <maxgl/error.h>
#include <string.h>

/* Floats of the estimates. */
enum { GLOBAL, LOCAL, VALUES };

const char *const maxgl_discriminator_names[] = {"concat", "dot", NULL};

struct MaxglObjective {
    MaxglContext *context;
    MaxglObjectiveOptions options;
    MaxglNetwork *network;
    MaxglParameters *parameters;
    MaxglMemoryPlan *plan;
    MaxglSequence *sequence;
    cl_mem values; /* VALUES floats */
};

void maxgl_objective_options_init(MaxglObjectiveOptions *o)
{
    *o = (MaxglObjectiveOptions){.clips = 2,
                                 .global_weight = 1,
                                 .local_weight = 1,
                                 .estimator = MAXGL_MI_JSD,
                                 .discriminator = MAXGL_DISCRIMINATOR_CONCAT,
                                 .local_layers = {"layer3"},
                                 .n_local_layers = 1,
                                 .hidden = 512,
                                 .temperature = 1};
}

/* Of local layer @layer: the map of one clip, and the grid of regions over it. */
static MaxglMap local_map(const MaxglObjectiveOptions *o, const MaxglResnet *resnet, int layer)
{
    const int tensor = maxgl_resnet_tap(resnet, o->local_layers[layer]);
    g_assert(tensor >= 0);
    return resnet->tensors[tensor].map;
}

static MaxglMap region_map(const MaxglObjectiveOptions *o, const MaxglResnet *resnet, int layer)
{
    const MaxglMap m = local_map(o, resnet, layer);
    return (MaxglMap){m.c, o->regions[0] ? o->regions[0] : m.t, o->regions[1] ? o->regions[1] : m.h,
                      o->regions[2] ? o->regions[2] : m.w};
}

static gboolean refuse(GError **error, const char *what)
{
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "Max-GL: %s", what);
    return FALSE;
}

static gboolean add_layer(MaxglObjectiveOptions *o, const char *name, GError **error)
{
    static const char *const known[] = {"layer1", "layer2", "layer3", "layer4", NULL};
    if (!g_strv_contains(known, name)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "\"%s\" is none of layer1, layer2, layer3, layer4; of several give a list like "
                    "layer2,layer3",
                    name);
        return FALSE;
    }
    for (int i = 0; i < o->n_local_layers; i++)
        if (strcmp(o->local_layers[i], name) == 0) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "%s is there twice", name);
            return FALSE;
        }
    g_strlcpy(o->local_layers[o->n_local_layers++], name, sizeof o->local_layers[0]);
    return TRUE;
}

gboolean maxgl_objective_options_set_layers(MaxglObjectiveOptions *o, const char *text, GError **error)
{
    MaxglObjectiveOptions new = *o;
    g_auto(GStrv) names = g_strsplit(text, ",", -1);
    new.n_local_layers = 0;
    if (!names[0])
        return add_layer(&new, text, error);
    for (char **name = names; *name; name++)
        if (!add_layer(&new, *name, error))
            return FALSE;
    *o = new;
    return TRUE;
}

static gboolean validate_regions(const MaxglObjectiveOptions *o, const MaxglResnet *resnet, int layer,
                                 GError **error)
{
    const MaxglMap m = local_map(o, resnet, layer), r = region_map(o, resnet, layer);
    if (o->regions[0] >= 0 && o->regions[1] >= 0 && o->regions[2] >= 0 && r.t <= m.t && r.h <= m.h &&
        r.w <= m.w)
        return TRUE;
    g_set_error(
        error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
        "Max-GL: regions %d×%d×%d do not fit the map of %s, which is %d×%d×%d for these clips: choose fewer, "
        "an earlier layer, or 0 for every position",
        o->regions[0], o->regions[1], o->regions[2], o->local_layers[layer], m.t, m.h, m.w);
    return FALSE;
}

gboolean maxgl_objective_options_validate(const MaxglObjectiveOptions *o, const MaxglResnet *resnet,
                                          GError **error)
{
    if (!(o->global_weight >= 0 && o->local_weight >= 0) || isinf(o->global_weight) || isinf(o->local_weight))
        return refuse(error, "weights must not be negative");
    if (o->global_weight == 0 && o->local_weight == 0)
        return refuse(error, "both terms have weight 0: nothing to learn from");
    if (o->hidden < 1 || o->hidden > 8192)
        return refuse(error, "the discriminators' width must be 1 to 8192");
    if (!(o->temperature > 0) || isinf(o->temperature))
        return refuse(error, "the temperature must be above 0");
    if (o->clips < 2 || o->clips > MAXGL_MAX_CLIPS)
        return refuse(error, "2 to 8 clips of a video are possible");
    if (o->local_weight > 0)
        for (int layer = 0; layer < o->n_local_layers; layer++)
            if (!validate_regions(o, resnet, layer, error))
                return FALSE;
    return TRUE;
}

const char **maxgl_objective_outputs(const MaxglObjectiveOptions *o)
{
    const char **outputs = g_new0(const char *, MAXGL_MAX_LOCAL_LAYERS + 2);
    outputs[0] = "pool";
    for (int layer = 0; layer < o->n_local_layers && o->local_weight > 0; layer++)
        outputs[1 + layer] = o->local_layers[layer];
    return outputs;
}

static gboolean is_on(const MaxglObjectiveOptions *o, int layer)
{
    return (layer == MAXGL_TERM_GLOBAL ? o->global_weight : o->local_weight) > 0;
}

static MaxglShape shape_of(MaxglMap m, int n, int block)
{
    return maxgl_shape(n, m.c, m.t, m.h, m.w, block);
}

static void term_init(MaxglTerm *term, const MaxglObjectiveOptions *o, const MaxglResnet *resnet, int layer,
                      int batch, int block)
{
    const MaxglShape global = maxgl_shape(batch, maxgl_resnet_features(resnet), 1, 1, 1, block);
    maxgl_term_init(term, o, layer, global,
                    layer == MAXGL_TERM_GLOBAL ? global
                                               : shape_of(region_map(o, resnet, layer), batch, block));
}

void maxgl_objective_declare(const MaxglObjectiveOptions *options, const MaxglResnet *resnet,
                             MaxglParameters *parameters)
{
    const int block = maxgl_layout_block(maxgl_parameters_context(parameters));
    for (int layer = MAXGL_TERM_GLOBAL; layer < options->n_local_layers; layer++) {
        if (!is_on(options, layer))
            continue;
        MaxglTerm term;
        term_init(&term, options, resnet, layer, options->clips, block);
        maxgl_term_declare(&term, parameters);
        maxgl_term_clear(&term);
    }
}

/* Average pools of a local map, unless every position is a region of its own. */
typedef struct {
    gboolean pooled;
    MaxglAveragePool pool;
    MaxglTensor regions, gradient;
} Regions;

static gboolean build_regions(MaxglObjective *o, MaxglHeadBuilder *b, int layer, Regions *r, GError **error)
{
    const char *name = o->options.local_layers[layer];
    const MaxglTensor *map = maxgl_network_output(o->network, name);
    const MaxglMap grid = region_map(&o->options, maxgl_network_resnet(o->network), layer);
    const MaxglShape shape = shape_of(grid, map->shape.n, map->shape.block);
    r->pooled = !maxgl_shape_equal(&shape, &map->shape);
    if (!r->pooled) {
        r->regions = *map;
        r->gradient = *maxgl_network_output_gradient(o->network, name);
        return TRUE;
    }
    r->pool = (MaxglAveragePool){map->shape, {grid.t, grid.h, grid.w}};
    r->regions = maxgl_head_tensor(b, shape, "regions of the local map");
    r->gradient = maxgl_head_tensor(b, shape, "gradient of the regions");
    return maxgl_head_planning(b, 0) ||
           maxgl_average_pool_forward(b->sequence, &r->pool, map->buffer, r->regions.buffer, error);
}

static gboolean build_local(MaxglObjective *o, MaxglHeadBuilder *b, MaxglTerm *term, int layer,
                            MaxglTermSide global, GError **error)
{
    Regions r;
    if (!build_regions(o, b, layer, &r, error))
        return FALSE;
    const MaxglTermSide local = {r.regions.buffer, r.gradient.buffer, FALSE};
    const MaxglTermValue value = {o->values, LOCAL, layer > 0};
    if (!maxgl_term_build(term, b, global, local, value, error))
        return FALSE;
    const MaxglTensor *gradient = maxgl_network_output_gradient(o->network, o->options.local_layers[layer]);
    return !r.pooled || maxgl_head_planning(b, 0) ||
           maxgl_average_pool_backward(b->sequence, &r.pool, r.gradient.buffer, gradient->buffer, FALSE,
                                       error);
}

/* Times of the plan: a term's buffers are given to the next one. */
static int time_of(int layer)
{
    return layer - MAXGL_TERM_GLOBAL;
}

/* Runs twice, see MaxglHeadBuilder. */
static gboolean build(MaxglObjective *o, MaxglHeadBuilder *b, GError **error)
{
    const MaxglTensor *pool = maxgl_network_output(o->network, "pool");
    MaxglTermSide global = {pool->buffer, maxgl_network_output_gradient(o->network, "pool")->buffer, FALSE};
    const MaxglTermValue value = {o->values, GLOBAL, FALSE};
    gboolean ok = TRUE;
    for (int layer = MAXGL_TERM_GLOBAL; layer < o->options.n_local_layers && ok; layer++) {
        if (!is_on(&o->options, layer))
            continue;
        MaxglTerm term;
        term_init(&term, &o->options, maxgl_network_resnet(o->network), layer, pool->shape.n,
                  pool->shape.block);
        b->time = time_of(layer);
        ok = maxgl_mi_estimator_validate(&term.mi, error) &&
             (layer == MAXGL_TERM_GLOBAL ? maxgl_term_build(&term, b, global, global, value, error)
                                         : build_local(o, b, &term, layer, global, error));
        maxgl_term_clear(&term);
        global.accumulate = TRUE;
    }
    return ok;
}

/* Numbers of blocks in the order in which they are planned. */
enum { VALUES_BLOCK, FIRST_BLOCK };

/* Returns: the block of the workspace, the last one. */
static gboolean plan(MaxglObjective *o, guint *workspace, GError **error)
{
    MaxglHeadBuilder builder = {.context = o->context, .parameters = o->parameters, .plan = o->plan};
    const int last = time_of(o->options.n_local_layers - 1);
    maxgl_memory_plan_add(o->plan, VALUES * sizeof(float), 0, last, "estimates");
    if (!build(o, &builder, error))
        return FALSE;
    *workspace = maxgl_memory_plan_add(o->plan, builder.workspace_bytes, 0, last, "the heads' workspace");
    return maxgl_memory_plan_solve(o->plan, error);
}

static gboolean prepare(MaxglObjective *o, guint workspace, GError **error)
{
    if (!maxgl_memory_plan_allocate(o->plan, o->context, "the Max-GL heads", error))
        return FALSE;
    o->values = maxgl_memory_plan_window(o->plan, VALUES_BLOCK);
    o->sequence = maxgl_sequence_new(o->context);
    MaxglHeadBuilder builder = {.context = o->context,
                                .parameters = o->parameters,
                                .plan = o->plan,
                                .sequence = o->sequence,
                                .workspace = maxgl_memory_plan_window(o->plan, workspace),
                                .next_block = FIRST_BLOCK};
    return build(o, &builder, error);
}

static gboolean has_outputs(const MaxglObjectiveOptions *options, const MaxglNetwork *network)
{
    g_autofree const char **outputs = maxgl_objective_outputs(options);
    for (int i = 0; outputs[i]; i++)
        if (!maxgl_network_output(network, outputs[i]))
            return FALSE;
    return TRUE;
}

static gboolean check_network(const MaxglObjectiveOptions *options, const MaxglNetwork *network,
                              GError **error)
{
    if (!maxgl_objective_options_validate(options, maxgl_network_resnet(network), error))
        return FALSE;
    if (maxgl_network_mode(network) != MAXGL_NETWORK_TRAINING || !has_outputs(options, network))
        return refuse(error, "the network must be one for training, with the outputs of the terms");
    const int batch = maxgl_network_output(network, "pool")->shape.n;
    if (batch >= 2 * options->clips && batch % options->clips == 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "Max-GL: a batch of %d clips; %d clips each of at least two videos are needed", batch,
                options->clips);
    return FALSE;
}

static MaxglObjective *planned(MaxglContext *context, const MaxglObjectiveOptions *options,
                               MaxglNetwork *network, MaxglParameters *parameters, guint *workspace,
                               GError **error)
{
    if (!check_network(options, network, error))
        return NULL;
    g_autoptr(MaxglObjective) o = g_new0(MaxglObjective, 1);
    o->context = context;
    o->options = *options;
    o->network = network;
    o->parameters = parameters;
    o->plan = maxgl_memory_plan_new(context->info->base_align, context->info->max_allocation);
    return plan(o, workspace, error) ? g_steal_pointer(&o) : NULL;
}

MaxglObjective *maxgl_objective_new(MaxglContext *context, const MaxglObjectiveOptions *options,
                                    MaxglNetwork *network, MaxglParameters *parameters, GError **error)
{
    guint workspace;
    g_autoptr(MaxglObjective) o = planned(context, options, network, parameters, &workspace, error);
    return o && prepare(o, workspace, error) ? g_steal_pointer(&o) : NULL;
}

guint64 maxgl_objective_predict_bytes(MaxglContext *context, const MaxglObjectiveOptions *options,
                                      MaxglNetwork *network, GError **error)
{
    guint workspace;
    g_autoptr(MaxglObjective) o = planned(context, options, network, NULL, &workspace, error);
    return o ? maxgl_objective_bytes(o) : 0;
}

void maxgl_objective_free(MaxglObjective *o)
{
    if (!o)
        return;
    maxgl_sequence_free(o->sequence);
    maxgl_memory_plan_free(o->plan);
    g_free(o);
}

MaxglSequence *maxgl_objective_sequence(const MaxglObjective *o)
{
    return o->sequence;
}

gboolean maxgl_objective_read(const MaxglObjective *o, MaxglObjectiveValues *values, GError **error)
{
    float mi[VALUES];
    if (!maxgl_buffer_read(o->context, o->values, 0, mi, sizeof mi, error))
        return FALSE;
    values->global_mi = mi[GLOBAL];
    values->local_mi = mi[LOCAL];
    values->loss = (float)-(o->options.global_weight * mi[GLOBAL] + o->options.local_weight * mi[LOCAL]);
    return TRUE;
}

guint64 maxgl_objective_bytes(const MaxglObjective *o)
{
    return maxgl_memory_plan_bytes(o->plan);
}
