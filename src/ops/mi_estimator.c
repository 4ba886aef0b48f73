#include "ops/mi_estimator.h"

#include "ops/grid.h"
#include <math.h>

const char *const maxgl_mi_estimator_names[] = {"jsd", "infonce", "dv", NULL};

gboolean maxgl_mi_estimator_validate(const MaxglMiTerm *term, GError **error)
{
    if (term->items < 2 || term->regions < 1 || !(term->share >= 0) || !(term->weight >= 0)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "mutual information of %d videos and %d regions, share %g, weight %g: needs at least 2 "
                    "videos (for negative pairs) and 1 region, and numbers of at least 0",
                    term->items, term->regions, term->share, term->weight);
        return FALSE;
    }
    return TRUE;
}

int maxgl_mi_estimator_candidates(const MaxglMiTerm *term)
{
    return term->all_regions ? 1 + (term->items - 1) * term->regions : term->items;
}

static gsize rows_of(const MaxglMiTerm *term)
{
    return (gsize)term->items * (gsize)term->regions;
}

enum { N_ARRAYS = 5 /* of a float a row, in the workspace: see cl/mi_estimator.cl */ };

gsize maxgl_mi_estimator_workspace(const MaxglMiTerm *term)
{
    return N_ARRAYS * rows_of(term) * sizeof(float);
}

/* One estimator on its way into a sequence. */
typedef struct {
    MaxglSequence *sequence;
    const MaxglMiTerm *term;
    cl_mem scores, dscores, workspace;
    char options[16];
} Pass;

/* A launch over @n rows, columns or pools, each work-item taking *run of them. */
static MaxglLaunch pass_launch(const Pass *pass, const char *kernel, gsize n, int *run)
{
    MaxglLaunch launch = {.file = "mi_estimator.cl", .kernel = kernel, .options = pass->options};
    *run = maxgl_grid_split(maxgl_sequence_context(pass->sequence), n, &launch);
    return launch;
}

static gboolean add_rows(const Pass *pass, const char *kernel, gsize n, GError **error)
{
    int run;
    MaxglLaunch launch = pass_launch(pass, kernel, n, &run);
    return maxgl_sequence_add(pass->sequence, &launch, error, "mmiii", pass->scores, pass->workspace,
                              pass->term->items, (int)rows_of(pass->term), run);
}

static gboolean add_pool_items(const Pass *pass, GError **error)
{
    int run;
    MaxglLaunch launch = pass_launch(pass, "mi_estimator_pool_items", (gsize)pass->term->regions, &run);
    return maxgl_sequence_add(pass->sequence, &launch, error, "miii", pass->workspace, pass->term->items,
                              (int)rows_of(pass->term), run);
}

static double gradient_scale(const MaxglMiTerm *term)
{
    return -term->weight * term->share / (double)rows_of(term);
}

static gboolean add_jsd(const Pass *pass, GError **error)
{
    int run;
    const gsize rows = rows_of(pass->term);
    MaxglLaunch launch = pass_launch(pass, "mi_estimator_jsd", rows, &run);
    return maxgl_sequence_add(pass->sequence, &launch, error, "mmmiiif", pass->scores, pass->dscores,
                              pass->workspace, pass->term->items, (int)rows, run, gradient_scale(pass->term));
}

/* infonce and dv: what the rows' (and columns') negatives sum to, pooled as the term says; then the gradient.
 */
static gboolean add_contrast(const Pass *pass, GError **error)
{
    const MaxglMiTerm *term = pass->term;
    const gsize rows = rows_of(term), items = (gsize)term->items;
    const gboolean dv = term->estimator == MAXGL_MI_DV, symmetric = term->symmetric && !dv;
    const int pool = !dv ? 0 : term->all_regions ? (int)rows : term->items;
    if (!add_rows(pass, "mi_estimator_rows", rows, error) ||
        (symmetric && !add_rows(pass, "mi_estimator_columns", rows, error)) ||
        (dv && !add_pool_items(pass, error)) ||
        (term->all_regions && !add_rows(pass, "mi_estimator_pool_regions", items, error)))
        return FALSE;
    int run;
    MaxglLaunch launch = pass_launch(pass, "mi_estimator_gradient", rows, &run);
    return maxgl_sequence_add(pass->sequence, &launch, error, "mmmiiiiif", pass->scores, pass->dscores,
                              pass->workspace, term->items, (int)rows, run, symmetric, pool,
                              gradient_scale(term));
}

/* What is added to the mean over positive pairs. */
static double value_offset(const MaxglMiTerm *term)
{
    const double n = term->items, candidates = log(maxgl_mi_estimator_candidates(term));
    switch (term->estimator) {
    case MAXGL_MI_INFONCE:
        return term->symmetric ? (candidates + log(n)) / 2 : candidates;
    case MAXGL_MI_DV:
        return log(n * (n - 1) * (term->all_regions ? term->regions : 1));
    default:
        return 0;
    }
}

gboolean maxgl_mi_estimator(MaxglSequence *sequence, const MaxglMiTerm *term, cl_mem scores, cl_mem dscores,
                            cl_mem values, int slot, gboolean add, cl_mem workspace, GError **error)
{
    if (!maxgl_mi_estimator_validate(term, error))
        return FALSE;
    MaxglLaunch launch = {.file = "mi_estimator.cl", .kernel = "mi_estimator_value"};
    const int lanes = maxgl_grid_groups(maxgl_sequence_context(sequence), 1, &launch);
    Pass pass = {sequence, term, scores, dscores, workspace};
    g_snprintf(pass.options, sizeof pass.options, "-DLANES=%d", lanes);
    launch.options = pass.options;
    return (term->estimator == MAXGL_MI_JSD ? add_jsd : add_contrast)(&pass, error) &&
           maxgl_sequence_add(sequence, &launch, error, "miiffmii", workspace, term->items,
                              (int)rows_of(term), term->share, value_offset(term), values, slot, add);
}
