/* The element from inside: gstmaxglembed.c has what users set and see, embed_stream.c what happens to the
 * stream. */
#ifndef GST_MAXGL_EMBED_PRIVATE_H
#define GST_MAXGL_EMBED_PRIVATE_H

#include "clip_embedder.h"
#include "embed_caps.h"
#include "gstmaxglembed.h"

/** What has happened since start(). */
typedef struct {
    guint64 frames, clips, interruptions;
    double last_ms, max_ms, sum_ms;
} MaxglEmbedStats;

struct _GstMaxglEmbed {
    GstBaseTransform parent;

    /* Properties, under the object lock; the first six are taken over by start(). */
    char *model, *device;
    guint frame_stride, hop;
    GstMaxglPartial partial;
    GstMaxglPrecision precision;
    gboolean l2_normalize, post_messages, message_vector;

    /* Read by other threads, under the object lock. */
    MaxglEmbedStats stats;
    GstStructure *opened; /* what start() found the model to be, fields of the property stats */
    int features;         /* of the open model, 0 without one */
    int window_hop;
    GstClockTime latency;

    /* The streaming thread's. */
    MaxglClipEmbedder *embedder;
    gboolean pad_last;
    MaxglOutput output;
    GstClockTime covered; /* until here buffers and gaps have told downstream about the stream */
};

/** Sets the virtual functions of @class that deal with the stream. */
void gst_maxgl_embed_install_stream(GstBaseTransformClass *class);

#endif
