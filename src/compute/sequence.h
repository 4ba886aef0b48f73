/* A sequence of launches prepared once and run many times. Operators append to it while planning; running it
 * makes no decision, sets no argument and allocates nothing. */
#ifndef MAXGL_COMPUTE_SEQUENCE_H
#define MAXGL_COMPUTE_SEQUENCE_H

#include "compute/context.h"

typedef struct MaxglSequence MaxglSequence;

/** An empty sequence on @context, which must outlive it. */
MaxglSequence *maxgl_sequence_new(MaxglContext *context);
/** The same for looking at what operators would do: nothing is built, buffers may all be NULL, and it cannot
 * be run. */
MaxglSequence *maxgl_sequence_new_dry(MaxglContext *context);
void maxgl_sequence_free(MaxglSequence *sequence);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglSequence, maxgl_sequence_free)

MaxglContext *maxgl_sequence_context(MaxglSequence *sequence);

/** How one kernel is launched. */
typedef struct {
    const char *file;    /**< in cl/ */
    const char *kernel;  /**< its name */
    const char *options; /**< "-D…" */
    const char *label;   /**< names the launch in errors and profiles; NULL = the kernel's name */
    int dims;            /**< 1 to 3 */
    gsize global[3];     /**< work-items; multiples of @local where that is set */
    gsize local[3];      /**< work-group; all 0 leaves it to the driver */
} MaxglLaunch;

/**
 * Builds the kernel, binds its arguments and appends it. @types has a letter an argument, in order:
 * m cl_mem (retained; NULL allowed), i int, u guint32, f double passed as a float, l gsize bytes of local
 * memory. Errors: MAXGL_ERROR_DEVICE; MAXGL_ERROR_LIMIT when the launch exceeds the device's work-group or
 * local memory.
 */
gboolean maxgl_sequence_add(MaxglSequence *sequence, const MaxglLaunch *launch, GError **error,
                            const char *types, ...);

/** Appends zeroing @bytes (a multiple of 4) of @buffer at @offset. */
gboolean maxgl_sequence_add_zero(MaxglSequence *sequence, cl_mem buffer, gsize offset, gsize bytes,
                                 GError **error);

/** Appends copying @bytes between buffers. */
gboolean maxgl_sequence_add_copy(MaxglSequence *sequence, cl_mem from, gsize from_offset, cl_mem to,
                                 gsize to_offset, gsize bytes, GError **error);

typedef gboolean (*MaxglSequenceCall)(MaxglContext *context, gpointer data, GError **error);

/** Appends a call made while enqueuing (a library such as CLBlast); @free_data frees @data with the sequence.
 */
void maxgl_sequence_add_call(MaxglSequence *sequence, const char *label, MaxglSequenceCall call,
                             gpointer data, GDestroyNotify free_data);

guint maxgl_sequence_length(const MaxglSequence *sequence);

/** Enqueues everything in order and does not wait. MAXGL_ERROR_DEVICE naming the launch that failed. */
gboolean maxgl_sequence_run(MaxglSequence *sequence, GError **error);

/* Times per label, gathered when MAXGL_PROFILE is set. */
GHashTable *maxgl_profile_new(void);
/** Waits for @event and adds its time to @label, for launches made without a sequence. */
void maxgl_profile_record(GHashTable *profile, const char *label, cl_event event);
void maxgl_profile_print(GHashTable *profile);

#endif
