/* Matrix units: which ones a device has, as kernels of cl/mma.clh are told. */
#ifndef MAXGL_OPS_MMA_H
#define MAXGL_OPS_MMA_H

#include "compute/context.h"
#include "ops/tensor.h"

/** What is multiplied; sums are floats. The numbers are those of FACTORS in cl/mma.clh. */
typedef enum {
    MAXGL_FACTORS_FP32,
    MAXGL_FACTORS_FP16,
    MAXGL_FACTORS_BF16,
    MAXGL_FACTORS_TF32, /**< floats rounded to 11 digits */
} MaxglFactors;

/** "fp32", "fp16", "bf16" or "tf32". */
const char *maxgl_factors_name(MaxglFactors factors);

/** How numbers that are factors are stored. */
MaxglStorage maxgl_factors_storage(MaxglFactors factors);

/** Numbers in a piece of 16 bytes. */
static inline int maxgl_factors_piece(MaxglFactors factors)
{
    return factors == MAXGL_FACTORS_FP16 || factors == MAXGL_FACTORS_BF16 ? 8 : 4;
}

/** One family of instructions. */
typedef struct {
    const char *name;           /**< "mma.sync sm_80", … */
    int units, generation;      /**< UNITS and GENERATION of cl/mma.clh */
    guint factors;              /**< bit 1 << MaxglFactors for each that it multiplies */
    int lanes;                  /**< work-items of a wave */
    int fragment_m, fragment_n; /**< rows and columns of an instruction's result */
    int substeps;               /**< a wave takes a step of depth in so many parts */
    gboolean can_read_blocks;   /**< a wave's part of A may come from global memory: BLOCK_READS */
    int wave_m, wave_n;         /**< those of a wave's part, unless the tuning database says otherwise */
} MaxglMma;

/**
 * The matrix instructions that @context's device is to multiply @factors with; NULL if there are none that
 * do so rightly (see maxgl_mma_is_right()). @emulated: whether they are worked out by ordinary ones. That is
 * for tests, and asked for by the tuning database: kernel "mma", parameter "emulate", one of
 * maxgl_mma_names().
 */
const MaxglMma *maxgl_mma_of(MaxglContext *context, MaxglFactors factors, gboolean *emulated);

/** Words for "emulate", ended by NULL: "sm_75", "sm_80", "gfx908", "gfx90a", "gfx11", "gfx12", "xe16", "xe8".
 */
const char *const *maxgl_mma_names(void);

#endif
