/* maxgl-probe DEVICE FACTORS: tries whether a device's matrix units multiply as they should. The library runs
 * it in a process of its own because drivers may crash: see ops/mma_probe.h. Exit status 0: they do; 1: they
 * do not, and standard output says why in a line; 2: wrong usage. */
#include "ops/mma_probe.h"

#include <locale.h>
#include <stdio.h>

static int factors_named(const char *name)
{
    for (int i = MAXGL_FACTORS_FP32; i <= MAXGL_FACTORS_TF32; i++)
        if (g_str_equal(maxgl_factors_name((MaxglFactors)i), name))
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    const int factors = argc == 3 ? factors_named(argv[2]) : -1;
    if (factors < 0) {
        fprintf(stderr, "usage: maxgl-probe DEVICE fp32|fp16|bf16|tf32\n"
                        "Tries whether the matrix units of a device multiply such numbers as they should.\n");
        return 2;
    }
    setlocale(LC_ALL, "");
    g_autoptr(GError) error = NULL;
    g_autoptr(MaxglContext) context = maxgl_context_open(argv[1], &error);
    if (context) {
        maxgl_mma_trust(context);
        if (maxgl_mma_try(context, (MaxglFactors)factors, &error))
            return 0;
    }
    printf("%s\n", error->message);
    return 1;
}
