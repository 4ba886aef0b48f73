/* What can go wrong, as GError codes. */
#ifndef MAXGL_ERROR_H
#define MAXGL_ERROR_H

#include <glib.h>
#include <maxgl/visibility.h>

G_BEGIN_DECLS

/** The GError domain of every function of libmaxgl. */
#define MAXGL_ERROR (maxgl_error_quark())

/** Codes of #MAXGL_ERROR. Every message is one line that says what, where and what to do. */
typedef enum {
    MAXGL_ERROR_FAILED, /**< anything without a code of its own */
    MAXGL_ERROR_USAGE,  /**< the caller asked for something that cannot be: a bad option, a value out of range
                         */
    MAXGL_ERROR_NOT_FOUND, /**< a file, device, tensor or name that does not exist */
    MAXGL_ERROR_DEVICE,    /**< the OpenCL platform, driver or compiler said no */
    MAXGL_ERROR_LIMIT,     /**< a size beyond what the device can hold: the message has need and limit */
    MAXGL_ERROR_FORMAT,    /**< a file's contents are not what they should be */
    MAXGL_ERROR_IO,        /**< reading or writing failed */
    MAXGL_ERROR_CANCELLED, /**< interrupted by the user */
} MaxglError;

MAXGL_API GQuark maxgl_error_quark(void);

G_END_DECLS

#endif
