/* R@k of features made by hand, and against the plainest implementation on random ones. */
#include "base/random.h"
#include "eval/retrieval.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A vector in the plane at @degrees, of length @length. */
static void plane(float *to, double degrees, double length)
{
    to[0] = (float)(length * cos(degrees * G_PI / 180));
    to[1] = (float)(length * sin(degrees * G_PI / 180));
}

/* Gallery at 0°, 10°, … 110° with classes 0 1 2 2 2 2 3 3 3 3 3 4; a query at 0° finds them in this order. */
static void known_ranks(void **state)
{
    static const int classes[12] = {0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4};
    float gallery[12][2], queries[6][2];
    const int labels[6] = {0, 1, 2, 3, 4, 5}; /* found at rank 1, 2, 3, 7, 12, never */
    for (int i = 0; i < 12; i++)
        plane(gallery[i], 10.0 * i, 1 + i); /* lengths must not matter */
    for (int i = 0; i < 6; i++)
        plane(queries[i], 0, 0.1 + i);
    const MaxglLabelled g = {12, 2, gallery[0], classes}, q = {6, 2, queries[0], labels};
    MaxglRetrievalScore score;
    assert_true(maxgl_retrieval_score(&q, &g, &score));
    assert_int_equal(score.queries, 6);
    assert_int_equal(score.unseen, 1);
    assert_float_equal(score.recall[0], 1.0 / 6, 1e-12); /* R@1 */
    assert_float_equal(score.recall[1], 3.0 / 6, 1e-12); /* R@5 */
    assert_float_equal(score.recall[2], 4.0 / 6, 1e-12); /* R@10 */
    assert_float_equal(score.recall[3], 5.0 / 6, 1e-12); /* R@20: the whole gallery of 12 */
    assert_float_equal(score.recall[4], 5.0 / 6, 1e-12);
    /* One of 12 drawn: 1/12 for classes 0, 1 and 4, 4/12, 5/12, 0. */
    assert_float_equal(score.chance[0], (3 + 4 + 5) / 12.0 / 6, 1e-12);
    assert_float_equal(score.chance[3], 5.0 / 6, 1e-12);
}

/* Queries without a class do not count; gallery vectors without one only stand in the way. */
static void without_class(void **state)
{
    float gallery[6][2], query[2][2];
    const int classes[6] = {-1, -1, -1, -1, -1, 7}, labels[2] = {-1, 7};
    for (int i = 0; i < 6; i++)
        plane(gallery[i], 10.0 * i, 1);
    plane(query[0], 0, 1);
    plane(query[1], 0, 1);
    const MaxglLabelled g = {6, 2, gallery[0], classes}, q = {2, 2, query[0], labels};
    MaxglRetrievalScore score;
    assert_true(maxgl_retrieval_score(&q, &g, &score));
    assert_int_equal(score.queries, 1);
    assert_float_equal(score.recall[1], 0, 1e-12); /* sixth */
    assert_float_equal(score.recall[2], 1, 1e-12);
    const MaxglLabelled none = {1, 2, query[0], labels};
    assert_false(maxgl_retrieval_score(&none, &g, &score));
    assert_int_equal(score.queries, 0);
}

/* Of equally near vectors the first comes first; a zero vector is as near to everything. */
static void ties(void **state)
{
    const float gallery[3][2] = {{0, 1}, {0, 2}, {0, 3}}, queries[2][2] = {{0, 5}, {0, 0}};
    const int classes[3] = {0, 1, 0}, labels[2] = {1, 0};
    const MaxglLabelled g = {3, 2, gallery[0], classes}, q = {2, 2, queries[0], labels};
    MaxglRetrievalScore score;
    gsize found[5];
    float similarity[5];
    assert_true(maxgl_retrieval_score(&q, &g, &score));
    assert_float_equal(score.recall[0], 0.5, 1e-12); /* the first query finds class 0 first, the second 0 */
    assert_int_equal(maxgl_retrieval_nearest(queries[0], &g, 5, found, similarity), 3);
    for (gsize i = 0; i < 3; i++)
        assert_int_equal(found[i], i);
    assert_float_equal(similarity[2], 1, 1e-6);
}

#define QUERIES 53
#define GALLERY 211
#define LENGTH 37 /* no multiple of anything */
#define CLASSES 9

static float plain_cosine(const float *a, const float *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < LENGTH; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return (float)(ab / sqrt(aa * bb));
}

/* Rank of the first gallery vector of a class, by sorting. */
static int plain_rank(const float *query, float gallery[][LENGTH], const int *classes, int class)
{
    float similarity[GALLERY];
    int order[GALLERY];
    for (int i = 0; i < GALLERY; i++) {
        similarity[i] = plain_cosine(query, gallery[i]);
        int at = i;
        for (; at > 0 && similarity[order[at - 1]] < similarity[i]; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < GALLERY; i++)
        if (classes[order[i]] == class)
            return i;
    return GALLERY;
}

static void against_plain(void **state)
{
    static float queries[QUERIES][LENGTH], gallery[GALLERY][LENGTH];
    int labels[QUERIES], classes[GALLERY];
    MaxglRandom random;
    maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, 0);
    for (int i = 0; i < QUERIES; i++)
        for (int j = 0; j < LENGTH; j++)
            queries[i][j] = maxgl_random_normal(&random);
    for (int i = 0; i < GALLERY; i++)
        for (int j = 0; j < LENGTH; j++)
            gallery[i][j] = maxgl_random_normal(&random);
    for (int i = 0; i < QUERIES; i++)
        labels[i] = (int)maxgl_random_below(&random, CLASSES);
    for (int i = 0; i < GALLERY; i++)
        classes[i] = (int)maxgl_random_below(&random, CLASSES);
    const MaxglLabelled q = {QUERIES, LENGTH, queries[0], labels}, g = {GALLERY, LENGTH, gallery[0], classes};
    MaxglRetrievalScore score;
    assert_true(maxgl_retrieval_score(&q, &g, &score));
    int hits[MAXGL_RETRIEVAL_KS] = {0};
    for (int i = 0; i < QUERIES; i++) {
        const int rank = plain_rank(queries[i], gallery, classes, labels[i]);
        gsize found[1];
        float similarity[1];
        for (int k = 0; k < MAXGL_RETRIEVAL_KS; k++)
            hits[k] += rank < maxgl_retrieval_ks[k];
        assert_int_equal(maxgl_retrieval_nearest(queries[i], &g, 1, found, similarity), 1);
        assert_float_equal(similarity[0], plain_cosine(queries[i], gallery[found[0]]), 1e-6);
        assert_int_equal(classes[found[0]] == labels[i], rank == 0);
    }
    for (int k = 0; k < MAXGL_RETRIEVAL_KS; k++)
        assert_float_equal(score.recall[k], (double)hits[k] / QUERIES, 1e-12);
    assert_true(score.recall[0] > 0 && score.recall[0] < 1); /* so that the comparison could have failed */
    /* Random features find what chance finds, as nearly as 53 queries tell. */
    assert_float_equal(score.recall[1], score.chance[1], 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_ranks),
        cmocka_unit_test(without_class),
        cmocka_unit_test(ties),
        cmocka_unit_test(against_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
