/* Retrieval by nearest neighbours: does a query's neighbourhood in the gallery hold its class? */
#ifndef MAXGL_EVAL_RETRIEVAL_H
#define MAXGL_EVAL_RETRIEVAL_H

#include <glib.h>

/** Vectors with a class each. Borrowed. */
typedef struct {
    gsize n;               /**< vectors, at least 1 */
    int length;            /**< of a vector */
    const float *features; /**< n × length */
    const int *labels;     /**< [n] classes, −1 = none */
} MaxglLabelled;

/** k of R@k: 1, 5, 10, 20, 50. */
#define MAXGL_RETRIEVAL_KS 5
extern const int maxgl_retrieval_ks[MAXGL_RETRIEVAL_KS];

/** What came of it. */
typedef struct {
    gsize queries;                     /**< those with a class */
    gsize unseen;                      /**< of them, those whose class is not in the gallery: never a hit */
    double recall[MAXGL_RETRIEVAL_KS]; /**< R@k: part of the queries whose k nearest include their class */
    double chance[MAXGL_RETRIEVAL_KS]; /**< what R@k is expected to be if neighbours were drawn by lot */
} MaxglRetrievalScore;

/**
 * R@k of all queries with a class against the whole gallery, by cosine similarity; of equally near ones, the
 * first in the gallery comes first. Where k is beyond the gallery's size, all of it counts. Exact, and the
 * same with any number of threads. FALSE: no query has a class (@score is zero).
 */
gboolean maxgl_retrieval_score(const MaxglLabelled *queries, const MaxglLabelled *gallery,
                               MaxglRetrievalScore *score);

/** The @k vectors of @gallery nearest to @query (its length floats), nearest first: [k] indices and cosine
 * similarities. Returns how many there are: k, or the gallery's size if that is less. */
gsize maxgl_retrieval_nearest(const float *query, const MaxglLabelled *gallery, gsize k, gsize *indices,
                              float *similarities);

#endif
