#include "learn/schedule.h"

#include <math.h>

#define FACTOR 0.1
#define THRESHOLD 1e-4

void maxgl_plateau_init(MaxglPlateau *plateau)
{
    *plateau = (MaxglPlateau){.used = TRUE, .best = INFINITY};
}

void maxgl_plateau_add(MaxglPlateau *plateau, double loss)
{
    plateau->sum += loss;
}

void maxgl_plateau_end_epoch(MaxglPlateau *plateau, gint64 steps, int patience)
{
    const double mean = plateau->sum / (double)steps;
    const double limit = plateau->best * (plateau->best > 0 ? 1 - THRESHOLD : 1 + THRESHOLD);
    plateau->sum = 0;
    plateau->bad++;
    if (mean < limit) {
        plateau->best = mean;
        plateau->bad = 0;
    }
    if (plateau->bad > patience) {
        plateau->bad = 0;
        plateau->drops++;
    }
}

static int drops_before(const MaxglRecipe *recipe, gint64 step, gint64 steps)
{
    int n = 0;
    for (guint i = 0; i < G_N_ELEMENTS(recipe->train.drops); i++)
        n += (step - 1) * 100 >= recipe->train.drops[i] * steps;
    return n;
}

/* What train.lr is multiplied by. */
static double factor_of(const MaxglRecipe *recipe, gint64 step, gint64 steps, const MaxglPlateau *plateau)
{
    const gint64 warmup = recipe->train.warmup;
    const double part = (double)(step - 1 - warmup) / (double)(steps - warmup);
    if (step <= warmup)
        return (double)step / (double)warmup;
    switch (recipe->train.schedule) {
    case MAXGL_SCHEDULE_COSINE:
        return 0.5 * (1 + cos(G_PI * part));
    case MAXGL_SCHEDULE_LINEAR:
        return 1 - part;
    case MAXGL_SCHEDULE_STEP:
        return pow(FACTOR, drops_before(recipe, step, steps));
    case MAXGL_SCHEDULE_PLATEAU:
        return plateau ? pow(FACTOR, plateau->drops) : 1;
    default:
        return 1;
    }
}

double maxgl_schedule_rate(const MaxglRecipe *recipe, gint64 step, gint64 steps, const MaxglPlateau *plateau)
{
    return recipe->train.lr * factor_of(recipe, step, steps, plateau);
}
