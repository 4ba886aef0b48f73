#include "learn/checkpoint.h"

#include "ops/loss_scale.h"

#include <glib/gstdio.h>
#include <math.h>
#include <maxgl/error.h>
#include <string.h>

#define KEY_STEP "maxgl.step"
#define KEY_VIDEOS "maxgl.videos"
#define KEY_PLATEAU "maxgl.plateau"       /* best, sum, bad, drops */
#define KEY_LOSS_SCALE "maxgl.loss_scale" /* scale, good steps, skipped steps */
#define NAME_FORMAT "checkpoint-%06" G_GINT64_FORMAT ".safetensors"

/* PyTorch's names of what an optimiser keeps of a parameter. */
static const char *state_name(const MaxglOptimizer *optimizer, int state)
{
    if (optimizer->kind == MAXGL_OPTIMIZER_SGD || optimizer->kind == MAXGL_OPTIMIZER_LARS)
        return "momentum_buffer";
    return state == 0 ? "exp_avg" : "exp_avg_sq";
}

static char *state_tensor_name(const MaxglTrainingState *state, int which, const MaxglParameter *parameter)
{
    return g_strdup_printf("optimizer.%s.%s", state_name(state->optimizer, which), parameter->name);
}

static gboolean is_learnt(const MaxglParameter *parameter)
{
    return parameter->group != MAXGL_PARAMETER_STATISTIC;
}

const MaxglParameters *maxgl_training_result(const MaxglTrainingState *state)
{
    return state->averages ? state->averages : state->parameters;
}

guint64 maxgl_checkpoint_bytes(const MaxglTrainingState *state)
{
    const guint64 learnt = maxgl_parameters_learnt_floats(state->parameters);
    const guint64 statistics = maxgl_parameters_statistics_floats(state->parameters);
    const guint64 own = state->averages ? 2 : 1; /* of each parameter */
    const guint64 copies = own + (guint64)maxgl_optimizer_states(state->optimizer);
    const guint64 names = (guint64)maxgl_parameters_count(state->parameters) * copies * 160;
    return sizeof(float) * (learnt * copies + statistics * own) + names + 16384;
}

static gboolean add_states(MaxglSafetensorsWriter *writer, const MaxglTrainingState *state, GPtrArray *arrays,
                           GError **error)
{
    for (int s = 0; s < maxgl_optimizer_states(state->optimizer); s++)
        for (guint i = 0; i < maxgl_parameters_count(state->parameters); i++) {
            const MaxglParameter *p = maxgl_parameters_get(state->parameters, i);
            if (!is_learnt(p))
                continue;
            g_autofree char *name = state_tensor_name(state, s, p);
            float *plain = g_new(float, p->count);
            g_ptr_array_add(arrays, plain);
            if (!maxgl_parameters_read_from(state->parameters, state->states[s], i, plain, error))
                return FALSE;
            maxgl_safetensors_writer_add(writer, name, MAXGL_DTYPE_F32, p->rank, p->shape, plain);
        }
    return TRUE;
}

static char *average_name(const MaxglParameter *parameter)
{
    return g_strdup_printf("optimizer.average.%s", parameter->name);
}

static gboolean add_averages(MaxglSafetensorsWriter *writer, const MaxglTrainingState *state,
                             GPtrArray *arrays, GError **error)
{
    for (guint i = 0; state->averages && i < maxgl_parameters_count(state->averages); i++) {
        const MaxglParameter *p = maxgl_parameters_get(state->averages, i);
        g_autofree char *name = average_name(p);
        float *plain = g_new(float, p->count);
        g_ptr_array_add(arrays, plain);
        if (!maxgl_parameters_read(state->averages, i, plain, error))
            return FALSE;
        maxgl_safetensors_writer_add(writer, name, MAXGL_DTYPE_F32, p->rank, p->shape, plain);
    }
    return TRUE;
}

static void set_number(MaxglSafetensorsWriter *writer, const char *key, gint64 number)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, number);
    maxgl_safetensors_writer_set_metadata(writer, key, text);
}

static void set_plateau(MaxglSafetensorsWriter *writer, const MaxglPlateau *plateau)
{
    char best[G_ASCII_DTOSTR_BUF_SIZE], sum[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *text =
        g_strdup_printf("%s %s %d %d", g_ascii_dtostr(best, sizeof best, plateau->best),
                        g_ascii_dtostr(sum, sizeof sum, plateau->sum), plateau->bad, plateau->drops);
    maxgl_safetensors_writer_set_metadata(writer, KEY_PLATEAU, text);
}

static gboolean set_loss_scale(MaxglSafetensorsWriter *writer, const MaxglTrainingState *state,
                               GError **error)
{
    char scale[G_ASCII_DTOSTR_BUF_SIZE];
    MaxglLossScale s;
    if (!state->loss_scale)
        return TRUE;
    if (!maxgl_loss_scale_read(maxgl_parameters_context(state->parameters), state->loss_scale, &s, error))
        return FALSE;
    g_autofree char *text =
        g_strdup_printf("%s %u %u", g_ascii_dtostr(scale, sizeof scale, (double)s.scale), s.good, s.skipped);
    maxgl_safetensors_writer_set_metadata(writer, KEY_LOSS_SCALE, text);
    return TRUE;
}

gboolean maxgl_checkpoint_save(const char *path, const MaxglTrainingState *state,
                               const MaxglTrainingPosition *position, const MaxglModelInfo *info,
                               GError **error)
{
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func(g_free);
    maxgl_model_info_write(info, writer);
    set_number(writer, KEY_STEP, position->step);
    set_number(writer, KEY_VIDEOS, position->videos);
    if (position->plateau.used)
        set_plateau(writer, &position->plateau);
    return maxgl_weights_add(writer, state->resnet, state->parameters, info->naming, &position->step, TRUE,
                             arrays, error) &&
           set_loss_scale(writer, state, error) && add_states(writer, state, arrays, error) &&
           add_averages(writer, state, arrays, error) && maxgl_safetensors_writer_write(writer, path, error);
}

static gboolean get_number(const MaxglSafetensors *file, const char *key, gint64 *number, GError **error)
{
    const char *text = maxgl_safetensors_metadata(file, key);
    if (text && g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, number, NULL))
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                "%s: is no checkpoint of a run: no %s in its metadata", maxgl_safetensors_path(file), key);
    return FALSE;
}

static gboolean parse_double(const char *text, double *number)
{
    char *end;
    *number = g_ascii_strtod(text, &end);
    return end > text && *end == '\0' && !isnan(*number);
}

/* Not used where the file says nothing of it. */
static gboolean get_plateau(const MaxglSafetensors *file, MaxglPlateau *plateau, GError **error)
{
    const char *text = maxgl_safetensors_metadata(file, KEY_PLATEAU);
    *plateau = (MaxglPlateau){.used = text != NULL};
    if (!text)
        return TRUE;
    g_auto(GStrv) parts = g_strsplit(text, " ", -1);
    gint64 bad, drops;
    if (g_strv_length(parts) == 4 && parse_double(parts[0], &plateau->best) &&
        parse_double(parts[1], &plateau->sum) &&
        g_ascii_string_to_signed(parts[2], 10, 0, G_MAXINT, &bad, NULL) &&
        g_ascii_string_to_signed(parts[3], 10, 0, G_MAXINT, &drops, NULL)) {
        plateau->bad = (int)bad;
        plateau->drops = (int)drops;
        return TRUE;
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s is \"%s\"; it should be four numbers",
                maxgl_safetensors_path(file), KEY_PLATEAU, text);
    return FALSE;
}

static gboolean forget_skipped(const MaxglTrainingState *state, GError **error)
{
    MaxglContext *context = maxgl_parameters_context(state->parameters);
    MaxglLossScale s;
    if (!maxgl_loss_scale_read(context, state->loss_scale, &s, error))
        return FALSE;
    s.skipped = 0;
    return maxgl_loss_scale_write(context, state->loss_scale, &s, error);
}

/* @step: steps done, more of which cannot have been skipped. */
static gboolean load_loss_scale(const MaxglSafetensors *file, const MaxglTrainingState *state, gint64 step,
                                GError **error)
{
    const char *text = maxgl_safetensors_metadata(file, KEY_LOSS_SCALE);
    if (!state->loss_scale)
        return TRUE;
    if (!text)
        return forget_skipped(state, error);
    g_auto(GStrv) parts = g_strsplit(text, " ", -1);
    double scale;
    guint64 good, skipped;
    if (g_strv_length(parts) == 3 && parse_double(parts[0], &scale) && scale >= MAXGL_LOSS_SCALE_LEAST &&
        scale <= MAXGL_LOSS_SCALE_MOST &&
        g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXUINT32, &good, NULL) &&
        g_ascii_string_to_unsigned(parts[2], 10, 0, (guint64)MIN(step, G_MAXUINT32), &skipped, NULL)) {
        const MaxglLossScale s = {.scale = (float)scale, .good = (guint32)good, .skipped = (guint32)skipped};
        return maxgl_loss_scale_write(maxgl_parameters_context(state->parameters), state->loss_scale, &s,
                                      error);
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT,
                "%s: %s is \"%s\"; it should be a scale from 1 to 2^30, good steps and, of all, skipped "
                "ones",
                maxgl_safetensors_path(file), KEY_LOSS_SCALE, text);
    return FALSE;
}

/* Into the flat buffer @flat. */
static gboolean load_tensor(const MaxglSafetensors *file, const char *name, const MaxglParameters *parameters,
                            cl_mem flat, guint index, GError **error)
{
    const MaxglParameter *p = maxgl_parameters_get(parameters, index);
    const MaxglSafetensor *tensor = maxgl_safetensors_find(file, name);
    gboolean same = tensor && tensor->dtype == MAXGL_DTYPE_F32 && tensor->rank == p->rank;
    for (int d = 0; same && d < p->rank; d++)
        same = tensor->shape[d] == p->shape[d];
    if (!same) {
        g_autofree char *shape = maxgl_safetensor_shape_text(p->rank, p->shape);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s is %s; it should be F32 %s",
                    maxgl_safetensors_path(file), name, tensor ? "of another type or shape" : "missing",
                    shape);
        return FALSE;
    }
    g_autofree float *plain = g_new(float, p->count);
    maxgl_safetensor_copy_f32(tensor, plain);
    return maxgl_parameters_write_to(parameters, flat, index, plain, error);
}

/* The heads, which a model's reader does not insist on, and the optimiser's states. */
static gboolean load_rest(const MaxglSafetensors *file, const MaxglTrainingState *state, GError **error)
{
    cl_mem values = maxgl_parameters_values(state->parameters);
    for (guint i = 0; i < maxgl_parameters_count(state->parameters); i++) {
        const MaxglParameter *p = maxgl_parameters_get(state->parameters, i);
        if (g_str_has_prefix(p->name, "head.") && is_learnt(p) &&
            !load_tensor(file, p->name, state->parameters, values, i, error))
            return FALSE;
        for (int s = 0; is_learnt(p) && s < maxgl_optimizer_states(state->optimizer); s++) {
            g_autofree char *name = state_tensor_name(state, s, p);
            if (!load_tensor(file, name, state->parameters, state->states[s], i, error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean load_averages(const MaxglSafetensors *file, const MaxglTrainingState *state, GError **error)
{
    for (guint i = 0; state->averages && i < maxgl_parameters_count(state->averages); i++) {
        const MaxglParameter *p = maxgl_parameters_get(state->averages, i);
        g_autofree char *name = average_name(p);
        cl_mem flat = is_learnt(p) ? maxgl_parameters_values(state->averages)
                                   : maxgl_parameters_statistics(state->averages);
        if (!load_tensor(file, name, state->averages, flat, i, error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_checkpoint_load(const char *path, const MaxglTrainingState *state,
                               MaxglTrainingPosition *position, GError **error)
{
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(path, error);
    g_autoptr(MaxglModelInfo) info = file ? maxgl_model_info_of(file, error) : NULL;
    return info && get_number(file, KEY_STEP, &position->step, error) &&
           get_number(file, KEY_VIDEOS, &position->videos, error) &&
           get_plateau(file, &position->plateau, error) &&
           load_loss_scale(file, state, position->step, error) &&
           maxgl_weights_load_from(file, info, state->resnet, state->parameters, NULL, NULL, error) &&
           load_rest(file, state, error) && load_averages(file, state, error);
}

char *maxgl_checkpoint_name(gint64 step)
{
    return g_strdup_printf(NAME_FORMAT, step);
}

static int compare_steps(gconstpointer a, gconstpointer b)
{
    const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
    return (x > y) - (x < y);
}

GArray *maxgl_checkpoint_list(const char *dir)
{
    GArray *steps = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GDir) folder = g_dir_open(dir, 0, NULL);
    const char *name;
    while (folder && (name = g_dir_read_name(folder))) {
        const char *digits = name + strlen("checkpoint-");
        if (!g_str_has_prefix(name, "checkpoint-") || !g_ascii_isdigit(*digits))
            continue;
        const gint64 step = g_ascii_strtoll(digits, NULL, 10);
        g_autofree char *own = maxgl_checkpoint_name(step);
        if (strcmp(own, name) == 0)
            g_array_append_val(steps, step);
    }
    g_array_sort(steps, compare_steps);
    return steps;
}

void maxgl_checkpoint_prune(const char *dir, int keep)
{
    g_autoptr(GArray) steps = maxgl_checkpoint_list(dir);
    for (guint i = 0; i + (guint)keep < steps->len; i++) {
        g_autofree char *name = maxgl_checkpoint_name(g_array_index(steps, gint64, i));
        g_autofree char *path = g_build_filename(dir, name, NULL);
        g_unlink(path);
    }
}
