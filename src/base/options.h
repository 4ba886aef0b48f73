/* Options declared once: one table gives the defaults, the recipe parser and its error messages, --set,
 * --help, the text of the resolved recipe and the difference of two recipes.
 *
 *   typedef struct { int batch_size; double rate; int estimator; int regions[3]; } Recipe;
 *   static const char *const estimators[] = { "jsd", "infonce", NULL };
 *   static const MaxglOption options[] = {
 *       { "train.batch_size", MAXGL_OPTION_INT, offsetof(Recipe, batch_size), "32", 1, 4096, .unit = "clips",
 *         .doc = "videos in a batch", .source = "our choice" },
 *       { "loss.estimator", MAXGL_OPTION_ENUM, offsetof(Recipe, estimator), "jsd", .choices = estimators, …
 * },
 *   };
 *   static const MaxglOptionTable table = { options, G_N_ELEMENTS(options), sizeof(Recipe) };
 */
#ifndef MAXGL_BASE_OPTIONS_H
#define MAXGL_BASE_OPTIONS_H

#include <glib.h>
#include <stddef.h>

/** Type of an option and of its field. */
typedef enum {
    MAXGL_OPTION_INT,    /**< int, within min … max */
    MAXGL_OPTION_FLOAT,  /**< double, finite, within min … max; a recipe may give it as an integer */
    MAXGL_OPTION_BOOL,   /**< gboolean */
    MAXGL_OPTION_STRING, /**< char *, owned by the struct and never NULL: "" is "none" */
    MAXGL_OPTION_ENUM,   /**< int or enum: the index into the choices */
    MAXGL_OPTION_INT3,   /**< int[3], each within min … max: [1, 2, 2] in a recipe, also 1,2,2 or 1x2x2 with
                            --set */
} MaxglOptionType;

/** One option. */
typedef struct {
    const char *key; /**< dotted groups and name: "train.batch_size" */
    MaxglOptionType type;
    gsize offset;               /**< of the field in the struct of values */
    const char *value;          /**< the default, written as for --set */
    double min, max;            /**< both ends allowed; both 0: any value (INT, FLOAT, INT3) */
    const char *const *choices; /**< NULL-terminated words (ENUM) */
    const char *unit;           /**< of a number, or NULL */
    const char *doc;            /**< one line: what it does */
    const char *source;         /**< where the default comes from (paper, equation, "our choice"), or NULL */
} MaxglOption;

/** All options of one struct. */
typedef struct {
    const MaxglOption *options;
    guint count;
    gsize size; /**< of the struct of values */
} MaxglOptionTable;

/** Zeroes @values and fills in the defaults. */
void maxgl_options_init(const MaxglOptionTable *table, void *values);

/** Frees the strings of @values and zeroes it. */
void maxgl_options_clear(const MaxglOptionTable *table, void *values);

/** Makes @copy (uninitialised before) a deep copy of @values. */
void maxgl_options_copy(const MaxglOptionTable *table, const void *values, void *copy);

/** Reads the libconfig file @path (NULL: none), then applies the "key=value" texts of @sets (NULL-terminated;
 * NULL: none) over it, onto @values, which were initialised before.
 *
 *  Everything is checked first; if anything is wrong, @values are untouched and the #MAXGL_ERROR_USAGE
 * message has one line a problem: "FILE:LINE: key: what is wrong; what is allowed". Unknown keys come with
 * the nearest known name. A missing file is #MAXGL_ERROR_NOT_FOUND, an unreadable one #MAXGL_ERROR_IO. */
gboolean maxgl_options_load(const MaxglOptionTable *table, void *values, const char *path,
                            const char *const *sets, GError **error);

/** The same for a libconfig @text in memory, called @name in messages (the recipe in a checkpoint's
 * metadata). */
gboolean maxgl_options_load_text(const MaxglOptionTable *table, void *values, const char *text,
                                 const char *name, GError **error);

/** Applies one "key=value". */
gboolean maxgl_options_set(const MaxglOptionTable *table, void *values, const char *assignment,
                           GError **error);

/** Applies "key=value" texts (NULL-terminated) that stand elsewhere than behind --set, in the name of a data
 * source say: messages call them by themselves. */
gboolean maxgl_options_assign(const MaxglOptionTable *table, void *values, const char *const *assignments,
                              GError **error);

/** The option called @key, NULL if there is none. */
const MaxglOption *maxgl_options_find(const MaxglOptionTable *table, const char *key);

/** One option's value as text that --set takes. */
char *maxgl_option_value_text(const MaxglOption *option, const void *values);

/** What is allowed: "1 … 4096 clips", "at least 0", "jsd | infonce | dv", "true | false". */
char *maxgl_option_range_text(const MaxglOption *option);

/** All values as a libconfig text that maxgl_options_load() reads back to the same values, each with its doc,
 * range and source as a comment. The same values give the same text. */
char *maxgl_options_text(const MaxglOptionTable *table, const void *values);

/** A table of all options with default, range, meaning and source, for --help. */
char *maxgl_options_help(const MaxglOptionTable *table);

/** "key: old → new" for each option that differs; an empty list if none does. Free with g_strfreev(). */
char **maxgl_options_diff(const MaxglOptionTable *table, const void *old_values, const void *new_values);

#endif
