/* What a training run is told: every option of a recipe, declared once, and what only several of them
 * together can be wrong about. */
#ifndef MAXGL_LEARN_RECIPE_H
#define MAXGL_LEARN_RECIPE_H

#include "base/options.h"
#include "media/sampler.h"
#include "net/max_gl.h"
#include "net/weights.h"
#include "ops/optimizer.h"

/** What is learnt. */
typedef enum { MAXGL_TASK_MAXGL, MAXGL_TASK_RECOGNITION } MaxglTaskKind;

/** Which algorithms the network may be computed with. */
typedef enum {
    MAXGL_ALGORITHMS_FAST, /**< the fastest; rounding errors of some exceed direct summation's */
    MAXGL_ALGORITHMS_EXACT /**< none of those */
} MaxglAlgorithms;

/** How the learning rate goes on after the warm-up. */
typedef enum {
    MAXGL_SCHEDULE_CONSTANT,
    MAXGL_SCHEDULE_COSINE,
    MAXGL_SCHEDULE_LINEAR,
    MAXGL_SCHEDULE_STEP,
    MAXGL_SCHEDULE_PLATEAU
} MaxglSchedule;

/** The values of a recipe. Meanings, ranges and sources are in the table: `maxgl-cl train --help`. */
typedef struct {
    struct {
        char *name;
        double width;
    } network;
    struct {
        int frames, stride, size, resize_width, resize_height;
        gboolean antialias;
    } clip;
    struct {
        char *path, *split, *label;
        MaxglShortPolicy short_videos;
        int workers, prefetch, cache_mb;
        double bad_fraction, timeout;
    } data;
    MaxglAugmentation augment;
    struct {
        MaxglMiEstimator estimator;
        MaxglDiscriminator discriminator;
        int hidden, clips;
        double global_weight, local_weight, temperature;
        char *local_layer; /**< one or several, see maxgl_objective_options_set_layers() */
        int regions[3];
        MaxglLocalPairs local_pairs;
        MaxglLocalNegatives negatives;
    } objective;
    struct {
        int layers; /**< 0: all, 1 … 4: from layer1 … layer4 on, 5: fc alone */
        gboolean balanced;
        double dropout;
    } finetune;
    struct {
        MaxglTaskKind task;
        char *init, *shares;
        int epochs, steps, batch, micro_batch, warmup, seed, keep, checkpoint_every, log_every;
        int drops[3], patience;
        MaxglOptimizerKind optimizer;
        MaxglSchedule schedule;
        MaxglAlgorithms algorithms;
        MaxglRecompute recompute;
        MaxglPrecision precision;
        int loss_scale_steps;
        double loss_scale;
        double lr, momentum, weight_decay, trust, clip_norm, ema;
    } train;
} MaxglRecipe;

/** All options of a recipe, in their order. */
extern const MaxglOptionTable maxgl_recipe_table;

/** A recipe of the defaults. */
MaxglRecipe *maxgl_recipe_new(void);
void maxgl_recipe_free(MaxglRecipe *recipe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglRecipe, maxgl_recipe_free)

/** #MAXGL_ERROR_USAGE, naming the keys, if the values make no sense together: an unknown network, clips too
 * small for it, more regions than its map has positions, a range whose ends are swapped, … */
gboolean maxgl_recipe_validate(const MaxglRecipe *recipe, GError **error);

/** The network that the recipe describes, with a classifier for @classes classes (0: none).
 * #MAXGL_ERROR_USAGE naming the key. */
MaxglResnet *maxgl_recipe_resnet(const MaxglRecipe *recipe, int classes, GError **error);

/** How many layers of @resnet, from the first on, are left as they are (finetune.layers). */
int maxgl_recipe_frozen(const MaxglRecipe *recipe, const MaxglResnet *resnet);

/** "maxgl", "recognition". */
const char *maxgl_recipe_task_name(const MaxglRecipe *recipe);

/** The objective's options, of a valid recipe. */
void maxgl_recipe_objective(const MaxglRecipe *recipe, MaxglObjectiveOptions *options);

/** What a model file of this recipe says about itself: network, preprocessing (mean and deviation of the
 * network's family), stride, seed, program version, and maxgl_recipe_identity_text(). */
MaxglModelInfo *maxgl_recipe_model_info(const MaxglRecipe *recipe, const MaxglResnet *resnet);

/** The recipe without the options that cannot change a single bit of what is learnt (number of workers,
 * cache, how often to log or save): two runs with the same text, data and device end in the same weights. */
char *maxgl_recipe_identity_text(const MaxglRecipe *recipe);

/**
 * What of @now a run that began with @before cannot be resumed with: "key: old → new" for each option that
 * changes what was learnt already. Options that change no bit may differ; so may train.steps and train.epochs
 * while the schedule is constant or plateau, since then they only say where to stop. NULL-terminated, maybe
 * empty; g_strfreev().
 */
char **maxgl_recipe_conflicts(const MaxglRecipe *before, const MaxglRecipe *now);

#endif
