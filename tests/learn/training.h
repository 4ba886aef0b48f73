/* A training that is open, for tests: recipe, videos, loader and trainer. */
#ifndef MAXGL_TESTS_TRAINING_H
#define MAXGL_TESTS_TRAINING_H

#include "learn/trainer.h"

typedef struct {
    MaxglRecipe *recipe;
    MaxglContext *context; /* borrowed */
    MaxglDataset *dataset;
    MaxglClasses *classes;
    MaxglLoader *loader;
    MaxglTrainer *trainer;
    char *folder; /* a temporary one */
} Fixture;

/* *state is a MaxglContext for all tests of a group. */
int group_set_up(void **state);
int group_tear_down(void **state);

/* The recipe of the options @tiny (NULL-terminated) and then of @extra, with spaces between them. */
MaxglRecipe *recipe_of(const char *const *tiny, const char *extra);

void fixture_open(Fixture *f, MaxglContext *context, const char *const *tiny, const char *extra);
/* The same on @n devices. */
void fixture_open_on(Fixture *f, MaxglContext *const *contexts, guint n, const char *const *tiny,
                     const char *extra);
void fixture_close(Fixture *f);

#endif
