#include "media/synthetic.h"

#include <maxgl/error.h>
#include <string.h>

#include "base/options.h"
#include "base/random.h"
#include "media/decoder.h"

/* Positions and speeds are in 1/256 pixels. */
#define UNIT 256

/* Numbers of the backgrounds of test-new videos begin here, beyond any training background. */
#define NEW_BACKGROUNDS (1 << 24)

static const char *const split_names[MAXGL_SPLITS] = {"train", "test", "test-new", "test-conflict"};
static const char *const direction_names[] = {"right", "down-right", "down", "down-left",
                                              "left",  "up-left",    "up",   "up-right"};
static const char *const speed_names[3][3] = {{"normal"}, {"slow", "fast"}, {"slow", "normal", "fast"}};
static const int speed_percents[3][3] = {{100}, {67, 133}, {50, 100, 150}};
static const char *const color_names[] = {"red", "green", "blue", "yellow", "magenta", "cyan"};
static const guint8 colors[][3] = {{230, 40, 40},  {40, 210, 60},  {50, 80, 240},
                                   {235, 220, 50}, {225, 60, 220}, {50, 215, 225}};
static const char *const shape_names[] = {"disc", "square", "triangle", "ring", "cross", "diamond"};

/* Unit vectors of the eight directions, in 1/65536. */
static const int direction_vectors[8][2] = {{65536, 0},  {46341, 46341},   {0, 65536},  {-46341, 46341},
                                            {-65536, 0}, {-46341, -46341}, {0, -65536}, {46341, -46341}};

static const MaxglOption option_list[] = {
    {"videos", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, videos), "2000", 1, 1 << 20,
     .doc = "training videos"},
    {"test", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, test), "400", 0, 1 << 20,
     .doc = "test videos on the training videos' backgrounds"},
    {"test_new", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, test_new), "400", 0, 1 << 20,
     .doc = "test videos on new backgrounds, each its own"},
    {"test_conflict", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, test_conflict), "0", 0, 1 << 20,
     .doc = "test videos with an object of another colour or shape that stands still"},
    {"seed", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, seed), "1", 0, G_MAXINT,
     .doc = "another seed, another data set"},
    {"width", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, width), "32", 16, 1024, .unit = "pixels",
     .doc = "of the picture"},
    {"height", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, height), "32", 16, 1024, .unit = "pixels",
     .doc = "of the picture"},
    {"frames", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, frames), "20", 1, 10000,
     .doc = "length of a video"},
    {"fps", MAXGL_OPTION_FLOAT, offsetof(MaxglSyntheticOptions, fps), "10", 1, 240, .unit = "frames/s",
     .doc = "frame rate of the files"},
    {"directions", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, directions), "8", 1, 8,
     .doc = "directions of motion, spread evenly"},
    {"speeds", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, speeds), "1", 1, 3,
     .doc = "speeds of motion"},
    {"colors", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, colors), "3", 1, 6,
     .doc = "colours of the shape"},
    {"shapes", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, shapes), "2", 1, 6, .doc = "shapes"},
    {"backgrounds", MAXGL_OPTION_INT, offsetof(MaxglSyntheticOptions, backgrounds), "4", 0, 1 << 20,
     .doc = "backgrounds shared by the training videos; 0: each has its own"},
    {"speed", MAXGL_OPTION_FLOAT, offsetof(MaxglSyntheticOptions, speed), "2", 0, 8, .unit = "pixels/frame",
     .doc = "of the shape, at a width of 32"},
    {"drift", MAXGL_OPTION_FLOAT, offsetof(MaxglSyntheticOptions, drift), "0", 0, 8, .unit = "pixels/frame",
     .doc = "of the background, at a width of 32"},
};
static const MaxglOptionTable option_table = {option_list, G_N_ELEMENTS(option_list),
                                              sizeof(MaxglSyntheticOptions)};

void maxgl_synthetic_options_init(MaxglSyntheticOptions *options)
{
    maxgl_options_init(&option_table, options);
}

gboolean maxgl_synthetic_options_parse(MaxglSyntheticOptions *options, const char *text, GError **error)
{
    g_auto(GStrv) assignments = g_strsplit(text, ",", -1);
    if (text[0] == '\0')
        return TRUE;
    return maxgl_options_assign(&option_table, options, (const char *const *)assignments, error);
}

char *maxgl_synthetic_text(const MaxglSyntheticOptions *options)
{
    return maxgl_options_text(&option_table, options);
}

char *maxgl_synthetic_help(void)
{
    return maxgl_options_help(&option_table);
}

int maxgl_synthetic_split_count(const MaxglSyntheticOptions *options, MaxglSyntheticSplit split)
{
    const int counts[MAXGL_SPLITS] = {options->videos, options->test, options->test_new,
                                      options->test_conflict};
    return counts[split];
}

const char *maxgl_synthetic_split_name(MaxglSyntheticSplit split)
{
    return split_names[split];
}

gsize maxgl_synthetic_count(const MaxglSyntheticOptions *options)
{
    gsize count = 0;
    for (int split = 0; split < MAXGL_SPLITS; split++)
        count += (gsize)maxgl_synthetic_split_count(options, split);
    return count;
}

static int draw(MaxglRandom *random, int n)
{
    return (int)maxgl_random_below(random, (guint32)MAX(n, 1));
}

/* An object that is not like the one that moves, if there are any. */
static void draw_conflict(const MaxglSyntheticOptions *options, MaxglRandom *random,
                          MaxglSyntheticVideo *video)
{
    const int kinds = options->colors * options->shapes;
    const int own = video->color * options->shapes + video->shape;
    const int other = (own + 1 + draw(random, kinds - 1)) % kinds;
    video->conflict = TRUE;
    video->still_color = other / options->shapes;
    video->still_shape = other % options->shapes;
    video->still_x = draw(random, options->width * UNIT);
    video->still_y = draw(random, options->height * UNIT);
}

void maxgl_synthetic_video(const MaxglSyntheticOptions *options, gsize index, MaxglSyntheticVideo *video)
{
    int split = 0;
    while (split + 1 < MAXGL_SPLITS && index >= (gsize)maxgl_synthetic_split_count(options, split))
        index -= (gsize)maxgl_synthetic_split_count(options, split++);
    MaxglRandom random;
    maxgl_random_init(&random, (guint64)options->seed, MAXGL_RANDOM_SYNTHETIC, 0,
                      (guint64)split << 32 | index);
    memset(video, 0, sizeof *video);
    video->split = (MaxglSyntheticSplit)split;
    video->number = (int)index;
    video->direction = draw(&random, options->directions) * 8 / options->directions;
    video->speed = draw(&random, options->speeds);
    video->color = draw(&random, options->colors);
    video->shape = draw(&random, options->shapes);
    video->x = draw(&random, options->width * UNIT);
    video->y = draw(&random, options->height * UNIT);
    video->drift_direction = draw(&random, 8);
    video->background = draw(&random, options->backgrounds > 0 ? options->backgrounds : options->videos);
    if (split == MAXGL_SPLIT_TEST_NEW)
        video->background = NEW_BACKGROUNDS + video->number;
    else if (split == MAXGL_SPLIT_TRAIN && options->backgrounds == 0)
        video->background = video->number;
    if (split == MAXGL_SPLIT_TEST_CONFLICT)
        draw_conflict(options, &random, video);
}

const char *const *maxgl_synthetic_columns(const MaxglSyntheticOptions *options)
{
    static const char *const columns[] = {"split", "motion", "appearance", "background", "speed", NULL};
    static const char *const one_speed[] = {"split", "motion", "appearance", "background", NULL};
    return options->speeds > 1 ? columns : one_speed;
}

char *maxgl_synthetic_value(const MaxglSyntheticOptions *options, const MaxglSyntheticVideo *video,
                            const char *column)
{
    if (strcmp(column, "split") == 0)
        return g_strdup(split_names[video->split]);
    if (strcmp(column, "motion") == 0)
        return g_strdup(direction_names[video->direction]);
    if (strcmp(column, "appearance") == 0)
        return g_strdup_printf("%s-%s", color_names[video->color], shape_names[video->shape]);
    if (strcmp(column, "background") == 0)
        return video->background >= NEW_BACKGROUNDS
                   ? g_strdup_printf("new%d", video->background - NEW_BACKGROUNDS)
                   : g_strdup_printf("b%d", video->background);
    if (strcmp(column, "speed") == 0)
        return g_strdup(speed_names[options->speeds - 1][video->speed]);
    g_return_val_if_reached(NULL);
}

char *maxgl_synthetic_name(const MaxglSyntheticOptions *options, const MaxglSyntheticVideo *video)
{
    return g_strdup_printf("%s/%05d", split_names[video->split], video->number);
}

void maxgl_synthetic_layout(const MaxglSyntheticOptions *options, MaxglFrameLayout *layout)
{
    maxgl_frame_layout_init(layout, MAXGL_PIXEL_I420, options->width, options->height);
}

/* One background texture: two colours mixed by two octaves of value noise that repeats at the picture's
 * edges. */
#define COARSE 4
#define FINE 10
typedef struct {
    int color[2][3];
    int coarse[COARSE][COARSE], fine[FINE][FINE]; /* 0 … 255 */
} Texture;

static void texture_init(Texture *texture, int seed, int background)
{
    MaxglRandom random;
    maxgl_random_init(&random, (guint64)seed, MAXGL_RANDOM_SYNTHETIC, 1, (guint64)background);
    for (int i = 0; i < 2; i++)
        for (int channel = 0; channel < 3; channel++)
            texture->color[i][channel] = 60 + draw(&random, 100);
    for (int i = 0; i < COARSE * COARSE; i++)
        texture->coarse[i / COARSE][i % COARSE] = draw(&random, 256);
    for (int i = 0; i < FINE * FINE; i++)
        texture->fine[i / FINE][i % FINE] = draw(&random, 256);
}

/* Value noise of an n×n lattice at a place given in 1/65536 of the picture; 0 … 255. */
static int noise(const int *lattice, int n, int x, int y)
{
    int cell_x = x * n, cell_y = y * n;
    int x0 = (cell_x >> 16) % n, y0 = (cell_y >> 16) % n;
    int x1 = (x0 + 1) % n, y1 = (y0 + 1) % n;
    int fx = (cell_x >> 8) & 255, fy = (cell_y >> 8) & 255;
    int top = lattice[y0 * n + x0] * (256 - fx) + lattice[y0 * n + x1] * fx;
    int bottom = lattice[y1 * n + x0] * (256 - fx) + lattice[y1 * n + x1] * fx;
    return ((top >> 8) * (256 - fy) + (bottom >> 8) * fy) >> 8;
}

static int wrap(int value, int size)
{
    int rest = value % size;
    return rest < 0 ? rest + size : rest;
}

/* Fills @rgb with the background moved by (dx, dy), 1/256 pixels. */
static void draw_background(const MaxglSyntheticOptions *options, const Texture *texture, int dx, int dy,
                            guint8 *rgb)
{
    int width = options->width, height = options->height;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++, rgb += 3) {
            int u = (int)((gint64)wrap(x * UNIT - dx, width * UNIT) * UNIT / width);
            int v = (int)((gint64)wrap(y * UNIT - dy, height * UNIT) * UNIT / height);
            int mix =
                (2 * noise(&texture->coarse[0][0], COARSE, u, v) + noise(&texture->fine[0][0], FINE, u, v)) /
                3;
            for (int channel = 0; channel < 3; channel++)
                rgb[channel] =
                    (guint8)((texture->color[0][channel] * (255 - mix) + texture->color[1][channel] * mix) /
                             255);
        }
    }
}

/* Whether (u, v), 1/256 pixels from the centre, is inside a shape of radius r. */
static gboolean inside(int shape, int u, int v, int r)
{
    int au = ABS(u), av = ABS(v);
    gint64 square = (gint64)u * u + (gint64)v * v, rr = (gint64)r * r;
    switch (shape) {
    case 0:
        return square <= rr;
    case 1: /* smaller than the circle's box: about the disc's area */
        return au * 9 <= r * 8 && av * 9 <= r * 8;
    case 2:
        return v <= r * 3 / 4 && 2 * au <= v + r * 5 / 4;
    case 3:
        return square <= rr && 4 * square >= rr;
    case 4:
        return (au <= r && av * 3 <= r) || (av <= r && au * 3 <= r);
    default:
        return au + av <= r * 5 / 4;
    }
}

/* Every second of the stripes across a shape is darker. Their direction belongs to the shape: if it varied on
 * its own, it would be one more thing that tells videos apart without motion. */
static gboolean in_stripe(int shape, int u, int v, int r)
{
    int along[] = {u, v, u + v, u - v};
    return (wrap(along[shape % 4], r) * 2) / r == 0;
}

/* Draws the shape with its centre at (cx, cy), 1/256 pixels, with 4×4 samples a pixel and wrapping at the
 * edges. */
static void draw_shape(const MaxglSyntheticOptions *options, int color, int shape, int cx, int cy,
                       guint8 *rgb)
{
    int width = options->width, height = options->height;
    int r = MIN(width, height) * UNIT * 7 / 32;
    int reach = r * 5 / 4 / UNIT + 2;
    for (int j = -reach; j <= reach; j++) {
        for (int i = -reach; i <= reach; i++) {
            int x = cx / UNIT + i, y = cy / UNIT + j;
            int bright = 0, dark = 0;
            for (int s = 0; s < 16; s++) {
                int u = x * UNIT + (s % 4) * 64 + 32 - cx, v = y * UNIT + (s / 4) * 64 + 32 - cy;
                if (!inside(shape, u, v, r))
                    continue;
                if (in_stripe(shape, u, v, r))
                    dark++;
                else
                    bright++;
            }
            guint8 *pixel = rgb + 3 * ((gsize)wrap(y, height) * (gsize)width + (gsize)wrap(x, width));
            for (int channel = 0; channel < 3; channel++)
                pixel[channel] =
                    (guint8)((pixel[channel] * (16 - bright - dark) + colors[color][channel] * bright +
                              colors[color][channel] * 7 / 8 * dark) /
                             16);
        }
    }
}

/* BT.601, limited range, in 1/256; a chroma sample is the mean of the pixels it stands for. */
static void to_i420(const guint8 *rgb, const MaxglFrameLayout *layout, guint8 *frame)
{
    int width = layout->width, height = layout->height;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const guint8 *pixel = rgb + 3 * ((gsize)y * (gsize)width + (gsize)x);
            frame[(gsize)y * (gsize)layout->stride[0] + (gsize)x] =
                (guint8)((66 * pixel[0] + 129 * pixel[1] + 25 * pixel[2] + 128 + 16 * 256) >> 8);
        }
    }
    for (int y = 0; y < (height + 1) / 2; y++) {
        for (int x = 0; x < (width + 1) / 2; x++) {
            int sum[3] = {0}, n = 0;
            for (int k = 0; k < 4; k++) {
                int px = 2 * x + k % 2, py = 2 * y + k / 2;
                if (px >= width || py >= height)
                    continue;
                for (int channel = 0; channel < 3; channel++)
                    sum[channel] += rgb[3 * ((gsize)py * (gsize)width + (gsize)px) + (gsize)channel];
                n++;
            }
            int r = sum[0] / n, g = sum[1] / n, b = sum[2] / n;
            gsize at = (gsize)y * (gsize)layout->stride[1] + (gsize)x;
            frame[layout->offset[1] + at] = (guint8)((-38 * r - 74 * g + 112 * b + 128 + 128 * 256) >> 8);
            frame[layout->offset[2] + at] = (guint8)((112 * r - 94 * g - 18 * b + 128 + 128 * 256) >> 8);
        }
    }
}

/* How far something of @speed pixels a frame (at a width of 32) in @direction has come at frame @frame. */
static void displacement(const MaxglSyntheticOptions *options, double speed, int direction, int frame,
                         int *dx, int *dy)
{
    gint64 step = (gint64)(speed * UNIT * MIN(options->width, options->height) / 32.0 + 0.5);
    *dx = (int)(step * frame * direction_vectors[direction][0] / 65536 % (options->width * UNIT));
    *dy = (int)(step * frame * direction_vectors[direction][1] / 65536 % (options->height * UNIT));
}

void maxgl_synthetic_render(const MaxglSyntheticOptions *options, gsize index, int first, int n,
                            guint8 *frames)
{
    MaxglSyntheticVideo video;
    MaxglFrameLayout layout;
    Texture texture;
    maxgl_synthetic_video(options, index, &video);
    maxgl_synthetic_layout(options, &layout);
    texture_init(&texture, options->seed, video.background);
    gsize pixels = (gsize)options->width * (gsize)options->height;
    g_autofree guint8 *background = g_malloc(3 * pixels);
    g_autofree guint8 *rgb = g_malloc(3 * pixels);
    double speed = options->speed * speed_percents[options->speeds - 1][video.speed] / 100.0;
    for (int i = 0; i < n; i++) {
        int dx, dy;
        if (i == 0 || options->drift > 0.0) {
            displacement(options, options->drift, video.drift_direction, first + i, &dx, &dy);
            draw_background(options, &texture, dx, dy, background);
        }
        memcpy(rgb, background, 3 * pixels);
        if (video.conflict)
            draw_shape(options, video.still_color, video.still_shape, video.still_x, video.still_y, rgb);
        displacement(options, speed, video.direction, first + i, &dx, &dy);
        draw_shape(options, video.color, video.shape, wrap(video.x + dx, options->width * UNIT),
                   wrap(video.y + dy, options->height * UNIT), rgb);
        to_i420(rgb, &layout, frames + (gsize)i * layout.frame_bytes);
    }
}
