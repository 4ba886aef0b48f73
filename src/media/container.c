#include "media/container.h"

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

static void inspect_avi(FILE *file, gint64 size, const guint8 *head, MaxglContainer *container)
{
    gint64 announced = 8 + (gint64)little_endian(head + 4); /* 8: never finished, so nothing is announced */
    container->kind = MAXGL_CONTAINER_AVI;
    container->present = announced > size ? (double)size / (double)announced : 1.0;
    container->indexed = announced <= size && find_index(file, announced > 8 ? announced : size);
}

static guint64 big_endian(const guint8 *bytes, int n)
{
    guint64 value = 0;
    for (int i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* Walks over the outermost atoms. */
static void inspect_quicktime(FILE *file, gint64 size, MaxglContainer *container)
{
    gint64 at = 0;
    guint8 head[16];
    container->kind = MAXGL_CONTAINER_QUICKTIME;
    container->headed = FALSE;
    while (at + 8 <= size && fseek(file, (long)at, SEEK_SET) == 0) {
        gsize n = fread(head, 1, sizeof head, file);
        if (n < 8)
            break;
        if (memcmp(head + 4, "moov", 4) == 0)
            container->headed = TRUE;
        guint64 length = big_endian(head, 4);
        if (length == 0) /* up to the end of the file */
            return;
        if (length == 1 && n == sizeof head)
            length = big_endian(head + 8, 8);
        if (length < 8 || length > G_MAXINT64 / 2)
            return;
        at += (gint64)length;
    }
    container->present = at > size ? (double)size / (double)at : 1.0;
}

void maxgl_container_inspect(const char *path, MaxglContainer *container)
{
    *container = (MaxglContainer){.present = 1.0, .indexed = TRUE, .headed = TRUE};
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return;
    guint8 head[12];
    if (fread(head, 1, sizeof head, file) == sizeof head && fseek(file, 0, SEEK_END) == 0) {
        gint64 size = ftell(file);
        if (memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "AVI ", 4) == 0)
            inspect_avi(file, size, head, container);
        else if (memcmp(head + 4, "ftyp", 4) == 0 || memcmp(head + 4, "moov", 4) == 0)
            inspect_quicktime(file, size, container);
        else if (memcmp(head, "\x1a\x45\xdf\xa3", 4) == 0) /* EBML */
            container->kind = MAXGL_CONTAINER_MATROSKA;
    }
    fclose(file);
}
