/* SPDX-License-Identifier: Apache-2.0
 * config/quote.h: double quotes in values, one rule for all who meet them.
 *
 * A quote opens only where a value or a list's element begins, and only if it is closed again: anywhere else '"' is a
 * character like others. Inside, \" \\ \n \r \t \xHH are escapes. [any] */
#ifndef CONFIG_QUOTE_H
#define CONFIG_QUOTE_H

#include "util/arena.h"
#include "util/error.h"
#include "util/str.h"

/* Walks a value from its first character. Zero-initialised at the start. */
typedef struct quote_scan {
    const char *close;    /* of the quote that is open */
    bool element_goes_on; /* something else than blanks was seen since the value or the last comma began */
} quote_scan;

/* Is the character at `at` inside quotes, or one of the two? To be asked of one character after the other; some may be
 * left out as long as none of them is a quote or a comma. */
bool quote_inside(quote_scan *scan, const char *at);

/* The text with its quotes and escapes taken away, in `memory`; one that does not begin with a quote is itself. The
 * error follows "key = 'text' ": "has an unfinished quote". */
lth_status quote_remove(const char *text, arena *memory, const char **out, error *e);

/* Appends the text as it stands between quotes, without them. */
void quote_escape(str *out, const char *text);

/* Appends a plain text as a run file has it: in quotes where it must be (always with a comma inside when it is a list's
 * element), with $${ for ${. */
void quote_write(str *out, const char *text, bool is_element);

#endif
