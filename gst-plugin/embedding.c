#include "embedding.h"

#include <math.h>
#include <maxgl/embedder.h>

static double euclidean_norm(const float *vector, int length)
{
    double sum = 0;
    for (int i = 0; i < length; i++)
        sum += (double)vector[i] * vector[i];
    return sqrt(sum);
}

MaxglEmbedding *maxgl_embedding_new(GQuark element, float *vector, int length, gboolean normalize,
                                    const MaxglWindowClip *clip, const GstSegment *segment)
{
    MaxglEmbedding *embedding = g_new(MaxglEmbedding, 1);
    *embedding = (MaxglEmbedding){
        .norm = euclidean_norm(vector, length),
        .element = element,
        .index = clip->index,
        .frames = (guint)clip->real,
        .first_pts = clip->first_pts,
        .last_pts = clip->last_pts,
        .duration = clip->duration,
        .stream_time = GST_CLOCK_TIME_NONE,
        .running_time = GST_CLOCK_TIME_NONE,
    };
    if (normalize)
        maxgl_features_normalize(vector, 1, length);
    embedding->vector = g_bytes_new_take(vector, (gsize)length * sizeof *vector);
    if (segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID(clip->first_pts)) {
        /* The first frame may begin before the segment and reach into it. */
        const guint64 begin = MAX(clip->first_pts, segment->start);
        embedding->stream_time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, begin);
        embedding->running_time = gst_segment_to_running_time(segment, GST_FORMAT_TIME, begin);
    }
    return embedding;
}

void maxgl_embedding_free(MaxglEmbedding *embedding)
{
    if (!embedding)
        return;
    g_bytes_unref(embedding->vector);
    g_free(embedding);
}

void maxgl_embedding_describe(const MaxglEmbedding *e, GstStructure *structure)
{
    gst_structure_set(structure, "index", G_TYPE_UINT64, e->index, "timestamp", GST_TYPE_CLOCK_TIME,
                      e->first_pts, "stream-time", GST_TYPE_CLOCK_TIME, e->stream_time, "running-time",
                      GST_TYPE_CLOCK_TIME, e->running_time, "duration", GST_TYPE_CLOCK_TIME, e->duration,
                      "first-pts", GST_TYPE_CLOCK_TIME, e->first_pts, "last-pts", GST_TYPE_CLOCK_TIME,
                      e->last_pts, "frames", G_TYPE_UINT, e->frames, "norm", G_TYPE_DOUBLE, e->norm, NULL);
}

GstStructure *maxgl_embedding_to_structure(const MaxglEmbedding *embedding, gboolean with_vector)
{
    GstStructure *structure = gst_structure_new_empty("maxgl-embedding");
    maxgl_embedding_describe(embedding, structure);
    if (!with_vector)
        return structure;
    gsize size;
    const float *numbers = g_bytes_get_data(embedding->vector, &size);
    GValue array = G_VALUE_INIT, number = G_VALUE_INIT;
    gst_value_array_init(&array, (guint)(size / sizeof *numbers));
    g_value_init(&number, G_TYPE_FLOAT);
    for (gsize i = 0; i < size / sizeof *numbers; i++) {
        g_value_set_float(&number, numbers[i]);
        gst_value_array_append_value(&array, &number);
    }
    gst_structure_take_value(structure, "vector", &array);
    return structure;
}

static GstBuffer *finish_buffer(const MaxglEmbedding *embedding, GstBuffer *buffer)
{
    GST_BUFFER_PTS(buffer) = embedding->first_pts;
    GST_BUFFER_DURATION(buffer) = embedding->duration;
    GST_BUFFER_OFFSET(buffer) = embedding->index;
    maxgl_embedding_attach(embedding, buffer);
    return buffer;
}

GstBuffer *maxgl_embedding_to_tensor(const MaxglEmbedding *embedding)
{
    return finish_buffer(embedding, gst_buffer_new_wrapped_bytes(embedding->vector));
}

static void append_time(GString *line, const char *name, GstClockTime time)
{
    if (GST_CLOCK_TIME_IS_VALID(time))
        g_string_append_printf(line, ",\"%s\":%" G_GUINT64_FORMAT, name, time);
    else
        g_string_append_printf(line, ",\"%s\":null", name);
}

/* JSON has no infinities. */
static void append_number(GString *line, const char *format, double number)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(line, isfinite(number) ? g_ascii_formatd(text, sizeof text, format, number) : "null");
}

GstBuffer *maxgl_embedding_to_json(const MaxglEmbedding *embedding)
{
    gsize size;
    const float *numbers = g_bytes_get_data(embedding->vector, &size);
    GString *line = g_string_new(NULL);
    g_string_append_printf(line, "{\"index\":%" G_GUINT64_FORMAT, embedding->index);
    append_time(line, "first_pts", embedding->first_pts);
    append_time(line, "last_pts", embedding->last_pts);
    append_time(line, "duration", embedding->duration);
    append_time(line, "stream_time", embedding->stream_time);
    g_string_append_printf(line, ",\"frames\":%u,\"norm\":", embedding->frames);
    append_number(line, "%.17g", embedding->norm);
    g_string_append(line, ",\"vector\":[");
    for (gsize i = 0; i < size / sizeof *numbers; i++) {
        if (i > 0)
            g_string_append_c(line, ',');
        append_number(line, "%.9g", (double)numbers[i]);
    }
    g_string_append(line, "]}\n");
    return finish_buffer(embedding, gst_buffer_new_wrapped_bytes(g_string_free_to_bytes(line)));
}
