/* Frames out of a video file, by GStreamer.
 *
 * Frame numbers. A video has a nominal frame rate f (the container's; else the median distance of its
 * first frames). Frame k is the picture on screen (k + ½)/f seconds after the first frame's time stamp. At a
 * constant rate that is the k-th frame, whatever the container's rounding; at a variable one a picture that
 * stays on screen for long has several numbers and one that is shorter than 1/f may have none. Frame k begins
 * at k/f seconds.
 *
 * AVI has no time stamps, and decoders guess those of reordered pictures, differently after a seek. So AVI
 * files of up to two minutes are always decoded from their start; longer ones have vague_times.
 *
 * What is not done: orientation tags and pixel aspect ratios are not applied, interlaced pictures are not
 * taken apart. If the picture's size changes within the video, later pictures are scaled to the first one's
 * size. */
#ifndef MAXGL_MEDIA_DECODER_H
#define MAXGL_MEDIA_DECODER_H

#include <gio/gio.h>
#include <maxgl/frames.h>

/** What was learnt from the files opened before, and pipelines that can take another file: for decoders of
 * many files alike, in any number of threads. Decodes to the same bytes, and fails for the same reasons, as
 * without; small files many times as fast. */
typedef struct MaxglDecoderPool MaxglDecoderPool;

MaxglDecoderPool *maxgl_decoder_pool_new(void);

/** After the last of its decoders. NULL is nothing. */
void maxgl_decoder_pool_free(MaxglDecoderPool *pool);

/** How to decode. */
typedef struct {
    double timeout; /**< seconds without any new frame after which the file is given up; default 20 */
    gboolean rgb;   /**< deliver RGB whatever the video has (thumbnails) */
    int niceness;   /**< of the decoding threads, where theirs is lower; default 0 */
    GCancellable *cancellable; /**< ends every call with #MAXGL_ERROR_CANCELLED; or NULL */
    MaxglDecoderPool *pool;    /**< or NULL */
} MaxglDecoderOptions;

/** What a video is. */
typedef struct {
    MaxglFrameLayout layout; /**< of the frames delivered */
    double fps;              /**< nominal frame rate, above 0 */
    gint64 frames;        /**< numbers 0 … frames − 1 exist: counted to the last picture, not announced */
    double seconds;       /**< frames / fps */
    gboolean vague_times; /**< after a seek a number can stand for a neighbouring picture */
} MaxglVideoInfo;

/** An open video: one pipeline, one thread at a time. */
typedef struct MaxglDecoder MaxglDecoder;

/** A whole video in memory. */
typedef struct {
    MaxglVideoInfo info;
    gint64 pictures; /**< decoded pictures: info.frames at a constant frame rate */
    gint64 *times;   /**< [pictures] nanoseconds since the first picture, rising */
    guint8 *data;    /**< [pictures] frames of info.layout.frame_bytes */
} MaxglVideo;

/** Initialises GStreamer once (gst_init_check(): no signal handlers, no arguments). Every function here calls
 * it. */
gboolean maxgl_gstreamer_init(GError **error);

/** The layout without padding of a picture: planes one after the other, chroma of odd sizes rounded up. */
void maxgl_frame_layout_init(MaxglFrameLayout *layout, MaxglPixelFormat format, int width, int height);

/** The defaults. */
void maxgl_decoder_options_init(MaxglDecoderOptions *options);

/** Opens the video @path and decodes its first frame. Pictures are delivered in the decoder's own format
 * where it is one of #MaxglPixelFormat, otherwise as I420 (Y'CbCr), RGB (RGB) or GRAY8 (grey). BT.2020 is
 * taken for BT.709.
 *
 *  @known: the info that an earlier decoder of the same file gave, which saves finding the end of the video;
 * NULL: the end is looked for (one seek). @options NULL: the defaults.
 *
 *  A file whose pictures end before 80 % of the duration in its header is truncated: #MAXGL_ERROR_FORMAT.
 * Errors name the path and, where a decoder is missing, the Debian package that has it. */
MaxglDecoder *maxgl_decoder_open(const char *path, const MaxglVideoInfo *known,
                                 const MaxglDecoderOptions *options, GError **error);

/** Closes the file. A pipeline that hangs is left to a thread of its own, and the caller goes on. */
void maxgl_decoder_free(MaxglDecoder *decoder);

const MaxglVideoInfo *maxgl_decoder_info(const MaxglDecoder *decoder);

/** Reads the @n frames with the given numbers, in rising order (a number may repeat), into @frames, one after
 * the other. Goes on decoding where the first one lies shortly ahead of the last read, seeks otherwise: the
 * bytes are the same. #MAXGL_ERROR_FORMAT for what cannot be decoded or is not there, #MAXGL_ERROR_IO after
 * the timeout. After an error the decoder can only be freed. */
gboolean maxgl_decoder_read(MaxglDecoder *decoder, const gint64 *numbers, gsize n, guint8 *frames,
                            GError **error);

/** Decodes all of @path, which fails with #MAXGL_ERROR_LIMIT if its pictures need more than @max_bytes. */
MaxglVideo *maxgl_video_read(const char *path, gsize max_bytes, const MaxglDecoderOptions *options,
                             GError **error);

void maxgl_video_free(MaxglVideo *video);

/** Frame @number of a video in memory, by the rule above; the last one if @number is beyond the end. */
const guint8 *maxgl_video_frame(const MaxglVideo *video, gint64 number);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglDecoderPool, maxgl_decoder_pool_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglDecoder, maxgl_decoder_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglVideo, maxgl_video_free)

#endif
