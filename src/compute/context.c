#include "compute/context.h"

#include "compute/program.h"
#include "compute/sequence.h"
#include <string.h>

static void release_program(gpointer program)
{
    clReleaseProgram(program);
}

/* What a context is made of; it takes over all of it. */
typedef struct {
    MaxglDeviceInfo *info;
    cl_device_id part; /* of a device that was cut; NULL: the whole device */
    char *reason;
} Choice;

static MaxglContext *open_choice(Choice choice, GError **error)
{
    g_autoptr(MaxglContext) context = g_new0(MaxglContext, 1);
    context->info = choice.info;
    context->reason = choice.reason;
    context->part = choice.part;
    context->programs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, release_program);
    context->keeps_programs = context->info->vendor != MAXGL_VENDOR_POCL;
    context->device = maxgl_device_handle(context->info, &context->platform, error);
    if (!context->device)
        return NULL;
    if (context->part)
        context->device = context->part;
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

MaxglContext *maxgl_context_open(const char *selector, GError **error)
{
    g_autoptr(GPtrArray) devices = maxgl_device_list(error);
    Choice choice = {0};
    if (!devices)
        return NULL;
    const int chosen = maxgl_device_choose(devices, selector, &choice.reason, error);
    if (chosen < 0)
        return NULL;
    choice.info = g_ptr_array_steal_index(devices, (guint)chosen);
    return open_choice(choice, error);
}

/* "S/N": the device S in N parts. Returns: the number of parts, and *@device, to be freed; 0 for anything
 * else. */
static guint parts_of(const char *selector, char **device)
{
    const char *slash = strrchr(selector, '/');
    guint64 parts = 0;
    if (!slash || slash == selector ||
        !g_ascii_string_to_unsigned(slash + 1, 10, 1, MAXGL_MAX_DEVICES, &parts, NULL))
        return 0;
    *device = g_strndup(selector, (gsize)(slash - selector));
    return (guint)parts;
}

static gboolean open_parts(const char *selector, guint parts, GPtrArray *contexts, GError **error)
{
    g_autoptr(GPtrArray) devices = maxgl_device_list(error);
    const int chosen = devices ? maxgl_device_choose(devices, selector, NULL, error) : -1;
    cl_device_id handles[MAXGL_MAX_DEVICES];
    MaxglDeviceInfo *infos[MAXGL_MAX_DEVICES];
    if (chosen < 0 ||
        !maxgl_device_cut(g_ptr_array_index(devices, (guint)chosen), parts, handles, infos, error))
        return FALSE;
    gboolean ok = TRUE;
    for (guint i = 0; i < parts; i++) {
        char *reason = g_strdup_printf("asked for: %s, part %u of %u", selector, i + 1, parts);
        MaxglContext *context = open_choice((Choice){infos[i], handles[i], reason}, ok ? error : NULL);
        ok = ok && context;
        if (context)
            g_ptr_array_add(contexts, context);
    }
    return ok;
}

static gboolean open_whole(const char *selector, GPtrArray *contexts, GError **error)
{
    MaxglContext *context = maxgl_context_open(selector, error);
    if (context)
        g_ptr_array_add(contexts, context);
    return context != NULL;
}

static gboolean open_more(const char *selector, GPtrArray *contexts, GError **error)
{
    g_autofree char *device = NULL;
    const guint parts = parts_of(selector, &device);
    return parts > 0 ? open_parts(device, parts, contexts, error) : open_whole(selector, contexts, error);
}

static gboolean same_device(const MaxglContext *a, const MaxglContext *b)
{
    return a->info->platform_index == b->info->platform_index &&
           a->info->device_index == b->info->device_index;
}

/* Contexts on one device have its memory together. */
static void share_memory(GPtrArray *contexts)
{
    guint sharers[MAXGL_MAX_DEVICES] = {0};
    for (guint i = 0; i < contexts->len; i++)
        for (guint j = 0; j < contexts->len; j++)
            sharers[i] += same_device(g_ptr_array_index(contexts, i), g_ptr_array_index(contexts, j));
    for (guint i = 0; i < contexts->len; i++)
        ((MaxglContext *)g_ptr_array_index(contexts, i))->info->global_memory /= sharers[i];
}

/* Whether @selectors, which may have commas and slashes in it, is nothing but one device's name. */
static gboolean means_one(const char *selectors)
{
    if (!selectors || !strpbrk(selectors, ",/"))
        return TRUE;
    g_autoptr(GPtrArray) devices = maxgl_device_list(NULL);
    return devices && maxgl_device_choose(devices, selectors, NULL, NULL) >= 0;
}

static void close_context(gpointer context)
{
    maxgl_context_close(context);
}

GPtrArray *maxgl_contexts_open(const char *selectors, GError **error)
{
    const char *text = selectors ? selectors : g_getenv("MAXGL_DEVICE");
    g_autoptr(GPtrArray) contexts = g_ptr_array_new_with_free_func(close_context);
    if (means_one(text))
        return open_whole(selectors, contexts, error) ? g_steal_pointer(&contexts) : NULL;
    g_auto(GStrv) each = g_strsplit(text, ",", -1);
    for (char **s = each; *s; s++) {
        if (*g_strstrip(*s) == '\0') {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "\"%s\": a device is missing", text);
            return NULL;
        }
        if (!open_more(*s, contexts, error))
            return NULL;
        if (contexts->len > MAXGL_MAX_DEVICES) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "\"%s\": more than %d devices", text,
                        MAXGL_MAX_DEVICES);
            return NULL;
        }
    }
    share_memory(contexts);
    return g_steal_pointer(&contexts);
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
    if (context->part)
        clReleaseDevice(context->part);
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
