#include "base/array.h"
#include "base/random.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    char *folder, *path;
    GError *error;
} Fixture;

static int set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    fixture->folder = g_dir_make_tmp("maxgl-array-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "x.npy", NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    g_clear_error(&fixture->error);
    g_unlink(fixture->path);
    int left = g_rmdir(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->folder);
    g_free(fixture);
    return left;
}

/* Writes a .npy file of the given format version with @header and then @floats numbers 0, 1, 2 … and @extra
 * bytes. */
static void write_npy(const Fixture *fixture, int version, const char *header, int floats, int extra)
{
    GByteArray *bytes = g_byte_array_new();
    guint32 length = (guint32)strlen(header);
    const guint8 v1[] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', (guint8)version, 0, (guint8)length, (guint8)(length >> 8), 0, 0};
    g_byte_array_append(bytes, v1, version == 1 ? 10 : 12);
    g_byte_array_append(bytes, (const guint8 *)header, length);
    for (int i = 0; i < floats; i++) {
        float value = (float)i;
        g_byte_array_append(bytes, (const guint8 *)&value, sizeof value);
    }
    for (int i = 0; i < extra; i++)
        g_byte_array_append(bytes, (const guint8 *)"", 1);
    assert_true(g_file_set_contents(fixture->path, (const char *)bytes->data, bytes->len, NULL));
    g_byte_array_unref(bytes);
}

static void expect_refusal(Fixture *fixture, const char *message)
{
    g_autofree char *expected = g_strdup_printf("%s: %s", fixture->path, message);
    assert_null(maxgl_array_open(fixture->path, &fixture->error));
    assert_string_equal(fixture->error->message, expected);
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    g_clear_error(&fixture->error);
}

static void test_save_bytes(void **state)
{
    Fixture *fixture = *state;
    const float data[6] = {0, 1, 2, 3, 4, 5.5f};
    const gint64 shape[] = {2, 3};
    assert_true(maxgl_array_save(fixture->path, MAXGL_ARRAY_F32, 2, shape, data, &fixture->error));
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
    assert_int_equal(size, 128 + sizeof data);
    assert_memory_equal(
        text, "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ",
        10 + 58);
    assert_int_equal(text[127], '\n');
    assert_memory_equal(text + 128, data, sizeof data);
}

static void test_round_trip(void **state)
{
    Fixture *fixture = *state;
    float data[720];
    for (int i = 0; i < 720; i++)
        data[i] = (float)i * 0.37f;
    const gint64 shape[] = {2, 3, 4, 5, 6, 1};
    for (int rank = 1; rank <= 6; rank++) {
        assert_true(maxgl_array_save(fixture->path, MAXGL_ARRAY_F32, rank, shape, data, &fixture->error));
        g_autoptr(MaxglArray) array = maxgl_array_open(fixture->path, &fixture->error);
        assert_non_null(array);
        assert_int_equal(array->rank, rank);
        gint64 count = 1;
        for (int i = 0; i < 6; i++) {
            assert_int_equal(array->shape[i], i < rank ? shape[i] : 1);
            count *= i < rank ? shape[i] : 1;
        }
        assert_int_equal(array->count, count);
        assert_memory_equal(array->data, data, (gsize)count * sizeof(float));
    }
}

static void test_streaming(void **state)
{
    Fixture *fixture = *state;
    const gint64 row[] = {2};
    const float rows[] = {1, 2, 3, 4, 5, 6};
    MaxglArrayWriter *writer =
        maxgl_array_writer_new(fixture->path, MAXGL_ARRAY_F32, 1, row, &fixture->error);
    assert_true(maxgl_array_writer_append(writer, rows, 1, &fixture->error));
    assert_true(maxgl_array_writer_append(writer, rows + 2, 2, &fixture->error));
    assert_int_equal(maxgl_array_writer_rows(writer), 3);
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    assert_true(maxgl_array_writer_commit(writer, &fixture->error));
    g_autoptr(MaxglArray) array = maxgl_array_open(fixture->path, &fixture->error);
    assert_int_equal(array->rank, 2);
    assert_int_equal(array->shape[0], 3);
    assert_int_equal(array->shape[1], 2);
    assert_memory_equal(array->data, rows, sizeof rows);
}

static void test_no_rows(void **state)
{
    Fixture *fixture = *state;
    const gint64 row[] = {512};
    MaxglArrayWriter *writer =
        maxgl_array_writer_new(fixture->path, MAXGL_ARRAY_F32, 1, row, &fixture->error);
    assert_true(maxgl_array_writer_commit(writer, &fixture->error));
    g_autoptr(MaxglArray) array = maxgl_array_open(fixture->path, &fixture->error);
    assert_int_equal(array->shape[0], 0);
    assert_int_equal(array->count, 0);
}

static void test_abandoned_writer(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(MaxglArrayWriter) writer =
        maxgl_array_writer_new(fixture->path, MAXGL_ARRAY_I64, 0, NULL, NULL);
    const gint64 label = 3;
    assert_true(maxgl_array_writer_append(writer, &label, 1, NULL));
    /* The clean-up function runs after this; tear_down() fails if it leaves a file. */
}

static void test_int64(void **state)
{
    Fixture *fixture = *state;
    const gint64 labels[] = {1, -2, G_MAXINT64}, shape[] = {3};
    assert_true(maxgl_array_save(fixture->path, MAXGL_ARRAY_I64, 1, shape, labels, &fixture->error));
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
    assert_non_null(strstr(text + 10, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }"));
    assert_memory_equal(text + size - sizeof labels, labels, sizeof labels);
    expect_refusal(fixture, "elements of type '<i8', float32 ('<f4') is needed");
}

/* What other writers make of the same dictionary: any order of keys, other quotes and spaces, no alignment.
 */
static void test_other_headers(void **state)
{
    static const struct {
        int version;
        const char *header;
    } cases[] = {
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"},
        {1, "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}"},
        {2, "{ 'fortran_order' : False , 'descr' : '<f4' , 'shape' : ( 2 , 3 , ) }   \n"},
        {3, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}  \n"},
    };
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        write_npy(fixture, cases[i].version, cases[i].header, 6, 0);
        g_autoptr(MaxglArray) array = maxgl_array_open(fixture->path, &fixture->error);
        assert_non_null(array);
        assert_int_equal(array->rank, 2);
        assert_int_equal(array->shape[1], 3);
        for (int k = 0; k < 6; k++)
            assert_true(array->data[k] == (float)k);
    }
    /* In one dimension the two orders are the same. */
    write_npy(fixture, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (4,), }\n", 4, 0);
    g_autoptr(MaxglArray) array = maxgl_array_open(fixture->path, &fixture->error);
    assert_non_null(array);
}

static void test_refusals(void **state)
{
#define NO_DICTIONARY "the header is not a dictionary of descr, fortran_order and shape"
#define SHAPED(shape) "{'descr': '<f4', 'fortran_order': False, 'shape': " shape ", }"
    static const struct {
        const char *header, *message;
        int floats, extra;
    } cases[] = {
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}",
         "elements of type '<f8', float32 ('<f4') is needed", 2},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}",
         "elements of type '>f4', float32 ('<f4') is needed", 1},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}",
         "structured elements, float32 ('<f4') is needed", 1},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}",
         "Fortran order, C order is needed (numpy.ascontiguousarray)", 6},
        {SHAPED("()"), "a single number, an array of 1 to 6 dimensions is needed", 1},
        {SHAPED("(1, 1, 1, 1, 1, 1, 1)"), "more than 6 dimensions", 1},
        {SHAPED("(2, 3)"), "truncated: shape (2, 3) needs 24 bytes after the header, there are 20", 5},
        {SHAPED("(2, 3)"), "truncated: shape (2, 3) needs 24 bytes after the header, there are 23", 5, 3},
        {SHAPED("(2, 3)"), "shape (2, 3) needs 24 bytes after the header, there are 28", 7},
        {SHAPED("(4611686018427387904, 8)"), "shape (4611686018427387904, 8) is too large", 1},
        {SHAPED("(99999999999999999999,)"), NO_DICTIONARY, 1},
        {SHAPED("(-1,)"), NO_DICTIONARY, 1},
        {SHAPED("(1 2)"), NO_DICTIONARY, 2},
        {SHAPED("(2"), NO_DICTIONARY, 2},
        {SHAPED("2"), NO_DICTIONARY, 2},
        {"", NO_DICTIONARY},
        {"{", NO_DICTIONARY},
        {"{'descr': '<f4', 'fortran_order': False}", NO_DICTIONARY},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", NO_DICTIONARY, 1},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", NO_DICTIONARY, 1},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", NO_DICTIONARY, 1},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x", NO_DICTIONARY, 1},
        {"{'descr': '<f4", NO_DICTIONARY, 0},
    };
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        write_npy(fixture, 1, cases[i].header, cases[i].floats, cases[i].extra);
        expect_refusal(fixture, cases[i].message);
    }
}

static void test_broken_files(void **state)
{
    static const struct {
        const char *bytes;
        gsize size;
        const char *message;
    } cases[] = {
        {"", 0, "not a .npy file (it does not begin with \\x93NUMPY)"},
        {"\x93NUMPY\x01\x00", 8, "not a .npy file (it does not begin with \\x93NUMPY)"},
        {"PK\x03\x04 a zip file", 16, "not a .npy file (it does not begin with \\x93NUMPY)"},
        {"\x93NUMPY\x04\x00\x02\x00{}", 12, ".npy format version 4 is not known (1 to 3 are)"},
        {"\x93NUMPY\x01\x00\x03\x00{}", 12, "truncated inside the header"},
        {"\x93NUMPY\x02\x00\x00\x00", 10, "truncated inside the header"},
        {"\x93NUMPY\x02\x00\xff\xff\xff\xff{}", 14, "truncated inside the header"},
    };
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        assert_true(g_file_set_contents(fixture->path, cases[i].bytes, (gssize)cases[i].size, NULL));
        expect_refusal(fixture, cases[i].message);
    }
}

/* Random bytes in the header: refused, or every number can be read. */
static void test_random_damage(void **state)
{
    Fixture *fixture = *state;
    const gint64 shape[] = {2, 3};
    const float data[6] = {1, 1, 1, 1, 1, 1};
    assert_true(maxgl_array_save(fixture->path, MAXGL_ARRAY_F32, 2, shape, data, NULL));
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
    int refused = 0;
    for (guint round = 0; round < 1000; round++) {
        g_autofree char *damaged = g_memdup2(text, size);
        MaxglRandom random;
        maxgl_random_init(&random, 2, MAXGL_RANDOM_TEST, 0, round);
        for (guint i = 0; i <= round % 3; i++)
            damaged[maxgl_random_below(&random, 80)] = (char)(32 + maxgl_random_below(&random, 96));
        assert_true(g_file_set_contents_full(fixture->path, damaged, (gssize)size, G_FILE_SET_CONTENTS_NONE,
                                             0600, NULL));
        g_autoptr(MaxglArray) array = maxgl_array_open(fixture->path, &fixture->error);
        if (!array) {
            assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
            g_clear_error(&fixture->error);
            refused++;
            continue;
        }
        float sum = 0;
        for (gint64 i = 0; i < array->count; i++)
            sum += array->data[i];
        assert_true(sum == 6);
    }
    assert_in_range(refused, 300, 999);
}

static void test_missing_file(void **state)
{
    Fixture *fixture = *state;
    assert_null(maxgl_array_open(fixture->path, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_save_bytes),       TEST(test_round_trip),    TEST(test_streaming),     TEST(test_no_rows),
        TEST(test_abandoned_writer), TEST(test_int64),         TEST(test_other_headers), TEST(test_refusals),
        TEST(test_broken_files),     TEST(test_random_damage), TEST(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
