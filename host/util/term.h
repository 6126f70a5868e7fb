/* SPDX-License-Identifier: Apache-2.0
 * util/term.h: what the terminal behind a descriptor can do. [any] */
#ifndef UTIL_TERM_H
#define UTIL_TERM_H

#include <stdbool.h>

/* Shown to a person: a terminal, and TERM is not "dumb". */
bool term_is_terminal(int fd);
/* Colours are welcome: a terminal, and NO_COLOR is unset or empty (no-color.org). */
bool term_has_colour(int fd);
/* Columns: of the terminal, else COLUMNS, else 80; at least 20. */
int term_width(int fd);

#endif
