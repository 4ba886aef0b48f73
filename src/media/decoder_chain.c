#include "media/decoder_chain.h"

#include <string.h>

/* More elements than this from the demuxer to the decoder are none that are known here. */
#define MAX_ELEMENTS 8

struct MaxglDecoderChain {
    gatomicrefcount references;
    GPtrArray *factories; /* names, in the order of the data's way */
    GstStructure *stream; /* what the demuxer said of the stream, less what is the file's own */
};

MaxglDecoderChain *maxgl_decoder_chain_ref(MaxglDecoderChain *chain)
{
    g_atomic_ref_count_inc(&chain->references);
    return chain;
}

void maxgl_decoder_chain_unref(MaxglDecoderChain *chain)
{
    if (chain == NULL || !g_atomic_ref_count_dec(&chain->references))
        return;
    g_ptr_array_unref(chain->factories);
    if (chain->stream != NULL)
        gst_structure_free(chain->stream);
    g_free(chain);
}

gboolean maxgl_decoder_chain_equal(const MaxglDecoderChain *a, const MaxglDecoderChain *b)
{
    if (a->factories->len != b->factories->len || !gst_structure_is_equal(a->stream, b->stream))
        return FALSE;
    for (guint i = 0; i < a->factories->len; i++)
        if (strcmp(a->factories->pdata[i], b->factories->pdata[i]) != 0)
            return FALSE;
    return TRUE;
}

/* What decodebin may have chosen the decoder by: the stream's caps without what differs from file to file of
 * one kind. */
static GstStructure *kind_of_stream(const GstCaps *caps)
{
    GstStructure *kind = gst_structure_copy(gst_caps_get_structure(caps, 0));
    gst_structure_remove_fields(kind, "width", "height", "framerate", "max-framerate", "codec_data", "level",
                                "pixel-aspect-ratio", "bitrate", NULL);
    return kind;
}

static gboolean is_a(GstElement *element, GstElementFactoryListType type)
{
    GstElementFactory *factory = gst_element_get_factory(element);
    return factory != NULL && gst_element_factory_list_is_type(factory, type);
}

/* The element that makes what comes out of @pad; @pad moves on to that element's own pad. */
static GstElement *maker_of(GstPad **pad)
{
    while (GST_IS_GHOST_PAD(*pad)) {
        GstPad *inner = gst_ghost_pad_get_target(GST_GHOST_PAD(*pad));
        gst_object_unref(*pad);
        *pad = inner;
    }
    return *pad != NULL ? gst_pad_get_parent_element(*pad) : NULL;
}

/* From a source pad of an element to the one that feeds it. */
static void step_back(GstPad **pad)
{
    GstIterator *links = gst_pad_iterate_internal_links(*pad);
    GValue value = G_VALUE_INIT;
    GstPad *feeding = NULL;
    if (links != NULL && gst_iterator_next(links, &value) == GST_ITERATOR_OK) {
        feeding = gst_pad_get_peer(g_value_get_object(&value));
        g_value_unset(&value);
    }
    g_clear_pointer(&links, gst_iterator_free);
    gst_object_unref(*pad);
    *pad = feeding;
}

/* Adds @element, which lies behind those that the chain has so far; TRUE at the demuxer. FALSE in @known: it
 * is nothing that a chain can have. */
static gboolean add_element(MaxglDecoderChain *chain, GstElement *element, gboolean *known)
{
    const char *name = GST_OBJECT_NAME(gst_element_get_factory(element));
    *known = TRUE;
    if (strcmp(name, "multiqueue") == 0 || strcmp(name, "capsfilter") == 0)
        return FALSE;
    gboolean demuxer = is_a(element, GST_ELEMENT_FACTORY_TYPE_DEMUXER);
    *known = chain->factories->len < MAX_ELEMENTS &&
             is_a(element, chain->factories->len == 0
                               ? GST_ELEMENT_FACTORY_TYPE_DECODER
                               : GST_ELEMENT_FACTORY_TYPE_PARSER | GST_ELEMENT_FACTORY_TYPE_DEMUXER);
    if (*known)
        g_ptr_array_insert(chain->factories, 0, g_strdup(name));
    return demuxer;
}

MaxglDecoderChain *maxgl_decoder_chain_find(GstPad *pad)
{
    g_autoptr(MaxglDecoderChain) chain = g_new0(MaxglDecoderChain, 1);
    g_atomic_ref_count_init(&chain->references);
    chain->factories = g_ptr_array_new_with_free_func(g_free);
    GstPad *at = gst_object_ref(pad);
    gboolean complete = FALSE, known = TRUE;
    while (at != NULL && known && !complete) {
        GstElement *element = maker_of(&at);
        known = element != NULL && gst_element_get_factory(element) != NULL;
        if (known && add_element(chain, element, &known)) {
            GstCaps *caps = gst_pad_get_current_caps(at);
            complete = known && caps != NULL;
            if (complete)
                chain->stream = kind_of_stream(caps);
            gst_clear_caps(&caps);
            known = complete;
        }
        g_clear_pointer(&element, gst_object_unref);
        if (at != NULL && known && !complete)
            step_back(&at);
    }
    g_clear_pointer(&at, gst_object_unref);
    return complete ? g_steal_pointer(&chain) : NULL;
}

/* Links the first video stream if it is of the chain's kind. Streams after it are left alone. */
static void on_demuxer_pad(GstElement *demuxer, GstPad *pad, gpointer user_data)
{
    GstElement *next = user_data;
    const MaxglDecoderChain *chain = g_object_get_data(G_OBJECT(next), "maxgl-chain");
    GstPad *target = gst_element_get_static_pad(next, "sink");
    GstCaps *caps = gst_pad_get_current_caps(pad);
    const char *name = caps != NULL ? gst_structure_get_name(gst_caps_get_structure(caps, 0)) : "";
    if (!gst_pad_is_linked(target) &&
        (g_str_has_prefix(name, "video/") || g_str_has_prefix(name, "image/"))) {
        GstStructure *kind = kind_of_stream(caps);
        if (!gst_structure_is_equal(kind, chain->stream) || gst_pad_link(pad, target) != GST_PAD_LINK_OK)
            GST_ELEMENT_ERROR(demuxer, STREAM, WRONG_TYPE, ("another kind of stream"), (NULL));
        gst_structure_free(kind);
    }
    gst_clear_caps(&caps);
    gst_object_unref(target);
}

static void on_no_more_pads(GstElement *demuxer, gpointer user_data)
{
    GstPad *target = gst_element_get_static_pad(user_data, "sink");
    if (!gst_pad_is_linked(target))
        GST_ELEMENT_ERROR(demuxer, STREAM, WRONG_TYPE, ("there is no video in it"), (NULL));
    gst_object_unref(target);
}

GstElement *maxgl_decoder_chain_build(MaxglDecoderChain *chain, GstBin *bin, GstElement *sink)
{
    GstElement *source = gst_element_factory_make("filesrc", NULL);
    if (source == NULL || !gst_bin_add(bin, source))
        return NULL;
    GstElement *last = source;
    for (guint i = 0; i < chain->factories->len; i++) {
        GstElement *element = gst_element_factory_make(chain->factories->pdata[i], NULL);
        if (element == NULL || !gst_bin_add(bin, element))
            return NULL;
        if (i == 1) { /* the demuxer's pads come and go with the file */
            g_object_set_data_full(G_OBJECT(element), "maxgl-chain", maxgl_decoder_chain_ref(chain),
                                   (GDestroyNotify)maxgl_decoder_chain_unref);
            g_signal_connect(last, "pad-added", G_CALLBACK(on_demuxer_pad), element);
            g_signal_connect(last, "no-more-pads", G_CALLBACK(on_no_more_pads), element);
        } else if (!gst_element_link(last, element)) {
            return NULL;
        }
        last = element;
    }
    return chain->factories->len >= 2 && gst_element_link(last, sink) ? source : NULL;
}
