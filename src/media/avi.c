#include "media/avi.h"

#include <stdio.h>
#include <string.h>

/* A header list larger than this is not searched for an index to its end. */
#define MAX_HEADER 65536

static guint32 little_endian(const guint8 *bytes)
{
    return (guint32)bytes[0] | (guint32)bytes[1] << 8 | (guint32)bytes[2] << 16 | (guint32)bytes[3] << 24;
}

/* Whether the header list at the current place, of @size bytes, has an OpenDML index ("indx"). */
static gboolean header_has_index(FILE *file, guint32 size)
{
    g_autofree guint8 *header = g_malloc(MIN(size, MAX_HEADER));
    gsize n = fread(header, 1, MIN(size, MAX_HEADER), file);
    for (gsize i = 0; i + 4 <= n; i++)
        if (memcmp(header + i, "indx", 4) == 0)
            return TRUE;
    return FALSE;
}

/* Walks over the chunks of the first RIFF form, which ends at @end. */
static gboolean find_index(FILE *file, gint64 end)
{
    gint64 at = 12;
    guint8 head[12];
    while (at + 8 <= end && fseek(file, (long)at, SEEK_SET) == 0 && fread(head, 1, sizeof head, file) >= 8) {
        guint32 size = little_endian(head + 4);
        if (memcmp(head, "idx1", 4) == 0 && size > 0)
            return TRUE;
        if (memcmp(head, "LIST", 4) == 0 && memcmp(head + 8, "hdrl", 4) == 0 && size > 4 &&
            header_has_index(file, size - 4))
            return TRUE;
        at += 8 + (gint64)size + (size & 1);
    }
    return FALSE;
}

void maxgl_avi_inspect(const char *path, double *present, gboolean *has_index)
{
    *present = 1.0;
    *has_index = TRUE;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return;
    guint8 head[12];
    if (fread(head, 1, sizeof head, file) == sizeof head && memcmp(head, "RIFF", 4) == 0 &&
        memcmp(head + 8, "AVI ", 4) == 0 && fseek(file, 0, SEEK_END) == 0) {
        gint64 size = ftell(file);
        gint64 announced =
            8 + (gint64)little_endian(head + 4); /* 8: never finished, so nothing is announced */
        if (announced > size)
            *present = (double)size / (double)announced;
        *has_index = announced <= size && find_index(file, announced > 8 ? announced : size);
    }
    fclose(file);
}
