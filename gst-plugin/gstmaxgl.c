/* The plugin: what it has, said to GStreamer. */
#include "embedding.h"
#include "gstmaxglembed.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    maxgl_embedding_register_metas();
    return GST_ELEMENT_REGISTER(maxglembed, plugin);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, maxgl,
                  "Self-supervised video representations (Max-GL) on OpenCL", plugin_init, MAXGL_VERSION,
                  "MIT/X11", "maxgl-cl", "maxgl-cl")
