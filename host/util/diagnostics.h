/* SPDX-License-Identifier: Apache-2.0
 * util/diagnostics.h: all that is wrong with a user's input, told at once, as a compiler does:
 *     run.ini:12: error: [model] has no option 'hiden' (did you mean 'hidden'?)
 *
 * Zero-initialised is empty. Texts are copied. One thread at a time. */
#ifndef UTIL_DIAGNOSTICS_H
#define UTIL_DIAGNOSTICS_H

#include "arena.h"
#include "error.h"
#include "str.h"
#include <stdio.h>

typedef enum diagnostic_severity { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING } diagnostic_severity;

typedef struct diagnostic {
    diagnostic_severity severity;
    int line;         /* from 1; 0: the whole file, or a place without lines such as "command line" */
    const char *file; /* NULL: no place */
    const char *text;
    const char *hint; /* NULL, or what would be right; shown in parentheses */
} diagnostic;

typedef struct diagnostics {
    diagnostic *at;
    size_t count, capacity;
    size_t error_count; /* those of DIAGNOSTIC_ERROR */
    arena memory;
} diagnostics;

/* Each returns LTH_INVALID, so that a check may `return diagnostics_error(...)`. */
LTH_PRINTF(4, 5) lth_status diagnostics_error(diagnostics *d, const char *file, int line, const char *format, ...);
LTH_PRINTF(4, 5) void diagnostics_warning(diagnostics *d, const char *file, int line, const char *format, ...);

/* Adds what would be right to the message recorded last. */
LTH_PRINTF(2, 3) void diagnostics_hint(diagnostics *d, const char *format, ...);

/* Records a function's single error (an I/O error, say) as a message with a place. */
lth_status diagnostics_add(diagnostics *d, const char *file, int line, const error *e);

/* LTH_OK while no error is recorded (warnings do not count), else LTH_INVALID. */
lth_status diagnostics_status(const diagnostics *d);

/* All messages, one a line, ordered by file and line; those of one place in the order they were recorded. */
void diagnostics_render(const diagnostics *d, str *out);
void diagnostics_print(const diagnostics *d, FILE *out);

void diagnostics_free(diagnostics *d);

#endif
