#include "media/folder.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>
#include <sys/stat.h>

static const char *const video_extensions[] = {"3g2",  "3gp",  "asf",  "avi",   "divx", "dv",  "flv", "ivf",
                                               "m2ts", "m2v",  "m4v",  "mjpeg", "mjpg", "mkv", "mov", "mp4",
                                               "mpe",  "mpeg", "mpg",  "mts",   "mxf",  "nut", "ogm", "ogv",
                                               "ts",   "vob",  "webm", "wmv",   "y4m",  NULL};

const char *const *maxgl_video_extensions(void)
{
    return video_extensions;
}

gboolean maxgl_is_video_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL)
        return FALSE;
    g_autofree char *extension = g_ascii_strdown(dot + 1, -1);
    return g_strv_contains(video_extensions, extension);
}

/* A folder being read and those that it lies in, so that symbolic links do not lead round in circles. */
typedef struct Ancestors {
    dev_t device;
    ino_t inode;
    const struct Ancestors *above;
} Ancestors;

static gboolean find_videos(const char *root, const char *relative, const Ancestors *above, GPtrArray *found,
                            GError **error);

/* Looks at one entry of a folder. */
static gboolean find_in_entry(const char *root, const char *relative, const char *name,
                              const Ancestors *above, GPtrArray *found, GError **error)
{
    g_autofree char *below = relative[0] != '\0' ? g_build_filename(relative, name, NULL) : g_strdup(name);
    g_autofree char *path = g_build_filename(root, below, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return find_videos(root, below, above, found, error);
    if (maxgl_is_video_name(name))
        g_ptr_array_add(found, g_steal_pointer(&below));
    return TRUE;
}

/* Adds the videos below ROOT/@relative to @found, as paths relative to @root. */
static gboolean find_videos(const char *root, const char *relative, const Ancestors *above, GPtrArray *found,
                            GError **error)
{
    g_autofree char *folder = g_build_filename(root, relative, NULL);
    g_autoptr(GError) reason = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &reason);
    GStatBuf status;
    if (dir == NULL || g_stat(folder, &status) != 0) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_IO, "%s: cannot be read (%s)", folder,
                    reason != NULL ? reason->message : g_strerror(errno));
        return FALSE;
    }
    Ancestors here = {.device = status.st_dev, .inode = status.st_ino, .above = above};
    for (; above != NULL; above = above->above)
        if (above->device == here.device && above->inode == here.inode)
            return TRUE;
    for (const char *name = g_dir_read_name(dir); name != NULL; name = g_dir_read_name(dir))
        if (name[0] != '.' && !find_in_entry(root, relative, name, &here, found, error))
            return FALSE;
    return TRUE;
}

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *maxgl_folder_videos(const char *root, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    if (!find_videos(root, "", NULL, found, error))
        return NULL;
    g_ptr_array_sort(found, compare_strings);
    return g_steal_pointer(&found);
}
