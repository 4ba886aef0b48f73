#include "learn/run.h"

#include "base/file.h"
#include "learn/checkpoint.h"
#include "learn/run_info.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct MaxglRun {
    char *path;
    MaxglRecipe recipe;
    gboolean made; /* the folder is new */
    int lock;
    MaxglRunInfo *info; /* of the session that has begun */
};

static char *file_in(const char *folder, const char *name)
{
    return g_build_filename(folder, name, NULL);
}

char *maxgl_run_file(const MaxglRun *run, const char *name)
{
    return file_in(run->path, name);
}

static gboolean has_file(const char *folder, const char *name)
{
    g_autofree char *path = file_in(folder, name);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Nothing in it but what a writer killed at the very start may have left. */
static gboolean is_empty(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir)))
        if (name[0] != '.' || !g_str_has_suffix(name, ".partial"))
            return FALSE;
    return TRUE;
}

gboolean maxgl_is_run_folder(const char *path)
{
    g_autofree char *recipe = file_in(path, MAXGL_RUN_RECIPE);
    return g_file_test(path, G_FILE_TEST_IS_DIR) && g_file_test(recipe, G_FILE_TEST_EXISTS);
}

char *maxgl_model_path(const char *model, GError **error)
{
    if (!g_file_test(model, G_FILE_TEST_IS_DIR))
        return g_strdup(model);
    g_autofree char *finished = file_in(model, MAXGL_RUN_MODEL);
    if (g_file_test(finished, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&finished);
    g_autoptr(GArray) steps = maxgl_checkpoint_list(model);
    if (steps->len > 0) {
        g_autofree char *name = maxgl_checkpoint_name(g_array_index(steps, gint64, steps->len - 1));
        return file_in(model, name);
    }
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: has neither %s nor a checkpoint", model,
                MAXGL_RUN_MODEL);
    return NULL;
}

gboolean maxgl_run_read_recipe(const char *path, MaxglRecipe *recipe, const char *const *sets, GError **error)
{
    g_autofree char *file = file_in(path, MAXGL_RUN_RECIPE);
    if (!g_file_test(file, G_FILE_TEST_EXISTS)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: no run to resume: it has no %s", path,
                    MAXGL_RUN_RECIPE);
        return FALSE;
    }
    return maxgl_options_load(&maxgl_recipe_table, recipe, file, sets, error);
}

static gboolean check_recipe(const char *path, const MaxglRecipe *recipe, GError **error)
{
    g_autoptr(MaxglRecipe) before = maxgl_recipe_new();
    if (!maxgl_run_read_recipe(path, before, NULL, error))
        return FALSE;
    g_auto(GStrv) conflicts = maxgl_recipe_conflicts(before, recipe);
    if (!conflicts[0])
        return TRUE;
    g_autofree char *lines = g_strjoinv("\n  ", conflicts);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                "%s: cannot be resumed with another recipe; give another --out, or take back:\n  %s", path,
                lines);
    return FALSE;
}

static gboolean check_folder(const char *path, const MaxglRecipe *recipe, gboolean resume, GError **error)
{
    if (resume)
        return check_recipe(path, recipe, error);
    if (has_file(path, MAXGL_RUN_RECIPE))
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: there is a run already; continue it with --resume, or give another --out", path);
    else if (g_file_test(path, G_FILE_TEST_EXISTS) &&
             (!g_file_test(path, G_FILE_TEST_IS_DIR) || !is_empty(path)))
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "%s: exists and is no run; give a new or empty folder as --out", path);
    else
        return TRUE;
    return FALSE;
}

/* The folder itself is what is locked, so that no file has to be left behind. */
static int lock_folder(const char *path, GError **error)
{
    int fd = g_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int failure = errno;
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        failure = errno;
        close(fd);
        if (failure == EWOULDBLOCK) {
            g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "%s: another process is training there",
                        path);
            return -1;
        }
        fd = -1;
    }
    if (fd < 0)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: %s", path, g_strerror(failure));
    return fd;
}

MaxglRun *maxgl_run_open(const char *path, const MaxglRecipe *recipe, gboolean resume, GError **error)
{
    if (!check_folder(path, recipe, resume, error))
        return NULL;
    const gboolean made = !g_file_test(path, G_FILE_TEST_EXISTS);
    if (!maxgl_dir_ensure(path, error))
        return NULL;
    int lock = lock_folder(path, error);
    /* Somebody may have begun a run since it was looked at. */
    if (lock >= 0 && !check_folder(path, recipe, resume, error)) {
        close(lock);
        lock = -1;
    }
    if (lock < 0)
        return NULL;
    MaxglRun *run = g_new0(MaxglRun, 1);
    run->path = g_strdup(path);
    maxgl_options_copy(&maxgl_recipe_table, recipe, &run->recipe);
    run->made = made;
    run->lock = lock;
    return run;
}

void maxgl_run_close(MaxglRun *run)
{
    if (!run)
        return;
    if (run->made && !run->info)
        g_rmdir(run->path);
    close(run->lock);
    maxgl_run_info_free(run->info);
    maxgl_options_clear(&maxgl_recipe_table, &run->recipe);
    g_free(run->path);
    g_free(run);
}

char *maxgl_run_checkpoint(const MaxglRun *run)
{
    g_autoptr(GArray) steps = maxgl_checkpoint_list(run->path);
    if (steps->len == 0)
        return NULL;
    g_autofree char *name = maxgl_checkpoint_name(g_array_index(steps, gint64, steps->len - 1));
    return maxgl_run_file(run, name);
}

gboolean maxgl_run_begin(MaxglRun *run, const GPtrArray *contexts, const MaxglResnet *resnet,
                         const MaxglRunSizes *sizes, gint64 step, GError **error)
{
    g_autofree char *recipe_path = maxgl_run_file(run, MAXGL_RUN_RECIPE);
    g_autofree char *info_path = maxgl_run_file(run, MAXGL_RUN_INFO);
    g_autofree char *text = maxgl_options_text(&maxgl_recipe_table, &run->recipe);
    maxgl_dir_remove_partial(run->path);
    run->info = maxgl_run_info_new(info_path, &run->recipe, contexts, resnet, sizes, step);
    return maxgl_file_write_atomic(recipe_path, text, strlen(text), error) &&
           maxgl_run_info_write(run->info, "running", step, 0, error);
}

gboolean maxgl_run_end(MaxglRun *run, const char *state, gint64 step, gsize bad_videos, GError **error)
{
    return maxgl_run_info_write(run->info, state, step, bad_videos, error);
}
