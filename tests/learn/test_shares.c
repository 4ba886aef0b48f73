/* How clips are divided among devices, and that devices work at the same time. */
#include "learn/shares.h"

#include "learn/crew.h"
#include "learn/replica.h"

#include <maxgl/error.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const tiny[] = {
    "network.name=r3d-vcop", "network.width=0.0625",    "clip.frames=8", "clip.size=32",
    "objective.hidden=16",   "objective.regions=1,1,1", "train.batch=6", NULL};

static MaxglRecipe *recipe_with(const char *set)
{
    const char *const sets[] = {set, NULL};
    MaxglRecipe *recipe = maxgl_recipe_new();
    assert_true(maxgl_options_load(&maxgl_recipe_table, recipe, NULL, tiny, NULL));
    assert_true(maxgl_options_load(&maxgl_recipe_table, recipe, NULL, sets, NULL));
    return recipe;
}

static void test_text(void **state)
{
    static const char *const wrong[] = {
        "3,", "3;1", "0,2", "-1", "1.5,1", "a", "40000", ",1", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"};
    MaxglShares shares;
    assert_true(maxgl_shares_parse("6, 2", &shares, NULL));
    assert_int_equal(shares.n, 2);
    assert_int_equal(shares.clips[1], 2);
    g_autofree char *text = maxgl_shares_text(&shares);
    assert_string_equal(text, "6,2");
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        if (maxgl_shares_parse(wrong[i], &shares, &error) ||
            !g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE))
            fail_msg("\"%s\" is read", wrong[i]);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglRecipe) recipe = recipe_with("train.shares=3;1");
    assert_false(maxgl_recipe_validate(recipe, &error));
    assert_non_null(strstr(error->message, "train.shares: \"3;1\" is no list of whole numbers"));
}

static void assert_divided(int clips, int unit, double a, double b, double c, const char *expected)
{
    const double speeds[] = {a, b, c};
    MaxglShares shares = {.n = c > 0 ? 3 : 2};
    g_autofree char *text =
        maxgl_shares_divide(clips, unit, speeds, &shares) ? maxgl_shares_text(&shares) : g_strdup("none");
    assert_string_equal(text, expected);
}

static void test_by_speed(void **state)
{
    assert_divided(64, 1, 3, 1, 0, "48,16");
    assert_divided(64, 1, 1, 1, 0, "32,32");
    assert_divided(64, 1, 1, 1.01, 0, "32,32");
    assert_divided(10, 1, 1, 1, 1, "4,3,3"); /* who comes first has the rest */
    assert_divided(64, 8, 2, 1, 0, "48,16"); /* 40 and 24 would take as long */
    assert_divided(64, 1, 1000, 1, 0, "62,2");
    assert_divided(12, 4, 1000, 1, 0, "8,4");
    assert_divided(6, 1, 9, 1, 1, "2,2,2");
    assert_divided(5, 1, 1, 1, 1, "none");
    assert_divided(10, 4, 1, 1, 0, "none"); /* 4 does not divide 10 */
    assert_divided(8, 8, 1, 1, 0, "none");
}

/* What a run wrote down is what it goes on with; and nobody is done later than need be. */
static void test_divided_shares_stay(void **state)
{
    for (int a = 1; a <= 9; a++)
        for (int b = 1; b <= 9; b++)
            for (int unit = 1; unit <= 4; unit *= 2) {
                const double speeds[] = {a, b, 5};
                MaxglShares shares = {.n = 3}, again = {.n = 3};
                assert_true(maxgl_shares_divide(48, unit, speeds, &shares));
                const double same[] = {shares.clips[0], shares.clips[1], shares.clips[2]};
                assert_true(maxgl_shares_divide(48, unit, same, &again));
                assert_memory_equal(&shares, &again, sizeof shares);
                for (int i = 0; i < 3; i++)
                    for (int j = 0; j < 3; j++) /* a unit moved from i to j would make j the last one */
                        assert_true(shares.clips[i] <= MAX(2, unit) ||
                                    shares.clips[i] / speeds[i] <=
                                        (shares.clips[j] + unit) / speeds[j] + 1e-9);
            }
}

static void test_samples_and_parts(void **state)
{
    g_autoptr(MaxglRecipe) recipe = recipe_with("train.micro_batch=2");
    const MaxglShares shares = {3, {4, 2, 6}};
    const MaxglShare second = maxgl_shares_get(&shares, recipe, 1),
                     third = maxgl_shares_get(&shares, recipe, 2);
    assert_int_equal(second.first, 4);
    assert_int_equal(second.total, 12);
    assert_int_equal(second.first_part, 2);
    assert_int_equal(third.first, 6);
    assert_int_equal(third.first_part, 3);
    assert_int_equal(third.at_once, 2);
    recipe->train.micro_batch = 0;
    assert_int_equal(maxgl_shares_get(&shares, recipe, 2).first_part, 2);
    assert_int_equal(maxgl_shares_get(&shares, recipe, 2).at_once, 6);
}

static GPtrArray *three_devices(void)
{
    g_autoptr(MaxglContext) context = maxgl_context_open(NULL, NULL);
    const int p = context->info->platform_index, d = context->info->device_index;
    g_autofree char *selectors = g_strdup_printf("%d:%d,%d:%d,%d:%d", p, d, p, d, p, d);
    GPtrArray *contexts = maxgl_contexts_open(selectors, NULL);
    assert_int_equal(contexts->len, 3);
    return contexts;
}

/* What @set comes to on three devices: shares and clips at once, or the error's message. */
static char *settled(GPtrArray *contexts, const char *set, guint64 limit)
{
    g_autoptr(MaxglRecipe) recipe = recipe_with(set);
    g_autoptr(GError) error = NULL;
    return maxgl_shares_settle(contexts, recipe, maxgl_task_of(recipe), NULL, limit, &error)
               ? g_strdup_printf("%s at %d", recipe->train.shares, recipe->train.micro_batch)
               : g_strdup(error->message);
}

static void assert_settled(GPtrArray *contexts, const char *set, guint64 limit, const char *part)
{
    g_autofree char *text = settled(contexts, set, limit);
    if (!strstr(text, part))
        fail_msg("%s: \"%s\" does not say \"%s\"", set, text, part);
}

static void test_settled(void **state)
{
    g_autoptr(GPtrArray) contexts = three_devices();
    assert_settled(contexts, "train.shares=1,1,2", 0, "3,3,6 at 0");
    assert_settled(contexts, "train.micro_batch=2", 0, " at 2");
    assert_settled(contexts, "train.shares=1,2", 0, "\"1,2\" is for 2 devices, and there are 3");
    assert_settled(contexts, "train.batch=2", 0,
                   "the 4 clips of a step are too few for 3 devices, which take at "
                   "least 2 each");
    assert_settled(contexts, "train.micro_batch=6", 0, "too few for 3 devices, which take at least 6 each");
    assert_settled(contexts, "train.shares=1,1,2", 1, "do not fit into the memory of 3 devices");

    /* Measured: all of the clips, and each device has some. */
    g_autofree char *measured = settled(contexts, "train.batch=6", 0);
    MaxglShares shares;
    measured[strcspn(measured, " ")] = '\0';
    assert_true(maxgl_shares_parse(measured, &shares, NULL));
    assert_int_equal(shares.n, 3);
    assert_int_equal(shares.clips[0] + shares.clips[1] + shares.clips[2], 12);
}

/* Parts are made as small as the device with the least room wants. */
static void test_parts_for_memory(void **state)
{
    g_autoptr(GPtrArray) contexts = three_devices();
    MaxglContext *first = g_ptr_array_index(contexts, 0);
    g_autoptr(MaxglRecipe) recipe = recipe_with("train.batch=24");
    const MaxglTask *task = maxgl_task_of(recipe);
    const MaxglShares shares = {3, {16, 16, 16}};
    const MaxglShare share = maxgl_shares_get(&shares, recipe, 0);
    const guint64 need = maxgl_replica_predict_bytes(first, recipe, task, NULL, &share, TRUE, NULL);
    assert_true(need > 0);
    g_free(recipe->train.shares);
    recipe->train.shares = g_strdup("1,1,1");
    assert_true(maxgl_shares_settle(contexts, recipe, task, NULL, need, NULL));
    assert_string_equal(recipe->train.shares, "16,16,16");
    assert_int_equal(recipe->train.micro_batch, 0);
    assert_true(maxgl_shares_settle(contexts, recipe, task, NULL, need - 1, NULL));
    assert_in_range(recipe->train.micro_batch, 2, 16);
    MaxglShares parts;
    assert_true(maxgl_shares_of(recipe, task, 3, &parts, NULL));
}

static void test_shares_of_a_recipe(void **state)
{
    static const struct {
        const char *set, *part;
    } wrong[] = {{"train.shares=3,1", "does not divide the 12 clips of a step"},
                 {"train.shares=11,1", "does not divide the 12 clips"},
                 {"train.shares=12", "\"12\" is for 1 devices, and there are 2"}};
    MaxglShares shares;
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(MaxglRecipe) recipe = recipe_with(wrong[i].set);
        g_autoptr(GError) error = NULL;
        assert_false(maxgl_shares_of(recipe, maxgl_task_of(recipe), 2, &shares, &error));
        assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_USAGE));
        if (!strstr(error->message, wrong[i].part))
            fail_msg("%s: %s", wrong[i].set, error->message);
    }
    g_autoptr(MaxglRecipe) recipe = recipe_with("train.shares=8,4");
    g_autoptr(GError) error = NULL;
    assert_true(maxgl_shares_of(recipe, maxgl_task_of(recipe), 2, &shares, NULL));
    assert_false(maxgl_shares_of(recipe, maxgl_task_of(recipe), 1, &shares, &error));
    assert_non_null(strstr(error->message, "\"8,4\" is for 2 devices, and there is 1: name as many with"));
    recipe->train.micro_batch = 3;
    assert_false(maxgl_shares_of(recipe, maxgl_task_of(recipe), 2, &shares, NULL));
}

enum { CREW = 3 };

typedef struct {
    GMutex mutex;
    GCond cond;
    int present;
    GThread *threads[CREW];
} Meeting;

/* Ends when all are there at the same time. */
static gboolean meet(gpointer data, guint i, GError **error)
{
    Meeting *m = data;
    const gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    gboolean met = TRUE;
    g_mutex_lock(&m->mutex);
    m->threads[i] = g_thread_self();
    m->present++;
    g_cond_broadcast(&m->cond);
    while (met && m->present < CREW)
        met = g_cond_wait_until(&m->cond, &m->mutex, end);
    g_mutex_unlock(&m->mutex);
    if (!met)
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, "nobody came");
    return met;
}

static gboolean fail_from_one(gpointer data, guint i, GError **error)
{
    if (i == 0)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT, "no more %u", i);
    return FALSE;
}

static void test_a_crew_works_at_the_same_time(void **state)
{
    g_autoptr(MaxglCrew) crew = maxgl_crew_new(CREW);
    g_autoptr(GError) error = NULL;
    for (int again = 0; again < 3; again++) {
        Meeting meeting = {.present = 0};
        assert_true(maxgl_crew_run(crew, meet, &meeting, NULL));
        assert_ptr_equal(meeting.threads[0], g_thread_self());
        assert_ptr_not_equal(meeting.threads[1], meeting.threads[2]);
        g_mutex_clear(&meeting.mutex);
        g_cond_clear(&meeting.cond);
    }
    assert_false(maxgl_crew_run(crew, fail_from_one, NULL, &error));
    assert_true(g_error_matches(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT));
    assert_string_equal(error->message, "device 2 of 3: no more 1");
    Meeting meeting = {.present = 0};
    assert_true(maxgl_crew_run(crew, meet, &meeting, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_by_speed),
        cmocka_unit_test(test_divided_shares_stay),
        cmocka_unit_test(test_samples_and_parts),
        cmocka_unit_test(test_settled),
        cmocka_unit_test(test_parts_for_memory),
        cmocka_unit_test(test_shares_of_a_recipe),
        cmocka_unit_test(test_a_crew_works_at_the_same_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
