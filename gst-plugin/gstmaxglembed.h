/* The element maxglembed: a trained model in a media pipeline. */
#ifndef GST_MAXGL_EMBED_H
#define GST_MAXGL_EMBED_H

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

/** What becomes of the window that the end of the stream leaves open. */
typedef enum {
    GST_MAXGL_PARTIAL_DROP,     /**< it gives no embedding */
    GST_MAXGL_PARTIAL_PAD_LAST, /**< it is filled with its last frame, if that is in no complete window */
} GstMaxglPartial;

#define GST_TYPE_MAXGL_PARTIAL (gst_maxgl_partial_get_type())
GType gst_maxgl_partial_get_type(void);

/** What the network computes with: MaxglEmbedderOptions.precision. */
typedef enum {
    GST_MAXGL_PRECISION_FP32,
    GST_MAXGL_PRECISION_TF32,
    GST_MAXGL_PRECISION_FP16,
    GST_MAXGL_PRECISION_BF16,
} GstMaxglPrecision;

#define GST_TYPE_MAXGL_PRECISION (gst_maxgl_precision_get_type())
GType gst_maxgl_precision_get_type(void);

#define GST_TYPE_MAXGL_EMBED (gst_maxgl_embed_get_type())
G_DECLARE_FINAL_TYPE(GstMaxglEmbed, gst_maxgl_embed, GST, MAXGL_EMBED, GstBaseTransform)

GST_ELEMENT_REGISTER_DECLARE(maxglembed)

G_END_DECLS

#endif
