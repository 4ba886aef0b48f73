#include "media/dataset_check.h"

#include <glib/gstdio.h>
#include <maxgl/error.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "media/decoder.h"

enum { MAX_THREADS = 8, READ_BYTES = 1 << 20, FRAMES_AT_ONCE = 16 };

/* What was learnt of one video. */
typedef struct {
    MaxglFindingKind kind; /* MAXGL_N_FINDINGS: nothing is wrong */
    char *detail;
} Verdict;

typedef struct {
    const MaxglDataset *dataset;
    const MaxglDatasetCheckOptions *options;
    MaxglDecoderPool *pool;
    MaxglProgress *progress;
    Verdict *verdicts;
    GPtrArray *findings;
    GCancellable *cancellable;
    gint done, bad;
} Check;

static const char *const names[MAXGL_N_FINDINGS] = {"missing",         "unreadable",   "too short",
                                                    "listed twice",    "same bytes",   "names alike",
                                                    "without a label", "never trained"};

const char *maxgl_finding_name(MaxglFindingKind kind)
{
    return names[kind];
}

static void finding_free(gpointer pointer)
{
    MaxglFinding *finding = pointer;
    g_free(finding->what);
    g_free(finding->detail);
    g_free(finding);
}

static void check_clear(Check *check)
{
    for (gsize i = 0; check->verdicts && i < maxgl_dataset_size(check->dataset); i++)
        g_free(check->verdicts[i].detail);
    g_free(check->verdicts);
    maxgl_progress_free(check->progress);
    if (check->pool)
        maxgl_decoder_pool_free(check->pool);
    g_clear_pointer(&check->findings, g_ptr_array_unref);
    g_clear_object(&check->cancellable);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Check, check_clear)

static void add(Check *check, MaxglFindingKind kind, const char *what, const char *detail)
{
    MaxglFinding *finding = g_new(MaxglFinding, 1);
    *finding = (MaxglFinding){.kind = kind, .what = g_strdup(what), .detail = g_strdup(detail)};
    g_ptr_array_add(check->findings, finding);
}

/* ---------------- each video by itself ---------------- */

static gboolean decode_all(MaxglDecoder *decoder, GError **error)
{
    const MaxglVideoInfo *info = maxgl_decoder_info(decoder);
    g_autofree guint8 *frames = g_malloc(FRAMES_AT_ONCE * info->layout.frame_bytes);
    for (gint64 at = 0; at < info->frames; at += FRAMES_AT_ONCE) {
        gint64 numbers[FRAMES_AT_ONCE];
        const gsize n = (gsize)MIN(FRAMES_AT_ONCE, info->frames - at);
        for (gsize i = 0; i < n; i++)
            numbers[i] = at + (gint64)i;
        if (!maxgl_decoder_read(decoder, numbers, n, frames, error))
            return FALSE;
    }
    return TRUE;
}

static Verdict look(const Check *check, const char *path)
{
    g_autoptr(GError) error = NULL;
    MaxglDecoderOptions options;
    maxgl_decoder_options_init(&options);
    options.pool = check->pool;
    options.cancellable = check->cancellable;
    g_autoptr(MaxglDecoder) decoder = maxgl_decoder_open(path, NULL, &options, &error);
    if (!decoder || (check->options->whole && !decode_all(decoder, &error)))
        return (Verdict){MAXGL_FINDING_UNREADABLE, g_strdup(error->message)};
    const gint64 frames = maxgl_decoder_info(decoder)->frames;
    if (frames < check->options->frames)
        return (Verdict){MAXGL_FINDING_SHORT, g_strdup_printf("%" G_GINT64_FORMAT " frames of %d", frames,
                                                              check->options->frames)};
    return (Verdict){MAXGL_N_FINDINGS, NULL};
}

/* Without the path, which stands beside it. */
static char *reason_of(const char *message, const char *path)
{
    const gsize n = strlen(path);
    return g_strdup(g_str_has_prefix(message, path) && g_str_has_prefix(message + n, ": ") ? message + n + 2
                                                                                           : message);
}

static void look_at_video(gpointer data, gpointer user_data)
{
    Check *check = user_data;
    const gsize i = GPOINTER_TO_SIZE(data) - 1;
    const char *path = maxgl_dataset_path(check->dataset, i);
    const char *bad = maxgl_dataset_bad_reason(check->dataset, i);
    if (g_cancellable_is_cancelled(check->cancellable))
        return;
    Verdict verdict =
        bad ? (Verdict){g_str_equal(bad, "no such file") ? MAXGL_FINDING_MISSING : MAXGL_FINDING_UNREADABLE,
                        g_strdup(bad)}
            : look(check, path);
    if (verdict.detail) {
        g_autofree char *message = verdict.detail;
        verdict.detail = reason_of(message, path);
        g_atomic_int_inc(&check->bad);
    }
    check->verdicts[i] = verdict;
    g_atomic_int_inc(&check->done);
}

static gboolean look_at_all(Check *check, GError **error)
{
    const gsize n = maxgl_dataset_size(check->dataset);
    const int cores = MIN((int)g_get_num_processors(), MAX_THREADS);
    const int threads = check->options->threads > 0 ? check->options->threads : cores;
    gboolean cancelled = FALSE;
    check->pool = maxgl_decoder_pool_new();
    check->progress = maxgl_progress_new("checking videos", (gint64)n);
    GThreadPool *workers = g_thread_pool_new(look_at_video, check, threads, FALSE, error);
    if (!workers)
        return FALSE;
    for (gsize i = 0; i < n; i++)
        g_thread_pool_push(workers, GSIZE_TO_POINTER(i + 1), NULL);
    while (!cancelled && (gsize)g_atomic_int_get(&check->done) < n) {
        g_usleep(G_USEC_PER_SEC / 20);
        const int bad = g_atomic_int_get(&check->bad);
        maxgl_progress_set(check->progress, g_atomic_int_get(&check->done), "%d bad", bad);
        cancelled = !maxgl_interrupt_check(error);
    }
    if (cancelled)
        g_cancellable_cancel(check->cancellable);
    g_thread_pool_free(workers, cancelled, TRUE);
    return !cancelled;
}

static void report_videos(Check *check)
{
    for (MaxglFindingKind kind = MAXGL_FINDING_MISSING; kind <= MAXGL_FINDING_SHORT; kind++)
        for (gsize i = 0; i < maxgl_dataset_size(check->dataset); i++)
            if (check->verdicts[i].kind == kind)
                add(check, kind, maxgl_dataset_path(check->dataset, i), check->verdicts[i].detail);
}

/* ---------------- videos beside each other ---------------- */

/* "train" or "no split", for telling of two files. */
static const char *split_of(const Check *check, gsize i)
{
    const char *split = maxgl_dataset_value(check->dataset, i, "split");
    return split ? split : "no split";
}

static void report_pair(Check *check, MaxglFindingKind kind, gsize first, gsize second)
{
    const char *path = maxgl_dataset_path(check->dataset, second);
    g_autofree char *detail =
        kind == MAXGL_FINDING_TWICE
            ? g_strdup_printf("%s and %s", split_of(check, first), split_of(check, second))
            : g_strdup_printf("as %s (%s and %s)", maxgl_dataset_path(check->dataset, first),
                              split_of(check, second), split_of(check, first));
    add(check, kind, path, detail);
}

static void find_listed_twice(Check *check)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < maxgl_dataset_size(check->dataset); i++) {
        gpointer path = (gpointer)maxgl_dataset_path(check->dataset, i);
        const gsize before = GPOINTER_TO_SIZE(g_hash_table_lookup(seen, path));
        if (before > 0)
            report_pair(check, MAXGL_FINDING_TWICE, before - 1, i);
        else
            g_hash_table_insert(seen, path, GSIZE_TO_POINTER(i + 1));
    }
}

/* SHA-256 of a file; NULL if it cannot be read. */
static char *sum_of(const char *path, guint8 *bytes)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    FILE *file = g_fopen(path, "rb");
    if (!file)
        return NULL;
    for (gsize n = fread(bytes, 1, READ_BYTES, file); n > 0; n = fread(bytes, 1, READ_BYTES, file))
        g_checksum_update(sum, bytes, (gssize)n);
    const gboolean failed = ferror(file) != 0;
    fclose(file);
    return failed ? NULL : g_strdup(g_checksum_get_string(sum));
}

/* How many files have which size, each file once; sizes by video, 0 for those that are not looked at. */
static gint64 *sizes_of_files(const Check *check, GHashTable *counts)
{
    const gsize n = maxgl_dataset_size(check->dataset);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    gint64 *sizes = g_new0(gint64, n);
    for (gsize i = 0; i < n; i++) {
        const char *path = maxgl_dataset_path(check->dataset, i);
        GStatBuf status;
        if (maxgl_dataset_bad_reason(check->dataset, i) || !g_hash_table_add(seen, (gpointer)path) ||
            g_stat(path, &status) != 0)
            continue;
        sizes[i] = status.st_size;
        const int count = GPOINTER_TO_INT(g_hash_table_lookup(counts, &sizes[i]));
        g_hash_table_insert(counts, &sizes[i], GINT_TO_POINTER(count + 1));
    }
    return sizes;
}

static gboolean find_same_bytes(Check *check, GError **error)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autoptr(GHashTable) sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree gint64 *sizes = sizes_of_files(check, counts);
    g_autofree guint8 *bytes = g_malloc(READ_BYTES);
    for (gsize i = 0; i < maxgl_dataset_size(check->dataset); i++) {
        if (!maxgl_interrupt_check(error))
            return FALSE;
        if (sizes[i] == 0 || GPOINTER_TO_INT(g_hash_table_lookup(counts, &sizes[i])) < 2)
            continue;
        g_autofree char *sum = sum_of(maxgl_dataset_path(check->dataset, i), bytes);
        const gsize before = sum ? GPOINTER_TO_SIZE(g_hash_table_lookup(sums, sum)) : 0;
        if (before > 0)
            report_pair(check, MAXGL_FINDING_SAME, before - 1, i);
        else if (sum)
            g_hash_table_insert(sums, g_steal_pointer(&sum), GSIZE_TO_POINTER(i + 1));
    }
    return TRUE;
}

/* ---------------- labels ---------------- */

/* Lower case, with each run of spaces, '_' and '-' as one space. */
static char *plain(const char *name)
{
    g_autofree char *valid = g_utf8_make_valid(name, -1);
    g_autofree char *lower = g_utf8_strdown(valid, -1);
    g_auto(GStrv) words = g_strsplit_set(lower, " _-\t", -1);
    GString *text = g_string_new(NULL);
    for (int i = 0; words[i]; i++)
        if (words[i][0])
            g_string_append_printf(text, "%s%s", text->len ? " " : "", words[i]);
    return g_string_free(text, FALSE);
}

static void find_names_alike(Check *check)
{
    const char *const *columns = maxgl_dataset_columns(check->dataset);
    for (int c = 0; columns[c]; c++) {
        const char *const *classes = maxgl_dataset_classes(check->dataset, columns[c], NULL);
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (int i = 0; classes[i]; i++) {
            g_autofree char *key = plain(classes[i]);
            const char *before = g_hash_table_lookup(seen, key);
            if (before) {
                g_autofree char *detail = g_strdup_printf("and %s, in column %s", classes[i], columns[c]);
                add(check, MAXGL_FINDING_NAMES, before, detail);
            } else {
                g_hash_table_insert(seen, g_steal_pointer(&key), (gpointer)classes[i]);
            }
        }
    }
}

static void find_label_gaps(Check *check)
{
    gsize n_classes = 0;
    const char *const *classes = maxgl_dataset_classes(check->dataset, NULL, &n_classes);
    const gsize n = maxgl_dataset_size(check->dataset);
    if (n_classes == 0)
        return;
    for (gsize i = 0; i < n; i++)
        if (maxgl_dataset_label(check->dataset, i, NULL) < 0)
            add(check, MAXGL_FINDING_UNLABELLED, maxgl_dataset_path(check->dataset, i), "");
    g_autofree gboolean *trained = g_new0(gboolean, n_classes);
    gboolean any = FALSE;
    for (gsize i = 0; i < n; i++) {
        const int label = maxgl_dataset_label(check->dataset, i, NULL);
        if (label >= 0 && g_strcmp0(maxgl_dataset_value(check->dataset, i, "split"), "train") == 0)
            trained[label] = any = TRUE;
    }
    for (gsize c = 0; any && c < n_classes; c++)
        if (!trained[c])
            add(check, MAXGL_FINDING_UNTRAINED, classes[c], "no video of the split train");
}

GPtrArray *maxgl_dataset_check(const MaxglDataset *dataset, const MaxglDatasetCheckOptions *options,
                               GError **error)
{
    g_auto(Check) check = {.dataset = dataset,
                           .options = options,
                           .findings = g_ptr_array_new_with_free_func(finding_free),
                           .cancellable = g_cancellable_new()};
    if (!maxgl_gstreamer_init(error))
        return NULL;
    if (!maxgl_dataset_synthetic(dataset)) {
        check.verdicts = g_new0(Verdict, maxgl_dataset_size(dataset));
        if (!look_at_all(&check, error))
            return NULL;
        report_videos(&check);
        find_listed_twice(&check);
        if (!find_same_bytes(&check, error))
            return NULL;
    }
    find_names_alike(&check);
    find_label_gaps(&check);
    return g_steal_pointer(&check.findings);
}
