/* SPDX-License-Identifier: Apache-2.0
 * util/error.h: one failure as a value: a status and a sentence that the user can act on.
 *
 * A function that can fail takes an `error *` last and returns its status:
 *     if (open_failed)
 *         return error_set(e, LTH_IO, "cannot open '%s': %s", path, strerror(errno));
 * The caller adds what it alone knows in front: error_prefix(e, "%s:%d: ", file, line). Zero-initialised means "no
 * error yet". Many mistakes of one kind (a whole run file's) go into diagnostics.h instead. */
#ifndef UTIL_ERROR_H
#define UTIL_ERROR_H

#include <lthost/base.h>
#include <stdarg.h>

typedef struct error {
    lth_status status;
    char text[2000]; /* always terminated; a longer message ends in "..." */
} error;

/* Records the first error; later ones are dropped, as they follow from it. `e` may be NULL. Returns `status`. [any] */
LTH_PRINTF(3, 4) lth_status error_set(error *e, lth_status status, const char *format, ...);
lth_status error_set_v(error *e, lth_status status, const char *format, va_list arguments);

/* Puts text in front of a recorded error; does nothing where there is none. Returns the error's status. [any] */
LTH_PRINTF(2, 3) lth_status error_prefix(error *e, const char *format, ...);

/* Back to "no error yet". [any] */
void error_clear(error *e);

#endif
