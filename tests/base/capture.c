#include "capture.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static int original = -1, reading = -1;

void capture_start(int columns)
{
    int writing;
    fflush(stderr);
    original = dup(STDERR_FILENO);
    if (columns > 0) {
        struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
        struct termios raw;
        if (openpty(&reading, &writing, NULL, NULL, &size) != 0)
            g_error("no pseudo-terminal");
        tcgetattr(writing, &raw);
        cfmakeraw(&raw); /* "\n" stays "\n" */
        tcsetattr(writing, TCSANOW, &raw);
    } else {
        int ends[2];
        if (pipe(ends) != 0)
            g_error("no pipe");
        reading = ends[0];
        writing = ends[1];
    }
    dup2(writing, STDERR_FILENO);
    close(writing);
}

char *capture_stop(void)
{
    GString *text = g_string_new(NULL);
    char buffer[4096];
    gssize n;
    fflush(stderr);
    /* What was written is there already; a pseudo-terminal would never report an end. */
    fcntl(reading, F_SETFL, O_NONBLOCK);
    while ((n = read(reading, buffer, sizeof buffer)) > 0)
        g_string_append_len(text, buffer, n);
    dup2(original, STDERR_FILENO);
    close(original);
    close(reading);
    return g_string_free(text, FALSE);
}
