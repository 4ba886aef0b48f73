/* Clips as small moving pictures for a web page: what the network sees of them. Private to the room. */
#ifndef MAXGL_EVAL_FILM_H
#define MAXGL_EVAL_FILM_H

#include "media/dataset.h"
#include "media/loader.h"

/** Makes films on an OpenCL device, with the kernel that prepares the network's input. */
typedef struct MaxglFilmMaker MaxglFilmMaker;

/** What a film is made of. */
typedef struct {
    MaxglClipSpec clip;
    int size; /**< of the clip, pixels; films of larger ones are reduced */
    gboolean antialias;
    int resize_width, resize_height; /**< of the centre view */
} MaxglFilmOptions;

/** A film: frames side by side in one PNG. */
typedef struct {
    char *png; /**< base64 */
    int frames;
    int width, height; /**< of one frame, pixels */
    double seconds;    /**< that it takes in the video */
} MaxglFilm;

MaxglFilmMaker *maxgl_film_maker_new(const char *device, const MaxglFilmOptions *options, GError **error);
void maxgl_film_maker_free(MaxglFilmMaker *maker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFilmMaker, maxgl_film_maker_free)

/** The film of a loaded clip, as its view shows it. */
MaxglFilm *maxgl_film_of_clip(MaxglFilmMaker *maker, const MaxglClip *clip, GError **error);

/** The film of the clip in the middle of a video, seen at the centre. */
MaxglFilm *maxgl_film_of_video(MaxglFilmMaker *maker, const MaxglDataset *dataset, gsize index,
                               GError **error);

void maxgl_film_free(MaxglFilm *film);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MaxglFilm, maxgl_film_free)

#endif
