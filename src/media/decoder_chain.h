/* The elements that decodebin found for a file, and the same ones put together without it. Private to the
 * room.
 *
 * Finding out what a file is and what decodes it costs far more than decoding a small one. */
#ifndef MAXGL_MEDIA_DECODER_CHAIN_H
#define MAXGL_MEDIA_DECODER_CHAIN_H

#include <gst/gst.h>

/** A demuxer, parsers, a decoder, and the kind of stream they were found for. Never changes. */
typedef struct MaxglDecoderChain MaxglDecoderChain;

/** What made the pictures that come out of @pad, a source pad of a playing decodebin. NULL if it is not a
 * file source, a demuxer, parsers and a decoder, in this order. */
MaxglDecoderChain *maxgl_decoder_chain_find(GstPad *pad);

MaxglDecoderChain *maxgl_decoder_chain_ref(MaxglDecoderChain *chain);
void maxgl_decoder_chain_unref(MaxglDecoderChain *chain);

gboolean maxgl_decoder_chain_equal(const MaxglDecoderChain *a, const MaxglDecoderChain *b);

/** Puts filesrc and the chain before @sink, all into @bin. A file whose first video stream is of another kind
 * ends in an error message. Returns filesrc, which belongs to @bin; NULL if something cannot be made. */
GstElement *maxgl_decoder_chain_build(MaxglDecoderChain *chain, GstBin *bin, GstElement *sink);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglDecoderChain, maxgl_decoder_chain_unref)

#endif
