#include "eval/contact_sheet.h"

#include "eval/html.h"
#include "eval/thumbnail.h"

#include <math.h>

#define PIXELS 288 /* across a picture */

char *maxgl_contact_time(double seconds)
{
    const gint64 hundredths = llround(seconds * 100);
    const int hours = (int)(hundredths / 360000), minutes = (int)(hundredths / 6000 % 60);
    const int rest = (int)(hundredths % 6000);
    return hours > 0 ? g_strdup_printf("%d:%02d:%02d.%02d", hours, minutes, rest / 100, rest % 100)
                     : g_strdup_printf("%d:%02d.%02d", minutes, rest / 100, rest % 100);
}

static char *range_text(const MaxglContact *contact)
{
    g_autofree char *first = maxgl_contact_time(contact->seconds[0]);
    g_autofree char *last = maxgl_contact_time(contact->seconds[1]);
    return g_strdup_printf("%s – %s", first, last);
}

static void append_picture(GString *html, const MaxglContact *contact, const char *range)
{
    g_autoptr(GError) error = NULL;
    const double middle = (contact->seconds[0] + contact->seconds[1]) / 2;
    g_autoptr(MaxglThumbnail) picture = maxgl_thumbnail_of_video(contact->path, middle, PIXELS, &error);
    if (!picture) {
        maxgl_html(html, "<p class=\"note\">No picture: %s</p>", error->message);
        return;
    }
    maxgl_html(html, "<img width=\"%d\" height=\"%d\" alt=\"%s, %s\" src=\"data:image/png;base64,",
               picture->width, picture->height, contact->name, range);
    g_string_append(html, picture->png);
    g_string_append(html, "\"/>");
}

/* A picture that is a link to its seconds in the video (a media fragment: https://www.w3.org/TR/media-frags),
 * and what it is. @rank 0: the query. */
static void append_contact(GString *html, const MaxglContact *contact, gsize rank)
{
    g_autofree char *range = range_text(contact);
    g_autofree char *uri = g_filename_to_uri(contact->path, NULL, NULL);
    g_autofree char *base = g_path_get_basename(contact->name);
    g_string_append(html, "<figure class=\"contact\">");
    if (uri)
        maxgl_html(html, "<a href=\"%s#t=%.3f,%.3f\" title=\"%s\">", uri, contact->seconds[0],
                   contact->seconds[1], contact->name);
    append_picture(html, contact, range);
    g_string_append(html, uri ? "</a>\n<figcaption>" : "\n<figcaption>");
    if (rank > 0)
        maxgl_html(html, "<b>%" G_GSIZE_FORMAT "</b> ", rank);
    maxgl_html(html, "%s<br/><span class=\"number\">%s", base, range);
    if (rank > 0)
        maxgl_html(html, " · similarity %.3f", contact->similarity);
    g_string_append(html, "</span></figcaption></figure>\n");
}

char *maxgl_contact_sheet(const MaxglContactSheet *sheet)
{
    GString *html = g_string_new(NULL);
    g_autofree char *base = g_path_get_basename(sheet->query.name);
    g_autofree char *title = g_strdup_printf("What is like %s", base);
    g_autofree char *clips = g_strdup_printf("%" G_GSIZE_FORMAT, sheet->clips);
    maxgl_html_begin(html, title,
                     "Moments of videos that are nearest to the query, by the cosine similarity "
                     "of their features.");
    g_string_append(html, "</header>\n<main>\n<section aria-label=\"Query\"><h2>Query</h2>\n"
                          "<div class=\"contacts\">\n");
    append_contact(html, &sheet->query, 0);
    g_string_append(html, "</div></section>\n<section aria-label=\"Hits\"><h2>Nearest</h2>\n");
    if (sheet->n_hits == 0)
        g_string_append(html, "<p>Nothing is left to be found.</p>\n");
    g_string_append(html, "<div class=\"contacts\">\n");
    for (gsize i = 0; i < sheet->n_hits; i++)
        append_contact(html, &sheet->hits[i], i + 1);
    g_string_append(html, "</div></section>\n<section aria-label=\"Search\"><h2>Search</h2>\n"
                          "<dl class=\"facts\">\n");
    maxgl_html_fact(html, "query", sheet->query.name);
    maxgl_html_fact(html, "index", sheet->index);
    maxgl_html_fact(html, "clips in it", clips);
    maxgl_html_fact(html, "model", sheet->model);
    g_string_append(html, "</dl></section>\n");
    maxgl_html_end(html, "search");
    return g_string_free(html, FALSE);
}
