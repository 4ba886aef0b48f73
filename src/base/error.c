#include <maxgl/error.h>

G_DEFINE_QUARK(maxgl - error - quark, maxgl_error)
