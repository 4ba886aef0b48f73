/* SHA-256 of texts and of files. */
#ifndef MAXGL_BASE_CHECKSUM_H
#define MAXGL_BASE_CHECKSUM_H

#include <glib.h>

/** Adds @text, with the zero at its end, to @sum: so two texts are not the same as one. */
void maxgl_checksum_add_text(GChecksum *sum, const char *text);

/** The SHA-256 of the file @path, 64 hexadecimal digits; caller frees. Errors of maxgl_file_map(). */
char *maxgl_checksum_of_file(const char *path, GError **error);

#endif
