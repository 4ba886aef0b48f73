/* The weights that training begins with. */
#ifndef MAXGL_LEARN_START_H
#define MAXGL_LEARN_START_H

#include "learn/classes.h"
#include "net/weights.h"

/**
 * Loads the weights of @model, a file or a run's folder, into @parameters of @resnet, and says in one line
 * what became of the classifier: without @classes it is left out; with them it is taken if it has as many
 * classes, of the same names as far as the file names them, and otherwise keeps what was drawn. Everything
 * else must fit: the errors of maxgl_weights_load().
 */
gboolean maxgl_start_from(const char *model, const MaxglClasses *classes, const MaxglResnet *resnet,
                          MaxglParameters *parameters, GError **error);

#endif
