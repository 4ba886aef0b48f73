#include "training.h"

#include "../media/folder.h"
#include "learn/feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int group_set_up(void **state)
{
    *state = maxgl_context_open(NULL, NULL);
    return *state ? 0 : -1;
}

int group_tear_down(void **state)
{
    maxgl_context_close(*state);
    return 0;
}

MaxglRecipe *recipe_of(const char *const *tiny, const char *extra)
{
    g_auto(GStrv) sets = g_strsplit(extra, " ", -1);
    g_autoptr(GError) error = NULL;
    MaxglRecipe *recipe = maxgl_recipe_new();
    assert_true(maxgl_options_load(&maxgl_recipe_table, recipe, NULL, tiny, NULL));
    maxgl_options_load(&maxgl_recipe_table, recipe, NULL, (const char *const *)sets, &error);
    assert_null(error);
    maxgl_recipe_validate(recipe, &error);
    assert_null(error);
    return recipe;
}

void fixture_open(Fixture *f, MaxglContext *context, const char *const *tiny, const char *extra)
{
    fixture_open_on(f, &context, 1, tiny, extra);
}

void fixture_open_on(Fixture *f, MaxglContext *const *contexts, guint n, const char *const *tiny,
                     const char *extra)
{
    g_autoptr(GError) error = NULL;
    MaxglLoaderOptions options;
    f->recipe = recipe_of(tiny, extra);
    const MaxglTask *task = maxgl_task_of(f->recipe);
    f->context = contexts[0];
    f->dataset = maxgl_feed_open(f->recipe, NULL);
    assert_true(maxgl_feed_classes(f->recipe, task, f->dataset, &f->classes, NULL));
    maxgl_feed_loader_options(f->recipe, task, &options);
    f->loader = maxgl_loader_new(f->dataset, &options, NULL);
    f->trainer = maxgl_trainer_new_on(contexts, n, f->recipe, task, f->classes, &error);
    assert_null(error);
    f->folder = test_folder_new();
}

void fixture_close(Fixture *f)
{
    maxgl_trainer_free(f->trainer);
    maxgl_loader_free(f->loader);
    maxgl_classes_free(f->classes);
    maxgl_dataset_free(f->dataset);
    maxgl_recipe_free(f->recipe);
    test_folder_remove(f->folder);
}
