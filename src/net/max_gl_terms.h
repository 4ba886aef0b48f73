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
    char *prefix;             /**< "head.global" or "head.local" */
    MaxglEncoder left, right; /**< right is unused if the sides share an encoder */
    gboolean shared;          /**< both sides are encoded by left */
    MaxglMiTerm mi;
    int halves[4][2]; /**< of the batch (0 = A, 1 = B), on the left and on the right */
    int n_halves;
} MaxglTerm;

/** Sets a term up: @global is the features' shape (2N rows), @regions that of the local features. */
void maxgl_term_init(MaxglTerm *term, const MaxglObjectiveOptions *options, gboolean is_local,
                     MaxglShape global, MaxglShape regions);
void maxgl_term_clear(MaxglTerm *term);

/** Declares the parameters of the term's discriminator. */
void maxgl_term_declare(const MaxglTerm *term, MaxglParameters *parameters);

/** Appends encoders, scores, estimate (into float @slot of @values) and all gradients. @left and @right are
 * the same buffers if both are global features. */
gboolean maxgl_term_build(MaxglTerm *term, MaxglHeadBuilder *builder, MaxglTermSide left, MaxglTermSide right,
                          cl_mem values, int slot, GError **error);

#endif
