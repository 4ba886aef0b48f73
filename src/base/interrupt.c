#include "base/interrupt.h"

#include <errno.h>
#include <maxgl/error.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t requested;

static void on_signal(int number)
{
    if (requested)
        _exit(130);
    requested = 1;
}

void maxgl_interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

gboolean maxgl_interrupt_requested(void)
{
    return requested != 0;
}

gboolean maxgl_interrupt_check(GError **error)
{
    if (!requested)
        return TRUE;
    g_set_error_literal(error, MAXGL_ERROR, MAXGL_ERROR_CANCELLED, "interrupted");
    return FALSE;
}
