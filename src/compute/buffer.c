#include "compute/buffer.h"

#include <string.h>

static gboolean too_large(MaxglContext *context, gsize bytes, guint64 limit, const char *what,
                          const char *which, GError **error)
{
    if (bytes <= limit)
        return FALSE;
    g_autofree char *need = g_format_size_full(bytes, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *have = g_format_size_full(limit, G_FORMAT_SIZE_IEC_UNITS);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                "%s: %s needs %s (%" G_GSIZE_FORMAT " bytes), %s is %s (%" G_GUINT64_FORMAT
                " bytes): use a smaller batch, clip or network",
                context->info->name, what, need, bytes, which, have, limit);
    return TRUE;
}

static cl_mem allocate(MaxglContext *context, cl_mem_flags flags, gsize bytes, const char *what,
                       GError **error)
{
    const MaxglDeviceInfo *info = context->info;
    bytes = MAX(bytes, 4);
    if (too_large(context, bytes, info->max_allocation, what, "the device's largest allocation", error) ||
        too_large(context, context->allocated + bytes, info->global_memory, what, "the device's memory",
                  error))
        return NULL;
    cl_int code = CL_SUCCESS;
    cl_mem buffer = clCreateBuffer(context->context, flags, bytes, NULL, &code);
    if (!maxgl_opencl_check(code, error, "%s: cannot allocate %" G_GSIZE_FORMAT " bytes for %s", info->name,
                            bytes, what))
        return NULL;
    context->allocated += bytes;
    context->peak = MAX(context->peak, context->allocated);
    return buffer;
}

cl_mem maxgl_buffer_new(MaxglContext *context, gsize bytes, const char *what, GError **error)
{
    return allocate(context, CL_MEM_READ_WRITE, bytes, what, error);
}

cl_mem maxgl_buffer_new_staging(MaxglContext *context, gsize bytes, const char *what, GError **error)
{
    return allocate(context, CL_MEM_READ_ONLY | CL_MEM_ALLOC_HOST_PTR, bytes, what, error);
}

gboolean maxgl_host_memory_new(MaxglContext *context, gsize bytes, const char *what, MaxglHostMemory *memory,
                               GError **error)
{
    cl_int code = CL_SUCCESS;
    bytes = MAX(bytes, 4);
    memory->buffer =
        clCreateBuffer(context->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &code);
    if (code == CL_SUCCESS)
        memory->data = clEnqueueMapBuffer(context->queue, memory->buffer, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE,
                                          0, bytes, 0, NULL, NULL, &code);
    if (code == CL_SUCCESS) {
        memset(memory->data, 0, bytes);
        return TRUE;
    }
    memory->data = NULL;
    maxgl_host_memory_free(context, memory);
    return maxgl_opencl_check(code, error, "%s: cannot allocate %" G_GSIZE_FORMAT " bytes of the host for %s",
                              context->info->name, bytes, what);
}

void maxgl_host_memory_free(MaxglContext *context, MaxglHostMemory *memory)
{
    if (memory->data) {
        clEnqueueUnmapMemObject(context->queue, memory->buffer, memory->data, 0, NULL, NULL);
        clFinish(context->queue);
    }
    if (memory->buffer)
        clReleaseMemObject(memory->buffer);
    *memory = (MaxglHostMemory){NULL, NULL};
}

void maxgl_buffer_free(MaxglContext *context, cl_mem buffer)
{
    if (!buffer)
        return;
    size_t bytes = 0;
    clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    context->allocated -= bytes;
    /* Oclgrind 21.10 judges a new buffer in a released one's place by the old one's size, and reports what
     * lies beyond as uninitialised: under it, places are not used again. */
    if (context->info->vendor != MAXGL_VENDOR_OCLGRIND)
        clReleaseMemObject(buffer);
}

gsize maxgl_buffer_aligned(MaxglContext *context, gsize bytes)
{
    const gsize align = context->info->base_align;
    return (bytes + align - 1) / align * align;
}

cl_mem maxgl_buffer_window(MaxglContext *context, cl_mem buffer, gsize offset, gsize bytes, GError **error)
{
    /* OpenCL knows no window into a window: make it one into what that is a part of. */
    cl_mem whole = NULL;
    size_t start = 0;
    if (clGetMemObjectInfo(buffer, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof whole, &whole, NULL) == CL_SUCCESS &&
        whole) {
        clGetMemObjectInfo(buffer, CL_MEM_OFFSET, sizeof start, &start, NULL);
        buffer = whole;
    }
    cl_int code = CL_SUCCESS;
    cl_buffer_region region = {start + offset, bytes};
    cl_mem window =
        clCreateSubBuffer(buffer, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    if (!maxgl_opencl_check(code, error,
                            "%s: cannot make a window of %" G_GSIZE_FORMAT " bytes at %" G_GSIZE_FORMAT,
                            context->info->name, bytes, offset))
        return NULL;
    return window;
}

gboolean maxgl_buffer_write(MaxglContext *context, cl_mem buffer, gsize offset, const void *data, gsize bytes,
                            GError **error)
{
    cl_int code = clEnqueueWriteBuffer(context->queue, buffer, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
    return maxgl_opencl_check(code, error, "%s: cannot write %" G_GSIZE_FORMAT " bytes to the device",
                              context->info->name, bytes);
}

gboolean maxgl_buffer_read(MaxglContext *context, cl_mem buffer, gsize offset, void *data, gsize bytes,
                           GError **error)
{
    cl_int code = clEnqueueReadBuffer(context->queue, buffer, CL_TRUE, offset, bytes, data, 0, NULL, NULL);
    return maxgl_opencl_check(code, error, "%s: cannot read %" G_GSIZE_FORMAT " bytes from the device",
                              context->info->name, bytes);
}

gboolean maxgl_buffer_send(MaxglContext *context, cl_mem buffer, gsize offset, const void *data, gsize bytes,
                           GError **error)
{
    cl_int code = clEnqueueWriteBuffer(context->queue, buffer, CL_FALSE, offset, bytes, data, 0, NULL, NULL);
    return maxgl_opencl_check(code, error, "%s: cannot write %" G_GSIZE_FORMAT " bytes to the device",
                              context->info->name, bytes);
}

gboolean maxgl_buffer_fetch(MaxglContext *context, cl_mem buffer, gsize offset, void *data, gsize bytes,
                            cl_event *done, GError **error)
{
    cl_int code = clEnqueueReadBuffer(context->queue, buffer, CL_FALSE, offset, bytes, data, 0, NULL, done);
    if (code == CL_SUCCESS)
        code = clFlush(context->queue);
    return maxgl_opencl_check(code, error, "%s: cannot read %" G_GSIZE_FORMAT " bytes from the device",
                              context->info->name, bytes);
}

gboolean maxgl_buffer_zero(MaxglContext *context, cl_mem buffer, gsize offset, gsize bytes, GError **error)
{
    const cl_uint zero = 0;
    cl_int code =
        clEnqueueFillBuffer(context->queue, buffer, &zero, sizeof zero, offset, bytes, 0, NULL, NULL);
    return maxgl_opencl_check(code, error, "%s: cannot clear %" G_GSIZE_FORMAT " bytes", context->info->name,
                              bytes);
}
