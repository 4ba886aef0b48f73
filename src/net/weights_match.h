/* Which tensors of a file are which of a network's. Needs no device. */
#ifndef MAXGL_NET_WEIGHTS_MATCH_H
#define MAXGL_NET_WEIGHTS_MATCH_H

#include "net/weights.h"

/** A tensor of the file and the one of the network that it is for. */
typedef struct {
    const MaxglSafetensor *tensor;
    char *name; /**< ours: "layer1.0.conv1.weight", "head.global.hidden.weight" */
    int layer;  /**< of the network; −1: a discriminator's */
} MaxglWeightsPair;

/** What a file and a network have in common, and what not. Names are the file's, prefix and all. */
typedef struct {
    GPtrArray *pairs;   /**< of MaxglWeightsPair: the network's, in the order of its layers, all that fit */
    GPtrArray *heads;   /**< of MaxglWeightsPair: discriminators ("head.*") of whatever shape */
    GPtrArray *missing; /**< of char *: names that the network needs */
    GPtrArray *unexpected; /**< of char *: names that nobody knows */
    GPtrArray *misshapen;  /**< of char *: "NAME is F32 [5] and should be [6]" */
    GPtrArray *left_out;   /**< of char *: names that @options told to leave out */
} MaxglWeightsMatch;

/** Compares @file, which @info is about, with @resnet. Counters (num_batches_tracked) and an optimiser's
 * state are of no account. @options: NULL = strict. */
MaxglWeightsMatch *maxgl_weights_match(const MaxglSafetensors *file, const MaxglModelInfo *info,
                                       const MaxglResnet *resnet, const MaxglWeightsOptions *options);
void maxgl_weights_match_free(MaxglWeightsMatch *match);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglWeightsMatch, maxgl_weights_match_free)

/** TRUE if @tensor has a float type and this shape; otherwise adds to @misshapen what is wrong with it. */
gboolean maxgl_weights_check(const MaxglSafetensor *tensor, int rank, const gint64 *shape,
                             GPtrArray *misshapen);

/** MAXGL_ERROR_FORMAT naming all that is missing, unexpected or misshapen, if anything is. */
gboolean maxgl_weights_match_report(const MaxglWeightsMatch *match, const MaxglSafetensors *file,
                                    const MaxglModelInfo *info, const MaxglResnet *resnet, GError **error);

/** @names with commas between them; caller frees. */
char *maxgl_weights_list(const GPtrArray *names);

#endif
