/* What decides an embedder's features, beside the clips. */
#ifndef MAXGL_NET_EMBEDDER_IDENTITY_H
#define MAXGL_NET_EMBEDDER_IDENTITY_H

#include <maxgl/embedder.h>

/** Adds to @sum what maxgl_context_identify() does, the model file's SHA-256, the layers, and what the choice
 * of algorithms follows from: the batch, whether they are to be exact, and the precision. FALSE if that is
 * not to be known: the model file is gone, or kernels are being developed. */
gboolean maxgl_embedder_identify(const MaxglEmbedder *embedder, GChecksum *sum);

#endif
