/* The folder of a training run:
 *
 *   recipe.cfg                      every option as it was resolved; `--config` takes it
 *   run.json                        seed, sizes, versions, device and times of each session
 *   metrics.csv                     see metrics.h
 *   checkpoint-000500.safetensors   see checkpoint.h; the last train.keep of them
 *   model.safetensors               the trained network, when the run is done
 *
 * Nothing but run.json and the last two columns of metrics.csv depends on when, where or how fast it ran. */
#ifndef MAXGL_LEARN_RUN_H
#define MAXGL_LEARN_RUN_H

#include "compute/context.h"
#include "learn/recipe.h"

#define MAXGL_RUN_RECIPE "recipe.cfg"
#define MAXGL_RUN_INFO "run.json"
#define MAXGL_RUN_METRICS "metrics.csv"
#define MAXGL_RUN_MODEL "model.safetensors"

/** An open run folder. While it is open no other process can open it. */
typedef struct MaxglRun MaxglRun;

/**
 * Opens @path for @recipe, making the folder if need be.
 *
 *  #MAXGL_ERROR_USAGE: there is a run already and not @resume; or @resume and the run's recipe differs in
 * what cannot change (each "key: old → new"); or the folder has something else in it. #MAXGL_ERROR_NOT_FOUND:
 * @resume, and there is no run. #MAXGL_ERROR_IO: the folder cannot be written to. #MAXGL_ERROR_FAILED:
 * another process has it open.
 */
MaxglRun *maxgl_run_open(const char *path, const MaxglRecipe *recipe, gboolean resume, GError **error);

/** Closes the folder; one that maxgl_run_open() made and nobody put anything into goes away. */
void maxgl_run_close(MaxglRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglRun, maxgl_run_close)

/** A file's path in the folder; caller frees. */
char *maxgl_run_file(const MaxglRun *run, const char *name);

/** The newest checkpoint's path, NULL if there is none; caller frees. */
char *maxgl_run_checkpoint(const MaxglRun *run);

/** Whether @path is the folder of a run. */
gboolean maxgl_is_run_folder(const char *path);

/** The model file that @model names: itself, or of a run's folder model.safetensors, or its newest checkpoint
 * while training goes on; caller frees. #MAXGL_ERROR_NOT_FOUND. */
char *maxgl_model_path(const char *model, GError **error);

/** The recipe of the run in the folder @path with "key=value" changes @sets, as maxgl_options_load();
 * #MAXGL_ERROR_NOT_FOUND if there is no run. */
gboolean maxgl_run_read_recipe(const char *path, MaxglRecipe *recipe, const char *const *sets,
                               GError **error);

/** What run.json says of the run as a whole. */
typedef struct {
    gint64 steps, steps_per_epoch, videos; /**< of the whole run; of an epoch; in the data set */
    gint64 parameters;                     /**< learnt numbers of network and heads */
    double macs;                           /**< multiply-adds of the network for one clip, forward */
} MaxglRunSizes;

/** A session begins at step @step on the devices @contexts (of MaxglContext): removes what killed writers
 * left, writes recipe.cfg and run.json. */
gboolean maxgl_run_begin(MaxglRun *run, const GPtrArray *contexts, const MaxglResnet *resnet,
                         const MaxglRunSizes *sizes, gint64 step, GError **error);

/** It has come to step @step: writes how it went into run.json. @state: "finished", "interrupted", "failed".
 */
gboolean maxgl_run_end(MaxglRun *run, const char *state, gint64 step, gsize bad_videos, GError **error);

#endif
