/* How tensors are cut for operators whose work-items stay on a few channels: by planes, that is the T·H·W
 * pixels of one block of channels of one sample, and planes into chunks of pixels. See cl/plane.clh. */
#ifndef MAXGL_OPS_PLANE_H
#define MAXGL_OPS_PLANE_H

#include "compute/sequence.h"
#include "ops/tensor.h"

typedef struct {
    int vector;        /**< floats of a pixel that a work-item handles */
    int columns;       /**< vectors of a pixel that a work-group handles, side by side */
    int column_groups; /**< work-groups that a pixel's block takes */
    int lanes;         /**< work-items of a group that share a vector: they take every lanes-th pixel */
    int chunk;         /**< pixels of a work-group */
    int chunks;        /**< of a plane */
    int blocks;        /**< of channels */
    char options[96];  /**< for the kernel's build */
} MaxglPlanes;

/** Cuts a tensor of @shape as the tuning database says for @kernel: "vector" floats at once ("elementwise"
 * "vector" if not set), "group" work-items in a work-group (1 = no local memory), "pixels" for each. */
MaxglPlanes maxgl_planes(MaxglContext *context, const char *kernel, const MaxglShape *shape);

/** Sizes of a launch over every chunk of @n samples. */
void maxgl_planes_launch(const MaxglPlanes *planes, int n, MaxglLaunch *launch);

/** The same for @groups work-groups for each of @rows planes, where an operator counts otherwise. */
void maxgl_planes_launch_groups(const MaxglPlanes *planes, gsize groups, gsize rows, MaxglLaunch *launch);

#endif
