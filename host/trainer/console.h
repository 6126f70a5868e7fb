/* SPDX-License-Identifier: Apache-2.0
 * trainer/console.h: what the user sees on stderr: lines, and below them one line that stays the last (progress).
 *
 * Several threads may speak; each line comes out whole. */
#ifndef TRAINER_CONSOLE_H
#define TRAINER_CONSOLE_H

#include <lthost/base.h>
#include <pthread.h>

typedef struct console {
    pthread_mutex_t mutex;
    bool is_terminal, shown;
    char status[1024]; /* what stands in the last line; "": nothing */
} console;

void console_init(console *c);
void console_free(console *c);

/* A line of its own, above the status line. [any] */
LTH_PRINTF(2, 3) void console_line(console *c, const char *format, ...);
/* Replaces the status line; "" takes it away. Nothing where stderr is no terminal. [any] */
void console_status(console *c, const char *text);
int console_width(void);

#endif
