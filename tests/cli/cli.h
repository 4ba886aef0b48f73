/* The built maxgl-cl as a process, run in a temporary folder, for tests of the command line. */
#ifndef TESTS_CLI_H
#define TESTS_CLI_H

#include <gio/gio.h>

/** What a run came to. */
typedef struct {
    int status; /**< exit code; −N if signal N ended it */
    char *out;  /**< all of stdout, UTF-8 */
    char *err;  /**< all of stderr */
} CliRun;

void cli_run_free(CliRun *run);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CliRun, cli_run_free)

/** cmocka group fixtures: make the folder that all runs have as their working folder (so that relative names
 * are in it), and remove it with all that is in it. */
int cli_set_up(void **state);
int cli_tear_down(void **state);

/** The absolute name of @name in that folder; caller frees. */
char *cli_path(const char *name);

/** Writes @text to the file @name in that folder, making the folders in between. */
void cli_write(const char *name, const char *text);

/** The contents of the file @name in that folder, which must exist; caller frees. */
char *cli_read(const char *name);

/** Whether there is @name in that folder. */
gboolean cli_exists(const char *name);

/** Starts maxgl-cl with the NULL-terminated @arguments, its output piped. The caches are ctest's, or ones in
 * the build folder; MAXGL_DEVICE reaches it, variables that would change what it says do not. */
GSubprocess *cli_start(const char *const *arguments);

/** Waits for the end of @process, and takes it. */
CliRun *cli_finish(GSubprocess *process);

/** The same under other conditions: @variable (NULL: none) set to @value in the environment; @setup (NULL:
 * none) called in the child before the program starts. */
CliRun *cli_run_under(const char *variable, const char *value, GSpawnChildSetupFunc setup,
                      const char *const *arguments);

/** Both: maxgl-cl FIRST …, the arguments ended by NULL. */
CliRun *cli_run(const char *first, ...) G_GNUC_NULL_TERMINATED;

/** The same; fails the test, showing what was said, if the status is not @status. */
CliRun *cli_expect(int status, const char *first, ...) G_GNUC_NULL_TERMINATED;

/** Fails the test, showing @text, unless @part is in it. */
void cli_assert_contains(const char *text, const char *part);

/** Removes @path with all that is in it. */
void cli_remove(const char *path);

#endif
