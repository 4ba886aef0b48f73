#include "eval/spread.h"

#include "eval/result_json.h"

#include <math.h>

void maxgl_spread_fill(MaxglSpread *spread, const double *values, guint n)
{
    double sum = 0, squares = 0;
    *spread = (MaxglSpread){.n = n};
    if (n == 0)
        return;
    for (guint i = 0; i < n; i++)
        sum += values[i];
    spread->mean = sum / n;
    for (guint i = 0; i < n; i++)
        squares += pow(values[i] - spread->mean, 2);
    spread->deviation = n > 1 ? sqrt(squares / (n - 1)) : 0;
    spread->values = g_memdup2(values, n * sizeof *values);
}

void maxgl_spread_clear(MaxglSpread *spread)
{
    g_clear_pointer(&spread->values, g_free);
}

void maxgl_spread_add_json(JsonBuilder *b, const MaxglSpread *spread)
{
    maxgl_result_add_number(b, "mean", spread->mean);
    maxgl_result_add_number(b, "deviation", spread->deviation);
    maxgl_result_begin_array(b, "values");
    for (guint i = 0; i < spread->n; i++)
        json_builder_add_double_value(b, spread->values[i]);
    json_builder_end_array(b);
}
