/* SPDX-License-Identifier: Apache-2.0
 * util/json.c */
#include "json.h"
#include "file.h"
#include "str.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t usual_nan = 0x7ff8000000000000;

lth_status json_read_text(const char *text, size_t size, const char *name, json_t **out, error *e)
{
    json_error_t why;
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    return *out ? LTH_OK : error_set(e, LTH_INVALID, "%s:%d: %s", name, why.line < 1 ? 1 : why.line, why.text);
}

lth_status json_read(const char *path, json_t **out, error *e)
{
    char *text;
    size_t size;
    *out = NULL;
    lth_status s = file_read(path, 0, &text, &size, e);
    if (s)
        return s;
    s = json_read_text(text, size, path, out, e);
    free(text);
    return s;
}

char *json_render(const json_t *value, size_t *size)
{
    char *bare = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY);
    if (!bare)
        return NULL;
    str text = { 0 };
    str_append(&text, bare);
    str_append_char(&text, '\n');
    free(bare);
    if (size)
        *size = text.length;
    return str_take(&text);
}

lth_status json_write(const char *path, const json_t *value, error *e)
{
    size_t size;
    char *text = json_render(value, &size);
    if (!text)
        return error_set(e, LTH_ERROR, "cannot write '%s': a text in it is not UTF-8, or it contains itself", path);
    lth_status s = file_write_atomic(path, text, size, e);
    free(text);
    return s;
}

json_t *json_from_f64(double value)
{
    if (isfinite(value))
        return json_real(value);
    if (isinf(value))
        return json_string(value > 0 ? "inf" : "-inf");
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (bits == usual_nan)
        return json_string("nan");
    char text[32];
    snprintf(text, sizeof text, "nan:0x%016" PRIx64, bits);
    return json_string(text);
}

/* "nan" or "nan:0x" and 16 digits, of a NaN and nothing else. */
static bool read_nan(const char *text, double *out)
{
    uint64_t bits = usual_nan;
    if (str_starts(text, "nan:0x") && strlen(text) == 22 && strspn(text + 6, "0123456789abcdef") == 16)
        bits = strtoull(text + 6, NULL, 16);
    else if (strcmp(text, "nan") != 0)
        return false;
    double value;
    memcpy(&value, &bits, sizeof value);
    if (!isnan(value))
        return false;
    *out = value;
    return true;
}

bool json_to_f64(const json_t *value, double *out)
{
    if (json_is_number(value)) {
        *out = json_number_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    if (!text)
        return false;
    if (!strcmp(text, "inf") || !strcmp(text, "-inf")) {
        *out = text[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    return read_nan(text, out);
}
