/* The two terms of Max-GL: which features are paired, by which discriminator. Inside max_gl*.c, and for
 * measuring. */
#ifndef MAXGL_NET_MAX_GL_TERMS_H
#define MAXGL_NET_MAX_GL_TERMS_H

#include "net/head_encoder.h"
#include "net/max_gl.h"
#include "ops/pair_scores.h"

/** Where a term's features come from and their gradients go. */
typedef struct {
    cl_mem x, dx;
    gboolean accumulate; /**< somebody wrote dx before */
} MaxglTermSide;

/** One term. */
typedef struct {
    const MaxglObjectiveOptions *options;
    gboolean is_local;
    char *prefix;             /**< "head.global", "head.local", or with several layers "head.local.layer2" */
    MaxglEncoder left, right; /**< right is unused if the sides share an encoder */
    gboolean shared;          /**< both sides are encoded by left */
    MaxglMiTerm mi;
    int pairings[MAXGL_MAX_CLIPS * MAXGL_MAX_CLIPS][2]; /**< clips of a video, on the left and on the right */
    int n_pairings;
} MaxglTerm;

/** Which term: Global-MI, or Local-MI with the n-th of the options' layers. */
#define MAXGL_TERM_GLOBAL (-1)

/** Sets a term up. @layer: n or MAXGL_TERM_GLOBAL. @global is the features' shape (clips · N rows), @regions
 * that of the local features. */
void maxgl_term_init(MaxglTerm *term, const MaxglObjectiveOptions *options, int layer, MaxglShape global,
                     MaxglShape regions);
void maxgl_term_clear(MaxglTerm *term);

/** Declares the parameters of the term's discriminator. */
void maxgl_term_declare(const MaxglTerm *term, MaxglParameters *parameters);

/** Where a term's estimate goes. */
typedef struct {
    cl_mem values;
    int slot;     /**< float of @values */
    gboolean add; /**< a term before this one is part of the same mean */
} MaxglTermValue;

/** Appends encoders, scores, estimate and all gradients. @left and @right are the same buffers if both are
 * global features. */
gboolean maxgl_term_build(MaxglTerm *term, MaxglHeadBuilder *builder, MaxglTermSide left, MaxglTermSide right,
                          MaxglTermValue value, GError **error);

#endif
