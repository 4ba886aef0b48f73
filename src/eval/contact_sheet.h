/* A page of what a search has found. */
#ifndef MAXGL_EVAL_CONTACT_SHEET_H
#define MAXGL_EVAL_CONTACT_SHEET_H

#include <glib.h>

/** Some seconds of a video. */
typedef struct {
    const char *path;  /**< absolute */
    const char *name;  /**< that people know it by */
    double seconds[2]; /**< first and last */
    double similarity; /**< of a hit with the query */
} MaxglContact;

/** What is on the page. */
typedef struct {
    const char *index; /**< file that was searched */
    const char *model; /**< file that made it */
    gsize clips;       /**< in the index */
    MaxglContact query;
    const MaxglContact *hits; /**< [n_hits], nearest first */
    gsize n_hits;
} MaxglContactSheet;

/** The page: HTML that needs no other file, with a picture from the middle of the query and of each hit;
 * where there is none, the page says why. */
char *maxgl_contact_sheet(const MaxglContactSheet *sheet);

/** "0:07.50", "1:02:03.00": a time in a video. */
char *maxgl_contact_time(double seconds);

#endif
