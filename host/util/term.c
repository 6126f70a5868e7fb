/* SPDX-License-Identifier: Apache-2.0
 * util/term.c */
#include "term.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { USUAL_WIDTH = 80, LEAST_WIDTH = 20, LARGEST_WIDTH = 10000 };

bool term_is_terminal(int fd)
{
    const char *kind = getenv("TERM");
    return isatty(fd) && (!kind || strcmp(kind, "dumb") != 0);
}

bool term_has_colour(int fd)
{
    const char *no = getenv("NO_COLOR");
    return term_is_terminal(fd) && (!no || !no[0]);
}

int term_width(int fd)
{
    struct winsize size;
    long width = 0;
    if (!ioctl(fd, TIOCGWINSZ, &size))
        width = size.ws_col;
    const char *columns = getenv("COLUMNS");
    if (!width && columns)
        width = strtol(columns, NULL, 10);
    if (width <= 0 || width > LARGEST_WIDTH)
        width = USUAL_WIDTH;
    return width < LEAST_WIDTH ? LEAST_WIDTH : (int)width;
}
