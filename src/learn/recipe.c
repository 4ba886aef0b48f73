#include "learn/recipe.h"

#include "learn/shares.h"
#include "learn/task.h"
#include "ops/clip_prepare.h"
#include "ops/loss_scale.h"

#include <math.h>
#include <maxgl/error.h>
#include <string.h>

#define OURS "our choice"
#define DIM "Hjelm et al., ICLR 2019"
#define SIMCLR "colour jitter as in Chen et al., \"SimCLR\", ICML 2020, weakened"

static const char *const task_names[] = {"maxgl", "recognition", NULL};
static const char *const schedule_names[] = {"constant", "cosine", "linear", "step", "plateau", NULL};
static const char *const algorithm_names[] = {"fast", "exact", NULL};
static const char *const recompute_names[] = {"none", "blocks", NULL};
static const char *const optimizer_names[] = {"sgd", "adam", "adamw", "lars", NULL};
static const char *const part_names[] = {"all", "layer1", "layer2", "layer3", "layer4", "fc", NULL};
static const char *const weighting_names[] = {"none", "balanced", NULL};
static const char *const pairs_names[] = {"same", "cross", "both", NULL};
static const char *const negatives_names[] = {"region", "all", NULL};

#define AT(member) offsetof(MaxglRecipe, member)

static const MaxglOption options[] = {
    {"network.name", MAXGL_OPTION_STRING, AT(network.name), "hara-r3d18",
     .doc = "3D ResNet: hara-r3d10, -r3d18, -r3d34, -r3d50 (with -a: shortcut A), r3d_18 or r3d-vcop",
     .source = "Hara et al., CVPR 2018"},
    {"network.width", MAXGL_OPTION_FLOAT, AT(network.width), "1.0", 1.0 / 64, 8,
     .doc = "factor of the numbers of channels", .source = "1 as published"},

    {"clip.frames", MAXGL_OPTION_INT, AT(clip.frames), "16", 1, 1024, .unit = "frames", .doc = "of a clip",
     .source = "Hara et al., CVPR 2018"},
    {"clip.stride", MAXGL_OPTION_INT, AT(clip.stride), "2", 1, 1024, .unit = "frames",
     .doc = "from one of a clip's frames to the next, in the video", .source = OURS},
    {"clip.stride_max", MAXGL_OPTION_INT, AT(augment.stride_max), "0", 0, 1024, .unit = "frames",
     .doc =
         "training: a clip's stride is drawn from clip.stride to this, as far as the video is long enough; "
         "0: clip.stride; embedding always takes clip.stride",
     .source = OURS},
    {"clip.size", MAXGL_OPTION_INT, AT(clip.size), "112", MAXGL_RESNET_MIN_PIXELS, 1024, .unit = "pixels",
     .doc = "height and width of what the network sees", .source = "Hara et al., CVPR 2018"},
    {"clip.resize_width", MAXGL_OPTION_INT, AT(clip.resize_width), "0", 0, 8192, .unit = "pixels",
     .doc =
         "when embedding, the picture is resized to this width before the crop; both 0: the shorter side to "
         "clip.size",
     .source = OURS},
    {"clip.resize_height", MAXGL_OPTION_INT, AT(clip.resize_height), "0", 0, 8192, .unit = "pixels",
     .doc = "and to this height", .source = OURS},
    {"clip.antialias", MAXGL_OPTION_BOOL, AT(clip.antialias), "false",
     .doc = "average when shrinking pictures, rather than sample (slower)",
     .source = "off, as torchvision's video references"},

    {"data.path", MAXGL_OPTION_STRING, AT(data.path), "synth:",
     .doc = "folder, list (.csv, .txt), video, published data set (ucf101:videos=DIR,lists=DIR,split=N, "
            "hmdb51:…, kinetics:…), or synth:key=value,…: procedural videos in memory"},
    {"data.split", MAXGL_OPTION_STRING, AT(data.split), "train",
     .doc = "use the videos with this value in the column split, where there is such a column; \"\": all"},
    {"data.label", MAXGL_OPTION_STRING, AT(data.label), "",
     .doc = "recognition: the column whose values are the classes; \"\": the first but split and group"},
    {"data.short_videos", MAXGL_OPTION_ENUM, AT(data.short_videos), "loop",
     .choices = maxgl_short_policy_names, .doc = "what to do with videos shorter than a clip",
     .source = "loop as Hara et al., CVPR 2018"},
    {"data.workers", MAXGL_OPTION_INT, AT(data.workers), "0", 0, 256, .unit = "threads",
     .doc = "that decode, at low priority; 0: as many as cores, 8 at most"},
    {"data.prefetch", MAXGL_OPTION_INT, AT(data.prefetch), "2", 1, 64, .unit = "batches",
     .doc = "decoded ahead"},
    {"data.cache_mb", MAXGL_OPTION_INT, AT(data.cache_mb), "1024", 0, 1 << 20, .unit = "MiB",
     .doc = "memory for decoded short videos"},
    {"data.bad_fraction", MAXGL_OPTION_FLOAT, AT(data.bad_fraction), "0.5", 0, 1,
     .doc = "of the videos, with which the run goes on without them"},
    {"data.timeout", MAXGL_OPTION_FLOAT, AT(data.timeout), "20.0", 0.1, 3600, .unit = "seconds",
     .doc = "until a decoder that says nothing is given up"},

    {"augment.scale_min", MAXGL_OPTION_FLOAT, AT(augment.scale_min), "0.2", 0.01, 1,
     .doc = "random resized crop: smallest part of the picture's area", .source = OURS},
    {"augment.scale_max", MAXGL_OPTION_FLOAT, AT(augment.scale_max), "1.0", 0.01, 1, .doc = "largest part",
     .source = OURS},
    {"augment.ratio_min", MAXGL_OPTION_FLOAT, AT(augment.ratio_min), "0.75", 0.1, 10,
     .doc = "smallest width by height of the crop", .source = "torchvision's RandomResizedCrop"},
    {"augment.ratio_max", MAXGL_OPTION_FLOAT, AT(augment.ratio_max), "1.3333333333333333", 0.1, 10,
     .doc = "largest width by height", .source = "torchvision's RandomResizedCrop"},
    {"augment.flip", MAXGL_OPTION_FLOAT, AT(augment.flip), "0.5", 0, 1,
     .doc = "probability of mirroring left and right; 0 where that changes the meaning of a motion",
     .source = OURS},
    {"augment.jitter", MAXGL_OPTION_FLOAT, AT(augment.jitter), "0.8", 0, 1,
     .doc = "probability that colours are changed at all", .source = SIMCLR},
    {"augment.brightness", MAXGL_OPTION_FLOAT, AT(augment.brightness), "0.4", 0, 1,
     .doc = "factor within 1 ± this", .source = SIMCLR},
    {"augment.contrast", MAXGL_OPTION_FLOAT, AT(augment.contrast), "0.4", 0, 1,
     .doc = "factor within 1 ± this", .source = SIMCLR},
    {"augment.saturation", MAXGL_OPTION_FLOAT, AT(augment.saturation), "0.4", 0, 1,
     .doc = "factor within 1 ± this", .source = SIMCLR},
    {"augment.hue", MAXGL_OPTION_FLOAT, AT(augment.hue), "0.1", 0, 0.5,
     .doc = "shift within ± this part of the colour circle", .source = SIMCLR},
    {"augment.grey", MAXGL_OPTION_FLOAT, AT(augment.grey), "0.2", 0, 1,
     .doc = "probability of losing all colour", .source = SIMCLR},

    {"augment.blur", MAXGL_OPTION_FLOAT, AT(augment.blur), "0.0", 0, 1,
     .doc = "probability that all frames of a clip are blurred by one Gaussian",
     .source = "0.5 in Chen et al., \"SimCLR\", ICML 2020"},
    {"augment.blur_min", MAXGL_OPTION_FLOAT, AT(augment.blur_min), "0.1", 0.01, MAXGL_CLIP_BLUR_MAX,
     .unit = "pixels", .doc = "its smallest standard deviation, in pixels that the network sees",
     .source = "Chen et al., \"SimCLR\", ICML 2020"},
    {"augment.blur_max", MAXGL_OPTION_FLOAT, AT(augment.blur_max), "2.0", 0.01, MAXGL_CLIP_BLUR_MAX,
     .unit = "pixels", .doc = "largest standard deviation",
     .source = "Chen et al., \"SimCLR\", ICML 2020, for pictures twice as wide"},

    {"augment.time_jitter", MAXGL_OPTION_INT, AT(augment.time_jitter), "0", 0, 1024, .unit = "frames",
     .doc = "that each of a clip's frames is displaced in time at most, their order kept", .source = OURS},

    {"augment.mix", MAXGL_OPTION_FLOAT, AT(augment.mix), "0.0", 0, 1,
     .doc =
         "probability that a still picture of another video is laid over all frames of a clip, so that the "
         "background says less about the video",
     .source = "Wang et al., \"Background Erasing\", CVPR 2021, where it is of the same video"},
    {"augment.mix_min", MAXGL_OPTION_FLOAT, AT(augment.mix_min), "0.1", 0, 1,
     .doc = "smallest weight of that picture; the clip has the rest", .source = OURS ", docs/proof.md"},
    {"augment.mix_max", MAXGL_OPTION_FLOAT, AT(augment.mix_max), "0.5", 0, 1, .doc = "largest weight",
     .source = OURS ", docs/proof.md"},

    {"objective.estimator", MAXGL_OPTION_ENUM, AT(objective.estimator), "jsd",
     .choices = maxgl_mi_estimator_names, .doc = "bound on mutual information that is maximised",
     .source = DIM},
    {"objective.discriminator", MAXGL_OPTION_ENUM, AT(objective.discriminator), "concat",
     .choices = maxgl_discriminator_names, .doc = "how a pair of features is scored", .source = DIM},
    {"objective.hidden", MAXGL_OPTION_INT, AT(objective.hidden), "512", 8, 8192, .unit = "units",
     .doc = "width of the discriminators", .source = DIM},
    {"objective.clips", MAXGL_OPTION_INT, AT(objective.clips), "2", 2, MAXGL_MAX_CLIPS, .unit = "clips",
     .doc = "of each video in a step; Global-MI is the mean over each two of them",
     .source = "the Max-GL abstract pairs different clips of a video; how many is " OURS},
    {"objective.global_weight", MAXGL_OPTION_FLOAT, AT(objective.global_weight), "1.0", 0, 1000,
     .doc = "of Global-MI (clips of a video); 0 switches it off",
     .source = "Max-GL maximises both; weights are " OURS},
    {"objective.local_weight", MAXGL_OPTION_FLOAT, AT(objective.local_weight), "1.0", 0, 1000,
     .doc = "of multi-region Local-MI (a clip and regions of its video); 0 switches it off",
     .source = "Max-GL maximises both; weights are " OURS},
    {"objective.regions", MAXGL_OPTION_INT3, AT(objective.regions), "[0, 0, 0]", 0, 1024,
     .doc = "grid of regions over the local map's time, height, width; 0: every position", .source = OURS},
    {"objective.local_layer", MAXGL_OPTION_STRING, AT(objective.local_layer), "layer3",
     .doc = "whose map has the regions: layer1, layer2, layer3, layer4, or several with commas between "
            "(layer2,layer3): each has a discriminator and regions of its own, and Local-MI is their mean",
     .source = OURS "; several as Bachman et al., \"AMDIM\", NeurIPS 2019"},
    {"objective.local_pairs", MAXGL_OPTION_ENUM, AT(objective.local_pairs), "same", .choices = pairs_names,
     .doc = "a clip's global feature is paired with regions of the same clip, of the video's other clips "
            "(cross), or both",
     .source = "same is the nearest reading of the Max-GL abstract"},
    {"objective.negatives", MAXGL_OPTION_ENUM, AT(objective.negatives), "region", .choices = negatives_names,
     .doc = "infonce: a region's negatives are the same region of other videos, or all their regions",
     .source = OURS},
    {"objective.temperature", MAXGL_OPTION_FLOAT, AT(objective.temperature), "1.0", 0.001, 1000,
     .doc = "infonce: scores are divided by it", .source = OURS},

    {"finetune.layers", MAXGL_OPTION_ENUM, AT(finetune.layers), "all", .choices = part_names,
     .doc =
         "recognition: what is learnt: all, or from this layer on; those before it stay as they are, running "
         "statistics included",
     .source = "all as VCOP; layer4 as Hara et al., CVPR 2018, where statistics go on changing"},
    {"finetune.dropout", MAXGL_OPTION_FLOAT, AT(finetune.dropout), "0.0", 0, 0.99,
     .doc = "recognition: probability of dropping a feature before the classifier", .source = OURS},
    {"finetune.class_weights", MAXGL_OPTION_ENUM, AT(finetune.balanced), "none", .choices = weighting_names,
     .doc = "recognition: of the loss; balanced: videos by (classes · videos of the class)",
     .source = "balanced as scikit-learn's compute_class_weight"},

    {"train.task", MAXGL_OPTION_ENUM, AT(train.task), "maxgl", .choices = task_names,
     .doc = "what is learnt: maxgl, from some clips a video and no labels; recognition, the classes of "
            "data.label from one clip a video"},
    {"train.init", MAXGL_OPTION_STRING, AT(train.init), "",
     .doc = "model file, or folder of a run, whose weights training begins with; \"\": weights are drawn"},
    {"train.epochs", MAXGL_OPTION_INT, AT(train.epochs), "100", 1, 1000000,
     .doc = "times that every video is seen", .source = OURS},
    {"train.steps", MAXGL_OPTION_INT, AT(train.steps), "0", 0, G_MAXINT,
     .doc = "length of the run instead of train.epochs; 0: train.epochs counts", .source = OURS},
    {"train.batch", MAXGL_OPTION_INT, AT(train.batch), "32", 2, 4096, .unit = "videos",
     .doc =
         "in a step; maxgl: with objective.clips each, and the others of the batch are a video's negatives",
     .source = OURS},
    {"train.optimizer", MAXGL_OPTION_ENUM, AT(train.optimizer), "sgd", .choices = optimizer_names,
     .doc = "with PyTorch's meaning; lars, for large batches: sgd whose step has a length that goes with the "
            "tensor's",
     .source = OURS "; lars: You et al., \"Large Batch Training of Convolutional Networks\", 2017"},
    {"train.lr", MAXGL_OPTION_FLOAT, AT(train.lr), "0.00375", 1e-9, 100, .doc = "highest learning rate",
     .source =
         OURS ": 0.03·batch/256 with sgd; adam 1e-4 as " DIM "; lars wants far more, such as 0.3·batch/256 "
              "as SimCLR"},
    {"train.momentum", MAXGL_OPTION_FLOAT, AT(train.momentum), "0.9", 0, 0.9999, .doc = "of sgd and lars",
     .source = OURS},
    {"train.weight_decay", MAXGL_OPTION_FLOAT, AT(train.weight_decay), "1e-4", 0, 1,
     .doc = "of weights; biases and batch norm are left alone", .source = OURS},
    {"train.trust", MAXGL_OPTION_FLOAT, AT(train.trust), "0.001", 1e-9, 1,
     .doc = "lars: length of a step by that of the weights, at learning rate 1",
     .source = "You et al., 2017"},
    {"train.clip_norm", MAXGL_OPTION_FLOAT, AT(train.clip_norm), "0.0", 0, 1e9,
     .doc = "largest norm of the gradient; 0: no limit", .source = OURS},
    {"train.ema", MAXGL_OPTION_FLOAT, AT(train.ema), "0.0", 0, 0.999999,
     .doc = "decay of a moving average of all weights and running statistics, such as 0.999: the model file "
            "then has the averages, checkpoints have both; 0: no average",
     .source = "off is " OURS "; the average is that of TensorFlow's ExponentialMovingAverage, num_updates "
               "being the step"},
    {"train.warmup", MAXGL_OPTION_INT, AT(train.warmup), "0", 0, G_MAXINT, .unit = "steps",
     .doc = "over which the learning rate rises", .source = OURS},
    {"train.schedule", MAXGL_OPTION_ENUM, AT(train.schedule), "cosine", .choices = schedule_names,
     .doc = "of the learning rate after the warm-up: cosine and linear go to 0; step falls to a tenth at "
            "train.drops, plateau when the mean loss of an epoch has not fallen for train.patience epochs",
     .source = "cosine: Loshchilov and Hutter, \"SGDR\", ICLR 2017, without restarts; plateau: PyTorch's "
               "ReduceLROnPlateau, factor 0.1"},
    {"train.drops", MAXGL_OPTION_INT3, AT(train.drops), "[60, 80, 100]", 1, 100, .unit = "percent",
     .doc = "schedule step: parts of the run's steps after which the rate falls, rising; 100: never",
     .source = OURS},
    {"train.patience", MAXGL_OPTION_INT, AT(train.patience), "50", 0, 1000000, .unit = "epochs",
     .doc = "schedule plateau: so many epochs without a mean loss that is lower by a part of 1e-4 are borne",
     .source = "the code of VCOP"},
    {"train.seed", MAXGL_OPTION_INT, AT(train.seed), "1", 0, G_MAXINT,
     .doc = "of initial weights, order of videos, clips and augmentation"},
    {"train.algorithms", MAXGL_OPTION_ENUM, AT(train.algorithms), "fast", .choices = algorithm_names,
     .doc = "of the convolutions; exact: none whose rounding errors exceed direct summation's (no Winograd)",
     .source = OURS},
    {"train.precision", MAXGL_OPTION_ENUM, AT(train.precision), "fp32", .choices = maxgl_precision_names,
     .doc = "of the network's inside: fp16 and bf16 store activations and their gradients in 16 bits, which "
            "takes half the memory; tf32 lets matrix units round factors to 11 digits; parameters, sums, "
            "statistics and losses are always floats",
     .source = "fp16: Micikevicius et al., \"Mixed Precision Training\", ICLR 2018"},
    {"train.loss_scale", MAXGL_OPTION_FLOAT, AT(train.loss_scale), "65536.0", MAXGL_LOSS_SCALE_LEAST,
     MAXGL_LOSS_SCALE_MOST,
     .doc = "fp16: factor of gradients inside of the network, to begin with; a power of two. A step whose "
            "gradients are not finite is skipped, and halves it",
     .source = "PyTorch's GradScaler"},
    {"train.loss_scale_steps", MAXGL_OPTION_INT, AT(train.loss_scale_steps), "2000", 1, G_MAXINT,
     .unit = "steps", .doc = "fp16: without such a step, after which it doubles",
     .source = "PyTorch's GradScaler"},
    {"train.recompute", MAXGL_OPTION_ENUM, AT(train.recompute), "none", .choices = recompute_names,
     .doc = "blocks: the backward pass computes the stem and what is inside of residual blocks again, which "
            "takes less "
            "memory and more time; the results are the same",
     .source = "Chen et al., \"Training Deep Nets with Sublinear Memory Cost\", 2016"},
    {"train.micro_batch", MAXGL_OPTION_INT, AT(train.micro_batch), "0", 0, 8192, .unit = "clips",
     .doc = "that go through the network at once, a divisor of a step's clips; 0: all, or as many as memory "
            "allows. The loss is that of the whole batch and gradients are sums; only batch norm sees the "
            "statistics of fewer clips. Takes a third more time",
     .source =
         "Gao et al., \"Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup\", 2021"},
    {"train.shares", MAXGL_OPTION_STRING, AT(train.shares), "",
     .doc =
         "several devices (--device a,b): clips of a step that each of them takes, in its order, or numbers "
         "in that proportion (3,1); \"\": by their speed, which is measured when the run begins",
     .source = OURS},
    {"train.checkpoint_every", MAXGL_OPTION_INT, AT(train.checkpoint_every), "500", 0, G_MAXINT,
     .unit = "steps", .doc = "from one checkpoint to the next; 0: at the end and at Ctrl-C only"},
    {"train.keep", MAXGL_OPTION_INT, AT(train.keep), "2", 1, 1000000, .doc = "checkpoints kept"},
    {"train.log_every", MAXGL_OPTION_INT, AT(train.log_every), "10", 1, G_MAXINT, .unit = "steps",
     .doc = "from one line of metrics.csv to the next"},
};

const MaxglOptionTable maxgl_recipe_table = {options, G_N_ELEMENTS(options), sizeof(MaxglRecipe)};

/* Options that change no bit of what is learnt. */
static const char *const free_keys[] = {
    "data.workers", "data.prefetch",          "data.cache_mb",   "train.recompute",
    "train.keep",   "train.checkpoint_every", "train.log_every", NULL};

MaxglRecipe *maxgl_recipe_new(void)
{
    MaxglRecipe *recipe = g_new(MaxglRecipe, 1);
    maxgl_options_init(&maxgl_recipe_table, recipe);
    return recipe;
}

void maxgl_recipe_free(MaxglRecipe *recipe)
{
    if (!recipe)
        return;
    maxgl_options_clear(&maxgl_recipe_table, recipe);
    g_free(recipe);
}

G_GNUC_PRINTF(2, 3) static gboolean refuse(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, message);
    return FALSE;
}

MaxglResnet *maxgl_recipe_resnet(const MaxglRecipe *recipe, int classes, GError **error)
{
    MaxglResnetSpec spec;
    maxgl_resnet_spec_init(&spec);
    if (strchr(recipe->network.name, '@')) {
        refuse(error, "network.name: \"%s\" has a width in it; it belongs to network.width",
               recipe->network.name);
        return NULL;
    }
    if (!maxgl_resnet_spec_parse(&spec, recipe->network.name, error)) {
        g_prefix_error(error, "network.name: ");
        return NULL;
    }
    spec.width = recipe->network.width;
    spec.classes = classes;
    spec.dropout = classes > 0 ? recipe->finetune.dropout : 0;
    spec.frames = recipe->clip.frames;
    spec.height = spec.columns = recipe->clip.size;
    MaxglResnet *resnet = maxgl_resnet_new(&spec, error);
    if (!resnet)
        g_prefix_error(error, "network, clip: ");
    return resnet;
}

const char *maxgl_recipe_task_name(const MaxglRecipe *recipe)
{
    return task_names[recipe->train.task];
}

int maxgl_recipe_frozen(const MaxglRecipe *recipe, const MaxglResnet *resnet)
{
    if (recipe->train.task != MAXGL_TASK_RECOGNITION || recipe->finetune.layers == 0)
        return 0;
    return maxgl_resnet_stage(resnet, part_names[recipe->finetune.layers]);
}

void maxgl_recipe_objective(const MaxglRecipe *recipe, MaxglObjectiveOptions *out)
{
    maxgl_objective_options_init(out);
    out->global_weight = recipe->objective.global_weight;
    out->local_weight = recipe->objective.local_weight;
    out->estimator = recipe->objective.estimator;
    out->discriminator = recipe->objective.discriminator;
    out->clips = recipe->objective.clips;
    maxgl_objective_options_set_layers(out, recipe->objective.local_layer, NULL);
    memcpy(out->regions, recipe->objective.regions, sizeof out->regions);
    out->local_pairs = recipe->objective.local_pairs;
    out->local_negatives = recipe->objective.negatives;
    out->hidden = recipe->objective.hidden;
    out->temperature = recipe->objective.temperature;
}

static gboolean validate_ranges(const MaxglRecipe *r, GError **error)
{
    const int width = r->clip.resize_width, height = r->clip.resize_height;
    if (r->augment.scale_min > r->augment.scale_max)
        return refuse(error, "augment.scale_min: %g is above augment.scale_max = %g", r->augment.scale_min,
                      r->augment.scale_max);
    if (r->augment.ratio_min > r->augment.ratio_max)
        return refuse(error, "augment.ratio_min: %g is above augment.ratio_max = %g", r->augment.ratio_min,
                      r->augment.ratio_max);
    if (r->augment.blur_min > r->augment.blur_max)
        return refuse(error, "augment.blur_min: %g is above augment.blur_max = %g", r->augment.blur_min,
                      r->augment.blur_max);
    if (r->augment.stride_max != 0 && r->augment.stride_max < r->clip.stride)
        return refuse(error, "clip.stride_max: %d is below clip.stride = %d; 0 gives all clips clip.stride",
                      r->augment.stride_max, r->clip.stride);
    if (r->augment.mix_min > r->augment.mix_max)
        return refuse(error, "augment.mix_min: %g is above augment.mix_max = %g", r->augment.mix_min,
                      r->augment.mix_max);
    if ((width == 0) != (height == 0))
        return refuse(error, "clip.resize_width, clip.resize_height: give both, or neither");
    if (width != 0 && (width < r->clip.size || height < r->clip.size))
        return refuse(error, "clip.resize_width, clip.resize_height: %d×%d is smaller than clip.size = %d",
                      width, height, r->clip.size);
    if (r->data.path[0] == '\0')
        return refuse(error, "data.path: is empty; name a folder, a list, a video, or synth:");
    const int clips = r->train.batch * maxgl_task_of(r)->clips_per_video(r);
    if (r->train.micro_batch > 0 && clips % r->train.micro_batch != 0)
        return refuse(error,
                      "train.micro_batch: %d does not divide the %d clips of a step (train.batch = %d)",
                      r->train.micro_batch, clips, r->train.batch);
    if (r->train.steps > 0 && r->train.warmup >= r->train.steps)
        return refuse(error, "train.warmup: %d steps are not fewer than train.steps = %d", r->train.warmup,
                      r->train.steps);
    return TRUE;
}

static gboolean validate_layers(const MaxglRecipe *recipe, GError **error)
{
    MaxglObjectiveOptions objective;
    maxgl_objective_options_init(&objective);
    if (maxgl_objective_options_set_layers(&objective, recipe->objective.local_layer, error))
        return TRUE;
    g_prefix_error(error, "objective.local_layer: ");
    return FALSE;
}

static gboolean validate_shares(const MaxglRecipe *recipe, GError **error)
{
    MaxglShares shares;
    return recipe->train.shares[0] == '\0' || maxgl_shares_parse(recipe->train.shares, &shares, error);
}

static gboolean validate_drops(const int drops[3], GError **error)
{
    for (int i = 1; i < 3; i++)
        if (drops[i] < 100 && drops[i] <= drops[i - 1])
            return refuse(error, "train.drops: %d after %d; give rising percentages, 100 for none", drops[i],
                          drops[i - 1]);
    return TRUE;
}

gboolean maxgl_recipe_validate(const MaxglRecipe *recipe, GError **error)
{
    g_autoptr(MaxglResnet) resnet = NULL;
    MaxglObjectiveOptions objective;
    if (!validate_ranges(recipe, error) || !validate_drops(recipe->train.drops, error) ||
        !validate_layers(recipe, error) || !validate_shares(recipe, error) ||
        !(resnet = maxgl_recipe_resnet(recipe, 0, error)))
        return FALSE;
    if (recipe->train.task != MAXGL_TASK_MAXGL)
        return TRUE;
    maxgl_recipe_objective(recipe, &objective);
    if (maxgl_objective_options_validate(&objective, resnet, error))
        return TRUE;
    g_prefix_error(error, "objective: ");
    return FALSE;
}

MaxglModelInfo *maxgl_recipe_model_info(const MaxglRecipe *recipe, const MaxglResnet *resnet)
{
    MaxglModelInfo *info = maxgl_model_info_new(&resnet->spec);
    const gboolean shorter_side = recipe->clip.resize_width == 0;
    info->preprocessing.resize_width = recipe->clip.resize_width;
    info->preprocessing.resize_height = shorter_side ? recipe->clip.size : recipe->clip.resize_height;
    info->preprocessing.antialias = recipe->clip.antialias;
    info->frame_stride = recipe->clip.stride;
    info->recipe = maxgl_recipe_identity_text(recipe);
    info->seed = g_strdup_printf("%d", recipe->train.seed);
    info->version = g_strdup(MAXGL_VERSION);
    return info;
}

char *maxgl_recipe_identity_text(const MaxglRecipe *recipe)
{
    g_autofree MaxglOption *kept = g_new(MaxglOption, G_N_ELEMENTS(options));
    guint n = 0;
    for (guint i = 0; i < G_N_ELEMENTS(options); i++)
        if (!g_strv_contains(free_keys, options[i].key))
            kept[n++] = options[i];
    const MaxglOptionTable table = {kept, n, sizeof *recipe};
    return maxgl_options_text(&table, recipe);
}

static gboolean is_endless(MaxglSchedule schedule)
{
    return schedule == MAXGL_SCHEDULE_CONSTANT || schedule == MAXGL_SCHEDULE_PLATEAU;
}

static gboolean may_differ(const MaxglRecipe *before, const MaxglRecipe *now, const char *key)
{
    gboolean length = strcmp(key, "train.steps") == 0 || strcmp(key, "train.epochs") == 0;
    return g_strv_contains(free_keys, key) ||
           (length && is_endless(before->train.schedule) && is_endless(now->train.schedule));
}

char **maxgl_recipe_conflicts(const MaxglRecipe *before, const MaxglRecipe *now)
{
    g_auto(GStrv) lines = maxgl_options_diff(&maxgl_recipe_table, before, now);
    GPtrArray *conflicts = g_ptr_array_new();
    for (char **line = lines; *line; line++) {
        g_autofree char *key = g_strndup(*line, strcspn(*line, ":"));
        if (!may_differ(before, now, key))
            g_ptr_array_add(conflicts, g_strdup(*line));
    }
    g_ptr_array_add(conflicts, NULL);
    return (char **)g_ptr_array_free(conflicts, FALSE);
}
