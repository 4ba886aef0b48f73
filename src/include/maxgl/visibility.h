/* Which symbols libmaxgl exports. */
#ifndef MAXGL_VISIBILITY_H
#define MAXGL_VISIBILITY_H

#define MAXGL_API __attribute__((visibility("default")))

#endif
