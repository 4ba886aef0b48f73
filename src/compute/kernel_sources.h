/* The text files of cl/ and config/devices/, embedded at build time by cmake/embed.cmake. */
#ifndef MAXGL_COMPUTE_KERNEL_SOURCES_H
#define MAXGL_COMPUTE_KERNEL_SOURCES_H

typedef struct {
    const char *name; /* "conv3d_direct.cl", "pocl.cfg" */
    const char *text;
} MaxglEmbeddedFile;

extern const MaxglEmbeddedFile maxgl_kernel_sources[];   /* ends with a NULL name */
extern const MaxglEmbeddedFile maxgl_device_databases[]; /* ends with a NULL name */

#endif
