/* SPDX-License-Identifier: Apache-2.0
 * trainer/console.c: one write() a line, so that lines of several threads and processes do not mix. */
#include "trainer/console.h"

#include "util/str.h"
#include "util/term.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void console_init(console *c)
{
    *c = (console) { .is_terminal = term_is_terminal(STDERR_FILENO) };
    pthread_mutex_init(&c->mutex, NULL);
}

void console_free(console *c)
{
    console_status(c, "");
    pthread_mutex_destroy(&c->mutex);
}

static void put(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t done = write(STDERR_FILENO, text, size);
        if (done <= 0)
            return; /* nobody listens: no reason to end a training */
        text += done;
        size -= (size_t)done;
    }
}

void console_line(console *c, const char *format, ...)
{
    char small[1024], *text = small;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(small, sizeof small - 1, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    str whole = { 0 };
    if ((size_t)length >= sizeof small - 1) {
        va_start(arguments, format);
        str_vprintf(&whole, format, arguments);
        va_end(arguments);
        str_append_char(&whole, '\n');
        text = whole.at;
    } else {
        small[length] = '\n';
    }
    pthread_mutex_lock(&c->mutex);
    if (c->shown)
        put("\r\033[K", 4);
    put(text, (size_t)length + 1);
    if (c->shown)
        put(c->status, strlen(c->status));
    pthread_mutex_unlock(&c->mutex);
    str_free(&whole);
}

void console_status(console *c, const char *text)
{
    if (!c->is_terminal)
        return;
    pthread_mutex_lock(&c->mutex);
    snprintf(c->status, sizeof c->status, "%s", text);
    if (c->shown || text[0]) {
        char line[sizeof c->status + 8];
        int length = snprintf(line, sizeof line, "\r%s\033[K", c->status);
        put(line, (size_t)length);
    }
    c->shown = text[0] != '\0';
    pthread_mutex_unlock(&c->mutex);
}

int console_width(void) { return term_width(STDERR_FILENO); }
