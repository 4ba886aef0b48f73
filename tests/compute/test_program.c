/* Programs and their cache on disk, with kernels written for the purpose. */
#include "base/interrupt.h"
#include "compute/buffer.h"
#include "compute/opencl.h"
#include "compute/program.h"
#include "compute/sequence.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static char *kernels, *cache;

static void write_kernel(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(kernels, name, NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void empty(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
}

/* How many entries the cache has; @path: the last one's. */
static int entries(char **path)
{
    int n = 0;
    g_autoptr(GDir) dir = g_dir_open(cache, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir)); n++)
        if (path) {
            g_free(*path);
            *path = g_build_filename(cache, name, NULL);
        }
    return n;
}

static int set_up(void **state)
{
    empty(kernels);
    empty(cache);
    write_kernel("answer.cl", "#include \"number.clh\"\n"
                              "kernel void answer(global int *out) { out[0] = NUMBER + EXTRA; }\n");
    write_kernel("number.clh", "#define NUMBER 40\n");
    return 0;
}

/* What the kernel writes, in a context that has built nothing yet. */
static int answer(const char *options)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, &error);
    assert_non_null(context);
    context->keeps_programs = TRUE;
    cl_kernel kernel = maxgl_kernel_new(context, "answer.cl", "answer", options, &error);
    if (!kernel)
        fail_msg("%s", error->message);
    cl_mem out = maxgl_buffer_new(context, sizeof(cl_int), "answer", NULL);
    const size_t one = 1;
    cl_int value = 0;
    assert_int_equal(clSetKernelArg(kernel, 0, sizeof out, &out), CL_SUCCESS);
    assert_int_equal(clEnqueueNDRangeKernel(context->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL),
                     CL_SUCCESS);
    assert_true(maxgl_buffer_read(context, out, 0, &value, sizeof value, NULL));
    clReleaseKernel(kernel);
    maxgl_buffer_free(context, out);
    return value;
}

static void test_built_once(void **state)
{
    assert_int_equal(answer("-DEXTRA=2"), 42);
    assert_int_equal(entries(NULL), 1);
    assert_int_equal(answer("-DEXTRA=2"), 42);
    assert_int_equal(entries(NULL), 1);
    assert_int_equal(answer("-DEXTRA=3"), 43); /* other options, other program */
    assert_int_equal(entries(NULL), 2);
    write_kernel("number.clh", "#define NUMBER 50\n"); /* what is included counts */
    assert_int_equal(answer("-DEXTRA=3"), 53);
    assert_int_equal(entries(NULL), 3);
}

static void test_the_entry_is_used(void **state)
{
    g_autofree char *first = NULL, *second = NULL, *bytes = NULL;
    gsize size = 0;
    assert_int_equal(answer("-DEXTRA=2"), 42);
    assert_int_equal(entries(&first), 1);
    assert_true(g_file_get_contents(first, &bytes, &size, NULL));
    assert_int_equal(g_unlink(first), 0);
    assert_int_equal(answer("-DEXTRA=7"), 47);
    assert_int_equal(entries(&second), 1);
    /* The first program under the second's name: whoever loads it answers wrongly. */
    assert_true(g_file_set_contents(second, bytes, (gssize)size, NULL));
    assert_int_equal(answer("-DEXTRA=7"), 42);
}

static void damage_and_ask(const char *path, const char *bytes, gsize size)
{
    g_autofree char *after = NULL;
    gsize size_after = 0;
    assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
    assert_int_equal(answer("-DEXTRA=2"), 42);
    assert_true(g_file_get_contents(path, &after, &size_after, NULL));
    assert_false(size == size_after && memcmp(bytes, after, size) == 0); /* mended */
}

static void test_damaged_entries_are_built_again(void **state)
{
    g_autofree char *path = NULL, *bytes = NULL;
    gsize size = 0;
    assert_int_equal(answer("-DEXTRA=2"), 42);
    assert_int_equal(entries(&path), 1);
    assert_true(g_file_get_contents(path, &bytes, &size, NULL));
    bytes[size / 2] ^= 1;
    damage_and_ask(path, bytes, size); /* one bit */
    bytes[size / 2] ^= 1;
    damage_and_ask(path, bytes, size - 1); /* cut short */
    damage_and_ask(path, bytes, 10);
    damage_and_ask(path, "", 0);
    bytes[0] = 'X';
    damage_and_ask(path, bytes, size); /* another version's */
}

static void test_a_cache_that_cannot_be_written(void **state)
{
    assert_int_equal(g_rmdir(cache), 0);
    assert_true(g_file_set_contents(cache, "in the way", -1, NULL));
    const int value = answer("-DEXTRA=2");
    g_unlink(cache);
    assert_int_equal(value, 42);
}

static void test_errors_say_where(void **state)
{
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    write_kernel("wrong.cl", "\nkernel void wrong(global int *out) { out[0] = nowhere; }\n");
    g_autoptr(GError) compiler = NULL;
    assert_null(maxgl_kernel_new(context, "wrong.cl", "wrong", "-DA=1", &compiler));
    assert_true(g_error_matches(compiler, MAXGL_ERROR, MAXGL_ERROR_DEVICE));
    assert_non_null(strstr(compiler->message, "cl/wrong.cl"));
    assert_non_null(strstr(compiler->message, "-DA=1"));
    assert_non_null(strstr(compiler->message, "nowhere"));
    g_autoptr(GError) name = NULL;
    assert_null(maxgl_kernel_new(context, "answer.cl", "question", "-DEXTRA=1", &name));
    assert_non_null(strstr(name->message, "kernel question of cl/answer.cl"));
    g_autoptr(GError) file = NULL;
    assert_null(maxgl_kernel_new(context, "nofile.cl", "x", "", &file));
    assert_non_null(strstr(file->message, "nofile.cl"));
}

/* The last test: a signal is not forgotten. */
static void test_ctrl_c_ends_building(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    maxgl_interrupt_install();
    raise(SIGINT);
    assert_null(maxgl_kernel_new(context, "answer.cl", "answer", "-DEXTRA=3", &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED));
    assert_int_equal(entries(NULL), 0);
}

/* What would be launched is noted once, with its largest group; a kernel that is not there does not
 * matter, since nothing is built, and running does nothing. */
static void test_kernels_are_listed(void **state)
{
    static const gsize groups[] = {8, 16, 4};
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    g_autoptr(GPtrArray) listed = maxgl_program_list_new();
    assert_non_null(context);
    maxgl_program_list(context, listed);
    g_autoptr(MaxglSequence) sequence = maxgl_sequence_new(context);
    for (guint i = 0; i < G_N_ELEMENTS(groups); i++) {
        const MaxglLaunch launch = {.file = "nowhere.cl",
                                    .kernel = "nothing",
                                    .options = "-DX=1",
                                    .dims = 1,
                                    .global = {64},
                                    .local = {groups[i]}};
        assert_true(maxgl_sequence_add(sequence, &launch, NULL, "m", NULL));
    }
    const MaxglLaunch other = {
        .file = "nowhere.cl", .kernel = "nothing", .options = "-DX=2", .dims = 1, .global = {64}};
    assert_true(maxgl_sequence_add(sequence, &other, NULL, "m", NULL));
    assert_true(maxgl_sequence_run(sequence, NULL));
    assert_int_equal(listed->len, 2);
    const MaxglListedKernel *first = g_ptr_array_index(listed, 0), *second = g_ptr_array_index(listed, 1);
    assert_string_equal(first->file, "nowhere.cl");
    assert_string_equal(first->kernel, "nothing");
    assert_string_equal(first->options, "-DX=1");
    assert_int_equal(first->items, 16);
    assert_string_equal(second->options, "-DX=2");
    assert_int_equal(second->items, 0);
}

/* Kernels are built for the sub-group that the database names, on Intel's platform alone. */
static void test_sub_groups(void **state)
{
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    assert_non_null(context);
    maxgl_tuning_try(context->tuning, "program", NULL, "sub_group", "16");
    write_kernel("sub.cl", "__kernel void sub(__global int *x) { *x = 1; }\n");
    g_autofree char *elsewhere = maxgl_program_source(context, "sub.cl", NULL);
    assert_true(g_str_has_prefix(elsewhere, "#line 1 \"cl/sub.cl\"\n__kernel"));
    const MaxglVendor vendor = context->info->vendor;
    context->info->vendor = MAXGL_VENDOR_INTEL;
    g_autofree char *intel = maxgl_program_source(context, "sub.cl", NULL);
    context->info->vendor = vendor;
    assert_non_null(strstr(intel, "intel_reqd_sub_group_size(16)"));
}

int main(void)
{
    kernels = g_dir_make_tmp("maxgl-kernels-XXXXXX", NULL);
    cache = g_dir_make_tmp("maxgl-cache-XXXXXX", NULL);
    g_setenv("MAXGL_KERNEL_DIR", kernels, TRUE);
    g_setenv("MAXGL_CACHE_DIR", cache, TRUE);
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(test_built_once),
        TEST(test_the_entry_is_used),
        TEST(test_damaged_entries_are_built_again),
        TEST(test_a_cache_that_cannot_be_written),
        TEST(test_errors_say_where),
        TEST(test_kernels_are_listed),
        TEST(test_sub_groups),
        TEST(test_ctrl_c_ends_building),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    empty(kernels);
    empty(cache);
    g_rmdir(kernels);
    g_rmdir(cache);
    g_free(kernels);
    g_free(cache);
    return failed;
}
