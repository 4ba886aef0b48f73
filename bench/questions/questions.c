/* gpu-questions: what a driver does that its documents do not say, found out by trying. Each question is
 * tried in a process of its own, since a compiler may abort or hang.
 *
 *   gpu-questions [P:D [FILE]]     all of them, a line each; the record into FILE
 *   gpu-questions P:D --one NAME   one of them, in this process: the answer on standard output
 */
#include "base/log.h"
#include "bench/record.h"
#include "compute/buffer.h"
#include "compute/kernel_sources.h"

#include <maxgl/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 60 /* for one question */
enum { WARP = 32, WARP_GROUP = 128 };

extern const MaxglEmbeddedFile maxgl_question_files[];

typedef struct Question Question;

struct Question {
    const char *name, *what;
    gboolean (*try)(MaxglContext *context, const Question *question, GError **error);
    const char *kernel, *options; /* of questions.cl */
};

static gboolean wrong(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean wrong(GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_FAILED, text);
    return FALSE;
}

static const char *file(const char *name)
{
    const MaxglEmbeddedFile *f = maxgl_question_files;
    while (!g_str_equal(f->name, name))
        f++;
    return f->text;
}

/* ---------------- programs ---------------- */

/* The first lines of what the compiler said. */
static gboolean build(MaxglContext *context, cl_program program, const char *options, GError **error)
{
    const cl_int code = clBuildProgram(program, 1, &context->device, options, NULL, NULL);
    if (code == CL_SUCCESS)
        return TRUE;
    char log[400] = "";
    g_autofree char *all = NULL;
    size_t size = 0;
    clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    all = g_malloc0(size + 1);
    clGetProgramBuildInfo(program, context->device, CL_PROGRAM_BUILD_LOG, size, all, NULL);
    g_strlcpy(log, g_strstrip(all), sizeof log);
    g_strdelimit(log, "\n", ' ');
    return wrong(error, "does not compile: %s: %s", maxgl_opencl_error_name(code), log);
}

static cl_kernel kernel_of(cl_program program, const char *name, GError **error)
{
    cl_int code = CL_SUCCESS;
    cl_kernel kernel = clCreateKernel(program, name, &code);
    return maxgl_opencl_check(code, error, "kernel %s", name) ? kernel : NULL;
}

static cl_program program_of_source(MaxglContext *context, const char *options, GError **error)
{
    const char *source = file("questions.cl");
    cl_int code = CL_SUCCESS;
    cl_program program = clCreateProgramWithSource(context->context, 1, &source, NULL, &code);
    if (!maxgl_opencl_check(code, error, "clCreateProgramWithSource"))
        return NULL;
    g_autofree char *all = g_strdup_printf("-cl-std=CL1.2 %s", options);
    if (build(context, program, all, error))
        return program;
    clReleaseProgram(program);
    return NULL;
}

static cl_program program_of_binary(MaxglContext *context, const char *text, GError **error)
{
    const size_t size = strlen(text) + 1; /* drivers read PTX as a C string */
    const unsigned char *bytes = (const unsigned char *)text;
    cl_int code = CL_SUCCESS, status = CL_SUCCESS;
    cl_program program =
        clCreateProgramWithBinary(context->context, 1, &context->device, &size, &bytes, &status, &code);
    if (!maxgl_opencl_check(code, error, "clCreateProgramWithBinary"))
        return NULL;
    if (build(context, program, "", error))
        return program;
    clReleaseProgram(program);
    return NULL;
}

/* ---------------- one work-group ---------------- */

/* Runs @items work-items of @program's kernel on @in[n_in] (buffers of these bytes) and reads @out. */
static gboolean run(MaxglContext *context, cl_program program, const char *name, gsize items, int n_in,
                    const void *const *in, const gsize *in_bytes, void *out, gsize out_bytes, GError **error)
{
    cl_mem buffers[3] = {NULL};
    cl_kernel kernel = kernel_of(program, name, error);
    gboolean ok = kernel != NULL;
    for (int i = 0; i <= n_in && ok; i++) {
        const gsize bytes = i < n_in ? in_bytes[i] : out_bytes;
        const cl_uint argument = (cl_uint)i;
        buffers[i] = maxgl_buffer_new(context, bytes, "a question's numbers", error);
        ok = buffers[i] &&
             (i < n_in ? maxgl_buffer_write(context, buffers[i], 0, in[i], bytes, error)
                       : maxgl_buffer_zero(context, buffers[i], 0, bytes, error)) &&
             maxgl_opencl_check(clSetKernelArg(kernel, argument, sizeof(cl_mem), &buffers[i]), error,
                                "clSetKernelArg");
    }
    ok = ok &&
         maxgl_opencl_check(
             clEnqueueNDRangeKernel(context->queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL), error,
             "launching %s", name) &&
         maxgl_buffer_read(context, buffers[n_in], 0, out, out_bytes, error);
    for (int i = 0; i <= n_in; i++)
        maxgl_buffer_free(context, buffers[i]);
    if (kernel)
        clReleaseKernel(kernel);
    return ok;
}

static gboolean compare(const guint32 *got, const guint32 *want, int n, GError **error)
{
    for (int i = 0; i < n; i++)
        if (got[i] != want[i])
            return wrong(error, "compiles, but number %d is %u instead of %u", i, got[i], want[i]);
    return TRUE;
}

/* Compiles the question's kernel and runs it without input. */
static gboolean run_source(MaxglContext *context, const Question *q, guint32 *out, gsize bytes,
                           GError **error)
{
    cl_program program = program_of_source(context, q->options, error);
    const gboolean ok = program && run(context, program, q->kernel, WARP, 0, NULL, NULL, out, bytes, error);
    if (program)
        clReleaseProgram(program);
    return ok;
}

/* ---------------- questions ---------------- */

static gboolean try_lanes(MaxglContext *context, const Question *q, GError **error)
{
    guint32 got[WARP], want[WARP];
    for (guint32 i = 0; i < WARP; i++)
        want[i] = i;
    return run_source(context, q, got, sizeof got, error) && compare(got, want, WARP, error);
}

static gboolean try_load_shared(MaxglContext *context, const Question *q, GError **error)
{
    guint32 got[WARP], want[WARP];
    for (guint32 i = 0; i < WARP; i++)
        want[i] = 1000 + (i ^ 1);
    return run_source(context, q, got, sizeof got, error) && compare(got, want, WARP, error);
}

/* Lane 4g + t has of each matrix the numbers 2t and 2t + 1 of row g. */
static gboolean try_ldmatrix(MaxglContext *context, const Question *q, GError **error)
{
    guint32 got[4 * WARP], want[4 * WARP];
    for (guint32 lane = 0; lane < WARP; lane++)
        for (guint32 matrix = 0; matrix < 4; matrix++) {
            const guint32 first = (matrix * 8 + lane / 4) * 8 + 2 * (lane % 4);
            want[4 * lane + matrix] = first | (first + 1) << 16;
        }
    return run_source(context, q, got, sizeof got, error) && compare(got, want, 4 * WARP, error);
}

static gboolean try_cp_async(MaxglContext *context, const Question *q, GError **error)
{
    guint32 in[4 * WARP], got[4 * WARP], want[4 * WARP];
    const void *const inputs[] = {in};
    const gsize bytes[] = {sizeof in};
    for (guint32 i = 0; i < 4 * WARP; i++)
        in[i] = 7 * i + 1;
    for (guint32 i = 0; i < 4 * WARP; i++)
        want[i] = in[i ^ 4]; /* the neighbour's four */
    cl_program program = program_of_source(context, q->options, error);
    const gboolean ok =
        program && run(context, program, q->kernel, WARP, 1, inputs, bytes, got, sizeof got, error);
    if (program)
        clReleaseProgram(program);
    return ok && compare(got, want, 4 * WARP, error);
}

/* Small whole numbers, which every format holds. */
static float number_a(int row, int k)
{
    return (float)((row * 3 + k * 5) % 7 - 3);
}

static float number_b(int k, int column)
{
    return (float)((k * 2 + column * 3) % 5 - 2);
}

static guint32 float_bits(float value)
{
    guint32 bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The half with that value, a whole number below 2048: exponent and fraction of the float, shortened. */
static guint16 half_bits(float value)
{
    const guint32 bits = float_bits(value), sign = bits >> 16 & 0x8000;
    return (guint16)(value == 0 ? sign : sign | ((bits >> 23 & 0xff) - 112) << 10 | (bits >> 13 & 0x3ff));
}

/* 16×@depth times @depth×8. */
static gboolean check_product(const float *got, int depth, GError **error)
{
    for (int row = 0; row < 16; row++)
        for (int column = 0; column < 8; column++) {
            float want = 0;
            for (int k = 0; k < depth; k++)
                want += number_a(row, k) * number_b(k, column);
            if (got[row * 8 + column] != want)
                return wrong(error, "compiles, but row %d, column %d is %g instead of %g", row, column,
                             (double)got[row * 8 + column], (double)want);
        }
    return TRUE;
}

static gboolean run_product(MaxglContext *context, const Question *q, const void *a, gsize a_bytes,
                            const void *b, gsize b_bytes, float *d, GError **error)
{
    const void *const inputs[] = {a, b};
    const gsize bytes[] = {a_bytes, b_bytes};
    cl_program program = program_of_source(context, q->options, error);
    const gboolean ok =
        program && run(context, program, q->kernel, WARP, 2, inputs, bytes, d, 16 * 8 * sizeof(float), error);
    if (program)
        clReleaseProgram(program);
    return ok;
}

static gboolean try_mma(MaxglContext *context, const Question *q, GError **error)
{
    const gboolean half = strstr(q->options, "MMA_F16") != NULL;
    guint16 a[16 * 16], b[16 * 8];
    float d[16 * 8];
    for (int row = 0; row < 16; row++)
        for (int k = 0; k < 16; k++)
            a[row * 16 + k] =
                half ? half_bits(number_a(row, k)) : (guint16)(float_bits(number_a(row, k)) >> 16);
    for (int k = 0; k < 16; k++)
        for (int column = 0; column < 8; column++)
            b[k * 8 + column] =
                half ? half_bits(number_b(k, column)) : (guint16)(float_bits(number_b(k, column)) >> 16);
    return run_product(context, q, a, sizeof a, b, sizeof b, d, error) && check_product(d, 16, error);
}

static gboolean try_mma_tf32(MaxglContext *context, const Question *q, GError **error)
{
    float a[16 * 8], b[8 * 8], d[16 * 8];
    for (int row = 0; row < 16; row++)
        for (int k = 0; k < 8; k++)
            a[row * 8 + k] = number_a(row, k);
    for (int k = 0; k < 8; k++)
        for (int column = 0; column < 8; column++)
            b[k * 8 + column] = number_b(k, column);
    return run_product(context, q, a, sizeof a, b, sizeof b, d, error) && check_product(d, 8, error);
}

static gboolean run_plain(MaxglContext *context, cl_program program, gsize items, GError **error)
{
    guint32 got[WARP_GROUP], want[WARP_GROUP];
    for (guint32 i = 0; i < WARP_GROUP; i++)
        want[i] = i + 1;
    const gboolean ok =
        program && run(context, program, "plain", items, 0, NULL, NULL, got, items * sizeof *got, error);
    if (program)
        clReleaseProgram(program);
    return ok && compare(got, want, (int)items, error);
}

static gboolean try_ptx(MaxglContext *context, const Question *q, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(file("plain.ptx"), "TARGET", 2);
    g_autofree char *text = g_strconcat(parts[0], "sm_70", parts[1], NULL); /* later ones run it too */
    return run_plain(context, program_of_binary(context, text, error), WARP, error);
}

static gboolean try_ptx_wgmma(MaxglContext *context, const Question *q, GError **error)
{
    return run_plain(context, program_of_binary(context, file("wgmma.ptx"), error), WARP_GROUP, error);
}

/* Whether what the driver gives away as a program's binary is PTX, and of which version and target. */
static gboolean try_binary_is_ptx(MaxglContext *context, const Question *q, GError **error)
{
    size_t size = 0;
    cl_program program = program_of_source(context, q->options, error);
    if (!program)
        return FALSE;
    clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL);
    g_autofree char *binary = g_malloc0(size + 1);
    unsigned char *bytes = (unsigned char *)binary;
    clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(unsigned char *), &bytes, NULL);
    clReleaseProgram(program);
    const char *version = strstr(binary, ".version"), *target = strstr(binary, ".target");
    if (!version || !target)
        return wrong(error, "%" G_GSIZE_FORMAT " bytes of something else", size);
    printf("%.*s %.*s\n", (int)strcspn(version, "\n"), version, (int)strcspn(target, "\n"), target);
    return TRUE;
}

static gboolean try_plain(MaxglContext *context, const Question *q, GError **error)
{
    cl_program program = program_of_source(context, q->options, error);
    return run_plain(context, program, WARP, error);
}

static const Question questions[] = {
    {"control", "a kernel without PTX", try_plain, "plain", "-DPLAIN"},
    {"inline_ptx", "does the compiler take inline PTX", try_lanes, "inline_ptx", "-DINLINE_PTX"},
    {"mma_f16", "mma.sync m16n8k16, float16", try_mma, "mma", "-DMMA_F16"},
    {"mma_bf16", "mma.sync m16n8k16, bfloat16", try_mma, "mma", "-DMMA_BF16"},
    {"mma_tf32", "mma.sync m16n8k8, tf32", try_mma_tf32, "mma_tf32", "-DMMA_TF32"},
    {"local_pointer_cast", "__local pointer cast to a number as address of ld.shared", try_load_shared,
     "load_shared", "-DLOCAL=1"},
    {"local_pointer_cvta", "__local pointer through cvta.to.shared as address of ld.shared", try_load_shared,
     "load_shared", "-DLOCAL=2"},
    {"ldmatrix_cast", "__local pointer cast to a number into ldmatrix", try_ldmatrix, "ldmatrix",
     "-DLOCAL=1"},
    {"ldmatrix_cvta", "__local pointer through cvta.to.shared into ldmatrix", try_ldmatrix, "ldmatrix",
     "-DLOCAL=2"},
    {"cp_async_cast", "cp.async to a __local pointer cast to a number", try_cp_async, "cp_async",
     "-DLOCAL=1"},
    {"cp_async_cvta", "cp.async to a __local pointer through cvta.to.shared", try_cp_async, "cp_async",
     "-DLOCAL=2"},
    {"ptx_binary", "clCreateProgramWithBinary takes PTX", try_ptx, NULL, NULL},
    {"ptx_binary_sm_90a", "clCreateProgramWithBinary takes PTX for sm_90a, with wgmma's fence", try_ptx_wgmma,
     NULL, NULL},
    {"binary_is_ptx", "a program's binary is PTX", try_binary_is_ptx, "plain", "-DPLAIN"},
    {"maxrregcount", "-cl-nv-maxrregcount is taken", try_plain, "plain", "-DPLAIN -cl-nv-maxrregcount=128"},
};

/* ---------------- in processes of their own ---------------- */

static int answer_one(const char *selector, const char *name)
{
    g_autoptr(GError) error = NULL;
    guint i = 0;
    while (i < G_N_ELEMENTS(questions) && !g_str_equal(questions[i].name, name))
        i++;
    if (i == G_N_ELEMENTS(questions)) {
        fprintf(stderr, "gpu-questions: no question is called %s\n", name);
        return 2;
    }
    g_autoptr(MaxglContext) context = maxgl_context_open(selector, &error);
    alarm(SECONDS); /* a compiler may not come back */
    if (context && questions[i].try(context, &questions[i], &error))
        return 0;
    printf("%s\n", error->message);
    return 1;
}

/* What the process that tried it came to: "yes", "no", or how it died; @detail is what it said. */
static char *ask(const char *program, const char *selector, const Question *q, char **detail)
{
    const char *const arguments[] = {program, selector, "--one", q->name, NULL};
    g_autoptr(GError) error = NULL;
    int status = 0;
    if (!g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                      NULL, detail, NULL, &status, &error)) {
        *detail = g_strdup(error->message);
        return g_strdup("not asked");
    }
    g_strstrip(*detail);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? g_strdup_printf("no answer in %d s", SECONDS)
                                           : g_strdup_printf("died of signal %d", WTERMSIG(status));
    return g_strdup(WEXITSTATUS(status) == 0 ? "yes" : "no");
}

static int ask_all(const char *program, const char *selector, const char *path)
{
    guint yes = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = maxgl_context_open(selector, &error);
    if (!context) {
        maxgl_log_error(error);
        return 1;
    }
    g_autoptr(JsonBuilder) b = maxgl_record_begin(context, "questions");
    g_autofree char *exact =
        g_strdup_printf("%d:%d", context->info->platform_index, context->info->device_index);
    printf("%s\n", context->info->name);
    json_builder_set_member_name(b, "answers");
    json_builder_begin_object(b);
    for (guint i = 0; i < G_N_ELEMENTS(questions); i++) {
        g_autofree char *detail = NULL;
        g_autofree char *answer = ask(program, exact, &questions[i], &detail);
        printf("  %-66s %s%s%s\n", questions[i].what, answer, detail[0] ? ": " : "", detail);
        fflush(stdout);
        json_builder_set_member_name(b, questions[i].name);
        json_builder_begin_object(b);
        maxgl_record_string(b, "question", questions[i].what);
        maxgl_record_string(b, "answer", answer);
        maxgl_record_string(b, "detail", detail);
        json_builder_end_object(b);
        yes += g_str_equal(answer, "yes");
    }
    printf("%u of %u: yes\n", yes, (guint)G_N_ELEMENTS(questions));
    json_builder_end_object(b);
    if (path && !maxgl_record_write(b, path, &error)) {
        maxgl_log_error(error);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    maxgl_log_init("gpu-questions", G_LOG_LEVEL_MESSAGE);
    const char *selector = argc > 1 ? argv[1] : NULL;
    if (argc == 4 && g_str_equal(argv[2], "--one"))
        return answer_one(selector, argv[3]);
    if (argc > 3 || (selector && selector[0] == '-')) {
        fprintf(stderr, "usage: gpu-questions [P:D [FILE]]\n");
        return 2;
    }
    return ask_all(argv[0], selector, argc > 2 ? argv[2] : NULL);
}
