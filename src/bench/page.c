/* The page of a comparison. */
#include "bench/page_private.h"
#include "eval/html.h"

static void append_measurer(GString *html, const MaxglMeasurer *who, guint m)
{
    maxgl_html(html, "<dt><i class=\"key fill%u\"></i>%s</dt><dd>%s", m % MAXGL_PAGE_COLOURS, who->label,
               who->program);
    const char *const parts[] = {who->algorithms, who->suite ? "" : who->device, who->system, who->date};
    for (guint i = 0; i < G_N_ELEMENTS(parts); i++)
        if (parts[i][0])
            maxgl_html(html, i == 0 ? ", %s algorithms" : "; %s", parts[i]);
    if (who->peak > 0 && !who->suite)
        maxgl_html(html, "; limits measured: %.0f GFLOP/s, %.1f GB/s", who->peak * 1e-9, who->copy * 1e-9);
    for (guint i = 0; i < who->remarks->len; i++)
        maxgl_html(html, "<br/>%s", (const char *)who->remarks->pdata[i]);
    g_string_append(html, "</dd>\n");
}

static gboolean has_suite(const MaxglComparison *c)
{
    for (guint m = 0; m < c->measurers->len; m++)
        if (((const MaxglMeasurer *)c->measurers->pdata[m])->suite)
            return TRUE;
    return FALSE;
}

static const char *lead_of(const MaxglComparison *c)
{
    if (c->measurers->len == 1)
        return "What was measured, beside what the device can do at most.";
    return has_suite(c) ? "The same work on several devices, each beside what it can do at most. × as fast: "
                          "than the first of them."
                        : "The same work, measured several times. × as fast: than the first of them.";
}

char *maxgl_compare_page(const MaxglComparison *c)
{
    GString *html = g_string_new(NULL);
    maxgl_html_begin(html, "Benchmarks", lead_of(c));
    g_string_append(html, "<dl class=\"facts\">\n");
    for (guint m = 0; m < c->measurers->len; m++)
        append_measurer(html, g_ptr_array_index(c->measurers, m), m);
    g_string_append(html, "</dl>\n");
    if (has_suite(c))
        g_string_append(html,
                        "<p class=\"note\"><br/>100 % of its limit: as long as the multiply-adds would take "
                        "at the peak (of matrix units, in a precision that they have), or the bytes at the "
                        "bandwidth of copying, both as measured on the device; whichever takes longer "
                        "counts. Multiply-adds are those of the direct "
                        "method, so an algorithm that needs fewer can exceed 100 %; so can caches.</p>\n");
    g_string_append(html, "</header>\n<main>\n");
    for (guint w = 0; w < c->works->len; w++) {
        const MaxglComparedWork *work = g_ptr_array_index(c->works, w);
        maxgl_html(html, "<section><h2>%s</h2>\n", work->title);
        maxgl_page_charts(html, c, work);
        maxgl_page_tables(html, c, work);
        g_string_append(html, "</section>\n");
    }
    maxgl_html_end(html, "bench --compare");
    return g_string_free(html, FALSE);
}
