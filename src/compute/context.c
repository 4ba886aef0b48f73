#include "compute/context.h"

#include "compute/program.h"
#include "compute/sequence.h"

static void release_program(gpointer program)
{
    clReleaseProgram(program);
}

MaxglContext *maxgl_context_open(const char *selector, GError **error)
{
    g_autoptr(GPtrArray) devices = maxgl_device_list(error);
    if (!devices)
        return NULL;
    g_autofree char *reason = NULL;
    int chosen = maxgl_device_choose(devices, selector, &reason, error);
    if (chosen < 0)
        return NULL;

    g_autoptr(MaxglContext) context = g_new0(MaxglContext, 1);
    context->info = g_ptr_array_steal_index(devices, (guint)chosen);
    context->reason = g_steal_pointer(&reason);
    context->programs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, release_program);
    context->keeps_programs = context->info->vendor != MAXGL_VENDOR_POCL;
    context->device = maxgl_device_handle(context->info, &context->platform, error);
    if (!context->device)
        return NULL;
    context->tuning = maxgl_tuning_load(context->info, error);
    if (!context->tuning)
        return NULL;
    if (g_getenv("MAXGL_PROFILE"))
        context->profile = maxgl_profile_new();

    cl_int code = CL_SUCCESS;
    cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)context->platform, 0};
    context->context = clCreateContext(properties, 1, &context->device, NULL, NULL, &code);
    if (!maxgl_opencl_check(code, error, "%s: cannot open the device", context->info->name))
        return NULL;
    context->queue = clCreateCommandQueue(context->context, context->device,
                                          context->profile ? CL_QUEUE_PROFILING_ENABLE : 0, &code);
    if (!maxgl_opencl_check(code, error, "%s: cannot make a command queue", context->info->name))
        return NULL;
    return g_steal_pointer(&context);
}

void maxgl_context_at_close(MaxglContext *context, MaxglContextCall function)
{
    if (!context->at_close)
        context->at_close = g_array_new(FALSE, FALSE, sizeof function);
    for (guint i = 0; i < context->at_close->len; i++)
        if (g_array_index(context->at_close, MaxglContextCall, i) == function)
            return;
    g_array_append_val(context->at_close, function);
}

void maxgl_context_close(MaxglContext *context)
{
    if (!context)
        return;
    maxgl_program_progress_done(context);
    if (context->queue)
        clFinish(context->queue);
    for (guint i = 0; context->at_close && i < context->at_close->len; i++)
        g_array_index(context->at_close, MaxglContextCall, i)();
    g_clear_pointer(&context->at_close, g_array_unref);
    if (context->queue) {
        clReleaseCommandQueue(context->queue);
    }
    if (context->profile) {
        maxgl_profile_print(context->profile);
        g_hash_table_unref(context->profile);
    }
    if (context->zeros)
        clReleaseMemObject(context->zeros);
    g_clear_pointer(&context->programs, g_hash_table_unref);
    if (context->context)
        clReleaseContext(context->context);
    maxgl_tuning_free(context->tuning);
    maxgl_device_info_free(context->info);
    g_free(context->reason);
    g_free(context);
}

gboolean maxgl_context_finish(MaxglContext *context, GError **error)
{
    return maxgl_opencl_check(clFinish(context->queue), error, "%s: waiting for the device",
                              context->info->name);
}

cl_mem maxgl_context_zeros(MaxglContext *context, gsize bytes, GError **error)
{
    if (context->zeros && context->zeros_bytes >= bytes)
        return context->zeros;
    cl_int code = CL_SUCCESS;
    const gsize size = MAX(bytes, 65536);
    g_autofree void *data = g_malloc0(size);
    cl_mem zeros =
        clCreateBuffer(context->context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, size, data, &code);
    if (!maxgl_opencl_check(code, error, "%s: cannot allocate %" G_GSIZE_FORMAT " bytes", context->info->name,
                            size))
        return NULL;
    if (context->zeros)
        clReleaseMemObject(context->zeros); /* launches that use it hold it */
    context->zeros = zeros;
    context->zeros_bytes = size;
    return zeros;
}
