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
 * shipped ones; then device name before architecture before a pattern for architectures ("gfx11*") before
 * vendor before type before default; then an entry for the shape before one without; then the later in the
 * file. An entry's shape is a glob pattern ("k3x3x3 s1* w14 *").
 */
int maxgl_tuning_int(const MaxglTuning *tuning, const char *kernel, const char *shape, const char *name,
                     int fallback);

/** The same for a word, such as an algorithm's name. The result is owned by @tuning or is @fallback. */
const char *maxgl_tuning_string(const MaxglTuning *tuning, const char *kernel, const char *shape,
                                const char *name, const char *fallback);

/** One answer of the database. */
typedef struct {
    char *kernel, *shape, *name; /**< what was asked for; shape can be NULL */
    char *value;
    char *source; /**< "FILE:LINE" of the entry that it came from; NULL: the code's own default */
} MaxglTuningAnswer;

/** From now on each answer to a new question goes into @answers (of MaxglTuningAnswer, see
 * maxgl_tuning_answers_new()); NULL: no longer. Questions asked before, with the same answer, are left out.
 */
void maxgl_tuning_watch(MaxglTuning *tuning, GPtrArray *answers);

/** An empty array that frees its answers. */
GPtrArray *maxgl_tuning_answers_new(void);

/** One parameter for operators of exactly one shape class (NULL: all). */
typedef struct {
    char *kernel, *shape, *name, *value;
} MaxglTuningSetting;

/** From now on @name of @kernel for @shape (NULL = any) is @value, whatever the entries say; @value NULL:
 * what they say. In memory only. Words returned before for this parameter are no longer valid. */
void maxgl_tuning_try(MaxglTuning *tuning, const char *kernel, const char *shape, const char *name,
                      const char *value);

/** All that is being tried: an array of MaxglTuningSetting, to be unreferenced. */
GPtrArray *maxgl_tuning_tried(const MaxglTuning *tuning);

/** Where the user's database is, whether or not it exists; caller frees. */
char *maxgl_tuning_user_path(void);

/**
 * Puts @settings (of MaxglTuningSetting), as entries for @device alone, into the database @path; entries that
 * it has already stay, but for parameters that are set anew, and comments do not. @note goes with the entries
 * ("by maxgl-cl 1.0, 2026-11-23"). MAXGL_ERROR_FORMAT with file and line if what is there is no database.
 */
gboolean maxgl_tuning_save(const char *path, const MaxglDeviceInfo *device, const GPtrArray *settings,
                           const char *note, GError **error);

/** All entries that apply, as text: the same for the same entries. Caller frees. */
char *maxgl_tuning_text(const MaxglTuning *tuning);

/** Whether some entry is for this very architecture, or several with this one among them, or device, and has
 * no note that begins with "modelled". */
gboolean maxgl_tuning_knows_architecture(const MaxglTuning *tuning);

#endif
