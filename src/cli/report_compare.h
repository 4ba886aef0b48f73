/* maxgl-cl report of several runs. */
#ifndef MAXGL_CLI_REPORT_COMPARE_H
#define MAXGL_CLI_REPORT_COMPARE_H

#include <glib.h>

/** Compares the runs in @folders (at least two): prints tables, writes the page @out and, if it is not NULL,
 * the numbers to @json. #MAXGL_ERROR_NOT_FOUND for a folder that is no run's; errors of reading and writing.
 */
gboolean maxgl_report_compare(const char *const *folders, const char *out, const char *json, GError **error);

#endif
