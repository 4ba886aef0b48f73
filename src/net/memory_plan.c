#include "net/memory_plan.h"

typedef struct {
    gsize bytes; /* rounded up to the alignment */
    int first, last;
    char *name;
    guint slab;
    gsize offset;
    cl_mem window;
} Block;

struct MaxglMemoryPlan {
    gsize alignment, slab_limit;
    GArray *blocks; /* Block */
    GArray *slabs;  /* gsize: bytes */
    MaxglContext *context;
    GPtrArray *buffers; /* cl_mem of each slab */
};

static void block_clear(gpointer data)
{
    Block *block = data;
    if (block->window)
        clReleaseMemObject(block->window);
    g_free(block->name);
}

MaxglMemoryPlan *maxgl_memory_plan_new(gsize alignment, gsize slab_limit)
{
    MaxglMemoryPlan *plan = g_new0(MaxglMemoryPlan, 1);
    plan->alignment = MAX(alignment, sizeof(float));
    plan->slab_limit = slab_limit / plan->alignment * plan->alignment;
    plan->blocks = g_array_new(FALSE, TRUE, sizeof(Block));
    g_array_set_clear_func(plan->blocks, block_clear);
    plan->slabs = g_array_new(FALSE, FALSE, sizeof(gsize));
    plan->buffers = g_ptr_array_new();
    return plan;
}

void maxgl_memory_plan_free(MaxglMemoryPlan *plan)
{
    if (!plan)
        return;
    g_array_unref(plan->blocks);
    for (guint i = 0; i < plan->buffers->len; i++)
        maxgl_buffer_free(plan->context, g_ptr_array_index(plan->buffers, i));
    g_ptr_array_unref(plan->buffers);
    g_array_unref(plan->slabs);
    g_free(plan);
}

static Block *get(const MaxglMemoryPlan *plan, guint block)
{
    return &g_array_index(plan->blocks, Block, block);
}

guint maxgl_memory_plan_add(MaxglMemoryPlan *plan, gsize bytes, int first, int last, const char *name)
{
    const Block block = {.bytes = (MAX(bytes, 1) + plan->alignment - 1) / plan->alignment * plan->alignment,
                         .first = first,
                         .last = last,
                         .name = g_strdup(name)};
    g_array_append_val(plan->blocks, block);
    return plan->blocks->len - 1;
}

void maxgl_memory_plan_extend(MaxglMemoryPlan *plan, guint block, int first, int last)
{
    Block *b = get(plan, block);
    b->first = MIN(b->first, first);
    b->last = MAX(b->last, last);
}

/* Orders of placing. None is best always: the one that comes out smallest is taken. */
typedef enum { LARGEST_FIRST, LONGEST_FIRST, EARLIEST_FIRST, LATEST_FIRST, ORDERS } Order;

typedef struct {
    const MaxglMemoryPlan *plan;
    Order order;
} Sorting;

/* What counts most in an order; of two blocks the one with more goes first. */
static gint64 rank(const Block *block, Order order)
{
    switch (order) {
    case LONGEST_FIRST:
        return (gint64)block->last - block->first;
    case EARLIEST_FIRST:
        return -(gint64)block->first;
    case LATEST_FIRST:
        return block->last;
    default:
        return 0;
    }
}

/* Where nothing else decides, the larger first, then as they were asked for: the plan is the same everywhere.
 */
static int compare_blocks(gconstpointer a, gconstpointer b, gpointer data)
{
    const Sorting *sorting = data;
    const guint i = *(const guint *)a, j = *(const guint *)b;
    const Block *x = get(sorting->plan, i), *y = get(sorting->plan, j);
    const gint64 p = rank(x, sorting->order), q = rank(y, sorting->order);
    if (p != q)
        return p < q ? 1 : -1;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : (i > j) - (i < j);
}

static int compare_offsets(gconstpointer a, gconstpointer b)
{
    const Block *x = *(Block *const *)a, *y = *(Block *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The lowest place in @slab where @block collides with none of @placed. */
static gsize first_fit(GPtrArray *placed, guint slab, const Block *block)
{
    g_autoptr(GPtrArray) others = g_ptr_array_new();
    for (guint i = 0; i < placed->len; i++) {
        Block *other = g_ptr_array_index(placed, i);
        if (other->slab == slab && other->first <= block->last && block->first <= other->last)
            g_ptr_array_add(others, other);
    }
    g_ptr_array_sort(others, compare_offsets);
    gsize offset = 0;
    for (guint i = 0; i < others->len; i++) {
        const Block *other = g_ptr_array_index(others, i);
        if (offset + block->bytes <= other->offset)
            break;
        offset = MAX(offset, other->offset + other->bytes);
    }
    return offset;
}

static void place(MaxglMemoryPlan *plan, GPtrArray *placed, Block *block)
{
    for (block->slab = 0; block->slab < plan->slabs->len; block->slab++) {
        block->offset = first_fit(placed, block->slab, block);
        if (block->offset + block->bytes <= plan->slab_limit)
            break;
    }
    if (block->slab == plan->slabs->len) {
        const gsize empty = 0;
        g_array_append_val(plan->slabs, empty);
        block->offset = 0;
    }
    gsize *size = &g_array_index(plan->slabs, gsize, block->slab);
    *size = MAX(*size, block->offset + block->bytes);
    g_ptr_array_add(placed, block);
}

static void place_all(MaxglMemoryPlan *plan, Order order)
{
    g_autofree guint *numbers = g_new(guint, plan->blocks->len);
    for (guint i = 0; i < plan->blocks->len; i++)
        numbers[i] = i;
    Sorting sorting = {plan, order};
    g_qsort_with_data(numbers, (int)plan->blocks->len, sizeof *numbers, compare_blocks, &sorting);
    g_autoptr(GPtrArray) placed = g_ptr_array_new();
    g_array_set_size(plan->slabs, 0);
    for (guint i = 0; i < plan->blocks->len; i++)
        place(plan, placed, get(plan, numbers[i]));
}

static gboolean check_sizes(const MaxglMemoryPlan *plan, GError **error)
{
    for (guint i = 0; i < plan->blocks->len; i++) {
        const Block *block = get(plan, i);
        if (block->bytes <= plan->slab_limit)
            continue;
        g_autofree char *need = g_format_size_full(block->bytes, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *limit = g_format_size_full(plan->slab_limit, G_FORMAT_SIZE_IEC_UNITS);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                    "%s needs %s (%" G_GSIZE_FORMAT
                    " bytes) in one piece, the device's largest allocation is %s "
                    "(%" G_GSIZE_FORMAT " bytes): use a smaller batch, clip or network",
                    block->name, need, block->bytes, limit, plan->slab_limit);
        return FALSE;
    }
    return TRUE;
}

gboolean maxgl_memory_plan_solve(MaxglMemoryPlan *plan, GError **error)
{
    if (!check_sizes(plan, error))
        return FALSE;
    Order best = LARGEST_FIRST;
    gsize least = G_MAXSIZE;
    for (Order order = 0; order < ORDERS; order++) {
        place_all(plan, order);
        if (maxgl_memory_plan_bytes(plan) < least) {
            least = maxgl_memory_plan_bytes(plan);
            best = order;
        }
    }
    place_all(plan, best);
    return TRUE;
}

gboolean maxgl_memory_plan_lives(const MaxglMemoryPlan *plan, guint block, int time)
{
    const Block *b = get(plan, block);
    return b->first <= time && time <= b->last;
}

gsize maxgl_memory_plan_block_bytes(const MaxglMemoryPlan *plan, guint block)
{
    return get(plan, block)->bytes;
}

static gsize live_bytes(const MaxglMemoryPlan *plan, int time)
{
    gsize sum = 0;
    for (guint i = 0; i < plan->blocks->len; i++)
        sum += maxgl_memory_plan_lives(plan, i, time) ? get(plan, i)->bytes : 0;
    return sum;
}

int maxgl_memory_plan_busiest(const MaxglMemoryPlan *plan)
{
    int busiest = 0;
    gsize most = 0;
    for (guint i = 0; i < plan->blocks->len; i++) { /* the most live where one begins to */
        const int time = get(plan, i)->first;
        const gsize bytes = live_bytes(plan, time);
        if (bytes > most) {
            most = bytes;
            busiest = time;
        }
    }
    return busiest;
}

guint maxgl_memory_plan_slabs(const MaxglMemoryPlan *plan)
{
    return plan->slabs->len;
}

gsize maxgl_memory_plan_slab_bytes(const MaxglMemoryPlan *plan, guint slab)
{
    return g_array_index(plan->slabs, gsize, slab);
}

gsize maxgl_memory_plan_bytes(const MaxglMemoryPlan *plan)
{
    gsize sum = 0;
    for (guint i = 0; i < plan->slabs->len; i++)
        sum += maxgl_memory_plan_slab_bytes(plan, i);
    return sum;
}

void maxgl_memory_plan_place(const MaxglMemoryPlan *plan, guint block, guint *slab, gsize *offset)
{
    *slab = get(plan, block)->slab;
    *offset = get(plan, block)->offset;
}

static gboolean allocate_slabs(MaxglMemoryPlan *plan, const char *what, GError **error)
{
    MaxglContext *context = plan->context;
    const gsize all = maxgl_memory_plan_bytes(plan);
    if (context->allocated + all > context->info->global_memory) {
        const guint64 left =
            context->info->global_memory - MIN(context->allocated, context->info->global_memory);
        g_autofree char *need = g_format_size_full(all, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *have = g_format_size_full(left, G_FORMAT_SIZE_IEC_UNITS);
        g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_LIMIT,
                    "%s: %s needs %s (%" G_GSIZE_FORMAT
                    " bytes), of the device's memory %s (%" G_GUINT64_FORMAT
                    " bytes) are left: use a smaller batch, clip or network",
                    context->info->name, what, need, all, have, left);
        return FALSE;
    }
    for (guint i = 0; i < plan->slabs->len; i++) {
        const gsize bytes = maxgl_memory_plan_slab_bytes(plan, i);
        cl_mem buffer = maxgl_buffer_new(context, bytes, what, error);
        if (!buffer)
            return FALSE;
        g_ptr_array_add(plan->buffers, buffer);
        if (!maxgl_buffer_zero(context, buffer, 0, bytes, error))
            return FALSE;
    }
    return TRUE;
}

gboolean maxgl_memory_plan_allocate(MaxglMemoryPlan *plan, MaxglContext *context, const char *what,
                                    GError **error)
{
    plan->context = context;
    if (!allocate_slabs(plan, what, error))
        return FALSE;
    for (guint i = 0; i < plan->blocks->len; i++) {
        Block *block = get(plan, i);
        block->window = maxgl_buffer_window(context, g_ptr_array_index(plan->buffers, block->slab),
                                            block->offset, block->bytes, error);
        if (!block->window)
            return FALSE;
    }
    return TRUE;
}

cl_mem maxgl_memory_plan_window(const MaxglMemoryPlan *plan, guint block)
{
    return get(plan, block)->window;
}
