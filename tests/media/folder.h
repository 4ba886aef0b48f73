/* Folders that tests write to. */
#ifndef MAXGL_TESTS_FOLDER_H
#define MAXGL_TESTS_FOLDER_H

/** A new empty folder; delete it with test_folder_remove(). */
char *test_folder_new(void);

/** Deletes the folder and all it has, and frees its name. */
void test_folder_remove(char *folder);

/** The path of @name in @folder, making the folders in between. Free it. */
char *test_folder_path(const char *folder, const char *name);

/** Writes @text to @name in @folder. */
void test_folder_write(const char *folder, const char *name, const char *text);

#endif
