/* SPDX-License-Identifier: Apache-2.0
 * util/json.h: what lthost adds to jansson: errors with a place, exact doubles, files that are whole or absent.
 *
 * A double keeps every bit. A finite one is a JSON real with 17 digits. JSON has no others, so those are strings:
 * "inf", "-inf", "nan", and "nan:0x7ff8000000000001" for a NaN with other bits than the usual one. [any] */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include "error.h"
#include <jansson.h>

/* Reads text or a file. Duplicate keys are refused. The message begins with "NAME:LINE:". */
lth_status json_read(const char *path, json_t **out, error *e);
lth_status json_read_text(const char *text, size_t size, const char *name, json_t **out, error *e);

/* The text of a value: keys in the order they were set, two blanks of indentation, a line end at the end; equal values
 * built in the same order give equal bytes. The caller frees. NULL where a string is not UTF-8. */
char *json_render(const json_t *value, size_t *size);

/* json_render to a file, by file_write_atomic. */
lth_status json_write(const char *path, const json_t *value, error *e);

/* A double by the convention above; json_to_f64 also takes an integer, and answers false for anything else. */
json_t *json_from_f64(double value);
bool json_to_f64(const json_t *value, double *out);

#endif
