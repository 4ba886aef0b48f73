/* maxgl-cl bench --suite. */
#include "bench/suite.h"

#include "base/file.h"
#include "cli/bench_passes.h"
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#define SECTION_LIMIT 120.0 /* seconds */

static void report(const char *section, const char *outcome)
{
    printf("  %-12s %s\n", section, outcome);
    fflush(stdout); /* the next section may take minutes */
}

/* The words of --sections, all of which exist; NULL with MAXGL_ERROR_USAGE. */
static char **parse_sections(const char *text, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    for (char **word = words; *word; word++) {
        guint i = 0;
        while (maxgl_suite_section(i) && !g_str_equal(maxgl_suite_section(i), *word))
            i++;
        if (maxgl_suite_section(i))
            continue;
        g_autoptr(GString) all = g_string_new(NULL);
        for (i = 0; maxgl_suite_section(i); i++)
            g_string_append_printf(all, "%s%s", i > 0 ? ", " : "", maxgl_suite_section(i));
        maxgl_command_usage(error, "--sections=%s: give some of %s", text, all->str);
        return NULL;
    }
    return g_steal_pointer(&words);
}

gboolean maxgl_bench_pass_suite(const MaxglBenchArguments *o, GError **error)
{
    if (!o->json)
        return maxgl_command_usage(error, "--suite: --json FILE is missing: where the record is to go");
    if (!(o->limit >= 0 && o->limit <= 86400))
        return maxgl_command_usage(error, "--limit=%g is out of range; allowed: above 0, up to 86400",
                                   o->limit);
    g_auto(GStrv) sections = o->sections ? parse_sections(o->sections, error) : NULL;
    if (o->sections && !sections)
        return FALSE;
    g_autofree char *folder = g_path_get_dirname(o->json);
    if (!maxgl_dir_ensure(folder, error)) /* said now, not when all is measured */
        return FALSE;
    g_autoptr(MaxglContext) context = maxgl_context_open(maxgl_command_device(), error);
    if (!context)
        return FALSE;
    printf("%s (%s)\n", context->info->name, context->reason);
    fflush(stdout);
    const MaxglSuiteOptions options = {.quick = o->quick,
                                       .limit = o->limit > 0 ? o->limit : SECTION_LIMIT,
                                       .sections = (const char *const *)sections,
                                       .note = o->note,
                                       .report = report};
    g_autoptr(JsonBuilder) record = maxgl_suite_run(&context, &options, error);
    if (!record || !maxgl_record_write(record, o->json, error))
        return FALSE;
    g_message("%s: the record", o->json);
    return TRUE;
}
