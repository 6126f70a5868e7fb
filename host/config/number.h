/* SPDX-License-Identifier: Apache-2.0
 * config/number.h: numbers of run files, exactly, and their ranges: "1..65536", "0..", "..1", "(0..1)" with an open
 * end, "-1|1.." for alternatives, "16|32|64" for single values. Errors follow "key = 'text' ". [any] */
#ifndef CONFIG_NUMBER_H
#define CONFIG_NUMBER_H

#include "util/error.h"

/* "128", "-1", "1e3" (a whole number, however written with an exponent). */
lth_status number_read_int(const char *text, int64_t *out, error *e);
/* A decimal, or inf or -inf; what a double cannot hold (1e999, 1e-999) is refused. */
lth_status number_read_float(const char *text, double *out, error *e);

/* Does the value lie in the range (NULL: any)? An infinity does only where the range has no end on its side. */
lth_status number_check_int(const char *range, int64_t value, error *e);
lth_status number_check_float(const char *range, double value, error *e);

/* Is the range's text right? */
lth_status number_check_range(const char *range, bool whole, error *e);

#endif
