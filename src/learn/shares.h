/* How a step's clips are divided among devices.
 *
 * The samples of a step (clip c of video v is sample c·videos + v) are cut into runs, one for each device in
 * its order. So the clips of a video may be computed on different devices: a network looks at each clip
 * alone, and only batch norm's statistics are those of the run, as they are those of a part with
 * train.micro_batch. */
#ifndef MAXGL_LEARN_SHARES_H
#define MAXGL_LEARN_SHARES_H

#include "compute/context.h"
#include "learn/task.h"

typedef struct {
    guint n;                      /**< devices */
    int clips[MAXGL_MAX_DEVICES]; /**< of a step, by device */
} MaxglShares;

/** What one device has to know of it. */
typedef struct {
    int first, clips; /**< its samples: @clips of them from @first on */
    int total;        /**< of all devices */
    int at_once;      /**< that go through its network at once; divides @clips */
    int first_part;   /**< parts (of at_once) that the devices before it go through */
} MaxglShare;

/** Reads "6,2": whole numbers above 0 with commas between. MAXGL_ERROR_USAGE. */
gboolean maxgl_shares_parse(const char *text, MaxglShares *shares, GError **error);

/** The same as text; caller frees. */
char *maxgl_shares_text(const MaxglShares *shares);

/** Divides @clips so that devices of these @speeds (clips a second, or only in proportion) are done as early
 * as can be: shares->n of them are given, the clips are the answer, each a multiple of @unit and 2 at least.
 * The same speeds give the same shares; speeds that are such shares give themselves. FALSE if there are too
 * few clips, or @unit does not divide them. */
gboolean maxgl_shares_divide(int clips, int unit, const double *speeds, MaxglShares *shares);

/** The share of all clips of a step, for a single device. */
MaxglShare maxgl_share_of_all(const MaxglRecipe *recipe, const MaxglTask *task);

/** That of device @i. */
MaxglShare maxgl_shares_get(const MaxglShares *shares, const MaxglRecipe *recipe, guint i);

/**
 * Settles how the steps of @recipe are done on the devices @contexts: sets train.shares to the clips of each,
 * and train.micro_batch where it is 0 and some share needs more than @limit bytes of its device.
 *
 * Where train.shares is empty the speed of each device is measured, by some passes of the network on all of
 * them at once. A single device is left without shares.
 *
 * MAXGL_ERROR_USAGE: train.shares are not for as many devices, or a step has fewer than two clips for each;
 * MAXGL_ERROR_LIMIT: no share fits; and the errors of the devices.
 */
gboolean maxgl_shares_settle(const GPtrArray *contexts, MaxglRecipe *recipe, const MaxglTask *task,
                             const MaxglClasses *classes, guint64 limit, GError **error);

/** The shares of a recipe for which that was done, on @n devices. MAXGL_ERROR_USAGE. */
gboolean maxgl_shares_of(const MaxglRecipe *recipe, const MaxglTask *task, guint n, MaxglShares *shares,
                         GError **error);

#endif
