#include "checkcl.h"

#define CHECK(name) extern const MaxglCheck check_##name;
#include "checks.def"
#undef CHECK

#define CHECK(name) &check_##name,
const MaxglCheck *const maxgl_checks[] = {
#include "checks.def"
    NULL,
};
