/* What --model means. */
#ifndef MAXGL_CLI_MODEL_PATH_H
#define MAXGL_CLI_MODEL_PATH_H

#include "learn/run.h"

#endif
