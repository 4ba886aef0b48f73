/* The embedding that maxglembed attaches to the frame that closes a window.
 *
 * A program that reads it needs this header and GStreamer, and neither libmaxgl nor the plugin to link with:
 *
 *     GstMaxglEmbeddingMeta *embedding = gst_buffer_get_maxgl_embedding_meta(buffer);
 *     if (embedding) {
 *         gsize size;
 *         const float *vector = g_bytes_get_data(embedding->vector, &size);   // size / sizeof(float) numbers
 *     }
 *
 * Without any header, in any language: the custom meta "maxgl-embedding" of the same buffer has the same
 * fields in a GstStructure. */
#ifndef GST_MAXGL_META_H
#define GST_MAXGL_META_H

#include <gst/gst.h>

G_BEGIN_DECLS

/** Name of the meta's API type, and of the custom meta for programs without this header. */
#define GST_MAXGL_EMBEDDING_META_API_NAME "GstMaxglEmbeddingMetaAPI"
#define GST_MAXGL_EMBEDDING_CUSTOM_META_NAME "maxgl-embedding"

typedef struct _GstMaxglEmbeddingMeta GstMaxglEmbeddingMeta;

/** One window's embedding. Copies of the buffer share the vector. */
struct _GstMaxglEmbeddingMeta {
    GstMeta meta;
    GBytes *vector;         /**< float32 numbers in the machine's byte order */
    gdouble norm;           /**< the vector's Euclidean length before any normalisation */
    GQuark element;         /**< name of the maxglembed that made it: several may stand in one pipeline */
    guint64 index;          /**< windows before this one since the element started */
    guint frames;           /**< frames that went in; fewer than the model's where the end was padded */
    GstClockTime first_pts; /**< of the window's first frame, or GST_CLOCK_TIME_NONE */
    GstClockTime last_pts;  /**< of its last frame, or GST_CLOCK_TIME_NONE */
    GstClockTime duration;  /**< from first_pts to the last frame's end, or GST_CLOCK_TIME_NONE */
};

/** The first embedding on @buffer, NULL if there is none. Belongs to @buffer. (For those of several elements:
 * gst_buffer_iterate_meta_filtered().) */
static inline GstMaxglEmbeddingMeta *gst_buffer_get_maxgl_embedding_meta(GstBuffer *buffer)
{
    const GType api = g_type_from_name(GST_MAXGL_EMBEDDING_META_API_NAME);
    return api ? (GstMaxglEmbeddingMeta *)gst_buffer_get_meta(buffer, api) : NULL;
}

G_END_DECLS

#endif
