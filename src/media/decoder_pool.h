/* Pipelines that wait for another file, for the decoders of one data set. Private to the room. */
#ifndef MAXGL_MEDIA_DECODER_POOL_H
#define MAXGL_MEDIA_DECODER_POOL_H

#include "media/container.h"
#include "media/decoder.h"
#include "media/decoder_chain.h"
#include "media/pipeline.h"

/** What decodes containers of @kind, as the last file that told; the caller's reference. NULL: not known. */
MaxglDecoderChain *maxgl_decoder_pool_chain(MaxglDecoderPool *pool, MaxglContainerKind kind);

/** From now on @chain, which may be what the pool has already, decodes containers of @kind. */
void maxgl_decoder_pool_set_chain(MaxglDecoderPool *pool, MaxglContainerKind kind, MaxglDecoderChain *chain);

/** A stopped pipeline for containers of @kind; NULL if none waits. The caller's. */
MaxglPipeline *maxgl_decoder_pool_take(MaxglDecoderPool *pool, MaxglContainerKind kind);

/** Keeps a stopped pipeline that @chain was built into, or frees it if there are enough or @chain is not the
 * pool's any more. */
void maxgl_decoder_pool_give(MaxglDecoderPool *pool, MaxglContainerKind kind, const MaxglDecoderChain *chain,
                             MaxglPipeline *pipeline);

#endif
