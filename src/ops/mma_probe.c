#include "ops/mma_probe.h"

#include "compute/identity.h"
#include "compute/program.h"
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60 };

/* Where the program is; NULL if it is nowhere. Caller frees. */
static char *find_program(void)
{
    const char *chosen = g_getenv("MAXGL_PROBE");
    if (chosen && *chosen)
        return g_strdup(chosen);
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = self ? g_path_get_dirname(self) : NULL;
    g_autofree char *beside = folder ? g_build_filename(folder, "maxgl-probe", NULL) : NULL;
    if (beside && g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer(&beside);
    g_autofree char *installed = g_build_filename(MAXGL_LIBEXECDIR, "maxgl-probe", NULL);
    return g_file_test(installed, G_FILE_TEST_IS_EXECUTABLE) ? g_steal_pointer(&installed) : NULL;
}

/* What an answer depends on, as a file's name; NULL if that may change at any time. Caller frees. */
static char *answer_path(MaxglContext *context, const MaxglMma *family, MaxglFactors factors)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    if (!maxgl_context_identify(context, sum))
        return NULL;
    g_checksum_update(sum, (const guchar *)family->name, -1);
    g_checksum_update(sum, (const guchar *)maxgl_factors_name(factors), -1);
    g_autofree char *folder = maxgl_cache_dir("matrix-units");
    return g_build_filename(folder, g_checksum_get_string(sum), NULL);
}

/* The program and what ends it in time. */
typedef struct {
    GMainLoop *loop;
    GPid pid;
    int status;
    gboolean late;
} Child;

static void on_end(GPid pid, int status, gpointer data)
{
    Child *child = data;
    (void)pid;
    child->status = status;
    g_main_loop_quit(child->loop);
}

static gboolean on_late(gpointer data)
{
    Child *child = data;
    child->late = TRUE;
    kill(child->pid, SIGKILL);
    return G_SOURCE_REMOVE;
}

static void attach(GSource *source, GSourceFunc function, gpointer data, GMainContext *context)
{
    g_source_set_callback(source, function, data, NULL);
    g_source_attach(source, context);
    g_source_unref(source);
}

/* Waits for @child, at most SECONDS. */
static void wait_for(Child *child)
{
    GMainContext *context = g_main_context_new();
    child->loop = g_main_loop_new(context, FALSE);
    attach(g_child_watch_source_new(child->pid), G_SOURCE_FUNC(on_end), child, context);
    attach(g_timeout_source_new_seconds(SECONDS), on_late, child, context);
    g_main_loop_run(child->loop);
    g_main_loop_unref(child->loop);
    g_main_context_unref(context);
}

/* Runs it. Returns: why the units are not to be used, empty if they are right; not @known where the program
 * could not say. Caller frees. */
static char *ask(MaxglContext *context, MaxglFactors factors, gboolean *known)
{
    g_autofree char *program = find_program();
    *known = FALSE;
    if (!program)
        return g_strdup("no program maxgl-probe to try them with (set MAXGL_PROBE to its path)");
    g_autofree char *device =
        g_strdup_printf("%d:%d", context->info->platform_index, context->info->device_index);
    const char *const arguments[] = {program, device, maxgl_factors_name(factors), NULL};
    g_autoptr(GError) error = NULL;
    Child child = {0};
    int output;
    if (!g_spawn_async_with_pipes(NULL, (char **)arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                  &child.pid, NULL, &output, NULL, &error))
        return g_strdup(error->message);
    *known = TRUE;
    wait_for(&child);
    g_spawn_close_pid(child.pid);
    char said[256];
    const ssize_t length = read(output, said, sizeof said - 1);
    close(output);
    said[MAX(length, 0)] = '\0';
    if (child.late)
        return g_strdup_printf("no answer within %d s", SECONDS);
    if (WIFSIGNALED(child.status))
        return g_strdup_printf("the driver crashed (%s)", g_strsignal(WTERMSIG(child.status)));
    return WEXITSTATUS(child.status) == 0 ? g_strdup("") : g_strdup(g_strstrip(said));
}

/* The answer in the cache, or the program's, which is then kept. Caller frees. */
static char *answer_of(MaxglContext *context, MaxglFactors factors, const char *path, gboolean *known)
{
    char *answer = NULL;
    *known = path && g_file_get_contents(path, &answer, NULL, NULL);
    if (*known)
        return answer;
    answer = ask(context, factors, known);
    g_autofree char *folder = path ? g_path_get_dirname(path) : NULL;
    if (*known && path && g_mkdir_with_parents(folder, 0700) == 0)
        g_file_set_contents(path, answer, -1, NULL); /* else it is asked again */
    return answer;
}

gboolean maxgl_mma_is_right(MaxglContext *context, const MaxglMma *family, MaxglFactors factors)
{
    gboolean known;
    g_autofree char *path = answer_path(context, family, factors);
    g_autofree char *answer = answer_of(context, factors, path, &known);
    if (!*answer)
        return TRUE;
    g_autofree char *again = known && path ? g_strdup_printf("; to try again, remove %s", path) : NULL;
    g_message("%s: its matrix units are not used for %s: %s%s", context->info->name,
              maxgl_factors_name(factors), answer, again ? again : "");
    return FALSE;
}
