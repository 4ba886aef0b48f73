#include "learn/crew.h"

/* One thread. Its job is handed over by the queue; a member without a job ends. */
typedef struct {
    GThread *thread;
    GAsyncQueue *orders; /* the member itself, when it has something to do */
    GAsyncQueue *done;   /* the crew's */
    guint number;
    MaxglCrewJob job;
    gpointer data;
    GError *error;
} Member;

struct MaxglCrew {
    guint n;
    Member *members; /* n; the first has no thread */
    GAsyncQueue *done;
};

static gpointer work(gpointer data)
{
    Member *m = data;
    for (;;) {
        g_async_queue_pop(m->orders);
        if (!m->job)
            return NULL;
        m->job(m->data, m->number, &m->error);
        g_async_queue_push(m->done, m);
    }
}

MaxglCrew *maxgl_crew_new(guint n)
{
    MaxglCrew *crew = g_new0(MaxglCrew, 1);
    crew->n = n;
    crew->members = g_new0(Member, n);
    crew->done = g_async_queue_new();
    for (guint i = 1; i < n; i++) {
        Member *m = &crew->members[i];
        m->number = i;
        m->orders = g_async_queue_new();
        m->done = crew->done;
        m->thread = g_thread_new("device", work, m);
    }
    return crew;
}

void maxgl_crew_free(MaxglCrew *crew)
{
    if (!crew)
        return;
    for (guint i = 1; i < crew->n; i++) {
        Member *m = &crew->members[i];
        m->job = NULL;
        g_async_queue_push(m->orders, m);
        g_thread_join(m->thread);
        g_async_queue_unref(m->orders);
    }
    g_async_queue_unref(crew->done);
    g_free(crew->members);
    g_free(crew);
}

gboolean maxgl_crew_run(MaxglCrew *crew, MaxglCrewJob job, gpointer data, GError **error)
{
    for (guint i = 1; i < crew->n; i++) {
        Member *m = &crew->members[i];
        m->job = job;
        m->data = data;
        g_async_queue_push(m->orders, m);
    }
    job(data, 0, &crew->members[0].error);
    for (guint i = 1; i < crew->n; i++)
        g_async_queue_pop(crew->done);
    GError *first = NULL;
    for (guint i = 0; i < crew->n; i++) {
        GError *reason = g_steal_pointer(&crew->members[i].error);
        if (reason && crew->n > 1)
            g_prefix_error(&reason, "device %u of %u: ", i + 1, crew->n);
        if (!first)
            first = reason;
        else
            g_clear_error(&reason);
    }
    if (first)
        g_propagate_error(error, first);
    return !first;
}
