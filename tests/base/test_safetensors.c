#include "base/random.h"
#include "base/safetensors.h"

#include <glib/gstdio.h>
#include <math.h>
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
    fixture->folder = g_dir_make_tmp("maxgl-safetensors-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "m.safetensors", NULL);
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

/* Writes length, @header and @data bytes (of which the first come from @bytes, the others are 0). */
static void write_raw(const Fixture *fixture, guint64 length, const char *header, gsize header_size,
                      const void *bytes, gsize data)
{
    g_autoptr(GString) file = g_string_new_len((const char *)&length, sizeof length);
    g_string_append_len(file, header, (gssize)header_size);
    for (gsize i = 0; i < data; i++)
        g_string_append_c(file, bytes ? ((const char *)bytes)[i] : '\0');
    assert_true(g_file_set_contents(fixture->path, file->str, (gssize)file->len, NULL));
}

static void write_file(const Fixture *fixture, const char *header, const void *bytes, gsize data)
{
    write_raw(fixture, strlen(header), header, strlen(header), bytes, data);
}

static void expect_refusal(Fixture *fixture, const char *message)
{
    g_autofree char *expected = g_strdup_printf("%s: %s", fixture->path, message);
    assert_null(maxgl_safetensors_open(fixture->path, &fixture->error));
    assert_string_equal(fixture->error->message, expected);
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
    g_clear_error(&fixture->error);
}

/* A small network's worth of everything. The arrays outlive the writer. */
static MaxglSafetensorsWriter *make_writer(void)
{
    static const float weight[6] = {0, -1.5f, 2, 3, 4, 1e-20f}, bias[3] = {7, 8, 9};
    static const gint64 batches = 42;
    static const gint64 shape[] = {3, 2};
    MaxglSafetensorsWriter *writer = maxgl_safetensors_writer_new();
    maxgl_safetensors_writer_set_metadata(writer, "recipe", "a = \"b\\c\";\n\t\x01 é…");
    maxgl_safetensors_writer_set_metadata(writer, "format", "old");
    maxgl_safetensors_writer_set_metadata(writer, "format", "pt");
    maxgl_safetensors_writer_add(writer, "fc.bias", MAXGL_DTYPE_F32, 1, shape, bias);
    maxgl_safetensors_writer_add(writer, "fc.weight", MAXGL_DTYPE_F32, 2, shape, weight);
    maxgl_safetensors_writer_add(writer, "bn.num_batches_tracked", MAXGL_DTYPE_I64, 0, NULL, &batches);
    return writer;
}

static void test_written_bytes(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(MaxglSafetensorsWriter) writer = make_writer();
    assert_true(maxgl_safetensors_writer_write(writer, fixture->path, &fixture->error));
    g_autofree char *text = NULL, *again = NULL;
    gsize size, again_size;
    assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
    const char *header =
        "{\"__metadata__\":{\"format\":\"pt\",\"recipe\":\"a = \\\"b\\\\c\\\";\\n\\u0009\\u0001 é…\"},"
        "\"bn.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[8,20]},"
        "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[20,44]}}";
    gsize padded = (strlen(header) + 7) / 8 * 8;
    guint64 length;
    memcpy(&length, text, sizeof length);
    assert_int_equal(length, padded);
    assert_int_equal(size, 8 + padded + 44);
    assert_memory_equal(text + 8, header, strlen(header));
    for (gsize i = strlen(header); i < padded; i++)
        assert_int_equal(text[8 + i], ' ');

    g_autoptr(MaxglSafetensorsWriter) second = make_writer();
    assert_true(maxgl_safetensors_writer_write(second, fixture->path, &fixture->error));
    assert_true(g_file_get_contents(fixture->path, &again, &again_size, NULL));
    assert_int_equal(size, again_size);
    assert_memory_equal(text, again, size);
}

static void test_round_trip(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(MaxglSafetensorsWriter) writer = make_writer();
    assert_true(maxgl_safetensors_writer_write(writer, fixture->path, &fixture->error));
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(fixture->path, &fixture->error);
    assert_non_null(file);
    assert_string_equal(maxgl_safetensors_path(file), fixture->path);
    assert_int_equal(maxgl_safetensors_count(file), 3);
    assert_string_equal(maxgl_safetensors_get(file, 0)->name, "bn.num_batches_tracked");
    assert_string_equal(maxgl_safetensors_get(file, 2)->name, "fc.weight");

    const MaxglSafetensor *weight = maxgl_safetensors_find(file, "fc.weight");
    assert_int_equal(weight->dtype, MAXGL_DTYPE_F32);
    assert_int_equal(weight->rank, 2);
    assert_int_equal(weight->shape[0], 3);
    assert_int_equal(weight->shape[1], 2);
    assert_int_equal(weight->shape[2], 1);
    assert_int_equal(weight->count, 6);
    assert_int_equal(weight->size, 24);
    float numbers[6];
    maxgl_safetensor_copy_f32(weight, numbers);
    assert_true(numbers[1] == -1.5f && numbers[5] == 1e-20f);

    const MaxglSafetensor *batches = maxgl_safetensors_find(file, "bn.num_batches_tracked");
    gint64 value;
    assert_int_equal(batches->rank, 0);
    assert_int_equal(batches->count, 1);
    memcpy(&value, batches->data, sizeof value);
    assert_int_equal(value, 42);

    assert_null(maxgl_safetensors_find(file, "fc"));
    assert_null(maxgl_safetensors_find(file, "__metadata__"));
    assert_string_equal(maxgl_safetensors_metadata(file, "recipe"), "a = \"b\\c\";\n\t\x01 é…");
    assert_null(maxgl_safetensors_metadata(file, "none"));
    g_autofree const char **keys = maxgl_safetensors_metadata_keys(file);
    assert_string_equal(keys[0], "format");
    assert_string_equal(keys[1], "recipe");
    assert_null(keys[2]);
}

static void test_empty_file(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(MaxglSafetensorsWriter) writer = maxgl_safetensors_writer_new();
    assert_true(maxgl_safetensors_writer_write(writer, fixture->path, &fixture->error));
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(fixture->path, &fixture->error);
    assert_non_null(file);
    assert_int_equal(maxgl_safetensors_count(file), 0);
    assert_null(maxgl_safetensors_metadata(file, "format"));
    g_autofree const char **keys = maxgl_safetensors_metadata_keys(file);
    assert_null(keys[0]);
}

/* Other writers: spaces, any order of tensors and members, empty tensors, members that are not known. */
static void test_other_headers(void **state)
{
    Fixture *fixture = *state;
    const float data[] = {1, 2, 3};
    write_file(fixture,
               "{ \"b\" : {\"shape\":[2], \"data_offsets\": [4, 12], \"dtype\":\"F32\", \"more\": [1]},\n"
               " \"none\" : {\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[4,4]},"
               " \"a\" : {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]} }   ",
               data, sizeof data);
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(fixture->path, &fixture->error);
    assert_non_null(file);
    assert_string_equal(maxgl_safetensors_get(file, 0)->name, "b");
    float b[2];
    maxgl_safetensor_copy_f32(maxgl_safetensors_find(file, "b"), b);
    assert_true(b[0] == 2 && b[1] == 3);
    assert_int_equal(maxgl_safetensors_find(file, "none")->count, 0);
}

static void test_float_types(void **state)
{
    Fixture *fixture = *state;
    /* 1, −2, 2^-24 (the smallest subnormal), 65504 (the largest), −∞, −0, 2^-14 (the smallest normal) */
    const guint16 half[] = {0x3c00, 0xc000, 0x0001, 0x7bff, 0xfc00, 0x8000, 0x0400, 0x7e00};
    const float half_values[] = {1, -2, 0x1p-24f, 65504, -INFINITY, -0.0f, 0x1p-14f};
    const guint16 brain[] = {0x3f80, 0xc049, 0x0001}; /* 1, −3.140625, 2^-133 */
    const double wide[] = {0.1, -1e300};
    char data[16 + 6 + 16];
    memcpy(data, half, 16);
    memcpy(data + 16, brain, 6);
    memcpy(data + 22, wide, 16);
    write_file(fixture,
               "{\"h\":{\"dtype\":\"F16\",\"shape\":[8],\"data_offsets\":[0,16]},"
               "\"b\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[16,22]},"
               "\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[22,38]}}",
               data, sizeof data);
    g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(fixture->path, &fixture->error);
    assert_non_null(file);
    float out[8];
    maxgl_safetensor_copy_f32(maxgl_safetensors_find(file, "h"), out);
    assert_memory_equal(out, half_values, sizeof half_values);
    assert_true(isnan(out[7]));
    maxgl_safetensor_copy_f32(maxgl_safetensors_find(file, "b"), out);
    assert_true(out[0] == 1 && out[1] == -3.140625f && out[2] == 0x1p-133f);
    maxgl_safetensor_copy_f32(maxgl_safetensors_find(file, "d"), out);
    assert_true(out[0] == 0.1f && out[1] == -INFINITY);
}

#define F32(name, shape, begin, end)                                                                         \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void test_refusals(void **state)
{
    static const struct {
        const char *header;
        gsize data;
        const char *message;
    } cases[] = {
        {"", 0, "the header does not begin with '{'"},
        {"[1]", 0, "the header does not begin with '{'"},
        {" {}", 0, "the header does not begin with '{'"},
        {"{\"\xff\":1}", 0, "the header is not UTF-8 at byte 10"},
        {"{}{}", 0, "more text after the header's object at byte 10"},
        {"{} x", 0, "more text after the header's object at byte 11"},
        {"{/* \" */ [[[", 0, "the header is not JSON at byte 9"},
        {"{\"a\":[[[[[[[[1]]]]]]]]}", 0, "the header is nested more than 8 levels deep"},
        {"{\"a\":3}", 0, "tensor a: its entry is not an object"},
        {"{\"__metadata__\":3}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"k\":3}}", 0, "__metadata__: the value of \"k\" is not a string"},
        {"{\"__metadata__\":{\"k\":null}}", 0, "__metadata__: the value of \"k\" is not a string"},
        {"{" F32("a", "[1]", 0, 4) "," F32("a", "[1]", 4, 8) "}", 8, "the header has \"a\" twice"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "the header has \"k\" twice"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a: no dtype"},
        {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a: dtype is not a string"},
        {"{\"a\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         "tensor a: dtype is not a string"},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
         "tensor a: dtype \"F8_E4M3\" is not known (F32, F16, BF16, F64, I64, I32, U8 are)"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tensor a: no shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4,
         "tensor a: shape is not an array"},
        {"{" F32("a", "[1,-1]", 0, 4) "}", 4,
         "tensor a: dimension 1 of the shape is not an integer from 0 up"},
        {"{" F32("a", "[1.0]", 0, 4) "}", 4,
         "tensor a: dimension 0 of the shape is not an integer from 0 up"},
        {"{" F32("a", "[\"1\"]", 0, 4) "}", 4,
         "tensor a: dimension 0 of the shape is not an integer from 0 up"},
        {"{" F32("a", "[null]", 0, 4) "}", 4,
         "tensor a: dimension 0 of the shape is not an integer from 0 up"},
        {"{" F32("a", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4, "tensor a: 9 dimensions, at most 8 are possible"},
        {"{" F32("a", "[4294967296,4294967296]", 0, 4) "}", 4,
         "tensor a: the shape has more elements than any file"},
        {"{" F32("a", "[4611686018427387905]", 0, 4) "}", 4,
         "tensor a: the shape has more elements than any file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "tensor a: no data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":4}}", 4,
         "tensor a: data_offsets is not a pair of integers from 0 up"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4,
         "tensor a: data_offsets is not a pair of integers from 0 up"},
        {"{" F32("a", "[1]", -4, 0) "}", 4, "tensor a: data_offsets is not a pair of integers from 0 up"},
        {"{" F32("a", "[1]", 0, 18446744073709551615) "}", 4,
         "tensor a: data_offsets is not a pair of integers from 0 up"},
        {"{" F32("a", "[1]", 4, 0) "}", 4, "tensor a: data_offsets [4, 0] are reversed"},
        {"{" F32("a", "[2]", 0, 8) "}", 7,
         "tensor a: data_offsets [0, 8] reach beyond the file, which has 7 bytes of data (truncated?)"},
        {"{" F32("a", "[2]", 9223372036854775800, 9223372036854775807) "}", 8,
         "tensor a: data_offsets [9223372036854775800, 9223372036854775807] reach beyond the file, which has "
         "8 bytes "
         "of data (truncated?)"},
        {"{" F32("a", "[3]", 0, 8) "}", 8, "tensor a: F32 of shape [3] needs 12 bytes, data_offsets give 8"},
        {"{" F32("a", "[1]", 0, 8) "}", 8, "tensor a: F32 of shape [1] needs 4 bytes, data_offsets give 8"},
        {"{\"a\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,4]}}", 4,
         "tensor a: I64 of shape [] needs 8 bytes, data_offsets give 4"},
        {"{" F32("a", "[2]", 0, 8) "," F32("b", "[2]", 4, 12) "}", 12,
         "tensor b: its data overlap those of a"},
        {"{" F32("a", "[2]", 0, 8) "," F32("b", "[2]", 0, 8) "}", 8, NULL},
        {"{" F32("a", "[1]", 4, 8) "}", 8, "tensor a: a hole of 4 bytes before its data"},
        {"{" F32("a", "[1]", 0, 4) "," F32("b", "[1]", 8, 12) "}", 12,
         "tensor b: a hole of 4 bytes before its data"},
        {"{" F32("a", "[1]", 0, 4) "}", 6, "2 bytes at the end belong to no tensor"},
        {"{}", 1, "1 bytes at the end belong to no tensor"},
    };
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        write_file(fixture, cases[i].header, NULL, cases[i].data);
        if (cases[i].message) {
            expect_refusal(fixture, cases[i].message);
            continue;
        }
        /* Two tensors in the same place: either may be named first. */
        assert_null(maxgl_safetensors_open(fixture->path, &fixture->error));
        assert_non_null(strstr(fixture->error->message, "its data overlap those of"));
        g_clear_error(&fixture->error);
    }
}

static void test_not_json(void **state)
{
    static const char *const headers[] = {"{",       "{\"a\":}", "{\"a\":{}", "{\"a\" {}}",
                                          "{'a':1}", "{}{}",     "{\"a\":1,}"};
    Fixture *fixture = *state;
    for (guint i = 0; i < G_N_ELEMENTS(headers); i++) {
        write_file(fixture, headers[i], NULL, 0);
        MaxglSafetensors *file = maxgl_safetensors_open(fixture->path, &fixture->error);
        if (file)
            fail_msg("%s was accepted", headers[i]);
        assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
        g_clear_error(&fixture->error);
    }
}

/* Millions of nested arrays must end in an error, not in an exhausted stack. */
static void test_deep_nesting(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GString) header = g_string_new("{\"a\":");
    for (int i = 0; i < 2000000; i++)
        g_string_append_c(header, '[');
    write_file(fixture, header->str, NULL, 0);
    assert_null(maxgl_safetensors_open(fixture->path, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
}

static void test_lengths(void **state)
{
    Fixture *fixture = *state;
    assert_true(g_file_set_contents(fixture->path, "", 0, NULL));
    expect_refusal(fixture, "not a safetensors file: 0 bytes, the first 8 are the header's length");
    assert_true(g_file_set_contents(fixture->path, "\x02\0\0\0\0\0\0", 7, NULL));
    expect_refusal(fixture, "not a safetensors file: 7 bytes, the first 8 are the header's length");
    write_raw(fixture, 3, "{}", 2, NULL, 0);
    expect_refusal(fixture, "header of 3 bytes, but only 2 follow (truncated?)");
    write_raw(fixture, 100000001, "{}", 2, NULL, 0);
    expect_refusal(fixture,
                   "not a safetensors file: header of 100000001 bytes, at most 100000000 are allowed");
    write_raw(fixture, G_MAXUINT64, "{}", 2, NULL, 0);
    expect_refusal(
        fixture,
        "not a safetensors file: header of 18446744073709551615 bytes, at most 100000000 are allowed");
    assert_true(g_file_set_contents(fixture->path, "PK\x03\x04 a zip archive of PyTorch", -1, NULL));
    assert_null(maxgl_safetensors_open(fixture->path, &fixture->error));
    assert_non_null(strstr(fixture->error->message, "not a safetensors file: header of "));
}

/* Cut at every length: always a refusal, and (under AddressSanitizer) never a read beyond the end. */
static void test_every_truncation(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(MaxglSafetensorsWriter) writer = make_writer();
    assert_true(maxgl_safetensors_writer_write(writer, fixture->path, NULL));
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
    for (gsize cut = 0; cut < size; cut++) {
        assert_true(g_file_set_contents(fixture->path, text, (gssize)cut, NULL));
        assert_null(maxgl_safetensors_open(fixture->path, &fixture->error));
        assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
        g_clear_error(&fixture->error);
    }
}

/* Random bytes in the length and the header: refused, or every byte of every tensor can be read. */
static void test_random_damage(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(MaxglSafetensorsWriter) writer = make_writer();
    assert_true(maxgl_safetensors_writer_write(writer, fixture->path, NULL));
    g_autofree char *text = NULL;
    gsize size;
    assert_true(g_file_get_contents(fixture->path, &text, &size, NULL));
    int refused = 0;
    for (guint round = 0; round < 1000; round++) {
        g_autofree char *damaged = g_memdup2(text, size);
        MaxglRandom random;
        maxgl_random_init(&random, 1, MAXGL_RANDOM_TEST, 0, round);
        for (guint i = 0; i <= round % 3; i++)
            damaged[maxgl_random_below(&random, (guint32)size - 44)] = (char)maxgl_random_below(&random, 256);
        assert_true(g_file_set_contents_full(fixture->path, damaged, (gssize)size, G_FILE_SET_CONTENTS_NONE,
                                             0600, NULL));
        g_autoptr(MaxglSafetensors) file = maxgl_safetensors_open(fixture->path, &fixture->error);
        if (!file) {
            assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_FORMAT));
            g_clear_error(&fixture->error);
            refused++;
            continue;
        }
        gsize total = 0;
        for (guint i = 0; i < maxgl_safetensors_count(file); i++) {
            const MaxglSafetensor *tensor = maxgl_safetensors_get(file, i);
            g_autofree void *copy = g_memdup2(tensor->data, tensor->size);
            assert_true(tensor->size == 0 || memcmp(copy, tensor->data, tensor->size) == 0);
            total += tensor->size;
        }
        assert_true(total <= size - 8);
    }
    assert_in_range(refused, 300, 999);
}

static void test_missing_file(void **state)
{
    Fixture *fixture = *state;
    assert_null(maxgl_safetensors_open(fixture->path, &fixture->error));
    assert_true(g_error_matches(fixture->error, MAXGL_ERROR, MAXGL_ERROR_NOT_FOUND));
    g_autofree char *expected = g_strdup_printf("%s: cannot read: No such file or directory", fixture->path);
    assert_string_equal(fixture->error->message, expected);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_written_bytes),    TEST(test_round_trip),    TEST(test_empty_file),
        TEST(test_other_headers),    TEST(test_float_types),   TEST(test_refusals),
        TEST(test_not_json),         TEST(test_deep_nesting),  TEST(test_lengths),
        TEST(test_every_truncation), TEST(test_random_damage), TEST(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
