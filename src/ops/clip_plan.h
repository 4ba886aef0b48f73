/* One clip's preparation, worked out on the host: what the kernels are told and what is sent to the device.
 */
#ifndef MAXGL_OPS_CLIP_PLAN_H
#define MAXGL_OPS_CLIP_PLAN_H

#include "ops/clip_layout.h"
#include "ops/clip_prepare.h"
#include "ops/clip_taps.h"

#include "clip_prepare.clh" /* of cl/: the kernels' own parameters */

/** Of one sampling grid: what of it is needed and how it is resized. */
typedef struct {
    MaxglClipGrid grid;
    MaxglClipTaps columns, rows;
    int first_byte, row_bytes; /**< the part of a row that is sent */
    int *row_list;             /**< picture's numbers of the rows that are sent */
    ClipSamples samples;
} MaxglClipPart;

/** See maxgl_clip_plan_init(). */
typedef struct {
    int parts; /**< 1 or 2 */
    MaxglClipPart part[2];
    ClipParameters parameters;
    float blur;           /**< σ, 0: none */
    gsize bytes;          /**< of the memory that maxgl_clip_plan_write() fills */
    gsize resized_floats; /**< of the kernels' scratch memory */
} MaxglClipPlan;

/**
 * Plans a clip. @vector: pixels that the kernels handle at once. Clear with maxgl_clip_plan_clear(), also
 * after a failure: MAXGL_ERROR_USAGE for a layout or view out of range, MAXGL_ERROR_LIMIT where the kernels'
 * 32-bit indices would not do.
 */
gboolean maxgl_clip_plan_init(MaxglClipPlan *plan, const MaxglClipPreparerOptions *options, int vector,
                              const MaxglFrameLayout *layout, const MaxglClipView *view, GError **error);

void maxgl_clip_plan_clear(MaxglClipPlan *plan);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MaxglClipPlan, maxgl_clip_plan_clear)

/** Fills plan->bytes bytes at @memory (aligned to 4): tables, then the pixels needed of @frames. */
void maxgl_clip_plan_write(const MaxglClipPlan *plan, const MaxglFrameLayout *layout,
                           const guint8 *const frames[], void *memory);

#endif
