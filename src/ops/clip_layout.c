#include "ops/clip_layout.h"

#include <maxgl/error.h>

static int half(int size)
{
    return size / 2 + size % 2;
}

int maxgl_clip_layout_grids(const MaxglFrameLayout *l, MaxglClipGrid grids[2])
{
    const MaxglClipGrid luma = {
        .components = 1, .planes = 1, .plane = 0, .width = l->width, .height = l->height, .step = 1};
    const MaxglClipGrid chroma = {.components = 2,
                                  .planes = 1,
                                  .plane = 1,
                                  .width = half(l->width),
                                  .height = half(l->height),
                                  .step = 1,
                                  .halved = TRUE};
    grids[0] = luma;
    switch (l->format) {
    case MAXGL_PIXEL_RGB:
    case MAXGL_PIXEL_BGR:
    case MAXGL_PIXEL_RGBX:
    case MAXGL_PIXEL_BGRX: {
        const gboolean backwards = l->format == MAXGL_PIXEL_BGR || l->format == MAXGL_PIXEL_BGRX;
        grids[0].components = 3;
        grids[0].step = l->format == MAXGL_PIXEL_RGB || l->format == MAXGL_PIXEL_BGR ? 3 : 4;
        grids[0].byte = backwards ? 2 : 0;
        grids[0].next_byte = backwards ? -1 : 1;
        return 1;
    }
    case MAXGL_PIXEL_I420:
        grids[1] = chroma;
        grids[1].planes = 2;
        return 2;
    case MAXGL_PIXEL_NV12:
        grids[1] = chroma;
        grids[1].step = 2;
        grids[1].next_byte = 1;
        return 2;
    case MAXGL_PIXEL_GRAY8:
        break;
    }
    return 1;
}

gboolean maxgl_clip_layout_validate(const MaxglFrameLayout *l, GError **error)
{
    enum { MAX_SIZE = 1 << 16 };
    if (l->format < MAXGL_PIXEL_RGB || l->format > MAXGL_PIXEL_GRAY8 || l->matrix < MAXGL_MATRIX_BT601 ||
        l->matrix > MAXGL_MATRIX_BT709) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE, "frames of unknown format %d with matrix %d",
                    (int)l->format, (int)l->matrix);
        return FALSE;
    }
    if (l->width < 1 || l->height < 1 || l->width > MAX_SIZE || l->height > MAX_SIZE) {
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "frames of %d × %d pixels: each side must be 1 to %d", l->width, l->height, MAX_SIZE);
        return FALSE;
    }
    MaxglClipGrid grids[2];
    const int n = maxgl_clip_layout_grids(l, grids);
    for (int g = 0; g < n; g++)
        for (int p = 0; p < grids[g].planes; p++) {
            const int plane = grids[g].plane + p;
            const gsize row = (gsize)grids[g].width * grids[g].step;
            if (l->stride[plane] < 0 || (gsize)l->stride[plane] < row) {
                g_set_error(
                    error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                    "frames of %d × %d: plane %d has a stride of %d bytes, a row has %" G_GSIZE_FORMAT,
                    l->width, l->height, plane, l->stride[plane], row);
                return FALSE;
            }
            const gsize bytes = (gsize)l->stride[plane] * (gsize)(grids[g].height - 1) + row;
            if (l->offset[plane] > l->frame_bytes || bytes > l->frame_bytes - l->offset[plane]) {
                g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_USAGE,
                            "frames of %d × %d: plane %d reaches past the frame's %" G_GSIZE_FORMAT " bytes",
                            l->width, l->height, plane, l->frame_bytes);
                return FALSE;
            }
        }
    return TRUE;
}

void maxgl_clip_layout_matrix(const MaxglFrameLayout *l, float matrix[12])
{
    const gboolean ycc = l->format == MAXGL_PIXEL_I420 || l->format == MAXGL_PIXEL_NV12;
    const double kr = l->matrix == MAXGL_MATRIX_BT709 ? 0.2126 : 0.299;
    const double kb = l->matrix == MAXGL_MATRIX_BT709 ? 0.0722 : 0.114, kg = 1 - kr - kb;
    const gboolean limited = !l->full_range && (ycc || l->format == MAXGL_PIXEL_GRAY8);
    const double y_scale = 1 / (limited ? 219.0 : 255.0), c_scale = 1 / (limited ? 224.0 : 255.0);
    const double y_zero = limited ? 16 : 0;
    const double ycc_rows[3][3] = {
        {1, 0, 2 * (1 - kr)}, {1, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg}, {1, 2 * (1 - kb), 0}};
    for (int c = 0; c < 3; c++) {
        double row[4] = {0};
        if (ycc) {
            row[0] = y_scale;
            row[1] = ycc_rows[c][1] * c_scale;
            row[2] = ycc_rows[c][2] * c_scale;
            row[3] = -y_zero * row[0] - 128 * (row[1] + row[2]);
        } else if (l->format == MAXGL_PIXEL_GRAY8) {
            row[0] = y_scale;
            row[3] = -y_zero * y_scale;
        } else {
            row[c] = 1 / 255.0;
        }
        for (int i = 0; i < 4; i++)
            matrix[4 * c + i] = (float)row[i];
    }
}
