/* What maxglembed can make of which caps. */
#ifndef MAXGL_EMBED_CAPS_H
#define MAXGL_EMBED_CAPS_H

#include <gst/gst.h>

/** How embeddings leave the element. */
typedef enum {
    MAXGL_OUTPUT_VIDEO,  /**< frames pass, embeddings ride on those that close a window */
    MAXGL_OUTPUT_TENSOR, /**< other/tensors: a buffer a window, one float32 tensor */
    MAXGL_OUTPUT_JSON,   /**< text/x-raw: a buffer a window, one line of JSON */
} MaxglOutput;

#define MAXGL_EMBED_VIDEO_CAPS                                                                               \
    "video/x-raw, format = (string) { RGB, BGR, RGBx, BGRx, I420, NV12, GRAY8 }, "                           \
    "width = (int) [ 1, max ], height = (int) [ 1, max ], "                                                  \
    "framerate = (fraction) [ 0/1, max ]"
#define MAXGL_EMBED_TENSOR_CAPS                                                                              \
    "other/tensors, format = (string) static, num_tensors = (int) 1, "                                       \
    "types = (string) float32, framerate = (fraction) [ 0/1, max ]"
#define MAXGL_EMBED_JSON_CAPS "text/x-raw, format = (string) utf8"

/** The output that fixed source caps ask for. */
MaxglOutput maxgl_embed_caps_output(const GstCaps *source_caps);

/** What @caps on one pad allow on the other. @features: length of a vector, 0 while no model is open. */
GstCaps *maxgl_embed_caps_transform(GstPadDirection direction, GstCaps *caps, GstCaps *filter, int features);

/** Picks from @source_caps (transfer full) those for @sink_caps: the first, tensors at a rate of frames/@hop
 * and with a dimension. */
GstCaps *maxgl_embed_caps_fixate(GstCaps *sink_caps, GstCaps *source_caps, int features, int hop);

#endif
