/* What the files of base/options.h share. */
#ifndef MAXGL_BASE_OPTIONS_PRIVATE_H
#define MAXGL_BASE_OPTIONS_PRIVATE_H

#include "base/options.h"

/** Checks @text as a value of @option and stores it. NULL if it is good; otherwise what is wrong, to be
 * freed, and nothing stored. */
char *maxgl_option_assign(const MaxglOption *option, void *values, const char *text);

/** "an integer", …: what a value of @option has to be. */
const char *maxgl_option_type_text(const MaxglOption *option);

/** What to say about a key that does not exist, with the nearest one that does. To be freed. */
char *maxgl_options_unknown_text(const MaxglOptionTable *table, const char *key);

/** The shortest decimal number that reads back as @value, with a point or an exponent. To be freed. */
char *maxgl_option_float_text(double value);

#endif
