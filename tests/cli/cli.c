#include "cli.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *folder;

void cli_run_free(CliRun *run)
{
    g_free(run->out);
    g_free(run->err);
    g_free(run);
}

int cli_set_up(void **state)
{
    folder = g_dir_make_tmp("maxgl-cli-XXXXXX", NULL);
    return folder ? 0 : -1;
}

int cli_tear_down(void **state)
{
    cli_remove(folder);
    g_clear_pointer(&folder, g_free);
    return 0;
}

char *cli_path(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

void cli_remove(const char *path)
{
    g_autoptr(GDir) dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *inside = g_build_filename(path, name, NULL);
        cli_remove(inside);
    }
    (void)g_remove(path);
}

/* The caller's environment without what would change results. */
static char **environment(void)
{
    static const char *const unset[] = {"MAXGL_LOG", "MAXGL_TUNING", "MAXGL_PROFILE", "MAXGL_KERNEL_DIR",
                                        "G_MESSAGES_DEBUG"};
    char **env = g_get_environ();
    for (guint i = 0; i < G_N_ELEMENTS(unset); i++)
        env = g_environ_unsetenv(env, unset[i]);
    env = g_environ_setenv(env, "MAXGL_FEATURE_CACHE_MB", "0", FALSE); /* what is tested is computed */
    env = g_environ_setenv(env, "POCL_CACHE_DIR", TEST_CACHE "/pocl", FALSE);
    return g_environ_setenv(env, "MAXGL_CACHE_DIR", TEST_CACHE "/maxgl", FALSE);
}

void cli_write(const char *name, const char *text)
{
    g_autofree char *path = cli_path(name), *parent = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(parent, 0755), 0);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

char *cli_read(const char *name)
{
    g_autofree char *path = cli_path(name);
    g_autoptr(GError) error = NULL;
    char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, &error))
        fail_msg("%s", error->message);
    return text;
}

gboolean cli_exists(const char *name)
{
    g_autofree char *path = cli_path(name);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static GSubprocess *start(const char *variable, const char *value, GSpawnChildSetupFunc setup,
                          const char *const *arguments)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_auto(GStrv) env = environment();
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_ptr_array_add(argv, (char *)MAXGL_CL);
    for (; *arguments; arguments++)
        g_ptr_array_add(argv, (char *)*arguments);
    g_ptr_array_add(argv, NULL);
    g_subprocess_launcher_set_environ(launcher, env);
    g_subprocess_launcher_set_cwd(launcher, folder);
    if (variable)
        g_subprocess_launcher_setenv(launcher, variable, value, TRUE);
    g_subprocess_launcher_set_child_setup(launcher, setup, NULL, NULL);
    GSubprocess *process = g_subprocess_launcher_spawnv(launcher, (const char *const *)argv->pdata, &error);
    if (!process)
        fail_msg("cannot start %s: %s", MAXGL_CL, error->message);
    return process;
}

GSubprocess *cli_start(const char *const *arguments)
{
    return start(NULL, NULL, NULL, arguments);
}

CliRun *cli_finish(GSubprocess *process)
{
    g_autoptr(GError) error = NULL;
    CliRun *run = g_new0(CliRun, 1);
    if (!g_subprocess_communicate_utf8(process, NULL, NULL, &run->out, &run->err, &error))
        fail_msg("no output: %s", error->message);
    run->status = g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process)
                                                      : -g_subprocess_get_term_sig(process);
    g_object_unref(process);
    return run;
}

CliRun *cli_run_under(const char *variable, const char *value, GSpawnChildSetupFunc setup,
                      const char *const *arguments)
{
    return cli_finish(start(variable, value, setup, arguments));
}

static CliRun *run_list(const char *first, va_list more)
{
    g_autoptr(GPtrArray) arguments = g_ptr_array_new();
    for (const char *argument = first; argument; argument = va_arg(more, const char *))
        g_ptr_array_add(arguments, (char *)argument);
    g_ptr_array_add(arguments, NULL);
    return cli_finish(cli_start((const char *const *)arguments->pdata));
}

CliRun *cli_run(const char *first, ...)
{
    va_list more;
    va_start(more, first);
    CliRun *run = run_list(first, more);
    va_end(more);
    return run;
}

CliRun *cli_expect(int status, const char *first, ...)
{
    va_list more;
    va_start(more, first);
    CliRun *run = run_list(first, more);
    va_end(more);
    if (run->status != status)
        fail_msg("maxgl-cl %s …: exit %d and not %d\nstdout: %s\nstderr: %s", first, run->status, status,
                 run->out, run->err);
    return run;
}

void cli_assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in:\n%s", part, text);
}
