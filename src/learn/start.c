#include "learn/start.h"

#include "learn/run.h"

/* Why fc is drawn anew, NULL if it is not; caller frees. */
static char *reason_for_new_fc(const MaxglModelInfo *info, const MaxglClasses *classes)
{
    if (info->spec.classes == 0)
        return g_strdup("the file has none");
    if (info->spec.classes != classes->n)
        return g_strdup_printf("the file's is for %d", info->spec.classes);
    if (!info->classes)
        return NULL;
    for (int i = 0; i < classes->n; i++)
        if (!g_str_equal(info->classes[i], classes->names[i]))
            return g_strdup_printf("the file's has \"%s\" for \"%s\"", info->classes[i], classes->names[i]);
    return NULL;
}

gboolean maxgl_start_from(const char *model, const MaxglClasses *classes, const MaxglResnet *resnet,
                          MaxglParameters *parameters, GError **error)
{
    g_autofree char *path = maxgl_model_path(model, error);
    g_autoptr(MaxglModelInfo) info = path ? maxgl_model_info_read(path, error) : NULL;
    if (!info)
        return FALSE;
    g_autofree char *reason = classes ? reason_for_new_fc(info, classes) : NULL;
    const MaxglWeightsOptions options = {.allow_other_head = !classes, .backbone_only = reason != NULL};
    if (!maxgl_weights_load(path, resnet, parameters, &options, NULL, error))
        return FALSE;
    g_autofree char *fc = !classes ? g_strdup("")
                          : reason ? g_strdup_printf("; fc drawn anew for %d classes: %s", classes->n, reason)
                                   : g_strdup_printf(", fc for %d classes too", classes->n);
    g_message("training begins with %s (%s names)%s", path, maxgl_naming_name(info->naming), fc);
    return TRUE;
}
