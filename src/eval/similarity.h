/* How alike two feature vectors are, in twelve ways. */
#ifndef MAXGL_EVAL_SIMILARITY_H
#define MAXGL_EVAL_SIMILARITY_H

#include <glib.h>

#define MAXGL_SIMILARITIES 12

/** Names of the measures, in their order: "dot", …. */
extern const char *const maxgl_similarity_names[MAXGL_SIMILARITIES];

/**
 * All measures of @a and @b, two vectors of @n numbers of any sign, scaled to length 1 by the caller where
 * the protocol says so. Symmetric, and finite for finite numbers.
 *
 *  - dot          Σ ab
 *  - hellinger    Σ √(ab)
 *  - intersection Σ min(a, b)
 *  - ruzicka      Σ min(a, b) / Σ max(a, b)
 *  - correlation  Pearson's
 *  - l1           Σ |a − b|
 *  - l2           √Σ (a − b)²
 *  - chebyshev    max |a − b|
 *  - chi2         Σ (a − b)² / (|a| + |b|)
 *  - canberra     Σ |a − b| / (|a| + |b|)
 *  - bray-curtis  Σ |a − b| / Σ (|a| + |b|)
 *  - jensen-shannon  ½ Σ (p ln(2p / (p + q)) + q ln(2q / (p + q))), p = a / Σ a, q = b / Σ b
 *
 * In hellinger, intersection, ruzicka and jensen-shannon, which want histograms, a number of any sign counts
 * as two: its positive part and the size of its negative part. So of numbers of opposite sign nothing is in
 * common. 0/0 is 0, but the ruzicka of two zero vectors is 1.
 *
 * The first two are known to be among the twelve that ASLAN was published with; the others are our choice.
 */
void maxgl_similarities(const float *a, const float *b, int n, double out[MAXGL_SIMILARITIES]);

#endif
