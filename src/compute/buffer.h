/* Device memory: buffers that know the device's limits, copies in and out. */
#ifndef MAXGL_COMPUTE_BUFFER_H
#define MAXGL_COMPUTE_BUFFER_H

#include "compute/context.h"

/**
 * A buffer of @bytes (at least 1), contents undefined. @what names it in errors ("clips of 64 × 3 × 16 × 112
 * × 112"). Returns: a cl_mem to give back with maxgl_buffer_free(); NULL with MAXGL_ERROR_LIMIT naming need
 * and limit when one allocation or the device's memory is too small for it, or MAXGL_ERROR_DEVICE.
 */
cl_mem maxgl_buffer_new(MaxglContext *context, gsize bytes, const char *what, GError **error);

/** The same for data on its way in: written by the host through clEnqueueMapBuffer(), read by kernels. Kept
 * where both reach it fast (CL_MEM_ALLOC_HOST_PTR: pinned, or shared with a CPU or an integrated GPU). */
cl_mem maxgl_buffer_new_staging(MaxglContext *context, gsize bytes, const char *what, GError **error);

/** Memory of the host that a device reads and writes fast (pinned): what travels between devices. */
typedef struct {
    void *data;
    cl_mem buffer; /**< private */
} MaxglHostMemory;

/** @bytes of it, zeroed, for @context; FALSE as maxgl_buffer_new(). It does not count as the device's. */
gboolean maxgl_host_memory_new(MaxglContext *context, gsize bytes, const char *what, MaxglHostMemory *memory,
                               GError **error);
/** Gives it back, when nothing that was enqueued uses it any more. */
void maxgl_host_memory_free(MaxglContext *context, MaxglHostMemory *memory);

/** Gives back a buffer of maxgl_buffer_new(); NULL is ignored. */
void maxgl_buffer_free(MaxglContext *context, cl_mem buffer);

/** @bytes and what follows them up to where a window can begin. */
gsize maxgl_buffer_aligned(MaxglContext *context, gsize bytes);

/** A window of @bytes at @offset (a multiple of the device's base_align) into @buffer, which may be a window
 * itself; clReleaseMemObject() when done. */
cl_mem maxgl_buffer_window(MaxglContext *context, cl_mem buffer, gsize offset, gsize bytes, GError **error);

/** Copies @bytes from @data to @offset of the buffer and waits. */
gboolean maxgl_buffer_write(MaxglContext *context, cl_mem buffer, gsize offset, const void *data, gsize bytes,
                            GError **error);

/** Copies @bytes from @offset of the buffer to @data, after all that was enqueued before, and waits. */
gboolean maxgl_buffer_read(MaxglContext *context, cl_mem buffer, gsize offset, void *data, gsize bytes,
                           GError **error);

/** The same without waiting: @data must stay as it is until the device has come so far. @done (NULL: none):
 * an event, to be given back with clReleaseEvent(). */
gboolean maxgl_buffer_send(MaxglContext *context, cl_mem buffer, gsize offset, const void *data, gsize bytes,
                           GError **error);
gboolean maxgl_buffer_fetch(MaxglContext *context, cl_mem buffer, gsize offset, void *data, gsize bytes,
                            cl_event *done, GError **error);

/** Enqueues filling @bytes (a multiple of 4) of @buffer from @offset with zeros; does not wait. */
gboolean maxgl_buffer_zero(MaxglContext *context, cl_mem buffer, gsize offset, gsize bytes, GError **error);

#endif
