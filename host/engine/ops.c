/* SPDX-License-Identifier: Apache-2.0
 * engine/ops.c: what shape rules share. */
#include "engine/ops.h"

#include <stdarg.h>
#include <stdio.h>

shape_text op_shape_text(const lth_shape *s)
{
    shape_text t;
    size_t n = (size_t)snprintf(t.text, sizeof t.text, "(");
    for (int32_t i = 0; i < s->rank && i < LTH_MAX_RANK; i++)
        n += (size_t)snprintf(t.text + n, sizeof t.text - n, "%s%lld", i > 0 ? ", " : "", (long long)s->dim[i]);
    snprintf(t.text + n, sizeof t.text - n, ")");
    return t;
}

bool op_refuse(op_shapes *s, const char *format, ...)
{
    va_list a;
    va_start(a, format);
    error_set_v(s->error, LTH_INVALID, format, a);
    va_end(a);
    return false;
}

bool op_same_dtypes(op_shapes *s, uint32_t first)
{
    for (uint32_t i = first + 1; i < s->count; i++) {
        const lth_shape *a = s->operands[first], *b = s->operands[i];
        if (a->dtype != b->dtype)
            return op_refuse(s, "%s %s and %s %s differ in element type: lth_cast one of them", lth_dtype_name(a->dtype),
                             op_shape_text(a).text, lth_dtype_name(b->dtype), op_shape_text(b).text);
    }
    return true;
}

bool op_needs_float(op_shapes *s, uint32_t i)
{
    lth_dtype t = s->operands[i]->dtype;
    return lth_dtype_is_float(t) || op_refuse(s, "needs a floating type, got %s: lth_cast it to LTH_F32, say", lth_dtype_name(t));
}

bool op_needs_number(op_shapes *s, uint32_t i)
{
    return s->operands[i]->dtype != LTH_BOOL || op_refuse(s, "needs numbers, got bool: lth_cast it to the type wanted");
}

bool op_needs_bool(op_shapes *s, uint32_t i)
{
    lth_dtype t = s->operands[i]->dtype;
    return t == LTH_BOOL || op_refuse(s, "needs bool, got %s: compare it (lth_ne(x, 0), say)", lth_dtype_name(t));
}

bool op_needs_index(op_shapes *s, uint32_t i)
{
    lth_dtype t = s->operands[i]->dtype;
    return t == LTH_I64 || t == LTH_I32 || op_refuse(s, "an index is i64 or i32, got %s: lth_cast it", lth_dtype_name(t));
}

bool op_needs_scalar(op_shapes *s, uint32_t i, const char *name)
{
    return s->operands[i]->rank == 0 ||
           op_refuse(s, "%s must be a scalar of rank 0, got %s", name, op_shape_text(s->operands[i]).text);
}

bool op_axis(op_shapes *s, int64_t *axis, int32_t rank)
{
    int64_t a = *axis < 0 ? *axis + rank : *axis;
    if (rank == 0)
        return op_refuse(s, "axis %lld of a scalar, which has no axes", (long long)*axis);
    if (a < 0 || a >= rank)
        return op_refuse(s, "axis %lld, where %d to %d are possible", (long long)*axis, -rank, rank - 1);
    *axis = a;
    return true;
}

bool op_checks_size(op_shapes *s, const lth_shape *shape)
{
    int64_t bytes = lth_dtype_size(shape->dtype);
    if (bytes == 0)
        return op_refuse(s, "element type %u (%s) is none that a tensor can have", shape->dtype, lth_dtype_name(shape->dtype));
    if (shape->rank < 0 || shape->rank > LTH_MAX_RANK)
        return op_refuse(s, "%d dimensions, at most %d are possible", shape->rank, LTH_MAX_RANK);
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return op_refuse(s, "dimension %d would be %lld", i, (long long)shape->dim[i]);
        if (shape->dim[i] > 0 && __builtin_mul_overflow(bytes, shape->dim[i], &bytes))
            return op_refuse(s, "%s of %s is more than 64 bits can count", op_shape_text(shape).text,
                             lth_dtype_name(shape->dtype));
    }
    return true;
}
