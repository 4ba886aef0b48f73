#include "checkcl.h"

#include <locale.h>
#include <math.h>

enum { BENCH_RUNS_MIN = 3, BENCH_RUNS_MAX = 100 };
static const double BENCH_SECONDS = 1.0; /* at least, a case */

typedef struct {
    char *only, *device, *tuning;
    int case_index;
    double limit;
    gboolean list, small, bench;
} Options;

static gboolean parse(Options *options, int *argc, char ***argv, GError **error)
{
    const GOptionEntry entries[] = {
        {"list", 0, 0, G_OPTION_ARG_NONE, &options->list, "Print the operators and how many cases they have",
         NULL},
        {"only", 0, 0, G_OPTION_ARG_STRING, &options->only, "Only these operators", "A,B"},
        {"case", 0, 0, G_OPTION_ARG_INT, &options->case_index, "Only this case (or bench), from 0", "N"},
        {"small", 0, 0, G_OPTION_ARG_NONE, &options->small, "Only cases small enough for an interpreter",
         NULL},
        {"bench", 0, 0, G_OPTION_ARG_NONE, &options->bench, "Time the operators instead of checking them",
         NULL},
        {"device", 0, 0, G_OPTION_ARG_STRING, &options->device, "auto, cpu, gpu, P:D or part of a name", "S"},
        {"tuning", 0, 0, G_OPTION_ARG_FILENAME, &options->tuning,
         "A tuning database that takes precedence, to check a device's kernels on another device", "FILE"},
        {"limit", 0, 0, G_OPTION_ARG_DOUBLE, &options->limit,
         "Relative errors must not exceed this, where a check would allow more", "X"},
        {NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new("– check kernels against plain C");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "unknown argument %s", (*argv)[1]);
        return FALSE;
    }
    return TRUE;
}

/* The checks that --only names, in the table's order; NULL if it names one that is not there. */
static GPtrArray *select_checks(const char *only)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new();
    g_auto(GStrv) names = only ? g_strsplit(only, ",", -1) : NULL;
    guint found = 0;
    for (gsize i = 0; maxgl_checks[i]; i++)
        if (!names || g_strv_contains((const char *const *)names, maxgl_checks[i]->name)) {
            g_ptr_array_add(chosen, (gpointer)maxgl_checks[i]);
            found++;
        }
    if (names && found != g_strv_length(names))
        return NULL;
    return g_steal_pointer(&chosen);
}

static gboolean wanted(const Options *options, guint index)
{
    return options->case_index < 0 || options->case_index == (int)index;
}

static gboolean run_checks(const Options *options, MaxglContext *context, const MaxglCheck *check)
{
    g_autoptr(CheckReport) report = check_report_new(check->name, options->limit);
    const gint64 start = g_get_monotonic_time();
    guint cases = 0;
    for (guint i = 0; i < check->n_cases; i++) {
        if (!wanted(options, i) || (options->small && check->is_small && !check->is_small(i)))
            continue;
        g_autofree char *text = check->describe(i);
        g_autofree char *description = g_strdup_printf("case %u (%s)", i, text);
        g_autoptr(GError) error = NULL;
        check_report_begin(report, context, description);
        if (check->gradient)
            check->gradient(i, report);
        if (!check->check(context, i, report, &error))
            check_fail(report, "%s", error ? error->message : "could not run");
        check_report_end(report);
        cases++;
    }
    const guint failures = check_report_failures(report);
    g_autofree char *summary = check_report_summary(report);
    g_print("%s  %-16s %3u cases in %5.1f s, %s\n", failures ? "FAIL" : "ok  ", check->name, cases,
            (double)(g_get_monotonic_time() - start) * 1e-6, summary);
    return failures == 0;
}

static int compare_doubles(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of each run, sorted. */
static GArray *time_runs(MaxglSequence *sequence, GError **error)
{
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(double));
    double total = 0;
    if (!check_run(sequence, error)) /* warm up: first touch, compilation for this launch shape */
        return NULL;
    while (times->len < BENCH_RUNS_MIN || (total < BENCH_SECONDS && times->len < BENCH_RUNS_MAX)) {
        const gint64 start = g_get_monotonic_time();
        if (!check_run(sequence, error))
            return NULL;
        const double seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
        g_array_append_val(times, seconds);
        total += seconds;
    }
    g_array_sort(times, compare_doubles);
    return g_steal_pointer(&times);
}

static gboolean bench_case(MaxglContext *context, const MaxglCheck *check, guint index, CheckReport *report,
                           GError **error)
{
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    g_autofree char *text = check->describe_bench(index);
    double flops = 0, bytes = 0;
    if (!check->bench(sequence, index, report, &flops, &bytes, error))
        return FALSE;
    g_autoptr(GArray) times = time_runs(sequence, error);
    if (!times)
        return FALSE;
    const double median = g_array_index(times, double, times->len / 2);
    const double min = g_array_index(times, double, 0);
    g_print("%-14s %-52s %9.3f ms (min %9.3f, n %3u) %8.1f GFLOP/s %7.1f GB/s\n", check->name, text,
            median * 1e3, min * 1e3, times->len, flops / median * 1e-9, bytes / median * 1e-9);
    return TRUE;
}

static gboolean run_benches(const Options *options, MaxglContext *context, const MaxglCheck *check)
{
    g_autoptr(CheckReport) report = check_report_new(check->name, options->limit);
    for (guint i = 0; i < check->n_benches; i++) {
        if (!wanted(options, i))
            continue;
        g_autofree char *description = g_strdup_printf("bench %u", i);
        g_autoptr(GError) error = NULL;
        check_report_begin(report, context, description);
        if (!bench_case(context, check, i, report, &error))
            check_fail(report, "%s", error ? error->message : "could not run");
        check_report_end(report);
    }
    return check_report_failures(report) == 0;
}

static void print_list(const GPtrArray *checks)
{
    for (guint i = 0; i < checks->len; i++) {
        const MaxglCheck *check = checks->pdata[i];
        guint small = 0;
        for (guint c = 0; c < check->n_cases; c++)
            small += !check->is_small || check->is_small(c);
        g_print("%-16s %3u cases (%u small), %u benches\n", check->name, check->n_cases, small,
                check->n_benches);
    }
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    Options options = {.case_index = -1};
    g_autoptr(GError) error = NULL;
    if (!parse(&options, &argc, &argv, &error)) {
        g_printerr("checkcl: %s\n", error->message);
        return 2;
    }
    g_autoptr(GPtrArray) checks = select_checks(options.only);
    if (!checks) {
        g_printerr("checkcl: --only %s: no such operator, see --list\n", options.only);
        return 2;
    }
    if (options.list) {
        print_list(checks);
        return 0;
    }
    if (options.tuning)
        g_setenv("MAXGL_TUNING", options.tuning, TRUE);
    g_autoptr(MaxglContext) context = maxgl_context_open(options.device, &error);
    if (!context) {
        g_printerr("checkcl: %s\n", error->message);
        return 1;
    }
    g_print("%s (%s, %s)\n", context->info->name, context->info->platform_name,
            context->info->driver_version);
    gboolean ok = TRUE;
    for (guint i = 0; i < checks->len; i++)
        ok = (options.bench ? run_benches : run_checks)(&options, context, checks->pdata[i]) && ok;
    g_free(options.only);
    g_free(options.device);
    g_free(options.tuning);
    return ok ? 0 : 1;
}
