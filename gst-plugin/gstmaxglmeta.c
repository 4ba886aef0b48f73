#include "gstmaxglmeta.h"

#include "embedding.h"

static gboolean meta_init(GstMeta *meta, gpointer params, GstBuffer *buffer)
{
    GstMaxglEmbeddingMeta *embedding = (GstMaxglEmbeddingMeta *)meta;
    embedding->vector = NULL;
    return TRUE;
}

static void meta_free(GstMeta *meta, GstBuffer *buffer)
{
    g_bytes_unref(((GstMaxglEmbeddingMeta *)meta)->vector);
}

static gboolean meta_transform(GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data);

static const GstMetaInfo *meta_info(void)
{
    static const GstMetaInfo *info;
    if (g_once_init_enter(&info)) {
        static const char *no_tags[] = {NULL};
        const GType api = gst_meta_api_type_register(GST_MAXGL_EMBEDDING_META_API_NAME, no_tags);
        const GstMetaInfo *registered =
            gst_meta_register(api, "GstMaxglEmbeddingMeta", sizeof(GstMaxglEmbeddingMeta), meta_init,
                              meta_free, meta_transform);
        g_once_init_leave(&info, registered);
    }
    return info;
}

static void attach_meta(GstBuffer *buffer, const GstMaxglEmbeddingMeta *fields)
{
    const GstMeta *added = gst_buffer_add_meta(buffer, meta_info(), NULL);
    GstMaxglEmbeddingMeta *meta = (GstMaxglEmbeddingMeta *)added;
    const GstMeta head = meta->meta;
    *meta = *fields;
    meta->meta = head;
    g_bytes_ref(meta->vector);
}

/* The embedding says what was seen, not where in the picture: it stays true however the buffer is changed. */
static gboolean meta_transform(GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data)
{
    attach_meta(to, (const GstMaxglEmbeddingMeta *)meta);
    return TRUE;
}

void maxgl_embedding_register_metas(void)
{
    static const char *no_tags[] = {NULL};
    meta_info();
    gst_meta_register_custom(GST_MAXGL_EMBEDDING_CUSTOM_META_NAME, no_tags, NULL, NULL, NULL);
}

void maxgl_embedding_attach(const MaxglEmbedding *e, GstBuffer *buffer)
{
    const GstMaxglEmbeddingMeta fields = {
        .vector = e->vector,
        .norm = e->norm,
        .element = e->element,
        .index = e->index,
        .frames = e->frames,
        .first_pts = e->first_pts,
        .last_pts = e->last_pts,
        .duration = e->duration,
    };
    attach_meta(buffer, &fields);
    GstCustomMeta *custom = gst_buffer_add_custom_meta(buffer, GST_MAXGL_EMBEDDING_CUSTOM_META_NAME);
    GstStructure *structure = gst_custom_meta_get_structure(custom);
    maxgl_embedding_describe(e, structure);
    gst_structure_set(structure, "vector", G_TYPE_BYTES, e->vector, "element", G_TYPE_STRING,
                      g_quark_to_string(e->element), NULL);
}
