/* Values of one thing that was measured several times: their mean and how far they are apart. */
#ifndef MAXGL_EVAL_SPREAD_H
#define MAXGL_EVAL_SPREAD_H

#include <json-glib/json-glib.h>

typedef struct {
    guint n; /**< 0: there are none, and the rest means nothing */
    double mean;
    double deviation; /**< of the values, √(Σ (v − mean)²/(n − 1)); 0 of one */
    double *values;   /**< [n] */
} MaxglSpread;

/** Makes @spread that of the @n values, which are copied. */
void maxgl_spread_fill(MaxglSpread *spread, const double *values, guint n);

/** Frees what it holds. */
void maxgl_spread_clear(MaxglSpread *spread);

/** Adds the members "mean", "deviation" and "values" to the object that is being made. */
void maxgl_spread_add_json(JsonBuilder *builder, const MaxglSpread *spread);

#endif
