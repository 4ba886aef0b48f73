/* Where tensors lie in memory when not all of them live at the same time. */
#ifndef MAXGL_NET_MEMORY_PLAN_H
#define MAXGL_NET_MEMORY_PLAN_H

#include "compute/buffer.h"

/** A plan of blocks of memory, each needed from one step to another. Pure arithmetic until allocated. */
typedef struct MaxglMemoryPlan MaxglMemoryPlan;

/** @alignment: bytes, of each block's start; @slab_limit: the most bytes in one allocation. */
MaxglMemoryPlan *maxgl_memory_plan_new(gsize alignment, gsize slab_limit);
void maxgl_memory_plan_free(MaxglMemoryPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglMemoryPlan, maxgl_memory_plan_free)

/** Asks for @bytes that must keep their contents from step @first to step @last, both included. @name
 * (copied) is for errors. Returns: the block's number. */
guint maxgl_memory_plan_add(MaxglMemoryPlan *plan, gsize bytes, int first, int last, const char *name);

/** Makes a block live until step @last too, and from step @first on. */
void maxgl_memory_plan_extend(MaxglMemoryPlan *plan, guint block, int first, int last);

/** Places the blocks one after the other, each at the lowest place that is free during its life (first fit),
 * in several orders, and keeps the placement that takes least. MAXGL_ERROR_LIMIT if one block alone exceeds
 * the limit of a slab. */
gboolean maxgl_memory_plan_solve(MaxglMemoryPlan *plan, GError **error);

/** After solving: number of slabs, bytes of one, bytes of all; a block's slab and offset. */
guint maxgl_memory_plan_slabs(const MaxglMemoryPlan *plan);
gsize maxgl_memory_plan_slab_bytes(const MaxglMemoryPlan *plan, guint slab);
gsize maxgl_memory_plan_bytes(const MaxglMemoryPlan *plan);
void maxgl_memory_plan_place(const MaxglMemoryPlan *plan, guint block, guint *slab, gsize *offset);

/** Whether a block must keep its contents at step @time; its bytes, rounded up; the time when most bytes
 * live: no placement can do with less than live then. */
gboolean maxgl_memory_plan_lives(const MaxglMemoryPlan *plan, guint block, int time);
gsize maxgl_memory_plan_block_bytes(const MaxglMemoryPlan *plan, guint block);
int maxgl_memory_plan_busiest(const MaxglMemoryPlan *plan);

/** Allocates the slabs, zeroed. MAXGL_ERROR_LIMIT (the need of the whole plan is said) or _DEVICE. They are
 * given back with the plan. */
gboolean maxgl_memory_plan_allocate(MaxglMemoryPlan *plan, MaxglContext *context, const char *what,
                                    GError **error);

/** The window of a block; belongs to the plan. */
cl_mem maxgl_memory_plan_window(const MaxglMemoryPlan *plan, guint block);

#endif
