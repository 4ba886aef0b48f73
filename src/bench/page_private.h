/* The parts of a comparison's page. Inside page.c, page_charts.c and page_tables.c. */
#ifndef MAXGL_BENCH_PAGE_PRIVATE_H
#define MAXGL_BENCH_PAGE_PRIVATE_H

#include "bench/compare.h"

/** Classes fill0 … fill5 of the style sheet, one for each measurer; then they begin again. */
enum { MAXGL_PAGE_COLOURS = 6 };

/** Number @i of those who did @work, and who that is. */
guint maxgl_page_by(const MaxglComparedWork *work, guint i);
const MaxglMeasurer *maxgl_page_who(const MaxglComparison *comparison, const MaxglComparedWork *work,
                                    guint i);

/** Appends the charts of @work, if it has any. */
void maxgl_page_charts(GString *html, const MaxglComparison *comparison, const MaxglComparedWork *work);

/** Appends its table; of layers also the sums of all of them, and the rest folded. */
void maxgl_page_tables(GString *html, const MaxglComparison *comparison, const MaxglComparedWork *work);

#endif
