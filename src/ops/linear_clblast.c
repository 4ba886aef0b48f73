#include "ops/grid.h"
#include "ops/linear_algorithms.h"
#include <clblast_c.h>

/* One product in row-major order: c (m × n) = a (m × k) · b (k × n) + beta · c, either factor transposed
 * where it lies. */
typedef struct {
    CLBlastTranspose a_transpose, b_transpose;
    gsize m, n, k;
    gsize a_pitch, b_pitch, c_pitch;
    float beta;
    cl_mem a, b, c, workspace;
} Product;

static Product forward_product(const MaxglLinear *l)
{
    return (Product){.a_transpose = CLBlastTransposeNo,
                     .b_transpose = CLBlastTransposeNo,
                     .m = (gsize)l->input.n,
                     .n = maxgl_linear_out_pitch(l),
                     .k = (gsize)l->input.c,
                     .a_pitch = maxgl_linear_in_pitch(l),
                     .b_pitch = maxgl_linear_out_pitch(l),
                     .c_pitch = maxgl_linear_out_pitch(l)};
}

static Product backward_data_product(const MaxglLinear *l)
{
    return (Product){.a_transpose = CLBlastTransposeNo,
                     .b_transpose = CLBlastTransposeYes,
                     .m = (gsize)l->input.n,
                     .n = maxgl_linear_in_pitch(l),
                     .k = (gsize)l->out_features,
                     .a_pitch = maxgl_linear_out_pitch(l),
                     .b_pitch = maxgl_linear_out_pitch(l),
                     .c_pitch = maxgl_linear_in_pitch(l)};
}

static Product backward_weights_product(const MaxglLinear *l)
{
    return (Product){.a_transpose = CLBlastTransposeYes,
                     .b_transpose = CLBlastTransposeNo,
                     .m = maxgl_linear_in_pitch(l),
                     .n = maxgl_linear_out_pitch(l),
                     .k = (gsize)l->input.n,
                     .a_pitch = maxgl_linear_in_pitch(l),
                     .b_pitch = maxgl_linear_out_pitch(l),
                     .c_pitch = maxgl_linear_out_pitch(l)};
}

/* CLBlast's own codes; those it shares with OpenCL have OpenCL's names. */
static const char *clblast_error_name(CLBlastStatusCode code)
{
    switch (code) {
    case CLBlastNotImplemented:
        return "CLBlastNotImplemented";
    case CLBlastInvalidMatrixA:
        return "CLBlastInvalidMatrixA";
    case CLBlastInvalidMatrixB:
        return "CLBlastInvalidMatrixB";
    case CLBlastInvalidMatrixC:
        return "CLBlastInvalidMatrixC";
    case CLBlastInvalidDimension:
        return "CLBlastInvalidDimension";
    case CLBlastInvalidLeadDimA:
        return "CLBlastInvalidLeadDimA";
    case CLBlastInvalidLeadDimB:
        return "CLBlastInvalidLeadDimB";
    case CLBlastInvalidLeadDimC:
        return "CLBlastInvalidLeadDimC";
    case CLBlastInsufficientMemoryA:
        return "CLBlastInsufficientMemoryA";
    case CLBlastInsufficientMemoryB:
        return "CLBlastInsufficientMemoryB";
    case CLBlastInsufficientMemoryC:
        return "CLBlastInsufficientMemoryC";
    case CLBlastInsufficientMemoryTemp:
        return "CLBlastInsufficientMemoryTemp";
    case CLBlastInvalidLocalMemUsage:
        return "CLBlastInvalidLocalMemUsage";
    case CLBlastDatabaseError:
        return "CLBlastDatabaseError";
    case CLBlastUnknownError:
        return "CLBlastUnknownError";
    case CLBlastUnexpectedError:
        return "CLBlastUnexpectedError";
    default:
        return maxgl_opencl_error_name((cl_int)code);
    }
}

static gboolean multiply(MaxglContext *context, gpointer data, GError **error)
{
    Product *p = data;
    const CLBlastStatusCode code = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, p->a_transpose, p->b_transpose, p->m, p->n, p->k, 1.0F, p->a, 0, p->a_pitch,
        p->b, 0, p->b_pitch, p->beta, p->c, 0, p->c_pitch, &context->queue, NULL, p->workspace);
    if (code == CLBlastSuccess)
        return TRUE;
    g_set_error(error, MAXGL_ERROR, MAXGL_ERROR_DEVICE,
                "%s: CLBlast product of %" G_GSIZE_FORMAT "×%" G_GSIZE_FORMAT "×%" G_GSIZE_FORMAT ": %s",
                context->info->name, p->m, p->n, p->k, clblast_error_name(code));
    return FALSE;
}

static void product_free(gpointer data)
{
    Product *p = data;
    cl_mem buffers[] = {p->a, p->b, p->c, p->workspace};
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        if (buffers[i])
            clReleaseMemObject(buffers[i]);
    g_free(p);
}

/* CLBlast keeps its programs until its own static objects go, when the driver's may have gone already. */
static void clear_cache(void)
{
    CLBlastClearCache();
}

static void add_product(MaxglSequence *sequence, const char *label, Product product, cl_mem a, cl_mem b,
                        cl_mem c, cl_mem workspace)
{
    Product *p = g_new(Product, 1);
    *p = product;
    p->a = a;
    p->b = b;
    p->c = c;
    p->workspace = workspace;
    cl_mem buffers[] = {a, b, c, workspace};
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        if (buffers[i])
            clRetainMemObject(buffers[i]);
    maxgl_context_at_close(maxgl_sequence_context(sequence), clear_cache);
    maxgl_sequence_add_call(sequence, label, multiply, p, product_free);
}

static gsize workspace(MaxglContext *context, const MaxglLinear *linear, MaxglLinearPass pass)
{
    const Product p = pass == MAXGL_LINEAR_FORWARD         ? forward_product(linear)
                      : pass == MAXGL_LINEAR_BACKWARD_DATA ? backward_data_product(linear)
                                                           : backward_weights_product(linear);
    size_t bytes = 0;
    const CLBlastStatusCode code =
        CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, p.a_transpose, p.b_transpose, p.m, p.n, p.k, 0,
                                   p.a_pitch, 0, p.b_pitch, 0, p.c_pitch, &context->queue, &bytes);
    return code == CLBlastSuccess ? bytes : 0; /* what is wrong, the product itself will say */
}

static gboolean add_epilogue(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem bias, gboolean relu,
                             cl_mem y, GError **error)
{
    MaxglContext *context = maxgl_sequence_context(sequence);
    const gsize pitch = maxgl_linear_out_pitch(linear);
    const int vector = maxgl_grid_vector(context, pitch);
    const gsize vectors = pitch / (gsize)vector * (gsize)linear->input.n;
    g_autofree char *options = g_strdup_printf("-DVECTOR=%d", vector);
    MaxglLaunch launch = {.file = "linear.cl", .kernel = "linear_epilogue", .options = options};
    const int run = maxgl_grid_split(context, vectors, &launch);
    return maxgl_sequence_add(sequence, &launch, error, "mmuuii", y, bias, (guint32)vectors,
                              (guint32)(pitch / (gsize)vector), run, relu);
}

static gboolean forward(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem weights,
                        cl_mem bias, gboolean relu, cl_mem y, cl_mem temporary, GError **error)
{
    add_product(sequence, "linear_forward_clblast", forward_product(linear), x, weights, y, temporary);
    return (!bias && !relu) || add_epilogue(sequence, linear, bias, relu, y, error);
}

static gboolean backward_data(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem dy, cl_mem weights,
                              cl_mem dx, gboolean accumulate, cl_mem temporary, GError **error)
{
    Product product = backward_data_product(linear);
    product.beta = accumulate ? 1 : 0;
    add_product(sequence, "linear_backward_data_clblast", product, dy, weights, dx, temporary);
    return TRUE;
}

static gboolean backward_weights(MaxglSequence *sequence, const MaxglLinear *linear, cl_mem x, cl_mem dy,
                                 cl_mem dw, cl_mem temporary, GError **error)
{
    add_product(sequence, "linear_backward_weights_clblast", backward_weights_product(linear), x, dy, dw,
                temporary);
    return TRUE;
}

const MaxglLinearAlgorithm maxgl_linear_clblast = {
    .name = "clblast",
    .workspace = workspace,
    .forward = forward,
    .backward_data = backward_data,
    .backward_weights = backward_weights,
};
