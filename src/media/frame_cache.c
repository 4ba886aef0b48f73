#include "media/frame_cache.h"

struct MaxglFrameCache {
    GMutex mutex;
    gsize limit, used;
    GPtrArray *videos; /* by index, NULL where there is none */
};

static void free_video(gpointer video)
{
    maxgl_video_free(video);
}

MaxglFrameCache *maxgl_frame_cache_new(gsize limit, gsize videos)
{
    MaxglFrameCache *cache = g_new0(MaxglFrameCache, 1);
    g_mutex_init(&cache->mutex);
    cache->limit = limit;
    cache->videos = g_ptr_array_new_with_free_func(free_video);
    g_ptr_array_set_size(cache->videos, (int)videos);
    return cache;
}

void maxgl_frame_cache_free(MaxglFrameCache *cache)
{
    if (cache == NULL)
        return;
    g_ptr_array_unref(cache->videos);
    g_mutex_clear(&cache->mutex);
    g_free(cache);
}

const MaxglVideo *maxgl_frame_cache_get(MaxglFrameCache *cache, gsize index)
{
    g_mutex_lock(&cache->mutex);
    const MaxglVideo *video = cache->videos->pdata[index];
    g_mutex_unlock(&cache->mutex);
    return video;
}

gsize maxgl_frame_cache_room(MaxglFrameCache *cache)
{
    g_mutex_lock(&cache->mutex);
    gsize left = cache->limit - cache->used;
    g_mutex_unlock(&cache->mutex);
    return left < cache->limit / 64 ? 0 : MIN(left, cache->limit / 8);
}

static gsize video_bytes(const MaxglVideo *video)
{
    return (gsize)video->pictures * (video->info.layout.frame_bytes + sizeof *video->times) + sizeof *video;
}

MaxglVideo *maxgl_frame_cache_put(MaxglFrameCache *cache, gsize index, MaxglVideo *video)
{
    g_mutex_lock(&cache->mutex);
    if (cache->videos->pdata[index] == NULL && video_bytes(video) <= cache->limit - cache->used) {
        cache->used += video_bytes(video);
        cache->videos->pdata[index] = g_steal_pointer(&video);
    }
    g_mutex_unlock(&cache->mutex);
    return video;
}

gsize maxgl_frame_cache_bytes(MaxglFrameCache *cache)
{
    g_mutex_lock(&cache->mutex);
    gsize used = cache->used;
    g_mutex_unlock(&cache->mutex);
    return used;
}
