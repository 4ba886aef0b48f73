#include "cli/eval_output.h"

#include "base/file.h"
#include "cli/command.h"
#include "learn/run.h"

#include <stdio.h>
#include <string.h>

void maxgl_eval_output_clear(MaxglEvalOutput *o)
{
    g_free(o->out);
    g_free(o->name);
    g_free(o->json);
}

gboolean maxgl_eval_output_prepare(MaxglEvalOutput *o, const char *model, GError **error)
{
    if (o->name && (!o->name[0] || strchr(o->name, G_DIR_SEPARATOR)))
        return maxgl_command_usage(error, "--name=%s cannot be a part of a file's name", o->name);
    if (!o->out && maxgl_is_run_folder(model))
        o->out = g_strdup(model);
    if (o->out && !maxgl_dir_ensure(o->out, error))
        return FALSE;
    if (!o->json || strcmp(o->json, "-") == 0)
        return TRUE;
    g_autoptr(MaxglFile) file = maxgl_file_create(o->json, error);
    return file != NULL;
}

gboolean maxgl_eval_output_store(const MaxglEvalOutput *o, const char *protocol, const char *text,
                                 GError **error)
{
    if (!o->out)
        return TRUE;
    g_autofree char *name =
        g_strdup_printf("eval-%s%s%s.json", protocol, o->name ? "-" : "", o->name ? o->name : "");
    g_autofree char *path = g_build_filename(o->out, name, NULL);
    return maxgl_file_write_atomic(path, text, strlen(text), error);
}

gboolean maxgl_eval_output_wants_tables(const MaxglEvalOutput *o)
{
    return !o->json || strcmp(o->json, "-") != 0;
}

gboolean maxgl_eval_output_finish(const MaxglEvalOutput *o, const char *text, GError **error)
{
    if (o->out)
        g_message("the results are in %s, for maxgl-cl report", o->out);
    if (!maxgl_eval_output_wants_tables(o)) {
        fputs(text, stdout);
        return TRUE;
    }
    return !o->json || maxgl_file_write_atomic(o->json, text, strlen(text), error);
}
