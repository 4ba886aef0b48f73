#include "ops/clip_plan.h"

#include <math.h>
#include <string.h>

_Static_assert(CLIP_BLUR_RADIUS == 3 * MAXGL_CLIP_BLUR_MAX, "the kernels have room for the widest blur");

static gboolean view_validate(const MaxglClipView *v, GError **error)
{
    const float all[] = {v->x, v->y, v->width, v->height, v->brightness, v->contrast, v->saturation, v->hue};
    gboolean finite = TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
        finite = finite && isfinite(all[i]);
    if (!finite || v->width <= 0 || v->height <= 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "view: a box of %g × %g at (%g, %g): sides must be above 0 and everything finite",
                    (double)v->width, (double)v->height, (double)v->x, (double)v->y);
        return FALSE;
    }
    if (v->brightness < 0 || v->contrast < 0 || v->saturation < 0 || fabsf(v->hue) > 0.5F) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "view: brightness %g, contrast %g, saturation %g must not be below 0, hue %g must be "
                    "within −0.5 … 0.5",
                    (double)v->brightness, (double)v->contrast, (double)v->saturation, (double)v->hue);
        return FALSE;
    }
    if (!(v->blur >= 0 && v->blur <= MAXGL_CLIP_BLUR_MAX)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "view: a blur of %g pixels must be within 0 … %d",
                    (double)v->blur, MAXGL_CLIP_BLUR_MAX);
        return FALSE;
    }
    return TRUE;
}

/* The taps of a part, and which samples they need. */
static void part_init(MaxglClipPart *part, const MaxglClipPreparerOptions *options,
                      const MaxglFrameLayout *layout, const MaxglClipView *view)
{
    const MaxglClipGrid *grid = &part->grid;
    maxgl_clip_taps_resize(&part->columns, layout->width, view->x, view->width, options->width,
                           options->antialias, view->flip);
    maxgl_clip_taps_resize(&part->rows, layout->height, view->y, view->height, options->height,
                           options->antialias, FALSE);
    if (grid->halved) {
        MaxglClipTaps columns = part->columns, rows = part->rows;
        maxgl_clip_taps_halve(&part->columns, &columns, layout->width, MAXGL_SITING_EVEN);
        maxgl_clip_taps_halve(&part->rows, &rows, layout->height, MAXGL_SITING_BETWEEN);
        maxgl_clip_taps_clear(&columns);
        maxgl_clip_taps_clear(&rows);
    }
    part->row_list = maxgl_clip_taps_select(&part->rows, grid->height, &part->samples.rows);

    int first = grid->width - 1, last = 0;
    const gsize n = (gsize)part->columns.outputs * (gsize)part->columns.taps;
    for (gsize i = 0; i < n; i++) {
        first = MIN(first, part->columns.place[i]);
        last = MAX(last, part->columns.place[i]);
    }
    part->first_byte = first * grid->step;
    part->row_bytes = (last - first + 1) * grid->step;
    for (gsize i = 0; i < n; i++)
        part->columns.place[i] = (part->columns.place[i] - first) * grid->step;
}

/* Room for the tables of @taps, @outputs of them (at least as many as there are), from word *@words on. */
static ClipTaps place_tables(const MaxglClipTaps *taps, int outputs, gsize *words)
{
    const gsize n = (gsize)taps->taps * (gsize)outputs;
    const ClipTaps at = {(int)*words, (int)(*words + n), taps->taps};
    *words += 2 * n;
    return at;
}

static void place_blur(MaxglClipPlan *plan, float sigma, gsize *words)
{
    ClipParameters *p = &plan->parameters;
    plan->blur = sigma;
    if (sigma == 0)
        return;
    p->blur_radius = (int)ceil(3 * (double)sigma);
    p->blur_weights = (int)*words + p->blur_radius;
    *words += 2 * (gsize)p->blur_radius + 1;
}

/* Where everything lies: tables, pixels, resized rows. */
static void place_part(MaxglClipPart *part, int frames, gsize *bytes, gsize *floats, int pitch)
{
    ClipSamples *s = &part->samples;
    const MaxglClipGrid *grid = &part->grid;
    const gsize plane_bytes = (gsize)s->rows * (gsize)part->row_bytes;
    s->components = grid->components;
    s->at = (int)(*bytes + (gsize)grid->byte);
    s->next_row = part->row_bytes;
    s->next_component = grid->planes > 1 ? (int)plane_bytes : grid->next_byte;
    s->next_frame = (int)(plane_bytes * (gsize)grid->planes);
    s->resized = (int)*floats;
    *bytes += plane_bytes * (gsize)grid->planes * (gsize)frames;
    *floats += (gsize)s->rows * (gsize)pitch * (gsize)grid->components * (gsize)frames;
}

static void set_components(MaxglClipPlan *plan, const ClipTaps rows[2])
{
    ClipParameters *p = &plan->parameters;
    int c = 0;
    for (int i = 0; i < plan->parts; i++) {
        const ClipSamples *s = &plan->part[i].samples;
        const int size = s->rows * p->pitch;
        for (int k = 0; k < s->components; k++)
            p->component[c++] = (ClipComponent){s->resized + k * size, s->components * size, rows[i]};
    }
    for (; c < 3; c++) /* grey: the matrix ignores them */
        p->component[c] = p->component[0];
}

static void set_colours(ClipParameters *p, const MaxglClipPreparerOptions *options,
                        const MaxglFrameLayout *layout, const MaxglClipView *view)
{
    maxgl_clip_layout_matrix(layout, p->matrix);
    p->brightness = view->brightness;
    p->contrast = view->contrast;
    p->saturation = view->saturation;
    p->hue = view->hue;
    p->grey = view->grey;
    for (int c = 0; c < 3; c++) {
        p->scale[c] = (float)(1 / (double)options->std[c]);
        p->shift[c] = (float)(-(double)options->mean[c] / (double)options->std[c]);
    }
}

gboolean maxgl_clip_plan_init(MaxglClipPlan *plan, const MaxglClipPreparerOptions *options, int vector,
                              const MaxglFrameLayout *layout, const MaxglClipView *view, GError **error)
{
    memset(plan, 0, sizeof *plan);
    if (!maxgl_clip_layout_validate(layout, error) || !view_validate(view, error))
        return FALSE;
    ClipParameters *p = &plan->parameters;
    p->frames = options->frames;
    p->height = options->height;
    p->width = options->width;
    p->pitch = (options->width + vector - 1) / vector * vector;
    set_colours(p, options, layout, view);

    MaxglClipGrid grids[2];
    ClipTaps rows[2];
    gsize words = 0;
    plan->parts = maxgl_clip_layout_grids(layout, grids);
    for (int i = 0; i < plan->parts; i++) {
        MaxglClipPart *part = &plan->part[i];
        part->grid = grids[i];
        part_init(part, options, layout, view);
        part->samples.columns = place_tables(&part->columns, p->pitch, &words);
        rows[i] = place_tables(&part->rows, options->height, &words);
    }
    place_blur(plan, view->blur, &words);
    plan->bytes = words * 4;
    for (int i = 0; i < plan->parts; i++)
        place_part(&plan->part[i], options->frames, &plan->bytes, &plan->resized_floats, p->pitch);
    if (plan->bytes > G_MAXINT32 || plan->resized_floats > G_MAXINT32) {
        g_set_error(
            error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
            "clip of %d frames of %d × %d: needs %" G_GSIZE_FORMAT " bytes of pixels and %" G_GSIZE_FORMAT
            " resized samples, the limit of each is %d: use fewer frames or smaller ones",
            options->frames, layout->width, layout->height, plan->bytes, plan->resized_floats, G_MAXINT32);
        return FALSE;
    }
    set_components(plan, rows);
    return TRUE;
}

void maxgl_clip_plan_clear(MaxglClipPlan *plan)
{
    for (int i = 0; i < 2; i++) {
        maxgl_clip_taps_clear(&plan->part[i].columns);
        maxgl_clip_taps_clear(&plan->part[i].rows);
        g_clear_pointer(&plan->part[i].row_list, g_free);
    }
}

/* Tap k of output o goes to entry k·@pitch + o; outputs past the end repeat the last. */
static void write_columns(const MaxglClipTaps *taps, ClipTaps at, int pitch, gint32 *places, float *weights)
{
    for (int k = 0; k < taps->taps; k++)
        for (int x = 0; x < pitch; x++) {
            const int from = MIN(x, taps->outputs - 1) * taps->taps + k;
            places[at.places + k * pitch + x] = taps->place[from];
            weights[at.weights + k * pitch + x] = (float)taps->weight[from];
        }
}

static void write_rows(const MaxglClipTaps *taps, ClipTaps at, gint32 *places, float *weights)
{
    for (int i = 0; i < taps->outputs * taps->taps; i++) {
        places[at.places + i] = taps->place[i];
        weights[at.weights + i] = (float)taps->weight[i];
    }
}

/* A Gaussian that adds up to 1. */
static void write_blur(const MaxglClipPlan *plan, float *weights)
{
    const int radius = plan->parameters.blur_radius;
    const double sigma = plan->blur;
    double total = 0;
    if (radius == 0)
        return;
    for (int k = -radius; k <= radius; k++)
        total += exp(-0.5 * k * k / (sigma * sigma));
    for (int k = -radius; k <= radius; k++)
        weights[plan->parameters.blur_weights + k] = (float)(exp(-0.5 * k * k / (sigma * sigma)) / total);
}

static void write_pixels(const MaxglClipPart *part, const MaxglFrameLayout *layout, const guint8 *frame,
                         guint8 *to)
{
    const gsize bytes = (gsize)part->row_bytes;
    for (int p = 0; p < part->grid.planes; p++) {
        const int plane = part->grid.plane + p;
        const guint8 *from = frame + layout->offset[plane] + part->first_byte;
        for (int r = 0; r < part->samples.rows; r++, to += bytes)
            memcpy(to, from + (gsize)part->row_list[r] * (gsize)layout->stride[plane], bytes);
    }
}

void maxgl_clip_plan_write(const MaxglClipPlan *plan, const MaxglFrameLayout *layout,
                           const guint8 *const frames[], void *memory)
{
    const ClipParameters *p = &plan->parameters;
    int component = 0;
    write_blur(plan, memory);
    for (int i = 0; i < plan->parts; i++) {
        const MaxglClipPart *part = &plan->part[i];
        const ClipSamples *s = &part->samples;
        write_columns(&part->columns, s->columns, p->pitch, memory, memory);
        write_rows(&part->rows, p->component[component].rows, memory, memory);
        component += s->components;
        guint8 *to = (guint8 *)memory + s->at - part->grid.byte;
        for (int f = 0; f < p->frames; f++)
            write_pixels(part, layout, frames[f], to + (gsize)f * (gsize)s->next_frame);
    }
}
