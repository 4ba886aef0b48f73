/* What tests of the plugin share: a model, frames made of numbers, the element in a harness, its messages. */
#ifndef PLUGIN_TEST_H
#define PLUGIN_TEST_H

/* cmocka needs these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <maxgl/embedder.h>

/** Of the test model: 4 frames of 16 × 16 pixels, every second frame of the video; so a window spans 7. */
#define MODEL_FRAMES 4
#define MODEL_STRIDE 2
#define MODEL_SPAN 7

/** Initialises GStreamer, makes a folder with the test model, runs @tests, removes the folder and lets
 * GStreamer look for leaks, which end the program. Returns: main()'s value. */
int plugin_test_run(const char *name, const struct CMUnitTest *tests, size_t count);

/** The folder, and the model's path. */
const char *plugin_test_folder(void);
const char *plugin_test_model(void);

/** Makes a model of other weights and returns its path; caller frees. */
char *plugin_test_make_model(const char *name, guint64 seed);

/** The element with @properties (as in gst_parse_launch(), without model and device) in a harness, a bus of
 * its own on it. @source, @sink: caps of the two ends, @sink NULL for any. */
GstHarness *plugin_test_harness(const char *properties, const char *source, const char *sink);
void plugin_test_harness_free(GstHarness *harness);

/** Frame @number of the test video: every byte a function of number, plane and position. At @fps frames a
 * second from 0 on. @padding: bytes of garbage behind each row, said by a video meta. */
GstBuffer *plugin_test_frame(const GstVideoInfo *info, guint number, int fps, int padding);

/** Pushes frames @from … @to − 1 at 25 frames a second and asserts that each is taken. */
void plugin_test_push(GstHarness *harness, const char *caps, guint from, guint to);

/** What libmaxgl says of the model on MODEL_FRAMES frames of the test video: @numbers. Caller frees. */
float *plugin_test_reference(const char *model, const char *caps, const guint *numbers);

/** The next maxgl-embedding message's structure (caller frees), NULL if there is none. */
GstStructure *plugin_test_next_message(GstHarness *harness);

/** The next error message's error, NULL if there is none. */
GError *plugin_test_next_error(GstElement *element);

guint64 plugin_test_field(const GstStructure *structure, const char *name);

/** Asserts that @bytes are exactly @length floats of @expected. */
void plugin_test_assert_vector(GBytes *bytes, const float *expected, int length);

#endif
