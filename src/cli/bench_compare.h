/* maxgl-cl bench --compare. */
#ifndef MAXGL_CLI_BENCH_COMPARE_H
#define MAXGL_CLI_BENCH_COMPARE_H

#include <glib.h>

/** Prints the records in @paths (NULL-terminated) side by side and writes the page @out. The errors of
 * maxgl_compare(), and MAXGL_ERROR_IO. */
gboolean maxgl_bench_compare(const char *const *paths, const char *out, GError **error);

#endif
