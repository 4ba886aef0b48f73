/* One kind of convolution under tuning: its passes, what they should give, how long they take. Inside
 * tune*.c. */
#ifndef MAXGL_BENCH_TUNE_CONV3D_H
#define MAXGL_BENCH_TUNE_CONV3D_H

#include "bench/material.h"
#include "net/precision.h"
#include "ops/conv3d.h"

#define MAXGL_TUNE_PASSES 3

/** "forward", "backward_data", "backward_weights": as tuning entries call them. */
extern const char *const maxgl_tune_pass_names[MAXGL_TUNE_PASSES];

/** A kind: layers that are the same convolution. */
typedef struct {
    const char *name; /**< of the first layer, owned by the network */
    MaxglConv3d conv;
    gboolean first; /**< its input is the clip, which has no gradient */
    int count;
} MaxglTuneKind;

/** Those of @resnet, the costliest first; stored as a network of that precision stores them. */
GArray *maxgl_tune_kinds(MaxglContext *context, const MaxglResnet *resnet, int batch,
                         MaxglPrecision precision);

/** Whether layers of this kind have the pass. */
gboolean maxgl_tune_has_pass(const MaxglTuneKind *kind, MaxglConv3dPass pass);

/** A kind with its buffers. */
typedef struct {
    const MaxglTuneKind *kind;
    MaxglMaterial *material;
    MaxglTensor x, y, dy, dx;
    cl_mem weights, dw;
    float *expected[MAXGL_TUNE_PASSES]; /**< what each pass gave first */
} MaxglTuneWork;

gboolean maxgl_tune_work_init(MaxglTuneWork *work, const MaxglTuneKind *kind, MaxglContext *context,
                              GError **error);
void maxgl_tune_work_clear(MaxglTuneWork *work);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(MaxglTuneWork, maxgl_tune_work_clear)

typedef enum { MAXGL_TUNE_GOOD, MAXGL_TUNE_SLOW, MAXGL_TUNE_WRONG, MAXGL_TUNE_IMPOSSIBLE } MaxglTuneVerdict;

/**
 * Runs a pass as the context's tuning database has it now. The first result is kept; later ones that differ
 * from it are wrong. *@seconds: the shortest of a few runs; given up after the first if that takes longer
 * than
 * @most. FALSE: it was interrupted, or the first run of all failed.
 */
gboolean maxgl_tune_measure(MaxglTuneWork *work, MaxglConv3dPass pass, double most, double *seconds,
                            MaxglTuneVerdict *verdict, GError **error);

/** Appends a pass to @sequence; with @work's buffers, which are NULL where the sequence is dry. */
gboolean maxgl_tune_append(const MaxglTuneWork *work, MaxglConv3dPass pass, cl_mem workspace,
                           MaxglSequence *sequence, GError **error);

/** Bytes of its workspace. */
gsize maxgl_tune_workspace(MaxglContext *context, const MaxglConv3d *conv, MaxglConv3dPass pass);

#endif
