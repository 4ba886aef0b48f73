#include "ops/clip_prepare.h"

#include "compute/buffer.h"
#include "compute/program.h"
#include "compute/sequence.h"
#include "ops/clip_plan.h"

enum { DEFAULT_STAGING = 2, MAX_STAGING = 4096 };

typedef enum {
    RESIZE_WIDTH,
    GREY_COLUMNS,
    GREY_FRAMES,
    FINISH,
    PLANES,
    BLUR_ROWS,
    BLUR_COLUMNS,
    KERNELS
} KernelIndex;

static const char *const kernel_names[KERNELS] = {"clip_prepare_resize_width", "clip_prepare_grey_columns",
                                                  "clip_prepare_grey_frames",  "clip_prepare_finish",
                                                  "clip_prepare_planes",       "clip_prepare_blur_rows",
                                                  "clip_prepare_blur_columns"};

/* Memory for one clip's tables and pixels, and the last launch that reads them (NULL = free). */
typedef struct {
    cl_mem buffer;
    gsize bytes;
    cl_event busy;
} Slot;

struct MaxglClipPreparer {
    MaxglContext *context;
    MaxglClipPreparerOptions options;
    cl_command_queue transfer; /* so that a clip's pixels do not wait for what is being computed */
    cl_kernel kernels[KERNELS];
    int vector;     /* pixels a work-item handles at once */
    int run, rows;  /* how many times it does so along a row, and in how many rows */
    gsize group[2]; /* work-group: along a row, rows */
    int grey_rows;  /* sums of grey: rows of a work-item */
    int grey_lanes; /* and work-items that add up a frame's */
    Slot *slots;    /* used in turn */
    int next;       /* slot */
    cl_mem resized; /* scratch of the kernels; they run in order, so one does */
    gsize resized_bytes;
    cl_mem sums, frame_sums; /* of grey */
    cl_mem planes, blurred;  /* of clips that are blurred; made for the first */
};

static gboolean options_validate(const MaxglClipPreparerOptions *o, GError **error)
{
    enum { MAX_SIDE = 4096, MAX_BLOCK = 1024 };
    if (o->frames < 1 || o->height < 1 || o->width < 1 || o->frames > MAX_SIDE || o->height > MAX_SIDE ||
        o->width > MAX_SIDE || o->block < 1 || o->block > MAX_BLOCK || o->staging < 0 ||
        o->staging > MAX_STAGING) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "clips of %d × %d × %d in blocks of %d channels with %d staging buffers: sizes must be 1 "
                    "to %d, the block 1 to %d, the buffers 0 to %d",
                    o->frames, o->height, o->width, o->block, o->staging, MAX_SIDE, MAX_BLOCK, MAX_STAGING);
        return FALSE;
    }
    for (int c = 0; c < 3; c++)
        if (!(o->std[c] > 0)) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                        "normalisation: std of channel %d is %g, it must be above 0", c, (double)o->std[c]);
            return FALSE;
        }
    return TRUE;
}

static int grey_bands(const MaxglClipPreparer *p)
{
    return (p->options.height + p->grey_rows - 1) / p->grey_rows;
}

static gboolean build_kernels(MaxglClipPreparer *p, GError **error)
{
    const MaxglTuning *tuning = p->context->tuning;
    const char *name = "clip_prepare";
    p->vector = maxgl_tuning_int(tuning, name, NULL, "vector", 1);
    p->run = MAX(maxgl_tuning_int(tuning, name, NULL, "run", 1), 1);
    p->rows = MAX(maxgl_tuning_int(tuning, name, NULL, "rows", 1), 1);
    p->group[0] = (gsize)MAX(maxgl_tuning_int(tuning, name, NULL, "group_width", 1), 1);
    p->group[1] = (gsize)MAX(maxgl_tuning_int(tuning, name, NULL, "group_height", 1), 1);
    p->grey_rows = maxgl_tuning_int(tuning, name, NULL, "grey_rows", 0);
    if (p->grey_rows < 1 || p->grey_rows > p->options.height)
        p->grey_rows = p->options.height;
    p->grey_lanes = MAX(maxgl_tuning_int(tuning, name, NULL, "grey_lanes", 1), 1);
    g_autofree char *options =
        g_strdup_printf("-DVECTOR=%d -DBLOCK=%d -DLANES=%d", p->vector, p->options.block, p->grey_lanes);
    for (int k = 0; k < KERNELS; k++) {
        p->kernels[k] = maxgl_kernel_new(p->context, "clip_prepare.cl", kernel_names[k], options, error);
        if (!p->kernels[k])
            return FALSE;
        const gsize most = maxgl_kernel_group_limit(p->context, p->kernels[k]);
        const gsize wanted = MAX(p->group[0] * p->group[1], (gsize)p->grey_lanes);
        if (wanted > most) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                        "%s: %s needs work-groups of %" G_GSIZE_FORMAT
                        ", the device's limit is %" G_GSIZE_FORMAT ": tune for this device",
                        p->context->info->name, kernel_names[k], wanted, most);
            return FALSE;
        }
    }
    return TRUE;
}

MaxglClipPreparer *maxgl_clip_preparer_new(MaxglContext *context, const MaxglClipPreparerOptions *options,
                                           GError **error)
{
    if (!options_validate(options, error))
        return NULL;
    g_autoptr(MaxglClipPreparer) p = g_new0(MaxglClipPreparer, 1);
    p->context = context;
    p->options = *options;
    if (p->options.staging == 0)
        p->options.staging = DEFAULT_STAGING;
    p->slots = g_new0(Slot, p->options.staging);
    if (!build_kernels(p, error))
        return NULL;
    cl_int code = CL_SUCCESS;
    p->transfer = clCreateCommandQueue(context->context, context->device, 0, &code);
    if (!maxgl_opencl_check(code, error, "%s: cannot make a transfer queue", context->info->name))
        return NULL;
    const gsize pitch = (gsize)(options->width + p->vector - 1) / (gsize)p->vector * (gsize)p->vector;
    const gsize frames = (gsize)options->frames;
    const gsize bands = (gsize)grey_bands(p);
    p->sums = maxgl_buffer_new(context, bands * frames * pitch * sizeof(float), "sums of grey", error);
    if (!p->sums)
        return NULL;
    p->frame_sums = maxgl_buffer_new(context, frames * sizeof(float), "sums of grey", error);
    return p->frame_sums ? g_steal_pointer(&p) : NULL;
}

/* Waits until the clip that uses the slot has been computed. */
static void slot_wait(Slot *slot)
{
    if (!slot->busy)
        return;
    clWaitForEvents(1, &slot->busy);
    clReleaseEvent(slot->busy);
    slot->busy = NULL;
}

void maxgl_clip_preparer_free(MaxglClipPreparer *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->options.staging; i++) {
        slot_wait(&p->slots[i]);
        maxgl_buffer_free(p->context, p->slots[i].buffer);
    }
    g_free(p->slots);
    maxgl_buffer_free(p->context, p->resized);
    maxgl_buffer_free(p->context, p->sums);
    maxgl_buffer_free(p->context, p->frame_sums);
    maxgl_buffer_free(p->context, p->planes);
    maxgl_buffer_free(p->context, p->blurred);
    for (int k = 0; k < KERNELS; k++)
        if (p->kernels[k])
            clReleaseKernel(p->kernels[k]);
    if (p->transfer)
        clReleaseCommandQueue(p->transfer);
    g_free(p);
}

static gboolean check_output(const MaxglClipPreparerOptions *o, const MaxglTensor *out, int n, GError **error)
{
    const MaxglShape *s = &out->shape;
    if (n >= 0 && n < s->n && s->c == 3 && s->t == o->frames && s->h == o->height && s->w == o->width &&
        s->block == o->block)
        return TRUE;
    g_autofree char *text = maxgl_shape_text(s);
    g_set_error(
        error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
        "clip %d of a tensor of %s in blocks of %d: this preparer writes N×3×%d×%d×%d in blocks of %d", n,
        text, s->block, o->frames, o->height, o->width, o->block);
    return FALSE;
}

/* Sizes grow by half at least, so that videos of rising sizes do not mean an allocation each. */
static gsize grown(gsize have, gsize need)
{
    return MAX(need, MIN(have + have / 2, (gsize)G_MAXINT32));
}

static gboolean make_planes(MaxglClipPreparer *p, const MaxglClipPlan *plan, GError **error)
{
    const ClipParameters *c = &plan->parameters;
    const gsize bytes = 3 * (gsize)c->frames * (gsize)c->height * (gsize)c->pitch * sizeof(float);
    const char *what = "a clip under its blur";
    return (p->planes || (p->planes = maxgl_buffer_new(p->context, bytes, what, error))) &&
           (p->blurred || (p->blurred = maxgl_buffer_new(p->context, bytes, what, error)));
}

static gboolean grow_scratch(MaxglClipPreparer *p, const MaxglClipPlan *plan, GError **error)
{
    const gsize need = plan->resized_floats * sizeof(float);
    if (plan->parameters.blur_radius > 0 && !make_planes(p, plan, error))
        return FALSE;
    if (p->resized && p->resized_bytes >= need)
        return TRUE;
    maxgl_buffer_free(p->context, p->resized);
    p->resized_bytes = grown(p->resized_bytes, need);
    p->resized = maxgl_buffer_new(p->context, p->resized_bytes, "a clip's resized rows", error);
    return p->resized != NULL;
}

static gboolean grow_slot(MaxglClipPreparer *p, Slot *slot, gsize need, GError **error)
{
    if (slot->buffer && slot->bytes >= need)
        return TRUE;
    maxgl_buffer_free(p->context, slot->buffer);
    slot->bytes = grown(slot->bytes, need);
    slot->buffer = maxgl_buffer_new_staging(p->context, slot->bytes, "a clip's pixels", error);
    return slot->buffer != NULL;
}

/* Fills the slot through mapped memory; *@sent happens when the device sees it. */
static gboolean upload(MaxglClipPreparer *p, Slot *slot, const MaxglClipPlan *plan,
                       const MaxglFrameLayout *layout, const guint8 *const frames[], cl_event *sent,
                       GError **error)
{
    cl_int code = CL_SUCCESS;
    void *memory = clEnqueueMapBuffer(p->transfer, slot->buffer, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0,
                                      plan->bytes, 0, NULL, NULL, &code);
    if (!maxgl_opencl_check(code, error, "%s: cannot map a clip's pixels", p->context->info->name))
        return FALSE;
    maxgl_clip_plan_write(plan, layout, frames, memory);
    code = clEnqueueUnmapMemObject(p->transfer, slot->buffer, memory, 0, NULL, sent);
    if (code == CL_SUCCESS)
        code = clFlush(p->transfer);
    return maxgl_opencl_check(code, error, "%s: cannot send a clip's pixels", p->context->info->name);
}

/* A kernel's arguments and launch. Errors stick in code. */
typedef struct {
    MaxglClipPreparer *preparer;
    KernelIndex kernel;
    cl_uint argument;
    cl_int code;
} Launch;

static void pass(Launch *l, gsize bytes, const void *value)
{
    if (l->code == CL_SUCCESS)
        l->code = clSetKernelArg(l->preparer->kernels[l->kernel], l->argument++, bytes, value);
}

static Launch launch_begin(MaxglClipPreparer *p, KernelIndex kernel)
{
    return (Launch){p, kernel, 0, CL_SUCCESS};
}

/* Enqueues @l over @items work-items (rounded up to whole work-groups of @local), after @after if that is not
 * NULL. */
static gboolean launch_end(Launch *l, const gsize items[3], const gsize local[3], const cl_event *after,
                           cl_event *done, GError **error)
{
    MaxglContext *context = l->preparer->context;
    gsize global[3];
    for (int i = 0; i < 3; i++)
        global[i] = (items[i] + local[i] - 1) / local[i] * local[i];
    cl_event event = NULL;
    if (l->code == CL_SUCCESS)
        l->code =
            clEnqueueNDRangeKernel(context->queue, l->preparer->kernels[l->kernel], 3, NULL, global, local,
                                   after ? 1 : 0, after, done || context->profile ? &event : NULL);
    if (!maxgl_opencl_check(l->code, error, "%s: %s", context->info->name, kernel_names[l->kernel]))
        return FALSE;
    if (context->profile)
        maxgl_profile_record(context->profile, kernel_names[l->kernel], event);
    if (done)
        *done = event;
    else if (event)
        clReleaseEvent(event);
    return TRUE;
}

static gsize pieces(int size, int each)
{
    return (gsize)(size + each - 1) / (gsize)each;
}

/* Passes the tables: as places and as weights. */
static void pass_tables(Launch *l, const Slot *slot)
{
    pass(l, sizeof(cl_mem), &slot->buffer);
    pass(l, sizeof(cl_mem), &slot->buffer);
}

static gboolean launch_resize_width(MaxglClipPreparer *p, const Slot *slot, const MaxglClipPlan *plan,
                                    int part, const cl_event *after, GError **error)
{
    const ClipSamples *s = &plan->part[part].samples;
    const cl_int pitch = plan->parameters.pitch;
    const gsize items[3] = {pieces(pitch, p->vector * p->run), pieces(s->rows, p->rows),
                            (gsize)p->options.frames * (gsize)s->components};
    Launch l = launch_begin(p, RESIZE_WIDTH);
    pass_tables(&l, slot);
    pass(&l, sizeof(cl_mem), &slot->buffer);
    pass(&l, sizeof *s, s);
    pass(&l, sizeof pitch, &pitch);
    pass(&l, sizeof(cl_mem), &p->resized);
    return launch_end(&l, items, (const gsize[3]){p->group[0], p->group[1], 1}, after, NULL, error);
}

/* The mean of grey, which contrast turns about: sums over bands of rows, then over bands and columns; finish
 * adds the frames. */
static gboolean launch_grey(MaxglClipPreparer *p, const Slot *slot, const MaxglClipPlan *plan, GError **error)
{
    const ClipParameters *parameters = &plan->parameters;
    const cl_int width = parameters->width, pitch = parameters->pitch, frames = parameters->frames,
                 bands = grey_bands(p), band_rows = p->grey_rows;
    const gsize lanes = (gsize)p->grey_lanes;
    Launch columns = launch_begin(p, GREY_COLUMNS);
    pass(&columns, sizeof(cl_mem), &p->resized);
    pass_tables(&columns, slot);
    pass(&columns, sizeof *parameters, parameters);
    pass(&columns, sizeof band_rows, &band_rows);
    pass(&columns, sizeof(cl_mem), &p->sums);
    Launch rows = launch_begin(p, GREY_FRAMES);
    pass(&rows, sizeof(cl_mem), &p->sums);
    pass(&rows, sizeof frames, &frames);
    pass(&rows, sizeof bands, &bands);
    pass(&rows, sizeof width, &width);
    pass(&rows, sizeof pitch, &pitch);
    pass(&rows, sizeof(cl_mem), &p->frame_sums);
    return launch_end(&columns, (const gsize[3]){pieces(pitch, p->vector), (gsize)frames, (gsize)bands},
                      (const gsize[3]){p->group[0], 1, 1}, NULL, NULL, error) &&
           launch_end(&rows, (const gsize[3]){(gsize)frames * lanes, 1, 1}, (const gsize[3]){lanes, 1, 1},
                      NULL, NULL, error);
}

/* Enqueues @l, which writes @pictures pictures of the output's size. */
static gboolean launch_pictures(Launch *l, const ClipParameters *parameters, int pictures, cl_event *done,
                                GError **error)
{
    const MaxglClipPreparer *p = l->preparer;
    const gsize items[3] = {pieces(parameters->width, p->vector * p->run),
                            pieces(parameters->height, p->rows), (gsize)pictures};
    return launch_end(l, items, (const gsize[3]){p->group[0], p->group[1], 1}, NULL, done, error);
}

/* Begins @kernel, one of those that take resized rows to colours. */
static Launch launch_colours(MaxglClipPreparer *p, KernelIndex kernel, const Slot *slot,
                             const ClipParameters *parameters)
{
    Launch l = launch_begin(p, kernel);
    pass(&l, sizeof(cl_mem), &p->resized);
    pass_tables(&l, slot);
    pass(&l, sizeof *parameters, parameters);
    pass(&l, sizeof(cl_mem), &p->frame_sums);
    return l;
}

/* Begins @kernel, one of those that blur @from. */
static Launch launch_blur(MaxglClipPreparer *p, KernelIndex kernel, const Slot *slot,
                          const ClipParameters *parameters, const cl_mem *from)
{
    Launch l = launch_begin(p, kernel);
    pass(&l, sizeof(cl_mem), from);
    pass(&l, sizeof(cl_mem), &slot->buffer);
    pass(&l, sizeof *parameters, parameters);
    return l;
}

/* What is left to do once rows are resized and the mean of grey is known. */
static gboolean launch_finish(MaxglClipPreparer *p, const Slot *slot, const ClipParameters *parameters,
                              const MaxglTensor *out, int n, cl_event *done, GError **error)
{
    const cl_ulong sample = (cl_ulong)n * (maxgl_shape_floats(&out->shape) / (gsize)out->shape.n);
    const int frames = parameters->frames;
    Launch last;
    if (parameters->blur_radius == 0) {
        last = launch_colours(p, FINISH, slot, parameters);
    } else {
        Launch planes = launch_colours(p, PLANES, slot, parameters);
        pass(&planes, sizeof(cl_mem), &p->planes);
        Launch rows = launch_blur(p, BLUR_ROWS, slot, parameters, &p->planes);
        pass(&rows, sizeof(cl_mem), &p->blurred);
        if (!launch_pictures(&planes, parameters, frames, NULL, error) ||
            !launch_pictures(&rows, parameters, 3 * frames, NULL, error))
            return FALSE;
        last = launch_blur(p, BLUR_COLUMNS, slot, parameters, &p->blurred);
    }
    pass(&last, sizeof(cl_mem), &out->buffer);
    pass(&last, sizeof sample, &sample);
    return launch_pictures(&last, parameters, frames, done, error);
}

static gboolean enqueue(MaxglClipPreparer *p, Slot *slot, const MaxglClipPlan *plan, cl_event sent,
                        const MaxglTensor *out, int n, GError **error)
{
    for (int i = 0; i < plan->parts; i++)
        if (!launch_resize_width(p, slot, plan, i, i == 0 ? &sent : NULL, error))
            return FALSE;
    if (plan->parameters.contrast != 1.0F && !launch_grey(p, slot, plan, error))
        return FALSE;
    return launch_finish(p, slot, &plan->parameters, out, n, &slot->busy, error);
}

gboolean maxgl_clip_preparer_run_frames(MaxglClipPreparer *p, const MaxglFrameLayout *layout,
                                        const MaxglClipView *view, const guint8 *const frames[],
                                        const MaxglTensor *out, int n, GError **error)
{
    g_auto(MaxglClipPlan) plan = {0};
    if (!check_output(&p->options, out, n, error) ||
        !maxgl_clip_plan_init(&plan, &p->options, p->vector, layout, view, error))
        return FALSE;
    Slot *slot = &p->slots[p->next];
    p->next = (p->next + 1) % p->options.staging;
    slot_wait(slot);
    cl_event sent = NULL;
    if (!grow_scratch(p, &plan, error) || !grow_slot(p, slot, plan.bytes, error) ||
        !upload(p, slot, &plan, layout, frames, &sent, error))
        return FALSE;
    const gboolean ok = enqueue(p, slot, &plan, sent, out, n, error);
    clReleaseEvent(sent);
    clFlush(p->context->queue);
    if (!ok)
        clFinish(p->context->queue); /* what was enqueued still reads the slot */
    return ok;
}

gboolean maxgl_clip_preparer_run(MaxglClipPreparer *p, const MaxglFrameLayout *layout,
                                 const MaxglClipView *view, const guint8 *frames, const MaxglTensor *out,
                                 int n, GError **error)
{
    g_autofree const guint8 **each = g_new(const guint8 *, p->options.frames);
    for (int f = 0; f < p->options.frames; f++)
        each[f] = frames + (gsize)f * layout->frame_bytes;
    return maxgl_clip_preparer_run_frames(p, layout, view, each, out, n, error);
}
