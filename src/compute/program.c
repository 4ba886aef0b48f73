#include "compute/program.h"

#include "base/checksum.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "compute/kernel_sources.h"
#include <gio/gio.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#define CACHE_MAGIC "MAXGLPR1"
enum { MAGIC_BYTES = 8, DIGEST_BYTES = 32, MAX_INCLUDE_DEPTH = 8 };

char *maxgl_cache_dir(const char *kind)
{
    const char *chosen = g_getenv("MAXGL_CACHE_DIR");
    return chosen && *chosen ? g_build_filename(chosen, kind, NULL)
                             : g_build_filename(g_get_user_cache_dir(), "maxgl", kind, NULL);
}

const char *maxgl_program_cache_dir(void)
{
    static char *dir;
    if (g_once_init_enter(&dir)) {
        const char *chosen = g_getenv("MAXGL_CACHE_DIR");
        char *path = chosen && *chosen ? g_strdup(chosen) : maxgl_cache_dir("programs");
        g_once_init_leave(&dir, path);
    }
    return dir;
}

/* A kernel file's text: from $MAXGL_KERNEL_DIR while developing, else the embedded copy. Caller frees. */
static char *source_text(const char *file, GError **error)
{
    const char *dir = g_getenv("MAXGL_KERNEL_DIR");
    if (dir && *dir) {
        g_autofree char *path = g_build_filename(dir, file, NULL);
        char *text = NULL;
        return g_file_get_contents(path, &text, NULL, error) ? text : NULL;
    }
    for (const MaxglEmbeddedFile *f = maxgl_kernel_sources; f->name; f++)
        if (g_str_equal(f->name, file))
            return g_strdup(f->text);
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND, "%s: no such kernel file in the library", file);
    return NULL;
}

/* Appends @file with its #include "…" lines replaced by those files, once each, and #line marks that name our
 * files. */
static gboolean expand(const char *file, GHashTable *seen, int depth, GString *out, GError **error)
{
    g_autofree char *text = source_text(file, error);
    if (!text)
        return FALSE;
    if (depth > MAX_INCLUDE_DEPTH) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "%s: includes nest too deep", file);
        return FALSE;
    }
    g_string_append_printf(out, "#line 1 \"cl/%s\"\n", file);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        const char *line = lines[i];
        if (!g_str_has_prefix(line, "#include \"")) {
            g_string_append(out, line);
            g_string_append_c(out, '\n');
            continue;
        }
        const char *start = line + strlen("#include \"");
        g_autofree char *included = g_strndup(start, strcspn(start, "\""));
        if (g_hash_table_add(seen, g_strdup(included)) && !expand(included, seen, depth + 1, out, error))
            return FALSE;
        g_string_append_printf(out, "#line %u \"cl/%s\"\n", i + 2, file);
    }
    return TRUE;
}

/* Compilers that take wide sub-groups by themselves run short of registers: all kernels get the same narrower
 * ones. */
static void require_sub_group(MaxglContext *context, GString *out)
{
    const int size = maxgl_tuning_int(context->tuning, "program", NULL, "sub_group", 0);
    if (size > 0 && context->info->vendor == MAXGL_VENDOR_INTEL)
        g_string_append_printf(out,
                               "#define __kernel __attribute__((intel_reqd_sub_group_size(%d))) "
                               "__kernel\n#define kernel __kernel\n",
                               size);
}

char *maxgl_program_source(MaxglContext *context, const char *file, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GString *source = g_string_new(NULL);
    require_sub_group(context, source);
    const gboolean ok = expand(file, seen, 0, source, error);
    return g_string_free(source, !ok);
}

static char *cache_key(MaxglContext *context, const char *source, const char *options)
{
    const MaxglDeviceInfo *info = context->info;
    const char *const parts[] = {source,
                                 options,
                                 info->platform_name,
                                 info->platform_version,
                                 info->name,
                                 info->driver_version,
                                 info->opencl_version};
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        maxgl_checksum_add_text(sum, parts[i]);
    return g_strdup(g_checksum_get_string(sum));
}

static void digest_of(const void *data, gsize size, guint8 digest[DIGEST_BYTES])
{
    gsize length = DIGEST_BYTES;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_checksum_update(sum, data, (gssize)size);
    g_checksum_get_digest(sum, digest, &length);
}

/* An entry is magic, SHA-256 of the rest, the driver's binary. Anything wrong with it means: build from
 * source. */
static cl_program load_cached(MaxglContext *context, const char *path, const char *options)
{
    g_autofree char *data = NULL;
    gsize size = 0;
    guint8 digest[DIGEST_BYTES];
    if (!g_file_get_contents(path, &data, &size, NULL))
        return NULL;
    const gsize header = MAGIC_BYTES + DIGEST_BYTES;
    if (size > header) {
        digest_of(data + header, size - header, digest);
        if (!memcmp(data, CACHE_MAGIC, MAGIC_BYTES) && !memcmp(data + MAGIC_BYTES, digest, DIGEST_BYTES)) {
            const unsigned char *binary = (const unsigned char *)data + header;
            size_t length = size - header;
            cl_int status = CL_SUCCESS, code = CL_SUCCESS;
            cl_program program = clCreateProgramWithBinary(context->context, 1, &context->device, &length,
                                                           &binary, &status, &code);
            if (program && code == CL_SUCCESS && status == CL_SUCCESS &&
                clBuildProgram(program, 1, &context->device, options, NULL, NULL) == CL_SUCCESS)
                return program;
            if (program)
                clReleaseProgram(program);
        }
    }
    g_info("%s: damaged or outdated, built again", path);
    return NULL;
}

static void store_cached(cl_program program, const char *path)
{
    size_t size = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS ||
        size == 0)
        return;
    const gsize header = MAGIC_BYTES + DIGEST_BYTES;
    g_autofree guint8 *data = g_malloc(header + size);
    unsigned char *binary = data + header;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) != CL_SUCCESS)
        return;
    memcpy(data, CACHE_MAGIC, MAGIC_BYTES);
    digest_of(binary, size, data + MAGIC_BYTES);
    g_autoptr(GError) error = NULL;
    if (g_mkdir_with_parents(maxgl_program_cache_dir(), 0700) != 0 ||
        !g_file_set_contents_full(path, (const char *)data, (gssize)(header + size),
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
        g_info("%s: cannot keep the program: %s", path, error ? error->message : g_strerror(errno));
}

static void set_build_error(MaxglContext *context, cl_program program, const char *file, const char *options,
                            cl_int code, GError **error)
{
    enum { SHOWN = 1500 };
    size_t size = 0;
    clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    g_autofree char *log = g_malloc0(size + 1);
    clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    g_strstrip(log);
    if (strlen(log) > SHOWN)
        log[SHOWN] = '\0';
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_DEVICE,
                "%s: the driver cannot compile cl/%s (%s) with %s: %s", context->info->name, file,
                maxgl_opencl_error_name(code), options, *log ? log : "no log");
}

/* Minutes may go by before all programs are built: Ctrl-C ends that. It also makes compilers that are in this
 * process fail, since LLVM then deletes what it was about to write. */
static cl_program compile(MaxglContext *context, const char *file, const char *source, const char *options,
                          GError **error)
{
    if (!maxgl_interrupt_check(error))
        return NULL;
    cl_int code = CL_SUCCESS;
    cl_program program = clCreateProgramWithSource(context->context, 1, &source, NULL, &code);
    if (!maxgl_opencl_check(code, error, "%s: cl/%s", context->info->name, file))
        return NULL;
    code = clBuildProgram(program, 1, &context->device, options, NULL, NULL);
    if (code == CL_SUCCESS)
        return program;
    if (maxgl_interrupt_check(error))
        set_build_error(context, program, file, options, code, error);
    clReleaseProgram(program);
    return NULL;
}

static gboolean shows_progress; /* set before there are threads */

void maxgl_program_show_progress(void)
{
    shows_progress = TRUE;
}

gboolean maxgl_program_shows_progress(void)
{
    return shows_progress;
}

void maxgl_program_progress_done(MaxglContext *context)
{
    g_clear_pointer(&context->building, maxgl_progress_free);
    context->build_seconds = 0;
    context->n_built = 0;
}

/* Between compile() and the next: shows how many programs that is by now, if they take long. */
static void note_built(MaxglContext *context, const char *file, double seconds)
{
    context->build_seconds += seconds;
    context->n_built++;
    if (!shows_progress || context->build_seconds < 1.0)
        return;
    if (!context->building)
        context->building = maxgl_progress_new("building kernels", 0);
    maxgl_progress_set(context->building, context->n_built, "cl/%s", file);
}

static cl_program get_program(MaxglContext *context, const char *file, const char *options, GError **error)
{
    const gboolean interpreted = context->info->vendor == MAXGL_VENDOR_OCLGRIND;
    g_autofree char *all_options =
        g_strdup_printf("-cl-std=CL1.2 %s%s", interpreted ? "-DINTERPRETED " : "", options);
    g_autofree char *name = g_strdup_printf("%s %s", file, all_options);
    cl_program program = g_hash_table_lookup(context->programs, name);
    if (program)
        return program;

    g_autofree char *source = maxgl_program_source(context, file, error);
    if (!source)
        return NULL;
    g_autofree char *key = cache_key(context, source, all_options);
    g_autofree char *entry = g_strconcat(key, ".bin", NULL);
    g_autofree char *path = g_build_filename(maxgl_program_cache_dir(), entry, NULL);

    /* Some drivers read "-DX=0.5" by the locale. */
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(c_locale);
    program = context->keeps_programs ? load_cached(context, path, all_options) : NULL;
    if (!program) {
        const gint64 start = g_get_monotonic_time();
        program = compile(context, file, source, all_options, error);
        if (program && context->keeps_programs)
            store_cached(program, path);
        note_built(context, file, (double)(g_get_monotonic_time() - start) * 1e-6);
    }
    uselocale(before);
    freelocale(c_locale);
    if (program)
        g_hash_table_insert(context->programs, g_steal_pointer(&name), program);
    return program;
}

static void listed_free(MaxglListedKernel *listed)
{
    g_free(listed->file);
    g_free(listed->kernel);
    g_free(listed->options);
    g_free(listed);
}

GPtrArray *maxgl_program_list_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)listed_free);
}

void maxgl_program_list(MaxglContext *context, GPtrArray *kernels)
{
    context->listed = kernels;
}

void maxgl_program_note(MaxglContext *context, const char *file, const char *kernel, const char *options,
                        gsize items)
{
    for (guint i = 0; context->listed && i < context->listed->len; i++) {
        MaxglListedKernel *l = g_ptr_array_index(context->listed, i);
        if (g_str_equal(l->file, file) && g_str_equal(l->kernel, kernel) &&
            g_str_equal(l->options, options)) {
            l->items = MAX(l->items, items);
            return;
        }
    }
    if (!context->listed)
        return;
    MaxglListedKernel *listed = g_new0(MaxglListedKernel, 1);
    *listed = (MaxglListedKernel){g_strdup(file), g_strdup(kernel), g_strdup(options), items};
    g_ptr_array_add(context->listed, listed);
}

cl_kernel maxgl_kernel_new(MaxglContext *context, const char *file, const char *name, const char *options,
                           GError **error)
{
    maxgl_program_note(context, file, name, options, 0);
    cl_program program = get_program(context, file, options, error);
    if (!program)
        return NULL;
    cl_int code = CL_SUCCESS;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    if (!maxgl_opencl_check(code, error, "%s: kernel %s of cl/%s", context->info->name, name, file))
        return NULL;
    return kernel;
}

gsize maxgl_kernel_group_limit(const MaxglContext *context, cl_kernel kernel)
{
    size_t limit = 0, multiple = 0;
    clGetKernelWorkGroupInfo(kernel, context->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof limit, &limit, NULL);
    clGetKernelWorkGroupInfo(kernel, context->device, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
                             sizeof multiple, &multiple, NULL);
    /* Rusticl of Mesa 22.3 answers with the preferred multiple, and runs groups up to the device's limit. */
    if (limit == multiple && strcmp(context->info->platform_name, "rusticl") == 0)
        return context->info->max_work_group;
    return limit;
}

gsize maxgl_kernel_local_bytes(const MaxglContext *context, cl_kernel kernel)
{
    cl_ulong bytes = 0;
    clGetKernelWorkGroupInfo(kernel, context->device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    return maxgl_device_doubles_local(context->info) ? bytes / 2 : bytes;
}
