#include "bench/model.h"

#include <math.h>

/* Instructions that are no multiply-adds, in the inner loops that compilers make (docs/gpus.md): 18 % for
 * float32 tiles; beside matrix instructions others are issued while the units are busy. */
#define ISSUED 0.82
#define ISSUED_BESIDE_UNITS 0.9

/* Bytes from the cache that all cores share, a core and clock: half to two thirds of what a core's port
 * takes; measured ones are between 30 (H100) and 50 (A100). */
#define CACHE_BYTES_A_CLOCK 40.0

#define LAUNCH 5e-6         /* seconds between launches that wait for each other */
#define WORK_ITEMS_WAIT 512 /* of a core: fewer do not hide the time that memory takes */

MaxglModel maxgl_model_of_class(const MaxglDeviceClass *class)
{
    MaxglModel model = {
        .cores = class->cores,
        .flops = class->flops,
        .memory = class->memory,
        .cache = CACHE_BYTES_A_CLOCK * class->cores * class->clock,
        .local = (double)class->local_clock * class->cores * class->clock,
        .launch = LAUNCH,
        .local_memory = (gsize) class->local_kib << 10,
        .registers = class->registers,
    };
    for (int i = 0; i <= MAXGL_FACTORS_TF32; i++)
        model.matrix[i] = class->matrix[i];
    return model;
}

/* What most devices have of each: where nothing else is known. */
static MaxglModel usual_model(MaxglContext *context, const MaxglRoof *roof)
{
    static const char *const names[] = {"speed_fp32", "speed_fp16", "speed_bf16", "speed_tf32"};
    static const int speeds[] = {200, 800, 800, 400};
    const MaxglDeviceInfo *info = context->info;
    const double clock = MAX(info->clock_mhz, 1) * 1e6;
    MaxglModel model = {.cores = (int)info->compute_units,
                        .cache = CACHE_BYTES_A_CLOCK * info->compute_units * clock,
                        .local = 128.0 * info->compute_units * clock,
                        .launch = LAUNCH,
                        .local_memory = info->local_memory,
                        .registers = 65536};
    for (int i = 0; i <= MAXGL_FACTORS_TF32; i++)
        model.matrix[i] =
            roof->flops * maxgl_tuning_int(context->tuning, "mma", NULL, names[i], speeds[i]) / 100;
    return model;
}

gboolean maxgl_model_of_device(MaxglContext *context, MaxglModel *model, GError **error)
{
    MaxglRoof roof = {0};
    const MaxglDeviceClass *class = maxgl_device_class_of(context->info);
    if (!maxgl_roof_measure(context, &roof, error))
        return FALSE;
    *model = class ? maxgl_model_of_class(class) : usual_model(context, &roof);
    model->flops = roof.flops;
    model->memory = roof.copy_bytes;
    return TRUE;
}

/* Work-groups that a core holds at once. */
static double held(const MaxglModel *m, const MaxglWork *w)
{
    const double by_memory = floor((double)m->local_memory / (double)MAX(w->local_bytes, 1));
    const double by_registers = floor((double)m->registers / ((double)w->items * w->registers));
    return MAX(1, MIN(by_memory, by_registers));
}

/* The part of the device's arithmetic that the groups can use. */
static double used(const MaxglModel *m, const MaxglWork *w)
{
    const double of_core = ceil(w->groups / m->cores); /* the busiest core's groups */
    const double balance = w->groups / (of_core * m->cores);
    const double waiting = MIN(held(m, w), of_core) * w->items / WORK_ITEMS_WAIT;
    return balance * MIN(1, 0.5 + 0.5 * waiting) * (w->units ? ISSUED_BESIDE_UNITS : ISSUED);
}

double maxgl_model_time(const MaxglModel *m, const MaxglWork *w)
{
    const double peak = w->units ? m->matrix[w->factors] : m->flops;
    const double arithmetic = MAX(w->flops / peak, w->local_reads / m->local) / used(m, w);
    const double moving = MAX(w->fetched / m->cache, w->bytes / m->memory);
    return w->launches * m->launch + MAX(arithmetic, moving);
}

double maxgl_model_conv3d(const MaxglModel *model, MaxglContext *context, const MaxglConv3d *conv,
                          MaxglConv3dPass pass)
{
    MaxglWork work;
    return maxgl_conv3d_work(context, conv, pass, &work) ? maxgl_model_time(model, &work) : 0;
}
