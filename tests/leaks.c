/* Leaks that are not ours, for programs built with AddressSanitizer. */
#include "../src/include/maxgl/visibility.h"

MAXGL_API const char *__asan_default_options(void);
MAXGL_API const char *__lsan_default_suppressions(void);

/* Whole stacks, which the names below are looked up in. */
const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0:malloc_context_size=20";
}

/* ld-linux: what GLib's constructor allocates (its table of quarks stays when a larger one takes its place);
 * libgstlibav: frames of encoders. */
const char *__lsan_default_suppressions(void)
{
    return "leak:ld-linux\nleak:libgstlibav\n";
}
