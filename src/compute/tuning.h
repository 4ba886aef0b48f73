/* Parameters of kernels by device: the tuning database. */
#ifndef MAXGL_COMPUTE_TUNING_H
#define MAXGL_COMPUTE_TUNING_H

#include <maxgl/device.h>

typedef struct MaxglTuning MaxglTuning;

/**
 * The entries that apply to @device: the user's file ($MAXGL_TUNING, or maxgl/tuning.cfg in the user's
 * configuration folder) before the shipped ones of config/devices/. NULL with MAXGL_ERROR_FORMAT naming file
 * and line.
 */
MaxglTuning *maxgl_tuning_load(const MaxglDeviceInfo *device, GError **error);
void maxgl_tuning_free(MaxglTuning *tuning);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglTuning, maxgl_tuning_free)

/**
 * The parameter @name of @kernel ("conv3d_direct", …) for an operator of shape class @shape (NULL = any), or
 * @fallback.
 *
 * Of all entries that match, the most specific one that sets the parameter wins: the user's file before the
 * shipped ones; then device name before architecture before vendor before type before default; then an entry
 * for the shape before one without; then the later in the file. An entry's shape is a glob pattern ("k3x3x3
 * s1* w14 *").
 */
int maxgl_tuning_int(const MaxglTuning *tuning, const char *kernel, const char *shape, const char *name,
                     int fallback);

/** The same for a word, such as an algorithm's name. The result is owned by @tuning or is @fallback. */
const char *maxgl_tuning_string(const MaxglTuning *tuning, const char *kernel, const char *shape,
                                const char *name, const char *fallback);

/** Whether some entry is for this very architecture or device. */
gboolean maxgl_tuning_knows_architecture(const MaxglTuning *tuning);

#endif
