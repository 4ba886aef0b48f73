#include "folder.h"

#include <glib.h>
#include <glib/gstdio.h>

char *test_folder_new(void)
{
    char *folder = g_dir_make_tmp("maxgl-media-XXXXXX", NULL);
    g_assert_nonnull(folder);
    return folder;
}

static void remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name = dir != NULL ? g_dir_read_name(dir) : NULL; name != NULL;
         name = g_dir_read_name(dir)) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        if (g_file_test(below, G_FILE_TEST_IS_DIR) && !g_file_test(below, G_FILE_TEST_IS_SYMLINK))
            remove_tree(below);
        else
            g_unlink(below);
    }
    g_rmdir(path);
}

void test_folder_remove(char *folder)
{
    remove_tree(folder);
    g_free(folder);
}

char *test_folder_path(const char *folder, const char *name)
{
    char *path = g_build_filename(folder, name, NULL);
    g_autofree char *parent = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(parent, 0755), ==, 0);
    return path;
}

void test_folder_write(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = test_folder_path(folder, name);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}
