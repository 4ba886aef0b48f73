#include "eval/moments.h"

#include "eval/features.h"

/* The vectors of all videos so far. */
typedef struct {
    int length;
    GArray *features, *video, *seconds;
} Rows;

static gboolean add_row(const MaxglFeatureVector *vector, gpointer user_data, GError **error)
{
    const Rows *rows = user_data;
    const gint64 video = (gint64)vector->video;
    const float seconds[] = {(float)vector->first_seconds, (float)vector->last_seconds};
    g_array_append_vals(rows->features, vector->features, (guint)rows->length);
    g_array_append_val(rows->video, video);
    g_array_append_vals(rows->seconds, seconds, 2);
    return TRUE;
}

MaxglMoments *maxgl_moments_embed(MaxglEmbedder *embedder, const MaxglDataset *dataset,
                                  const MaxglMomentsOptions *options, GError **error)
{
    const MaxglClipWalkOptions walk = {.every = options->every,
                                       .first_seconds = options->first_seconds,
                                       .last_seconds = options->last_seconds};
    const MaxglFeatureOptions how = {.walk = &walk, .title = options->title};
    const Rows rows = {.length = maxgl_embedder_info(embedder)->features,
                       .features = g_array_new(FALSE, FALSE, sizeof(float)),
                       .video = g_array_new(FALSE, FALSE, sizeof(gint64)),
                       .seconds = g_array_new(FALSE, FALSE, sizeof(float))};
    g_autoptr(MaxglMoments) m = g_new0(MaxglMoments, 1);
    MaxglFeatureCounts counts = {0};
    const gboolean done =
        maxgl_features_each(embedder, dataset, &how, add_row, (gpointer)&rows, &counts, error);
    m->bad = counts.bad;
    m->n = rows.video->len;
    m->length = rows.length;
    m->features = (float *)(void *)g_array_free(rows.features, FALSE);
    m->video = (gint64 *)(void *)g_array_free(rows.video, FALSE);
    m->seconds = (float *)(void *)g_array_free(rows.seconds, FALSE);
    if (!done)
        return NULL;
    maxgl_features_normalize(m->features, m->n, m->length);
    return g_steal_pointer(&m);
}

void maxgl_moments_free(MaxglMoments *moments)
{
    if (!moments)
        return;
    g_free(moments->features);
    g_free(moments->video);
    g_free(moments->seconds);
    g_free(moments);
}

float *maxgl_moments_mean(const MaxglMoments *moments)
{
    const gsize length = (gsize)moments->length;
    float *mean = g_new(float, length);
    for (gsize j = 0; j < length; j++) {
        double sum = 0;
        for (gsize i = 0; i < moments->n; i++)
            sum += moments->features[i * length + j];
        mean[j] = (float)(sum / (double)moments->n);
    }
    maxgl_features_normalize(mean, 1, moments->length);
    return mean;
}
