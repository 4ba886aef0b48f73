/* Weights and clips that follow from a formula, the same as in tests/golden/make_networks.py, and
 * comparisons. */
#ifndef TESTS_NET_FORMULA_H
#define TESTS_NET_FORMULA_H

#include "base/safetensors.h"
#include "net/network.h"

/** @n numbers in [−1, 1) from a hash of their index and of @name; caller frees. */
double *formula_noise(const char *name, gsize n);

/** The parameter that PyTorch calls @name, of @shape. */
float *formula_parameter(const char *name, int rank, const gint64 *shape, gsize *count);

/** @n clips of 3 × @t × @s × @s. */
float *formula_clips(const char *name, int n, int t, int s);

/** Fills every parameter by the formula, under the names of the registry. */
void formula_fill(MaxglParameters *parameters);

/** A safetensors file of @resnet under @naming, each tensor by the formula of its name there; @prefix in
 * front of the names. No metadata. */
void formula_write_file(const char *path, const MaxglResnet *resnet, MaxglNaming naming, const char *prefix);

/** ‖got − want‖ / ‖want‖. */
double relative_error(const float *got, const double *want, gsize n);

/** A tensor of a golden file as doubles; fails the test if it is not there. Caller frees. */
double *golden_get(const MaxglSafetensors *golden, const char *name, gsize *count);

/** Opens tests/golden/@name. */
MaxglSafetensors *golden_open(const char *name);

/** A network of @name for clips of @t × @s × @s with @classes. */
MaxglResnet *resnet_named(const char *name, int classes, int t, int s);

/** Fails the test with the message of @error unless @ok. */
#define assert_ok(ok, error) assert_ok_(ok, error, __FILE__, __LINE__)
void assert_ok_(gboolean ok, const GError *error, const char *file, int line);

#endif
