/* SPDX-License-Identifier: Apache-2.0
 * engine/print.c: how lth_print shows a tensor: as NumPy does, long axes cut in the middle. */
#include "engine/internal.h"
#include "engine/ops.h"

#include <math.h>
#include <string.h>

enum { EDGE = 3, WHOLE = 1000 }; /* elements shown at each end of a cut axis; tensors up to WHOLE are not cut */

static double of_bits32(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static double of_f16(uint16_t h)
{
    int sign = h >> 15, exponent = h >> 10 & 31, fraction = h & 1023;
    double x = exponent == 31 ? (fraction ? NAN : INFINITY)
               : exponent     ? ldexp(1024 + fraction, exponent - 25)
                              : ldexp(fraction, -24);
    return sign ? -x : x;
}

double engine_element(const void *data, lth_dtype dtype, int64_t i)
{
    switch (dtype) {
    case LTH_F32:
        return (double)((const float *)data)[i];
    case LTH_F64:
        return ((const double *)data)[i];
    case LTH_BF16:
        return of_bits32((uint32_t)((const uint16_t *)data)[i] << 16);
    case LTH_F16:
        return of_f16(((const uint16_t *)data)[i]);
    case LTH_I64:
        return (double)((const int64_t *)data)[i];
    case LTH_I32:
        return (double)((const int32_t *)data)[i];
    case LTH_I8:
        return (double)((const int8_t *)data)[i];
    default:
        return (double)((const uint8_t *)data)[i];
    }
}

static void show_element(str *out, lth_dtype dtype, const void *data, int64_t i)
{
    if (dtype == LTH_I64)
        str_printf(out, "%lld", (long long)((const int64_t *)data)[i]);
    else if (dtype == LTH_BOOL)
        str_append(out, ((const uint8_t *)data)[i] ? "true" : "false");
    else
        str_printf(out, dtype == LTH_F64 ? "%.8g" : "%.6g", engine_element(data, dtype, i));
}

static void show_axis(str *out, const lth_shape *shape, const void *data, int32_t axis, int64_t first, bool cut)
{
    if (axis == shape->rank) {
        show_element(out, shape->dtype, data, first);
        return;
    }
    int64_t n = shape->dim[axis], inner = 1;
    for (int32_t i = axis + 1; i < shape->rank; i++)
        inner *= shape->dim[i];
    str_append_char(out, '[');
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) {
            str_append(out, axis + 1 == shape->rank ? " " : "\n");
            for (int32_t k = 0; axis + 1 < shape->rank && k <= axis; k++)
                str_append_char(out, ' ');
        }
        if (cut && n > 2 * EDGE && i == EDGE) {
            str_append(out, "...");
            i = n - EDGE - 1;
            continue;
        }
        show_axis(out, shape, data, axis + 1, first + i * inner, cut);
    }
    str_append_char(out, ']');
}

void engine_print(void *context, const char *text, const lth_shape *shape, const void *data)
{
    engine *g = context;
    str out = { 0 };
    str_printf(&out, "%.64s: ", text);
    if (shape->rank > 0)
        str_printf(&out, "%s %s%s", lth_dtype_name(shape->dtype), op_shape_text(shape).text, shape->rank > 1 ? "\n" : " ");
    show_axis(&out, shape, data, 0, 0, lth_shape_count(shape) > WHOLE);
    engine_say(g, "%s", str_text(&out));
    str_free(&out);
}
