/* Files that are whole or not there: written under a temporary name, synced, and renamed into place. */
#ifndef MAXGL_BASE_FILE_H
#define MAXGL_BASE_FILE_H

#include <glib.h>

/** A file being written. Until maxgl_file_commit() nothing is seen under its final name, and what was there
 * stays. */
typedef struct MaxglFile MaxglFile;

/** Starts writing @path, under a hidden temporary name (".NAME.PID-N.partial") in the same folder.
 *  NULL with #MAXGL_ERROR_IO if that folder cannot be written to. */
MaxglFile *maxgl_file_create(const char *path, GError **error);

/** Appends @size bytes. A failure sticks: later writes and the commit report it too, so a caller may pass
 * NULL here and look at maxgl_file_commit() alone. */
gboolean maxgl_file_write(MaxglFile *file, const void *data, gsize size, GError **error);

/** Appends formatted text. Failures stick as in maxgl_file_write(). */
gboolean maxgl_file_printf(MaxglFile *file, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

/** Overwrites @size bytes at @offset (all of them written before); the next write appends again. */
gboolean maxgl_file_overwrite(MaxglFile *file, guint64 offset, const void *data, gsize size, GError **error);

/** Flushes, syncs, renames to the final name and syncs the folder. @file is freed whether or not that works;
 * after a failure the temporary file is gone and the previous file intact, and the message says so. */
gboolean maxgl_file_commit(MaxglFile *file, GError **error);

/** Drops what was written and frees @file. NULL is nothing. */
void maxgl_file_abandon(MaxglFile *file);

/** create, write, commit. */
gboolean maxgl_file_write_atomic(const char *path, const void *data, gsize size, GError **error);

/** Maps the existing file @path for reading. #MAXGL_ERROR_NOT_FOUND or #MAXGL_ERROR_IO with the reason if
 * that fails; an empty file has length 0 and contents NULL. */
GMappedFile *maxgl_file_map(const char *path, GError **error);

/** Makes the folder @path with its parents where missing, and finds out at once whether files can be made in
 * it: #MAXGL_ERROR_IO with the reason if not. */
gboolean maxgl_dir_ensure(const char *path, GError **error);

/** #MAXGL_ERROR_IO with need and free space if the file system of the folder @path has less than @bytes left.
 */
gboolean maxgl_dir_require_space(const char *path, guint64 bytes, GError **error);

/** Deletes what killed writers left in @path (".*.partial"). For a folder that only this process writes to.
 */
void maxgl_dir_remove_partial(const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFile, maxgl_file_abandon)

#endif
