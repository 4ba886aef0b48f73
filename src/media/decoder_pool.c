#include "media/decoder_pool.h"

/* Stopped pipelines kept for each kind of container: one for each worker and some. */
#define MAX_IDLE 16

struct MaxglDecoderPool {
    GMutex mutex; /* for all that follows */
    struct {
        MaxglDecoderChain *chain;
        GQueue idle; /* of MaxglPipeline */
    } kinds[MAXGL_N_CONTAINERS];
};

MaxglDecoderPool *maxgl_decoder_pool_new(void)
{
    MaxglDecoderPool *pool = g_new0(MaxglDecoderPool, 1);
    g_mutex_init(&pool->mutex);
    for (gsize i = 0; i < G_N_ELEMENTS(pool->kinds); i++)
        g_queue_init(&pool->kinds[i].idle);
    return pool;
}

static void free_pipeline(gpointer pipeline)
{
    maxgl_pipeline_free(pipeline);
}

void maxgl_decoder_pool_free(MaxglDecoderPool *pool)
{
    if (pool == NULL)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(pool->kinds); i++) {
        g_queue_clear_full(&pool->kinds[i].idle, free_pipeline);
        maxgl_decoder_chain_unref(pool->kinds[i].chain);
    }
    g_mutex_clear(&pool->mutex);
    g_free(pool);
}

MaxglDecoderChain *maxgl_decoder_pool_chain(MaxglDecoderPool *pool, MaxglContainerKind kind)
{
    g_mutex_lock(&pool->mutex);
    MaxglDecoderChain *chain = pool->kinds[kind].chain;
    if (chain != NULL)
        maxgl_decoder_chain_ref(chain);
    g_mutex_unlock(&pool->mutex);
    return chain;
}

void maxgl_decoder_pool_set_chain(MaxglDecoderPool *pool, MaxglContainerKind kind, MaxglDecoderChain *chain)
{
    GQueue outdated = G_QUEUE_INIT;
    g_mutex_lock(&pool->mutex);
    MaxglDecoderChain *old = pool->kinds[kind].chain;
    gboolean changed = old == NULL || !maxgl_decoder_chain_equal(old, chain);
    if (changed) {
        pool->kinds[kind].chain = maxgl_decoder_chain_ref(chain);
        outdated = pool->kinds[kind].idle;
        g_queue_init(&pool->kinds[kind].idle);
    }
    g_mutex_unlock(&pool->mutex);
    if (changed)
        maxgl_decoder_chain_unref(old);
    g_queue_clear_full(&outdated, free_pipeline);
}

MaxglPipeline *maxgl_decoder_pool_take(MaxglDecoderPool *pool, MaxglContainerKind kind)
{
    g_mutex_lock(&pool->mutex);
    MaxglPipeline *pipeline = g_queue_pop_tail(&pool->kinds[kind].idle);
    g_mutex_unlock(&pool->mutex);
    return pipeline;
}

void maxgl_decoder_pool_give(MaxglDecoderPool *pool, MaxglContainerKind kind, const MaxglDecoderChain *chain,
                             MaxglPipeline *pipeline)
{
    g_mutex_lock(&pool->mutex);
    gboolean kept = pool->kinds[kind].chain == chain && pool->kinds[kind].idle.length < MAX_IDLE;
    if (kept)
        g_queue_push_tail(&pool->kinds[kind].idle, pipeline);
    g_mutex_unlock(&pool->mutex);
    if (!kept)
        maxgl_pipeline_free(pipeline);
}
