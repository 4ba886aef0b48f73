/* Procedural videos: what they show, what they hide, and their files. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>

#include "base/interrupt.h"
#include "folder.h"
#include "media/dataset.h"
#include "media/decoder.h"

static MaxglSyntheticOptions options_of(const char *text)
{
    g_autoptr(GError) error = NULL;
    MaxglSyntheticOptions options;
    maxgl_synthetic_options_init(&options);
    if (!maxgl_synthetic_options_parse(&options, text, &error))
        fail_msg("%s", error->message);
    return options;
}

static guint8 *render(const MaxglSyntheticOptions *options, gsize index, int first, int n)
{
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(options, &layout);
    guint8 *frames = g_malloc((gsize)n * layout.frame_bytes);
    maxgl_synthetic_render(options, index, first, n, frames);
    return frames;
}

/* The bytes are part of what a seed means; they were recorded when the drawing was looked at. */
static void same_bytes_everywhere(void **state)
{
    static const char *const settings[] = {
        "", "width=33,height=47,speeds=3,colors=6,shapes=6,drift=0.5,backgrounds=0,seed=9"};
    static const char *const sums[] = {"79db67225d1f3d00a0a71557ac2cf4dc",
                                       "e08603698b14b79c5d8628a1cd183185"};
    for (gsize s = 0; s < G_N_ELEMENTS(settings); s++) {
        MaxglSyntheticOptions options = options_of(settings[s]);
        MaxglFrameLayout layout;
        maxgl_synthetic_layout(&options, &layout);
        g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
        gsize indices[] = {0, 1, 1999, 2000, 2799};
        for (gsize i = 0; i < G_N_ELEMENTS(indices); i++) {
            g_autofree guint8 *frames = render(&options, indices[i], 0, options.frames);
            g_checksum_update(sum, frames, (gssize)((gsize)options.frames * layout.frame_bytes));
        }
        assert_string_equal(g_checksum_get_string(sum), sums[s]);
    }
}

static void parts_equal_the_whole(void **state)
{
    MaxglSyntheticOptions options = options_of("drift=0.7");
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(&options, &layout);
    g_autofree guint8 *whole = render(&options, 5, 0, 20);
    g_autofree guint8 *part = render(&options, 5, 7, 3);
    assert_memory_equal(part, whole + 7 * layout.frame_bytes, 3 * layout.frame_bytes);
}

static void factors(void **state)
{
    MaxglSyntheticOptions options = options_of("speeds=2");
    int directions[8] = {0}, appearances[6] = {0}, backgrounds[4] = {0}, speeds[2] = {0};
    for (gsize i = 0; i < 2000; i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(&options, i, &video);
        assert_int_equal(video.split, MAXGL_SPLIT_TRAIN);
        directions[video.direction]++;
        appearances[video.color * 2 + video.shape]++;
        backgrounds[video.background]++;
        speeds[video.speed]++;
    }
    for (int i = 0; i < 8; i++)
        assert_in_range(directions[i], 190, 310);
    for (int i = 0; i < 6; i++)
        assert_in_range(appearances[i], 260, 406);
    for (int i = 0; i < 4; i++)
        assert_in_range(backgrounds[i], 420, 580);
    assert_in_range(speeds[0], 900, 1100);
    for (gsize i = 2000; i < 2800; i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(&options, i, &video);
        assert_int_equal(video.split, i < 2400 ? MAXGL_SPLIT_TEST : MAXGL_SPLIT_TEST_NEW);
        assert_true(i < 2400 ? video.background < 4 : video.background >= 4);
    }
}

static void own_backgrounds(void **state)
{
    MaxglSyntheticOptions options = options_of("videos=30,test=30,backgrounds=0");
    for (gsize i = 0; i < 60; i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(&options, i, &video);
        assert_in_range(video.background, 0, 29);
        if (i < 30)
            assert_int_equal(video.background, (int)i);
    }
}

/* What stands still is of another kind than what moves, and is where nothing else changed. */
static void conflicting_objects(void **state)
{
    MaxglSyntheticOptions options = options_of("videos=10,test=5,test_new=5,test_conflict=200,speed=0");
    int seen[6] = {0};
    assert_int_equal(maxgl_synthetic_count(&options), 220);
    for (gsize i = 0; i < 220; i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(&options, i, &video);
        assert_int_equal(video.conflict, i >= 20);
        if (!video.conflict)
            continue;
        assert_int_equal(video.split, MAXGL_SPLIT_TEST_CONFLICT);
        assert_in_range(video.background, 0, 3);
        assert_false(video.still_color == video.color && video.still_shape == video.shape);
        seen[video.still_color * 2 + video.still_shape]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(seen[i], 18, 50);
    g_autofree char *name = NULL, *value = NULL;
    MaxglSyntheticVideo last;
    maxgl_synthetic_video(&options, 219, &last);
    name = maxgl_synthetic_name(&options, &last);
    value = maxgl_synthetic_value(&options, &last, "split");
    assert_string_equal(name, "test-conflict/00199");
    assert_string_equal(value, "test-conflict");
}

/* Frames of a moving shape differ; what stands still is the same in all of them. */
static void conflicts_stand_still(void **state)
{
    MaxglSyntheticOptions options =
        options_of("videos=1,test=0,test_new=0,test_conflict=20,frames=2,colors=6");
    MaxglFrameLayout layout;
    maxgl_synthetic_layout(&options, &layout);
    int shown = 0;
    for (gsize i = 1; i < 21; i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(&options, i, &video);
        g_autofree guint8 *frames = render(&options, i, 0, 2);
        const int dx = ABS(video.still_x - video.x), dy = ABS(video.still_y - video.y);
        const int far = 18 * 256; /* from the moving shape, which is 14 pixels across, directly or round */
        if (MAX(MIN(dx, 32 * 256 - dx), MIN(dy, 32 * 256 - dy)) < far - 3 * 256)
            continue;
        const gsize at = (gsize)(video.still_y / 256) * 32 + (gsize)(video.still_x / 256);
        assert_int_equal(frames[at], frames[layout.frame_bytes + at]);
        shown++;
    }
    assert_true(shown > 0);
}

/* A video does not change when there are more or fewer of them. */
static void independent_of_number(void **state)
{
    MaxglSyntheticOptions few = options_of("videos=10,test=5"), many = options_of("videos=1000,test=50");
    MaxglSyntheticVideo a, b;
    maxgl_synthetic_video(&few, 9, &a);
    maxgl_synthetic_video(&many, 9, &b);
    assert_memory_equal(&a, &b, sizeof a);
    maxgl_synthetic_video(&few, 12, &a);
    maxgl_synthetic_video(&many, 1002, &b);
    assert_memory_equal(&a, &b, sizeof a);
}

#define FRAME 1536 /* bytes of a 32×32 I420 frame */

static gint64 distance(const guint8 *a, const guint8 *b)
{
    gint64 sum = 0;
    for (int i = 0; i < FRAME; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* What a nearest neighbour knows of motion from one frame: nothing. And of background and appearance: nearly
 * all. */
static void one_frame_hides_motion(void **state)
{
    MaxglSyntheticOptions options = options_of("");
    enum { KNOWN = 1200, ASKED = 400 };
    g_autofree guint8 *frames = g_malloc((KNOWN + ASKED) * FRAME);
    g_autofree MaxglSyntheticVideo *videos = g_new(MaxglSyntheticVideo, KNOWN + ASKED);
    for (gsize i = 0; i < KNOWN + ASKED; i++) {
        maxgl_synthetic_video(&options, i, &videos[i]);
        maxgl_synthetic_render(&options, i, 10, 1, frames + i * FRAME);
    }
    int motion = 0, background = 0;
    for (gsize i = KNOWN; i < KNOWN + ASKED; i++) {
        gsize nearest = 0;
        gint64 least = G_MAXINT64;
        for (gsize k = 0; k < KNOWN; k++) {
            gint64 d = distance(frames + i * FRAME, frames + k * FRAME);
            if (d < least) {
                least = d;
                nearest = k;
            }
        }
        motion += videos[i].direction == videos[nearest].direction;
        background += videos[i].background == videos[nearest].background;
    }
    /* Chance is 50 of 400, standard deviation 6.6. */
    assert_in_range(motion, 24, 76);
    assert_in_range(background, 380, 400);
}

/* Where the shape is in a frame: the mean, round the circle, of the places that differ from the background.
 */
static void locate(const guint8 *frame, const guint8 *background, double *x, double *y)
{
    double sx = 0.0, cx = 0.0, sy = 0.0, cy = 0.0;
    for (int i = 0; i < 32 * 32; i++) {
        double weight = abs(frame[i] - background[i]);
        sx += weight * sin(2.0 * G_PI * (i % 32) / 32.0);
        cx += weight * cos(2.0 * G_PI * (i % 32) / 32.0);
        sy += weight * sin(2.0 * G_PI * (i / 32) / 32.0);
        cy += weight * cos(2.0 * G_PI * (i / 32) / 32.0);
    }
    *x = atan2(sx, cx) * 16.0 / G_PI;
    *y = atan2(sy, cy) * 16.0 / G_PI;
}

/* Two frames do tell: the other side of the test above. */
static void two_frames_show_motion(void **state)
{
    MaxglSyntheticOptions options = options_of("");
    int right = 0;
    for (gsize i = 0; i < 200; i++) {
        MaxglSyntheticVideo video;
        maxgl_synthetic_video(&options, i, &video);
        g_autofree guint8 *frames = render(&options, i, 0, 20);
        guint8 background[32 * 32];
        for (int p = 0; p < 32 * 32; p++) {
            guint8 values[20];
            for (int t = 0; t < 20; t++) { /* insertion sort: the median over time */
                int at = t;
                for (; at > 0 && values[at - 1] > frames[t * FRAME + p]; at--)
                    values[at] = values[at - 1];
                values[at] = frames[t * FRAME + p];
            }
            background[p] = values[10];
        }
        double x0, y0, x1, y1;
        locate(frames + 4 * FRAME, background, &x0, &y0);
        locate(frames + 6 * FRAME, background, &x1, &y1);
        double angle = atan2(remainder(y1 - y0, 32.0), remainder(x1 - x0, 32.0));
        int direction = ((int)floor(angle * 4.0 / G_PI + 0.5) + 8) % 8;
        right += direction == video.direction;
    }
    assert_in_range(right, 190, 200);
}

static void files_equal_memory(void **state)
{
    static const char *const settings[] = {
        "videos=6,test=3,test_new=2,test_conflict=2",
        "videos=2,test=1,test_new=0,width=33,height=47,fps=29.97,speeds=3"};
    for (gsize s = 0; s < G_N_ELEMENTS(settings); s++) {
        char *folder = test_folder_new();
        g_autofree char *dir = g_build_filename(folder, "set", NULL);
        g_autoptr(GError) error = NULL;
        MaxglSyntheticOptions options = options_of(settings[s]);
        if (!maxgl_synthetic_write(dir, &options, 2, &error))
            fail_msg("%s", error->message);
        g_autofree char *list = g_build_filename(dir, "list.csv", NULL);
        g_autofree char *source = g_strconcat("synth:", settings[s], NULL);
        g_autoptr(MaxglDataset) files = maxgl_dataset_open(list, &error);
        g_autoptr(MaxglDataset) memory = maxgl_dataset_open(source, &error);
        assert_int_equal(maxgl_dataset_size(files), maxgl_dataset_size(memory));
        assert_int_equal(maxgl_dataset_bad_count(files), 0);
        const char *const *columns = maxgl_dataset_columns(memory);
        for (gsize i = 0; i < maxgl_dataset_size(files); i++) {
            for (int c = 0; columns[c] != NULL; c++) {
                assert_string_equal(maxgl_dataset_value(files, i, columns[c]),
                                    maxgl_dataset_value(memory, i, columns[c]));
                assert_int_equal(maxgl_dataset_label(files, i, columns[c]),
                                 maxgl_dataset_label(memory, i, columns[c]));
            }
            g_autoptr(MaxglVideo) video =
                maxgl_video_read(maxgl_dataset_path(files, i), 1 << 24, NULL, &error);
            if (video == NULL)
                fail_msg("%s", error->message);
            MaxglFrameLayout layout;
            maxgl_synthetic_layout(&options, &layout);
            assert_memory_equal(&video->info.layout, &layout, sizeof layout);
            assert_int_equal(video->info.frames, options.frames);
            assert_float_equal(video->info.fps, options.fps, 1e-4);
            g_autofree guint8 *drawn = render(&options, i, 0, options.frames);
            assert_memory_equal(video->data, drawn, (gsize)options.frames * layout.frame_bytes);
        }
        test_folder_remove(folder);
    }
}

static int count_entries(const char *folder)
{
    int n = 0;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

static void writing_refused(void **state)
{
    char *folder = test_folder_new();
    g_autoptr(GError) error = NULL;
    MaxglSyntheticOptions options = options_of("videos=2,test=0,test_new=0");
    test_folder_write(folder, "full/something", "x");
    g_autofree char *full = g_build_filename(folder, "full", NULL);
    assert_false(maxgl_synthetic_write(full, &options, 1, &error));
    assert_int_equal(error->code, MAXGL_ERROR_USAGE);
    g_clear_error(&error);
    g_autofree char *file = g_build_filename(full, "something", NULL);
    assert_false(maxgl_synthetic_write(file, &options, 1, &error));
    g_clear_error(&error);
    g_autofree char *inside = g_build_filename(file, "set", NULL);
    assert_false(maxgl_synthetic_write(inside, &options, 1, &error));
    assert_int_equal(error->code, MAXGL_ERROR_IO);
    /* An empty folder is taken. */
    g_autofree char *empty = g_build_filename(folder, "empty", NULL);
    g_mkdir(empty, 0755);
    assert_true(maxgl_synthetic_write(empty, &options, 1, NULL));
    assert_int_equal(count_entries(folder), 2);
    test_folder_remove(folder);
}

/* The last test: the interrupt stays requested. */
static void interrupted(void **state)
{
    char *folder = test_folder_new();
    g_autofree char *dir = g_build_filename(folder, "set", NULL);
    g_autoptr(GError) error = NULL;
    MaxglSyntheticOptions options = options_of("videos=50");
    maxgl_interrupt_install();
    raise(SIGINT);
    assert_false(maxgl_synthetic_write(dir, &options, 2, &error));
    assert_int_equal(error->code, MAXGL_ERROR_CANCELLED);
    assert_int_equal(count_entries(folder), 0);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes_everywhere),
        cmocka_unit_test(parts_equal_the_whole),
        cmocka_unit_test(factors),
        cmocka_unit_test(own_backgrounds),
        cmocka_unit_test(conflicting_objects),
        cmocka_unit_test(conflicts_stand_still),
        cmocka_unit_test(independent_of_number),
        cmocka_unit_test(one_frame_hides_motion),
        cmocka_unit_test(two_frames_show_motion),
        cmocka_unit_test(files_equal_memory),
        cmocka_unit_test(writing_refused),
        cmocka_unit_test(interrupted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
