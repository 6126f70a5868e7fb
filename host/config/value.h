/* SPDX-License-Identifier: Apache-2.0
 * config/value.h: the text of one value, read by its type, checked against its range, and written back.
 *
 * Numbers are decimal: `128`, `-1`, `1e3`, `0.1`, `inf` (FLOAT, where the range has no end there); no nan, no `1_000`,
 * no hexadecimal. An INT with an exponent must be a whole number. Lists are separated by commas. A string or a list's
 * element in double quotes may hold anything.
 *
 * What is written reads back to the same bits. [any] */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "util/arena.h"
#include "util/error.h"
#include "util/str.h"
#include <lthost/option.h>

/* Reads `text` into `field` (of the option's type). The error says what is wrong with the text alone, to follow
 * "lr = 'fast' ": "is not a number". Strings and lists are made in `memory`. `base_dir` is what a relative path is taken
 * from; NULL leaves paths as they are. LTH_INVALID; `field` is then unchanged. */
lth_status value_read(const lth_option *option, const char *text, const char *base_dir, void *field, arena *memory, error *e);

/* Appends the field's value as a run file has it. */
void value_write(str *out, const lth_option *option, const void *field);

/* What a field has before anything was read: zero, "" and empty lists. */
void value_clear(const lth_option *option, void *field);

/* Is the range's own text right for the option's type? */
lth_status value_check_range(const lth_option *option, error *e);

/* For a STRING with a range: its word that `text` was probably meant to be, in `memory`; NULL if none. */
const char *value_nearest_word(const lth_option *option, const char *text, arena *memory);

#endif
