#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct MaxglFile {
    FILE *stream;
    char *path;      /* the final name */
    char *temporary; /* the name until the commit */
    int failure;     /* errno of the first failed write, 0 while all is well */
};

/* A new file beside @path that no other writer, here or in another process, has. */
static int open_temporary(const char *path, char **temporary)
{
    static gint serial;
    g_autofree char *folder = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    for (;;) {
        g_autofree char *base =
            g_strdup_printf(".%s.%ld-%d.partial", name, (long)getpid(), g_atomic_int_add(&serial, 1));
        char *candidate = g_build_filename(folder, base, NULL);
        int fd = g_open(candidate, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST) {
            int failure = errno;
            *temporary = candidate;
            errno = failure;
            return fd;
        }
        g_free(candidate);
    }
}

static gboolean set_write_error(GError **error, const char *path, int failure)
{
    const char *rest = g_file_test(path, G_FILE_TEST_EXISTS) ? " (the previous file is intact)" : "";
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot write: %s%s", path, g_strerror(failure),
                rest);
    return FALSE;
}

static void file_free(MaxglFile *file)
{
    g_free(file->path);
    g_free(file->temporary);
    g_free(file);
}

MaxglFile *maxgl_file_create(const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot write: it is a folder", path);
        return NULL;
    }
    MaxglFile *file = g_new0(MaxglFile, 1);
    file->path = g_strdup(path);
    int fd = open_temporary(path, &file->temporary);
    if (fd >= 0)
        file->stream = fdopen(fd, "wb");
    if (!file->stream) {
        set_write_error(error, path, errno);
        if (fd >= 0) {
            close(fd);
            g_unlink(file->temporary);
        }
        file_free(file);
        return NULL;
    }
    return file;
}

/* Remembers a failure of the moment; TRUE if there never was one. */
static gboolean note(MaxglFile *file, gboolean good, GError **error)
{
    if (!good && !file->failure)
        file->failure = errno ? errno : EIO;
    return file->failure ? set_write_error(error, file->path, file->failure) : TRUE;
}

gboolean maxgl_file_write(MaxglFile *file, const void *data, gsize size, GError **error)
{
    errno = 0;
    return note(file, file->failure || fwrite(data, 1, size, file->stream) == size, error);
}

gboolean maxgl_file_printf(MaxglFile *file, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return maxgl_file_write(file, text, strlen(text), error);
}

gboolean maxgl_file_overwrite(MaxglFile *file, guint64 offset, const void *data, gsize size, GError **error)
{
    errno = 0;
    gboolean good = file->failure ||
                    (fseeko(file->stream, (off_t)offset, SEEK_SET) == 0 &&
                     fwrite(data, 1, size, file->stream) == size && fseeko(file->stream, 0, SEEK_END) == 0);
    return note(file, good, error);
}

/* The rename lasts only when the folder is on the disk too. Some file systems cannot sync folders; that is no
 * failure. */
static void sync_folder(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    int fd = g_open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

gboolean maxgl_file_commit(MaxglFile *file, GError **error)
{
    errno = 0;
    gboolean good = file->failure || (fflush(file->stream) == 0 && fsync(fileno(file->stream)) == 0);
    good = note(file, good, NULL);
    errno = 0;
    good = note(file, fclose(file->stream) == 0, NULL) && good;
    if (good)
        good = note(file, rename(file->temporary, file->path) == 0, NULL);
    if (good) {
        sync_folder(file->path);
    } else {
        g_unlink(file->temporary);
        set_write_error(error, file->path, file->failure);
    }
    file_free(file);
    return good;
}

void maxgl_file_abandon(MaxglFile *file)
{
    if (!file)
        return;
    fclose(file->stream);
    g_unlink(file->temporary);
    file_free(file);
}

gboolean maxgl_file_write_atomic(const char *path, const void *data, gsize size, GError **error)
{
    MaxglFile *file = maxgl_file_create(path, error);
    if (!file)
        return FALSE;
    maxgl_file_write(file, data, size, NULL);
    return maxgl_file_commit(file, error);
}

GMappedFile *maxgl_file_map(const char *path, GError **error)
{
    GMappedFile *mapped = NULL;
    int failure = EISDIR;
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        int fd = g_open(path, O_RDONLY | O_CLOEXEC, 0);
        if (fd >= 0)
            mapped = g_mapped_file_new_from_fd(fd, FALSE, NULL);
        failure = errno;
        if (fd >= 0)
            close(fd);
    }
    if (!mapped)
        g_set_error(error, MAXGL_ERROR, failure == ENOENT ? MAXGL_ERROR_NOT_FOUND : MAXGL_ERROR_IO,
                    "%s: cannot read: %s", path, g_strerror(failure));
    return mapped;
}

gboolean maxgl_dir_ensure(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0777) != 0) {
        int failure = errno;
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot make this folder: %s", path,
                    g_strerror(failure));
        return FALSE;
    }
    /* Permissions alone do not tell: the file system may be read-only or full. */
    g_autofree char *probe = g_build_filename(path, "probe", NULL);
    g_autofree char *temporary = NULL;
    int fd = open_temporary(probe, &temporary);
    if (fd < 0) {
        int failure = errno;
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot write in this folder: %s", path,
                    g_strerror(failure));
        return FALSE;
    }
    close(fd);
    g_unlink(temporary);
    return TRUE;
}

gboolean maxgl_dir_require_space(const char *path, guint64 bytes, GError **error)
{
    struct statvfs info;
    if (statvfs(path, &info) != 0) {
        int failure = errno;
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: %s", path, g_strerror(failure));
        return FALSE;
    }
    guint64 available = (guint64)info.f_bavail * info.f_frsize;
    if (available >= bytes)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: not enough space: %.1f MiB needed, %.1f MiB free",
                path, (double)bytes / 0x1p20, (double)available / 0x1p20);
    return FALSE;
}

void maxgl_dir_remove_partial(const char *path)
{
    g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
    if (!folder)
        return;
    const char *name;
    while ((name = g_dir_read_name(folder))) {
        if (name[0] != '.' || !g_str_has_suffix(name, ".partial"))
            continue;
        g_autofree char *leftover = g_build_filename(path, name, NULL);
        g_unlink(leftover);
    }
}
