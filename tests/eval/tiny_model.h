/* A network for tests that is small enough to run anywhere in no time. */
#ifndef TESTS_EVAL_TINY_MODEL_H
#define TESTS_EVAL_TINY_MODEL_H

#include <glib.h>

#define TINY_FRAMES 4
#define TINY_STRIDE 2
#define TINY_SPAN 7 /* frames from a clip's first to its last */
#define TINY_PIXELS 16
#define TINY_FEATURES 32

/** Writes the model file @path: r3d-vcop@0.0625 for clips of TINY_FRAMES frames of TINY_PIXELS² pixels,
 * weights drawn from @seed, metadata complete. Fails the test if it cannot. */
void tiny_model_write(const char *path, int seed);

/** The same of the network called @name, for clips of @pixels² pixels. */
void tiny_model_write_network(const char *path, const char *name, int pixels, int seed);

/** A new temporary folder, and its removal with all that is in it. */
char *tiny_folder_new(void);
void tiny_folder_remove(char *folder);

#endif
