#include "checkcl.h"

/* Every operator that is checked, a line each: its check_NAME.c defines check_NAME. */
#define CHECKS(X) X(tensor_layout) X(optimizer)

#define DECLARE(name) extern const MaxglCheck check_##name;
CHECKS(DECLARE)

#define ENTRY(name) &check_##name,
const MaxglCheck *const maxgl_checks[] = {CHECKS(ENTRY) NULL};
