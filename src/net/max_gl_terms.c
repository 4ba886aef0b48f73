#include "net/max_gl_terms.h"

#include "ops/elementwise.h"
#include <math.h>

static void add_pairing(MaxglTerm *term, int left, int right)
{
    term->pairings[term->n_pairings][0] = left;
    term->pairings[term->n_pairings++][1] = right;
}

/* Each two clips of a video once in Global-MI; in Local-MI each clip with itself, or each with each other. */
static void choose_pairings(MaxglTerm *term)
{
    const int clips = term->options->clips;
    if (term->is_local && term->options->local_pairs != MAXGL_LOCAL_CROSS)
        for (int c = 0; c < clips; c++)
            add_pairing(term, c, c);
    if (term->is_local && term->options->local_pairs == MAXGL_LOCAL_SAME)
        return;
    for (int left = 0; left < clips; left++)
        for (int right = term->is_local ? 0 : left + 1; right < clips; right++)
            if (left != right)
                add_pairing(term, left, right);
}

static char *prefix_of(const MaxglObjectiveOptions *options, int layer)
{
    if (layer == MAXGL_TERM_GLOBAL)
        return g_strdup("head.global");
    return options->n_local_layers == 1 ? g_strdup("head.local")
                                        : g_strconcat("head.local.", options->local_layers[layer], NULL);
}

void maxgl_term_init(MaxglTerm *term, const MaxglObjectiveOptions *options, int layer, MaxglShape global,
                     MaxglShape regions)
{
    const gboolean concat = options->discriminator == MAXGL_DISCRIMINATOR_CONCAT;
    const gboolean is_local = layer != MAXGL_TERM_GLOBAL;
    *term = (MaxglTerm){.options = options, .is_local = is_local};
    term->prefix = prefix_of(options, layer);
    term->shared = !concat && !is_local;
    term->left = (MaxglEncoder){
        .kind = concat ? MAXGL_ENCODER_LINEAR_BIAS : MAXGL_ENCODER_RESIDUAL,
        .prefix = g_strconcat(term->prefix, term->shared ? ".encoder" : ".left", NULL),
        .input = global,
        .width = options->hidden,
    };
    term->right = (MaxglEncoder){
        .kind = concat ? MAXGL_ENCODER_LINEAR : MAXGL_ENCODER_RESIDUAL,
        .prefix = g_strconcat(term->prefix, ".right", NULL),
        .input = is_local ? regions : global,
        .is_map = is_local,
        .width = options->hidden,
    };
    choose_pairings(term);
    term->mi = (MaxglMiTerm){
        .estimator = options->estimator,
        .items = global.n / options->clips,
        .regions = (int)maxgl_shape_pixels(&term->right.input),
        .all_regions = is_local && options->local_negatives == MAXGL_NEGATIVES_ALL,
        .symmetric = !is_local,
        .share = 1.0 / (term->n_pairings * (is_local ? options->n_local_layers : 1)),
        .weight = is_local ? options->local_weight : options->global_weight,
    };
}

void maxgl_term_clear(MaxglTerm *term)
{
    g_clear_pointer(&term->prefix, g_free);
    g_clear_pointer(&term->left.prefix, g_free);
    g_clear_pointer(&term->right.prefix, g_free);
}

static void declare_vector(const MaxglTerm *term, MaxglParameters *parameters, const char *what, int channels,
                           MaxglParameterGroup group)
{
    g_autofree char *name = g_strdup_printf("%s.%s", term->prefix, what);
    const MaxglInit init = {MAXGL_INIT_UNIFORM, 1 / sqrt(term->options->hidden)};
    maxgl_parameters_add_vector(parameters, name, channels, group, init);
}

void maxgl_term_declare(const MaxglTerm *term, MaxglParameters *parameters)
{
    const int width = term->options->hidden;
    maxgl_encoder_declare(&term->left, parameters);
    if (!term->shared)
        maxgl_encoder_declare(&term->right, parameters);
    if (term->options->discriminator != MAXGL_DISCRIMINATOR_CONCAT)
        return;
    g_autofree char *hidden = g_strdup_printf("%s.hidden.weight", term->prefix);
    maxgl_parameters_add_linear(parameters, hidden, width, width,
                                (MaxglInit){MAXGL_INIT_UNIFORM, 1 / sqrt(width)});
    declare_vector(term, parameters, "hidden.bias", width, MAXGL_PARAMETER_UNDECAYED);
    declare_vector(term, parameters, "score.weight", width, MAXGL_PARAMETER_DECAYED);
    declare_vector(term, parameters, "score.bias", 1, MAXGL_PARAMETER_UNDECAYED);
}

static gboolean concat_weights(const MaxglTerm *term, const MaxglHeadBuilder *b,
                               cl_mem (*get)(const MaxglHeadBuilder *, const char *, const char *, GError **),
                               MaxglConcatWeights *w, GError **error)
{
    return (w->w2 = get(b, term->prefix, "hidden.weight", error)) &&
           (w->bias2 = get(b, term->prefix, "hidden.bias", error)) &&
           (w->w3 = get(b, term->prefix, "score.weight", error)) &&
           (w->bias3 = get(b, term->prefix, "score.bias", error));
}

/* Buffers that all pairings of a term use one after the other. */
typedef struct {
    MaxglPairFeatures features, gradients;
    cl_mem scores, kept;
    MaxglTermValue value;
} Shared;

static gboolean is_infonce(const MaxglTerm *term)
{
    return term->options->estimator == MAXGL_MI_INFONCE;
}

/* The estimate of one pairing: scores → value, and their gradient in their place. */
static gboolean estimate(MaxglTerm *term, MaxglHeadBuilder *b, const Shared *s, gsize scores, gboolean first,
                         double factor, GError **error)
{
    if (maxgl_head_planning(b, maxgl_mi_estimator_workspace(&term->mi)))
        return TRUE;
    return (factor == 1 || maxgl_scale(b->sequence, scores, (float)factor, s->scores, s->scores, error)) &&
           maxgl_mi_estimator(b->sequence, &term->mi, s->scores, s->scores, s->value.values, s->value.slot,
                              !first || s->value.add, b->workspace, error) &&
           (factor == 1 || maxgl_scale(b->sequence, scores, (float)factor, s->scores, s->scores, error));
}

static gboolean build_concat(MaxglTerm *term, MaxglHeadBuilder *b, const Shared *s, const MaxglPairs *pairs,
                             gboolean first, MaxglPairsAdd add, GError **error)
{
    const double factor = is_infonce(term) ? 1 / term->options->temperature : 1;
    const gsize workspace = MAX(maxgl_concat_forward_workspace(b->context, pairs),
                                maxgl_concat_backward_workspace(b->context, pairs));
    if (maxgl_head_planning(b, workspace))
        return estimate(term, b, s, 0, first, factor, error);
    MaxglConcatWeights weights, gradients;
    return concat_weights(term, b, maxgl_head_value, &weights, error) &&
           concat_weights(term, b, maxgl_head_gradient, &gradients, error) &&
           maxgl_concat_forward(b->sequence, pairs, s->features, weights, s->scores, s->kept, b->workspace,
                                error) &&
           estimate(term, b, s, maxgl_pairs_count(pairs), first, factor, error) &&
           maxgl_concat_backward(b->sequence, pairs, s->features, weights, s->kept, s->scores, s->gradients,
                                 gradients, add, b->workspace, error);
}

static gboolean build_dot(MaxglTerm *term, MaxglHeadBuilder *b, const Shared *s, const MaxglPairs *pairs,
                          gboolean first, MaxglPairsAdd add, GError **error)
{
    const MaxglObjectiveOptions *o = term->options;
    const double scale = is_infonce(term) ? 1 / (sqrt(o->hidden) * o->temperature) : 1;
    if (maxgl_head_planning(b, maxgl_dot_workspace(b->context, pairs)))
        return estimate(term, b, s, 0, first, 1, error);
    return maxgl_dot_forward(b->sequence, pairs, s->features, scale, s->scores, b->workspace, error) &&
           estimate(term, b, s, maxgl_pairs_count(pairs), first, 1, error) &&
           maxgl_dot_backward(b->sequence, pairs, s->features, scale, s->scores, s->gradients, add,
                              b->workspace, error);
}

/* What pairing @i adds to: the gradients of items that pairings before it have been through. */
static MaxglPairsAdd adds_to(const MaxglTerm *term, int i)
{
    const int *now = term->pairings[i];
    MaxglPairsAdd add = i > 0 ? MAXGL_PAIRS_ADD_WEIGHTS : MAXGL_PAIRS_OVERWRITE;
    for (int k = 0; k < i; k++) {
        const int *before = term->pairings[k];
        if (before[0] == now[0] || (term->shared && before[1] == now[0]))
            add |= MAXGL_PAIRS_ADD_LEFT;
        if (before[1] == now[1] || (term->shared && before[0] == now[1]))
            add |= MAXGL_PAIRS_ADD_RIGHT;
    }
    return add;
}

static gboolean build_pairings(MaxglTerm *term, MaxglHeadBuilder *b, MaxglTermValue value, GError **error)
{
    const int clips = term->options->clips;
    const MaxglEncoder *right = term->shared ? &term->left : &term->right;
    const gboolean concat = term->options->discriminator == MAXGL_DISCRIMINATOR_CONCAT;
    const MaxglShape left_shape = term->left.output.shape, right_shape = right->output.shape;
    const MaxglPairs pairs = maxgl_pairs_of_clips(left_shape, right_shape, clips, 0, 0);
    const Shared s = {
        .features = {term->left.output.buffer, right->output.buffer},
        .gradients = {term->left.gradient.buffer, right->gradient.buffer},
        .scores = maxgl_head_buffer(b, maxgl_pairs_count(&pairs) * sizeof(float), "scores of all pairs"),
        .kept = concat
                    ? maxgl_head_buffer(b, maxgl_concat_kept(b->context, &pairs), "hidden bits of all pairs")
                    : NULL,
        .value = value,
    };
    for (int i = 0; i < term->n_pairings; i++) {
        const int *clip = term->pairings[i];
        const MaxglPairs these = maxgl_pairs_of_clips(left_shape, right_shape, clips, clip[0], clip[1]);
        if (!(concat ? build_concat : build_dot)(term, b, &s, &these, i == 0, adds_to(term, i), error))
            return FALSE;
    }
    return TRUE;
}

/* The last clip is on no left side of Global-MI, and the first on no right side: those gradients are zero. */
static gboolean clear_gradients(MaxglTerm *term, MaxglHeadBuilder *b, GError **error)
{
    if (term->is_local || term->shared || maxgl_head_planning(b, 0))
        return TRUE;
    const MaxglTensor *l = &term->left.gradient, *r = &term->right.gradient;
    return maxgl_sequence_add_zero(b->sequence, l->buffer, 0, maxgl_shape_bytes(&l->shape), error) &&
           maxgl_sequence_add_zero(b->sequence, r->buffer, 0, maxgl_shape_bytes(&r->shape), error);
}

gboolean maxgl_term_build(MaxglTerm *term, MaxglHeadBuilder *b, MaxglTermSide left, MaxglTermSide right,
                          MaxglTermValue value, GError **error)
{
    const gboolean both_global = !term->is_local;
    if (!maxgl_encoder_forward(b, &term->left, left.x, error) ||
        (!term->shared && !maxgl_encoder_forward(b, &term->right, right.x, error)) ||
        !clear_gradients(term, b, error) || !build_pairings(term, b, value, error) ||
        !maxgl_encoder_backward(b, &term->left, left.x, left.dx, left.accumulate, error))
        return FALSE;
    return term->shared ||
           maxgl_encoder_backward(b, &term->right, right.x, right.dx, right.accumulate || both_global, error);
}
