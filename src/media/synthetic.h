/* Procedural videos with independent factors: a textured shape moves over a textured background and wraps
 * round at the edges. Every frame on its own shows appearance and background, and nothing of the motion. */
#ifndef MAXGL_MEDIA_SYNTHETIC_H
#define MAXGL_MEDIA_SYNTHETIC_H

#include <maxgl/frames.h>

/** Which part of the data set a video belongs to. */
typedef enum {
    MAXGL_SPLIT_TRAIN,         /**< "train" */
    MAXGL_SPLIT_TEST,          /**< "test": the backgrounds of the training videos */
    MAXGL_SPLIT_TEST_NEW,      /**< "test-new": each video has a background that no other has */
    MAXGL_SPLIT_TEST_CONFLICT, /**< "test-conflict": as "test", and an object of another colour or shape
                                  stands still behind the one that moves */
    MAXGL_SPLITS
} MaxglSyntheticSplit;

/** What videos to make: the values of the options that maxgl_synthetic_help() lists. */
typedef struct {
    int videos, test, test_new, test_conflict; /**< videos of each split */
    int seed;
    int width, height, frames;
    double fps;
    int directions;  /**< 4 or 8 of them: the motion */
    int speeds;      /**< 1 … 3 */
    int colors;      /**< 1 … 6 */
    int shapes;      /**< 1 … 6 */
    int backgrounds; /**< shared by all training videos; 0: each video has its own */
    double speed;    /**< pixels a frame at a width of 32 */
    double drift; /**< pixels a frame at a width of 32 that the background moves, in a direction of its own */
} MaxglSyntheticOptions;

/** The factors of one video. */
typedef struct {
    MaxglSyntheticSplit split;
    int number;          /**< within the split */
    int direction;       /**< 0 = right, counted in the direction of the clock */
    int speed;           /**< 0 = slowest */
    int color, shape;    /**< together the appearance */
    int background;      /**< number of the texture */
    int x, y;            /**< centre of the shape in the first frame, 1/256 pixels */
    int drift_direction; /**< of the background */
    gboolean conflict;   /**< an object stands still behind the shape: */
    int still_color, still_shape, still_x, still_y;
} MaxglSyntheticVideo;

/** The defaults: 2000 + 400 + 400 videos of 20 frames of 32×32, 8 directions, 3 colours × 2 shapes, 4
 * backgrounds. */
void maxgl_synthetic_options_init(MaxglSyntheticOptions *options);

/** Reads "key=value,key=value" (what follows `synth:`; "" changes nothing) over @options.
 *  #MAXGL_ERROR_USAGE, one line a problem, with what is allowed. */
gboolean maxgl_synthetic_options_parse(MaxglSyntheticOptions *options, const char *text, GError **error);

/** Keys, defaults, ranges and meaning, for --help. */
char *maxgl_synthetic_help(void);

/** All options with their values: the same text for the same videos. Caller frees. */
char *maxgl_synthetic_text(const MaxglSyntheticOptions *options);

/** Number of videos of all splits: train, then test, test-new and test-conflict. */
gsize maxgl_synthetic_count(const MaxglSyntheticOptions *options);

/** Number of videos of one split. */
int maxgl_synthetic_split_count(const MaxglSyntheticOptions *options, MaxglSyntheticSplit split);

/** "train", "test", "test-new", "test-conflict". */
const char *maxgl_synthetic_split_name(MaxglSyntheticSplit split);

/** The factors of video @index, drawn from Philox keyed by (seed, split, number): a video does not change
 * with the number of videos. */
void maxgl_synthetic_video(const MaxglSyntheticOptions *options, gsize index, MaxglSyntheticVideo *video);

/** Columns that maxgl_synthetic_value() knows, NULL-terminated: split, motion, appearance, background and,
 * with more than one speed, speed. */
const char *const *maxgl_synthetic_columns(const MaxglSyntheticOptions *options);

/** A video's value in a column: "train", "down-left", "red-disc", "b2", "fast". Free it. */
char *maxgl_synthetic_value(const MaxglSyntheticOptions *options, const MaxglSyntheticVideo *video,
                            const char *column);

/** "train/00017": the video's path without its extension. Free it. */
char *maxgl_synthetic_name(const MaxglSyntheticOptions *options, const MaxglSyntheticVideo *video);

/** Layout of the frames: I420, BT.601, limited range. */
void maxgl_synthetic_layout(const MaxglSyntheticOptions *options, MaxglFrameLayout *layout);

/** Draws frames @first … @first + @n − 1 of a video, one after the other, n·frame_bytes in all. In whole
 * numbers only: the same bytes on any machine, and the same that a decoder reads from the files of
 * maxgl_synthetic_write(). Any thread. */
void maxgl_synthetic_render(const MaxglSyntheticOptions *options, gsize index, int first, int n,
                            guint8 *frames);

/** Writes all videos as files (FFV1 in Matroska, lossless) to the folder @dir, which must not exist or be
 * empty, with DIR/list.csv (path and the columns above) for maxgl_dataset_open(). The folder gets its name
 * when everything is in it.
 *  @threads: 0 for one a core. Shows its progress on stderr. #MAXGL_ERROR_CANCELLED after Ctrl-C, and nothing
 * is left. */
gboolean maxgl_synthetic_write(const char *dir, const MaxglSyntheticOptions *options, int threads,
                               GError **error);

#endif
