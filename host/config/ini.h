/* SPDX-License-Identifier: Apache-2.0
 * config/ini.h: reads an INI file, item by item, and tells every malformed line with its place.
 *
 *     ; a comment, also with #
 *     [section]
 *     key = value            ; blank + ; or # begins a comment here, too
 *     list = 128, 64,
 *            32              an indented line without "key =" goes on; it is joined by one blank
 *     delimiter = ";"        double quotes keep what is between them: blanks, ; # and , (escapes: \" \\ \n \r \t \xHH)
 *
 * Quotes are for whoever reads the value (quote.h); here they only keep a comment from beginning. inih does the
 * parsing; around it stand mends for what it does silently: cut lines and names, take an indented key for more of the
 * value before it, drop what follows a section's ']', accept a section or a key twice. Those are mistakes with a line
 * number here, or work. Text is UTF-8 (a byte order mark is skipped) without control characters. */
#ifndef CONFIG_INI_H
#define CONFIG_INI_H

#include "util/diagnostics.h"

enum { INI_NAME_LIMIT = 120, INI_FILE_LIMIT = 16 << 20 }; /* bytes: of a section's or a key's name, of a file */

typedef struct ini_item {
    const char *section; /* "" before the first section */
    const char *key;     /* NULL: the section begins here */
    const char *value;   /* comment and blanks around it removed; "" when nothing is left */
    int line;
} ini_item;

/* Called in the file's order. The item lives for the call. */
typedef void (*ini_visit)(void *context, const ini_item *item);

/* LTH_OK where all of the file is right; LTH_INVALID or LTH_IO after mistakes, which are in `d` under `path`. Items on
 * right lines are visited in any case, so that one reading finds all mistakes. [any] */
lth_status ini_read(const char *path, ini_visit visit, void *context, diagnostics *d);
/* The same for text in memory; `name` stands for the path in messages. */
lth_status ini_read_text(const char *name, const char *text, size_t size, ini_visit visit, void *context, diagnostics *d);

#endif
