/* OpenCL programs from the embedded sources of cl/, built once per device and option set and cached on disk.
 */
#ifndef MAXGL_COMPUTE_PROGRAM_H
#define MAXGL_COMPUTE_PROGRAM_H

#include "compute/context.h"

/**
 * A new kernel object @name from cl/@file, built with @options ("-DRW=14 -DKU=2"); "-cl-std=CL1.2" is always
 * added, and on Oclgrind "-DINTERPRETED": it crashes on some shuffles. Where the tuning database has a number
 * above 0 for "program", "sub_group", every kernel of Intel's platform is built for sub-groups of that size.
 *
 * The program is looked for in the context, then in the disk cache ($MAXGL_CACHE_DIR, or maxgl/ in the user's
 * cache folder), then compiled from source with #include "x.clh" expanded (from $MAXGL_KERNEL_DIR where set,
 * else from the copy in the library). Cache key: SHA-256 of the expanded source, the options, and the
 * platform's, device's and driver's versions. A damaged entry is rebuilt; a cache that cannot be written
 * costs time and nothing else. PoCL's programs are left to PoCL's own cache: to hand out a program it
 * compiles every kernel in a form that it never runs, which doubles the time of a first start.
 *
 * Returns: a kernel to give to clReleaseKernel(); NULL with MAXGL_ERROR_DEVICE and the compiler's first
 * lines.
 */
cl_kernel maxgl_kernel_new(MaxglContext *context, const char *file, const char *name, const char *options,
                           GError **error);

/** A kernel that a list was asked for, see maxgl_program_list(). */
typedef struct {
    char *file, *kernel, *options;
    gsize items; /**< of a work-group, the most of all launches; 0: the driver chooses */
} MaxglListedKernel;

/**
 * From now on sequences on @context build nothing and do nothing when run: what they would launch goes into
 * @kernels instead (of MaxglListedKernel, see maxgl_program_list_new()), each once. For looking at what
 * another device would be given, with its description in the place of @context's.
 */
void maxgl_program_list(MaxglContext *context, GPtrArray *kernels);

/** An empty array that frees its kernels. */
GPtrArray *maxgl_program_list_new(void);

/** Notes a kernel, if @context has a list. */
void maxgl_program_note(MaxglContext *context, const char *file, const char *kernel, const char *options,
                        gsize items);

/** The whole text of cl/@file as @context's compiler gets it, with what it includes. Caller frees. */
char *maxgl_program_source(MaxglContext *context, const char *file, GError **error);

/** The most work-items that a work-group of @kernel may have. */
gsize maxgl_kernel_group_limit(const MaxglContext *context, cl_kernel kernel);

/** Bytes of @kernel's local variables. */
gsize maxgl_kernel_local_bytes(const MaxglContext *context, cl_kernel kernel);

/** From now on it is shown on stderr (base/progress.h) when programs that are in no cache take longer than a
 * second to build. For programs that talk to a person. */
void maxgl_program_show_progress(void);

/** Whether that was asked for. */
gboolean maxgl_program_shows_progress(void);

/** Ends that, if it is under way: what was built is about to run. */
void maxgl_program_progress_done(MaxglContext *context);

/** The folder for files of another @kind that are kept to save time: $MAXGL_CACHE_DIR/KIND, or maxgl/KIND in
 * the user's cache folder. Caller frees. */
char *maxgl_cache_dir(const char *kind);

/** The folder of the disk cache; owned by the library. */
const char *maxgl_program_cache_dir(void);

#endif
