#include "compute/sequence.h"

#include "base/progress.h"
#include "compute/program.h"
#include <string.h>

typedef enum { STEP_KERNEL, STEP_ZERO, STEP_COPY, STEP_CALL } StepKind;

typedef struct {
    StepKind kind;
    char *label;
    cl_kernel kernel;
    cl_uint dims;
    size_t global[3], local[3];
    gboolean has_local;
    cl_mem from, to;
    size_t from_offset, to_offset, bytes;
    MaxglSequenceCall call;
    gpointer data;
    GDestroyNotify free_data;
    GPtrArray *held; /* buffers kept alive */
} Step;

struct MaxglSequence {
    MaxglContext *context;
    GPtrArray *steps;
    gboolean dry;
    gboolean has_run;
};

static void step_free(Step *step)
{
    if (step->kernel)
        clReleaseKernel(step->kernel);
    g_clear_pointer(&step->held, g_ptr_array_unref);
    if (step->free_data)
        step->free_data(step->data);
    g_free(step->label);
    g_free(step);
}

static void release_buffer(gpointer buffer)
{
    clReleaseMemObject(buffer);
}

static Step *step_new(StepKind kind, const char *label)
{
    Step *step = g_new0(Step, 1);
    step->kind = kind;
    step->label = g_strdup(label);
    step->held = g_ptr_array_new_with_free_func(release_buffer);
    return step;
}

static void step_hold(Step *step, cl_mem buffer)
{
    if (!buffer)
        return;
    clRetainMemObject(buffer);
    g_ptr_array_add(step->held, buffer);
}

MaxglSequence *maxgl_sequence_new(MaxglContext *context)
{
    MaxglSequence *sequence = g_new0(MaxglSequence, 1);
    sequence->context = context;
    sequence->steps = g_ptr_array_new_with_free_func((GDestroyNotify)step_free);
    return sequence;
}

MaxglSequence *maxgl_sequence_new_dry(MaxglContext *context)
{
    MaxglSequence *sequence = maxgl_sequence_new(context);
    sequence->dry = TRUE;
    return sequence;
}

void maxgl_sequence_free(MaxglSequence *sequence)
{
    if (!sequence)
        return;
    g_ptr_array_unref(sequence->steps);
    g_free(sequence);
}

MaxglContext *maxgl_sequence_context(MaxglSequence *sequence)
{
    return sequence->context;
}

guint maxgl_sequence_length(const MaxglSequence *sequence)
{
    return sequence->steps->len;
}

static gboolean bind_arguments(Step *step, const char *types, va_list args, GError **error)
{
    for (cl_uint i = 0; types[i]; i++) {
        cl_int code = CL_SUCCESS;
        switch (types[i]) {
        case 'm': {
            cl_mem buffer = va_arg(args, cl_mem);
            step_hold(step, buffer);
            code = clSetKernelArg(step->kernel, i, sizeof(cl_mem), buffer ? &buffer : NULL);
            break;
        }
        case 'i': {
            cl_int value = va_arg(args, int);
            code = clSetKernelArg(step->kernel, i, sizeof value, &value);
            break;
        }
        case 'u': {
            cl_uint value = va_arg(args, guint32);
            code = clSetKernelArg(step->kernel, i, sizeof value, &value);
            break;
        }
        case 'f': {
            cl_float value = (cl_float)va_arg(args, double);
            code = clSetKernelArg(step->kernel, i, sizeof value, &value);
            break;
        }
        case 'l': {
            gsize bytes = va_arg(args, gsize);
            code = clSetKernelArg(step->kernel, i, bytes, NULL);
            break;
        }
        default:
            g_assert_not_reached();
        }
        if (!maxgl_opencl_check(code, error, "%s: argument %u ('%c')", step->label, i, types[i]))
            return FALSE;
    }
    return TRUE;
}

static gboolean check_limits(MaxglContext *context, const Step *step, GError **error)
{
    const gsize group = maxgl_kernel_group_limit(context, step->kernel);
    const gsize local_bytes = maxgl_kernel_local_bytes(context, step->kernel);
    size_t items = step->has_local ? 1 : 0;
    for (cl_uint i = 0; step->has_local && i < step->dims; i++)
        items *= step->local[i];
    if (items <= group && local_bytes <= context->info->local_memory)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                "%s: %s needs work-groups of %" G_GSIZE_FORMAT " and %" G_GSIZE_FORMAT
                " bytes of local memory, the device's limits are %" G_GSIZE_FORMAT " and %" G_GUINT64_FORMAT
                ": tune for this device",
                context->info->name, step->label, items, local_bytes, group, context->info->local_memory);
    return FALSE;
}

gboolean maxgl_sequence_add(MaxglSequence *sequence, const MaxglLaunch *launch, GError **error,
                            const char *types, ...)
{
    MaxglContext *context = sequence->context;
    if (context->listed)
        maxgl_program_note(context, launch->file, launch->kernel, launch->options ? launch->options : "",
                           launch->local[0] * MAX(launch->local[1], 1) * MAX(launch->local[2], 1));
    if (sequence->dry || context->listed)
        return TRUE;
    Step *step = step_new(STEP_KERNEL, launch->label ? launch->label : launch->kernel);
    step->dims = (cl_uint)launch->dims;
    for (int i = 0; i < 3; i++) {
        step->global[i] = launch->global[i];
        step->local[i] = launch->local[i];
    }
    step->has_local = launch->local[0] != 0;
    step->kernel = maxgl_kernel_new(context, launch->file, launch->kernel,
                                    launch->options ? launch->options : "", error);
    gboolean ok = step->kernel != NULL;
    if (ok) {
        va_list args;
        va_start(args, types);
        ok = bind_arguments(step, types, args, error);
        va_end(args);
    }
    if (!ok || !check_limits(context, step, error)) {
        step_free(step);
        return FALSE;
    }
    g_ptr_array_add(sequence->steps, step);
    return TRUE;
}

gboolean maxgl_sequence_add_zero(MaxglSequence *sequence, cl_mem buffer, gsize offset, gsize bytes,
                                 GError **error)
{
    if (bytes % 4 != 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "zeroing %" G_GSIZE_FORMAT " bytes: not a multiple of 4", bytes);
        return FALSE;
    }
    Step *step = step_new(STEP_ZERO, "zero");
    step_hold(step, buffer);
    step->to = buffer;
    step->to_offset = offset;
    step->bytes = bytes;
    g_ptr_array_add(sequence->steps, step);
    return TRUE;
}

gboolean maxgl_sequence_add_copy(MaxglSequence *sequence, cl_mem from, gsize from_offset, cl_mem to,
                                 gsize to_offset, gsize bytes, GError **error)
{
    (void)error;
    Step *step = step_new(STEP_COPY, "copy");
    step_hold(step, from);
    step_hold(step, to);
    step->from = from;
    step->from_offset = from_offset;
    step->to = to;
    step->to_offset = to_offset;
    step->bytes = bytes;
    g_ptr_array_add(sequence->steps, step);
    return TRUE;
}

void maxgl_sequence_add_call(MaxglSequence *sequence, const char *label, MaxglSequenceCall call,
                             gpointer data, GDestroyNotify free_data)
{
    Step *step = step_new(STEP_CALL, label);
    step->call = call;
    step->data = data;
    step->free_data = free_data;
    g_ptr_array_add(sequence->steps, step);
}

typedef struct {
    guint calls;
    double seconds;
} Times;

GHashTable *maxgl_profile_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static int compare_times(gconstpointer a, gconstpointer b, gpointer profile)
{
    const Times *x = g_hash_table_lookup(profile, a), *y = g_hash_table_lookup(profile, b);
    return x->seconds < y->seconds ? 1 : -1;
}

void maxgl_profile_print(GHashTable *profile)
{
    g_autoptr(GList) labels = g_list_sort_with_data(g_hash_table_get_keys(profile), compare_times, profile);
    double total = 0;
    for (GList *l = labels; l; l = l->next)
        total += ((Times *)g_hash_table_lookup(profile, l->data))->seconds;
    for (GList *l = labels; l; l = l->next) {
        const Times *t = g_hash_table_lookup(profile, l->data);
        g_printerr("%10.3f ms %5.1f %% %7u × %9.3f ms  %s\n", t->seconds * 1e3, 100 * t->seconds / total,
                   t->calls, t->seconds * 1e3 / t->calls, (const char *)l->data);
    }
}

void maxgl_profile_record(GHashTable *profile, const char *label, cl_event event)
{
    cl_ulong start = 0, end = 0;
    clWaitForEvents(1, &event);
    clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
    clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
    Times *times = g_hash_table_lookup(profile, label);
    if (!times) {
        times = g_new0(Times, 1);
        g_hash_table_insert(profile, g_strdup(label), times);
    }
    times->calls++;
    times->seconds += (double)(end - start) * 1e-9;
}

static cl_int enqueue(MaxglContext *context, const Step *step, cl_event *event)
{
    static const cl_uint zero = 0;
    switch (step->kind) {
    case STEP_KERNEL:
        return clEnqueueNDRangeKernel(context->queue, step->kernel, step->dims, NULL, step->global,
                                      step->has_local ? step->local : NULL, 0, NULL, event);
    case STEP_ZERO:
        return clEnqueueFillBuffer(context->queue, step->to, &zero, sizeof zero, step->to_offset, step->bytes,
                                   0, NULL, event);
    case STEP_COPY:
        return clEnqueueCopyBuffer(context->queue, step->from, step->to, step->from_offset, step->to_offset,
                                   step->bytes, 0, NULL, event);
    case STEP_CALL:
        break;
    }
    return CL_SUCCESS;
}

/* PoCL compiles a kernel when it runs for the first time. So as long as somebody watches, each is waited for
 * then, and once that takes more than a second a bar says what is going on. */
static void show_first_run(const MaxglSequence *sequence, guint done, const char *label, gint64 start,
                           MaxglProgress **progress)
{
    clFinish(sequence->context->queue);
    if (g_get_monotonic_time() - start < G_USEC_PER_SEC)
        return;
    if (!*progress)
        *progress = maxgl_progress_new("first run of the kernels", sequence->steps->len);
    maxgl_progress_set(*progress, done, "%s", label);
}

gboolean maxgl_sequence_run(MaxglSequence *sequence, GError **error)
{
    MaxglContext *context = sequence->context;
    g_return_val_if_fail(!sequence->dry, FALSE);
    if (context->listed)
        return TRUE;
    g_autoptr(MaxglProgress) progress = NULL;
    const gint64 start = g_get_monotonic_time();
    const gboolean watched =
        !sequence->has_run && context->info->vendor == MAXGL_VENDOR_POCL && maxgl_program_shows_progress();
    if (context->building)
        maxgl_program_progress_done(context);
    sequence->has_run = TRUE;
    for (guint i = 0; i < sequence->steps->len; i++) {
        Step *step = g_ptr_array_index(sequence->steps, i);
        if (step->kind == STEP_CALL) {
            if (!step->call(context, step->data, error)) {
                g_prefix_error(error, "%s: ", step->label);
                return FALSE;
            }
            continue;
        }
        cl_event event = NULL;
        cl_int code = enqueue(context, step, context->profile ? &event : NULL);
        if (!maxgl_opencl_check(code, error, "%s: %s", context->info->name, step->label))
            return FALSE;
        if (event) {
            maxgl_profile_record(context->profile, step->label, event);
            clReleaseEvent(event);
        }
        if (watched)
            show_first_run(sequence, i + 1, step->label, start, &progress);
    }
    clFlush(context->queue);
    return TRUE;
}
