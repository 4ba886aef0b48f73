#include "learn/exchange.h"

#include "ops/elementwise.h"

/* What travels of an output or its gradient. */
typedef struct {
    MaxglTensor own, all; /* the device's, and the first one's, of the whole batch */
    MaxglShape rows;      /* of the share, as the first device has them */
    gsize row_offset;     /* bytes into the first device's tensor */
} Rows;

/* One output of the network: its value and the gradient travel in the same memory, one after the other. */
typedef struct {
    Rows value, gradient;
    gsize offset, lead_offset; /* bytes into that */
} Output;

/* What belongs to one device. @near is in its layout, @far in the first device's: the same memory where there
 * is no difference. */
typedef struct {
    MaxglReplica *replica;
    GArray *outputs; /* of Output */
    gsize output_bytes, lead_output_bytes;
    MaxglHostMemory memory; /* near features, near flat values, near statistics */
    guint8 *near_features, *far_features;
    float *near_flat, *far_flat, *near_statistics, *far_statistics;
    guint8 *translated; /* what the far ones are, where layouts differ; else NULL */
    cl_event gradients_ready;
} Link;

struct MaxglExchange {
    MaxglReplica *lead;
    guint n;
    Link *links;               /* n */
    MaxglHostMemory published; /* the first device's parameters, then statistics */
    cl_event published_ready;
    float *statistics; /* the mean */
    cl_mem added;      /* gradients of another device, on the first */
    MaxglSequence *add;
};

static gsize learnt_floats(const MaxglReplica *r)
{
    return maxgl_parameters_learnt_floats(r->parameters);
}

static gsize statistics_floats(const MaxglReplica *r)
{
    return maxgl_parameters_statistics_floats(r->parameters);
}

static Rows rows_of(const MaxglShare *share, const MaxglTensor *own, const MaxglTensor *all)
{
    Rows rows = {.own = *own, .all = *all, .rows = all->shape};
    MaxglShape before = all->shape;
    rows.rows.n = share->clips;
    before.n = share->first;
    rows.row_offset = maxgl_shape_bytes(&before);
    return rows;
}

static gboolean is_translated(const Rows *rows)
{
    return !maxgl_shape_equal(&rows->own.shape, &rows->rows);
}

/* So that floats may lie behind either. */
static gsize placed_bytes(const MaxglShape *a, const MaxglShape *b)
{
    return (MAX(maxgl_shape_bytes(a), maxgl_shape_bytes(b)) + 15) / 16 * 16;
}

/* Returns: whether it has to be translated. */
static gboolean add_output(MaxglExchange *x, Link *link, const char *tap)
{
    const MaxglNetwork *own = link->replica->network, *all = x->lead->network;
    const MaxglShare *share = &link->replica->share;
    const Output o = {
        .value = rows_of(share, maxgl_network_output(own, tap), maxgl_network_output(all, tap)),
        .gradient =
            rows_of(share, maxgl_network_output_gradient(own, tap), maxgl_network_output_gradient(all, tap)),
        .offset = link->output_bytes,
        .lead_offset = link->lead_output_bytes,
    };
    link->output_bytes += placed_bytes(&o.value.own.shape, &o.gradient.own.shape);
    link->lead_output_bytes += placed_bytes(&o.value.rows, &o.gradient.rows);
    g_array_append_val(link->outputs, o);
    return is_translated(&o.value) || is_translated(&o.gradient);
}

/* Memory in the first device's layout, for a device with another one. */
static void make_translated(MaxglExchange *x, Link *link)
{
    const gsize learnt = learnt_floats(x->lead);
    link->translated =
        g_malloc0(link->lead_output_bytes + (learnt + statistics_floats(x->lead)) * sizeof(float));
    link->far_features = link->translated;
    link->far_flat = (float *)(link->translated + link->lead_output_bytes);
    link->far_statistics = link->far_flat + learnt;
}

static gboolean make_link(MaxglExchange *x, Link *link, MaxglReplica *replica, GError **error)
{
    g_autofree const char **taps = replica->task->outputs(replica->recipe);
    link->replica = replica;
    link->outputs = g_array_new(FALSE, FALSE, sizeof(Output));
    gboolean translated = !maxgl_parameters_alike(replica->parameters, x->lead->parameters);
    for (int i = 0; replica != x->lead && taps[i]; i++)
        translated = add_output(x, link, taps[i]) || translated;
    const gsize learnt = replica == x->lead ? 0 : learnt_floats(replica);
    const gsize bytes = link->output_bytes + (learnt + statistics_floats(replica)) * sizeof(float);
    if (!maxgl_host_memory_new(replica->context, bytes, "exchange with other devices", &link->memory, error))
        return FALSE;
    link->far_features = link->near_features = link->memory.data;
    link->far_flat = link->near_flat = (float *)(link->near_features + link->output_bytes);
    link->far_statistics = link->near_statistics = link->near_flat + learnt;
    if (translated)
        make_translated(x, link);
    return TRUE;
}

MaxglExchange *maxgl_exchange_new(MaxglReplica *const *replicas, guint n, GError **error)
{
    g_autoptr(MaxglExchange) x = g_new0(MaxglExchange, 1);
    MaxglReplica *lead = replicas[0];
    const gsize learnt = learnt_floats(lead), statistics = statistics_floats(lead);
    cl_mem gradients = maxgl_parameters_gradients(lead->parameters);
    x->lead = lead;
    x->n = n;
    x->links = g_new0(Link, n);
    x->statistics = g_new0(float, statistics);
    x->add = maxgl_sequence_new(lead->context);
    for (guint i = 0; i < n; i++)
        if (!make_link(x, &x->links[i], replicas[i], error))
            return NULL;
    if (!maxgl_host_memory_new(lead->context, (learnt + statistics) * sizeof(float),
                               "exchange with other devices", &x->published, error) ||
        !(x->added =
              maxgl_buffer_new(lead->context, learnt * sizeof(float), "gradients of other devices", error)) ||
        !maxgl_add(x->add, learnt, gradients, x->added, gradients, error))
        return NULL;
    return g_steal_pointer(&x);
}

static void release_event(cl_event *event)
{
    if (*event)
        clReleaseEvent(*event);
    *event = NULL;
}

void maxgl_exchange_free(MaxglExchange *x)
{
    if (!x)
        return;
    clFinish(x->lead->context->queue); /* it may still read what other devices left for it */
    for (guint i = 0; i < x->n; i++) {
        Link *link = &x->links[i];
        if (!link->replica)
            continue;
        clFinish(link->replica->context->queue);
        release_event(&link->gradients_ready);
        maxgl_host_memory_free(link->replica->context, &link->memory);
        g_array_unref(link->outputs);
        g_free(link->translated);
    }
    release_event(&x->published_ready);
    maxgl_host_memory_free(x->lead->context, &x->published);
    maxgl_sequence_free(x->add);
    maxgl_buffer_free(x->lead->context, x->added);
    g_free(x->statistics);
    g_free(x->links);
    g_free(x);
}

static gboolean wait_for(cl_event *event, const MaxglReplica *of, GError **error)
{
    const cl_int code = clWaitForEvents(1, event);
    release_event(event);
    return maxgl_opencl_check(code, error, "%s: waiting for the device", of->context->info->name);
}

gboolean maxgl_exchange_publish(MaxglExchange *x, GError **error)
{
    const MaxglReplica *lead = x->lead;
    float *values = x->published.data, *statistics = values + learnt_floats(lead);
    release_event(&x->published_ready);
    return maxgl_buffer_fetch(lead->context, maxgl_parameters_values(lead->parameters), 0, values,
                              learnt_floats(lead) * sizeof(float), NULL, error) &&
           maxgl_buffer_fetch(lead->context, maxgl_parameters_statistics(lead->parameters), 0, statistics,
                              statistics_floats(lead) * sizeof(float), &x->published_ready, error);
}

gboolean maxgl_exchange_adopt(MaxglExchange *x, guint i, GError **error)
{
    Link *link = &x->links[i];
    const MaxglReplica *r = link->replica;
    const float *values = x->published.data, *statistics = values + learnt_floats(x->lead);
    cl_event ready = x->published_ready; /* several wait for it */
    const cl_int code = clWaitForEvents(1, &ready);
    if (!maxgl_opencl_check(code, error, "%s: waiting for the device", x->lead->context->info->name))
        return FALSE;
    if (link->translated) {
        maxgl_parameters_convert(x->lead->parameters, values, r->parameters, link->near_flat, FALSE);
        maxgl_parameters_convert(x->lead->parameters, statistics, r->parameters, link->near_statistics, TRUE);
        values = link->near_flat;
        statistics = link->near_statistics;
    }
    return maxgl_buffer_send(r->context, maxgl_parameters_values(r->parameters), 0, values,
                             learnt_floats(r) * sizeof(float), error) &&
           maxgl_buffer_send(r->context, maxgl_parameters_statistics(r->parameters), 0, statistics,
                             statistics_floats(r) * sizeof(float), error);
}

gboolean maxgl_exchange_collect(MaxglExchange *x, guint i, GError **error)
{
    Link *link = &x->links[i];
    MaxglReplica *r = link->replica;
    for (guint j = 0; j < link->outputs->len; j++) {
        const Output *o = &g_array_index(link->outputs, Output, j);
        if (!maxgl_buffer_fetch(r->context, o->value.own.buffer, 0, link->near_features + o->offset,
                                maxgl_shape_bytes(&o->value.own.shape), NULL, error))
            return FALSE;
    }
    /* The queue is in order: what was asked for before is there when this one is. */
    if (!maxgl_buffer_read(r->context, maxgl_parameters_statistics(r->parameters), 0, link->near_statistics,
                           statistics_floats(r) * sizeof(float), error))
        return FALSE;
    if (!link->translated)
        return TRUE;
    for (guint j = 0; j < link->outputs->len; j++) {
        const Output *o = &g_array_index(link->outputs, Output, j);
        maxgl_shape_convert(&o->value.own.shape, link->near_features + o->offset, &o->value.rows,
                            link->far_features + o->lead_offset);
    }
    maxgl_parameters_convert(r->parameters, link->near_statistics, x->lead->parameters, link->far_statistics,
                             TRUE);
    return TRUE;
}

/* Differences from the first device's are averaged, so that statistics that are all the same stay the same to
 * the bit: those of frozen layers. */
static gboolean average_statistics(MaxglExchange *x, GError **error)
{
    const MaxglReplica *lead = x->lead;
    const gsize floats = statistics_floats(lead);
    const float *first = x->links[0].near_statistics;
    for (gsize k = 0; k < floats; k++) {
        double sum = 0;
        for (guint i = 1; i < x->n; i++)
            sum +=
                ((double)x->links[i].far_statistics[k] - (double)first[k]) * x->links[i].replica->share.clips;
        x->statistics[k] = (float)((double)first[k] + sum / lead->share.total);
    }
    return maxgl_buffer_send(lead->context, maxgl_parameters_statistics(lead->parameters), 0, x->statistics,
                             floats * sizeof(float), error);
}

gboolean maxgl_exchange_gather(MaxglExchange *x, GError **error)
{
    for (guint i = 1; i < x->n; i++)
        for (guint j = 0; j < x->links[i].outputs->len; j++) {
            const Output *o = &g_array_index(x->links[i].outputs, Output, j);
            if (!maxgl_buffer_send(x->lead->context, o->value.all.buffer, o->value.row_offset,
                                   x->links[i].far_features + o->lead_offset,
                                   maxgl_shape_bytes(&o->value.rows), error))
                return FALSE;
        }
    return average_statistics(x, error);
}

gboolean maxgl_exchange_scatter(MaxglExchange *x, GError **error)
{
    for (guint i = 1; i < x->n; i++) {
        Link *link = &x->links[i];
        release_event(&link->gradients_ready);
        for (guint j = 0; j < link->outputs->len; j++) {
            const Output *o = &g_array_index(link->outputs, Output, j);
            cl_event *ready = j + 1 == link->outputs->len ? &link->gradients_ready : NULL;
            if (!maxgl_buffer_fetch(x->lead->context, o->gradient.all.buffer, o->gradient.row_offset,
                                    link->far_features + o->lead_offset, maxgl_shape_bytes(&o->gradient.rows),
                                    ready, error))
                return FALSE;
        }
    }
    return TRUE;
}

gboolean maxgl_exchange_receive(MaxglExchange *x, guint i, GError **error)
{
    Link *link = &x->links[i];
    if (!wait_for(&link->gradients_ready, x->lead, error))
        return FALSE;
    for (guint j = 0; j < link->outputs->len; j++) {
        const Output *o = &g_array_index(link->outputs, Output, j);
        if (link->translated)
            maxgl_shape_convert(&o->gradient.rows, link->far_features + o->lead_offset,
                                &o->gradient.own.shape, link->near_features + o->offset);
        if (!maxgl_buffer_send(link->replica->context, o->gradient.own.buffer, 0,
                               link->near_features + o->offset, maxgl_shape_bytes(&o->gradient.own.shape),
                               error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_exchange_return(MaxglExchange *x, guint i, GError **error)
{
    Link *link = &x->links[i];
    MaxglReplica *r = link->replica;
    if (!maxgl_buffer_read(r->context, maxgl_parameters_gradients(r->parameters), 0, link->near_flat,
                           learnt_floats(r) * sizeof(float), error))
        return FALSE;
    if (link->translated)
        maxgl_parameters_convert(r->parameters, link->near_flat, x->lead->parameters, link->far_flat, FALSE);
    return TRUE;
}

gboolean maxgl_exchange_sum(MaxglExchange *x, GError **error)
{
    for (guint i = 1; i < x->n; i++)
        if (!maxgl_buffer_send(x->lead->context, x->added, 0, x->links[i].far_flat,
                               learnt_floats(x->lead) * sizeof(float), error) ||
            !maxgl_sequence_run(x->add, error))
            return FALSE;
    return TRUE;
}
