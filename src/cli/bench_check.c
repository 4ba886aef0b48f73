/* maxgl-cl bench --check. */
#include "bench/schema.h"
#include "cli/bench_passes.h"

#include <maxgl/error.h>
#include <stdio.h>

#define SHOWN 10 /* lines of one file */

/* Whether @path is as it should be; what is not goes to standard output. */
static gboolean check_file(const char *path, GError **error)
{
    g_autoptr(GPtrArray) wrong = maxgl_record_check(path, error);
    if (!wrong)
        return FALSE;
    for (guint i = 0; i < MIN(wrong->len, SHOWN); i++)
        printf("%s: %s\n", path, (const char *)wrong->pdata[i]);
    if (wrong->len > SHOWN)
        printf("%s: and %u more\n", path, wrong->len - SHOWN);
    if (wrong->len == 0)
        printf("%s: as it should be\n", path);
    else
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%s: %s", path, (const char *)wrong->pdata[0]);
    return wrong->len == 0;
}

gboolean maxgl_bench_check(const char *const *paths, GError **error)
{
    guint n = 0, bad = 0;
    g_autoptr(GError) first = NULL;
    for (; paths[n]; n++) {
        g_autoptr(GError) reason = NULL;
        if (check_file(paths[n], &reason))
            continue;
        bad++;
        if (!first)
            first = g_steal_pointer(&reason);
    }
    if (bad > 1 || (bad > 0 && n > 1))
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FORMAT, "%u of %u records are not as they should be: %s",
                    bad, n, first->message);
    else if (bad > 0)
        g_propagate_error(error, g_steal_pointer(&first));
    return bad == 0;
}
