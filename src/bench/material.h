/* Buffers and random numbers that a measurement works on, given back together. */
#ifndef MAXGL_BENCH_MATERIAL_H
#define MAXGL_BENCH_MATERIAL_H

#include "base/random.h"
#include "ops/tensor.h"

typedef struct MaxglMaterial MaxglMaterial;

/** Empty, for @context, which must outlive it. */
MaxglMaterial *maxgl_material_new(MaxglContext *context);
/** Gives back everything that was made with it. */
void maxgl_material_free(MaxglMaterial *material);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglMaterial, maxgl_material_free)

MaxglContext *maxgl_material_context(const MaxglMaterial *material);

/** @n standard normal numbers on the host, other ones for another @salt; they belong to @material. (They
 * repeat after a prime number of a million or so: drawing more would take longer than measuring.) */
float *maxgl_material_random(MaxglMaterial *material, gsize n, guint salt);

/** The same for a tensor of @shape, in PyTorch's order: numbers that its storage holds. */
float *maxgl_material_operand(MaxglMaterial *material, const MaxglShape *shape, guint salt);

/** Device memory of @bytes, undefined. *@buffer is NULL if @bytes is 0. */
gboolean maxgl_material_buffer(MaxglMaterial *material, gsize bytes, cl_mem *buffer, GError **error);

/** The same holding @data. */
gboolean maxgl_material_upload(MaxglMaterial *material, const void *data, gsize bytes, cl_mem *buffer,
                               GError **error);

/** A tensor that holds @data in PyTorch's order, or undefined (NULL). */
gboolean maxgl_material_tensor(MaxglMaterial *material, MaxglShape shape, const float *data,
                               MaxglTensor *tensor, GError **error);

/** A tensor's elements in PyTorch's order, or the first @floats of a buffer: NULL with @error, else they
 * belong to @material. */
const float *maxgl_material_read_tensor(MaxglMaterial *material, const MaxglTensor *tensor, GError **error);
const float *maxgl_material_read(MaxglMaterial *material, cl_mem buffer, gsize floats, GError **error);

#endif
