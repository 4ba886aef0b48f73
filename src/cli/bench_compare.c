#include "cli/bench_compare.h"

#include "base/file.h"
#include "bench/compare.h"
#include "cli/table.h"

#include <stdio.h>
#include <string.h>

static void add_measurement(MaxglTable *table, MaxglComparedKind kind, const MaxglMeasurement *m)
{
    g_autofree char *text = maxgl_measurement_text(m);
    if (kind == MAXGL_COMPARE_LIMITS || !maxgl_measured(m))
        maxgl_table_add(table, text);
    else if (m->clips > 0)
        maxgl_table_addf(table, "%.1f clips/s", m->clips);
    else
        maxgl_table_addf(table, "%.3f ms", m->seconds * 1e3);
}

static void add_ratio(MaxglTable *table, const MaxglMeasurement *first, const MaxglMeasurement *m)
{
    const double ratio = maxgl_measured_ratio(first, m);
    maxgl_table_addf(table, ratio > 0 ? "%.2f×" : "–", ratio);
}

static MaxglTable *table_of(const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_autoptr(GPtrArray) titles = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(titles, g_strdup(""));
    for (guint i = 0; i < work->by->len; i++) {
        const MaxglMeasurer *who = g_ptr_array_index(c->measurers, g_array_index(work->by, guint, i));
        g_ptr_array_add(titles, g_strconcat(">", who->label, NULL));
        if (i > 0)
            g_ptr_array_add(titles, g_strdup(">as fast"));
    }
    g_ptr_array_add(titles, NULL);
    return maxgl_table_new((const char *const *)titles->pdata);
}

static void print_work(const MaxglComparison *c, const MaxglComparedWork *work)
{
    g_autoptr(MaxglTable) table = table_of(c, work);
    for (guint r = 0; r < work->rows->len; r++) {
        const MaxglComparedRow *row = g_ptr_array_index(work->rows, r);
        if (work->kind == MAXGL_COMPARE_LAYERS || work->kind == MAXGL_COMPARE_SUITE_LAYERS)
            maxgl_table_addf(table, "%s, %s", row->name, row->pass);
        else
            maxgl_table_add(table, work->kind == MAXGL_COMPARE_WHOLE ? row->pass : row->name);
        const MaxglMeasurement *first = &row->measurements[g_array_index(work->by, guint, 0)];
        for (guint i = 0; i < work->by->len; i++) {
            const MaxglMeasurement *m = &row->measurements[g_array_index(work->by, guint, i)];
            add_measurement(table, work->kind, m);
            if (i > 0)
                add_ratio(table, first, m);
        }
    }
    printf("%s\n", work->title);
    maxgl_table_print(table, "  ");
}

gboolean maxgl_bench_compare(const char *const *paths, const char *out, GError **error)
{
    g_autoptr(MaxglComparison) comparison = maxgl_compare(paths, error);
    if (!comparison)
        return FALSE;
    for (guint w = 0; w < comparison->works->len; w++)
        print_work(comparison, g_ptr_array_index(comparison->works, w));
    g_autofree char *page = maxgl_compare_page(comparison);
    if (!maxgl_file_write_atomic(out, page, strlen(page), error))
        return FALSE;
    fflush(stdout);
    g_message("%s: the page with plots", out);
    return TRUE;
}
