#include "base/checksum.h"

#include "base/file.h"
#include <string.h>

void maxgl_checksum_add_text(GChecksum *sum, const char *text)
{
    g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
}

char *maxgl_checksum_of_file(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = maxgl_file_map(path, error);
    if (!file)
        return NULL;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const guchar *data = (const guchar *)g_mapped_file_get_contents(file);
    const gsize length = g_mapped_file_get_length(file), part = (gsize)1 << 30;
    for (gsize done = 0; done < length; done += part)
        g_checksum_update(sum, data + done, (gssize)MIN(part, length - done));
    return g_strdup(g_checksum_get_string(sum));
}
