/* One window's embedding, and the forms in which it leaves the element. */
#ifndef MAXGL_EMBEDDING_H
#define MAXGL_EMBEDDING_H

#include "clip_window.h"
#include "gstmaxglmeta.h"

/** What a window gave. Times as in #MaxglWindowClip, and where the window begins in the stream's two times.
 */
typedef struct {
    GBytes *vector; /**< float32 */
    double norm;    /**< before normalisation */
    GQuark element; /**< name of the element that made it */
    guint64 index;
    guint frames;
    GstClockTime first_pts, last_pts, duration;
    GstClockTime stream_time, running_time; /**< of first_pts, or none */
} MaxglEmbedding;

/** Takes @vector (g_free() frees it): @length numbers, divided by their Euclidean length if @normalize.
 * Times and index are those of @clip; @segment gives stream and running time. */
MaxglEmbedding *maxgl_embedding_new(GQuark element, float *vector, int length, gboolean normalize,
                                    const MaxglWindowClip *clip, const GstSegment *segment);
void maxgl_embedding_free(MaxglEmbedding *embedding);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglEmbedding, maxgl_embedding_free)

/** Sets in @structure the fields that message and custom meta have in common: all but the vector. */
void maxgl_embedding_describe(const MaxglEmbedding *embedding, GstStructure *structure);

/** The structure "maxgl-embedding" of the element message; "vector" (an array of floats) only if asked for.
 */
GstStructure *maxgl_embedding_to_structure(const MaxglEmbedding *embedding, gboolean with_vector);

/** A buffer of one float32 tensor, with times and metas. */
GstBuffer *maxgl_embedding_to_tensor(const MaxglEmbedding *embedding);

/** A buffer of one line of JSON, with times and metas. */
GstBuffer *maxgl_embedding_to_json(const MaxglEmbedding *embedding);

/** Registers the types of both metas; once, when the plugin is loaded. (gstmaxglmeta.c) */
void maxgl_embedding_register_metas(void);

/** Attaches both metas to @buffer, which is writable. (gstmaxglmeta.c) */
void maxgl_embedding_attach(const MaxglEmbedding *embedding, GstBuffer *buffer);

#endif
