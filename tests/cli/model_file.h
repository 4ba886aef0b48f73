/* Files of networks for tests, and files that are damaged. */
#ifndef TESTS_CLI_MODEL_FILE_H
#define TESTS_CLI_MODEL_FILE_H

#include "net/weights.h"

/** The network called @name with @classes, for clips of 16×112×112. */
MaxglResnet *model_file_network(const char *name, int classes);

/** Writes @resnet under @naming with @prefix in front of every name, each tensor filled with numbers that
 * follow from its name in hara's scheme; metadata "format" = "pt" alone. Unless it is NULL, @leave_out names
 * (without prefix) a tensor that is not written. */
void model_file_write(const char *path, const MaxglResnet *resnet, MaxglNaming naming, const char *prefix,
                      const char *leave_out);

/** Fails the test unless @tensor holds what model_file_write() writes for @name (hara's). */
void model_file_assert_tensor(const MaxglSafetensor *tensor, const char *name);

/** Writes a safetensors file of @header, its length as @claimed bytes (or as it is, if 0), and @data zero
 * bytes. */
void model_file_write_raw(const char *path, const char *header, guint64 claimed, gsize data);

#endif
