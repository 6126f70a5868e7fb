/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_linear.c: matmul, gather and scatter. d is the result's gradient. */
#include "engine/ops.h"

/* ---- Shape rules ---- */

static bool shape_matmul(op_shapes *s)
{
    lth_attr_matmul *t = s->attributes;
    const lth_shape *a = s->operands[0], *b = s->operands[1];
    if (!op_same_dtypes(s, 0) || !op_needs_float(s, 0))
        return false;
    if (a->rank < 2 || b->rank < 2)
        return op_refuse(s, "%s and %s: each needs two dimensions at least; a vector is lth_reshape(x, 1, -1) or (x, -1, 1)",
                         op_shape_text(a).text, op_shape_text(b).text);
    bool widens = t->result == LTH_F32 && (a->dtype == LTH_BF16 || a->dtype == LTH_F16);
    if (t->result != LTH_DTYPE_NONE && t->result != a->dtype && !widens)
        return op_refuse(s, "operands of %s have no product of %s", lth_dtype_name(a->dtype), lth_dtype_name(t->result));
    t->result = widens ? LTH_F32 : LTH_DTYPE_NONE;
    t->reserved = 0;
    t->transpose_a = t->transpose_a != 0;
    t->transpose_b = t->transpose_b != 0;
    const int64_t *da = a->dim + a->rank - 2, *db = b->dim + b->rank - 2;
    int64_t k = da[!t->transpose_a], kb = db[t->transpose_b];
    if (k != kb)
        return op_refuse(s, "%s%s and %s%s do not fit: the inner dimensions are %lld and %lld", op_shape_text(a).text,
                         t->transpose_a ? " transposed" : "", op_shape_text(b).text, t->transpose_b ? " transposed" : "",
                         (long long)k, (long long)kb);
    lth_shape to = *a, batch = *b;
    to.dtype = widens ? LTH_F32 : a->dtype;
    to.dim[to.rank - 2] = da[t->transpose_a];
    to.dim[to.rank - 1] = db[!t->transpose_b];
    if (batch.rank == to.rank) /* the rest of the shape is the batch */
        batch.dim[batch.rank - 2] = to.dim[to.rank - 2], batch.dim[batch.rank - 1] = to.dim[to.rank - 1];
    if (!op_same_dims(&to, &batch))
        return op_refuse(s, "%s and %s do not fit: the dimensions before the last two differ", op_shape_text(a).text,
                         op_shape_text(b).text);
    s->results[0] = to;
    return op_checks_size(s, &to);
}

/* index.shape + rest, where rest is table's without its first dimension. */
static bool rows_shape(op_shapes *s, const lth_shape *table, const lth_shape *index, lth_shape *to)
{
    if (table->rank == 0)
        return op_refuse(s, "a scalar has no rows to choose from");
    if (index->rank + table->rank - 1 > LTH_MAX_RANK)
        return op_refuse(s, "an index %s into %s gives more than %d dimensions", op_shape_text(index).text,
                         op_shape_text(table).text, LTH_MAX_RANK);
    *to = *index;
    to->dtype = table->dtype;
    for (int32_t i = 1; i < table->rank; i++)
        to->dim[to->rank++] = table->dim[i];
    return op_checks_size(s, to);
}

static bool shape_gather(op_shapes *s)
{
    return op_needs_index(s, 1) && rows_shape(s, s->operands[0], s->operands[1], &s->results[0]);
}

static bool shape_scatter_add(op_shapes *s)
{
    const lth_attr_axis *a = s->attributes;
    const lth_shape *rows = s->operands[0], *index = s->operands[1];
    if (!op_needs_number(s, 0) || !op_needs_index(s, 1))
        return false;
    bool fits = rows->rank >= index->rank && rows->rank - index->rank < LTH_MAX_RANK;
    for (int32_t i = 0; fits && i < index->rank; i++)
        fits = rows->dim[i] == index->dim[i];
    if (!fits)
        return op_refuse(s, "rows %s do not begin with the dimensions of the index %s", op_shape_text(rows).text,
                         op_shape_text(index).text);
    lth_shape to = { rows->dtype, 1, { a->axis } };
    for (int32_t i = index->rank; i < rows->rank; i++)
        to.dim[to.rank++] = rows->dim[i];
    s->results[0] = to;
    return op_checks_size(s, &to);
}

/* x and index have one shape but for `axis`. */
static bool fits_along(op_shapes *s, const lth_shape *x, const lth_shape *index, int64_t *axis, bool axis_too)
{
    if (!op_axis(s, axis, x->rank))
        return false;
    lth_shape wanted = *index;
    if (!axis_too && index->rank == x->rank)
        wanted.dim[*axis] = x->dim[*axis];
    return op_same_dims(x, &wanted) ||
           op_refuse(s, "%s and an index %s differ%s", op_shape_text(x).text, op_shape_text(index).text,
                     axis_too ? "" : " in more than the axis: lth_slice or lth_expand one of them");
}

static bool shape_gather_along(op_shapes *s)
{
    lth_attr_axis *a = s->attributes;
    lth_shape to = *s->operands[1];
    if (!op_needs_index(s, 1) || !fits_along(s, s->operands[0], s->operands[1], &a->axis, false))
        return false;
    to.dtype = s->operands[0]->dtype;
    s->results[0] = to;
    return op_checks_size(s, &to);
}

static bool shape_scatter_along(op_shapes *s)
{
    lth_attr_scatter *a = s->attributes;
    lth_shape to = *s->operands[0];
    if (!op_needs_number(s, 0) || !op_needs_index(s, 1) || !fits_along(s, s->operands[0], s->operands[1], &a->axis, true))
        return false;
    to.dim[a->axis] = a->length;
    s->results[0] = to;
    return op_checks_size(s, &to);
}

/* ---- Gradients ---- */

/* With A and B the operands as they are multiplied, C = A B: dA = d B', dB = A' d, each transposed as its operand is. */
static void grad_matmul(op_rule *r)
{
    const lth_attr_matmul *t = r->attributes;
    bool ta = t->transpose_a, tb = t->transpose_b;
    uint32_t a = r->operands[0], b = r->operands[1], d = r->d_results[0];
    if (t->result) /* the operands' own type is that of their gradients */
        d = op_cast(r, d, op_operand_shape(r, 0)->dtype);
    r->d_operands[0] = ta ? op_matmul(r, b, d, tb, true) : op_matmul(r, d, b, false, !tb);
    r->d_operands[1] = tb ? op_matmul(r, d, a, true, ta) : op_matmul(r, a, d, !ta, false);
}

static void grad_gather(op_rule *r)
{
    lth_attr_axis rows = { op_operand_shape(r, 0)->dim[0] };
    uint32_t in[2] = { r->d_results[0], r->operands[1] };
    r->d_operands[0] = op_emit(r, LTH_OP_SCATTER_ADD, in, 2, &rows, sizeof rows);
}

static void grad_scatter_add(op_rule *r) { r->d_operands[0] = op_2(r, LTH_OP_GATHER, r->d_results[0], r->operands[1]); }

static void grad_gather_along(op_rule *r)
{
    const lth_attr_axis *a = r->attributes;
    lth_attr_scatter to = { a->axis, op_operand_shape(r, 0)->dim[a->axis] };
    uint32_t in[2] = { r->d_results[0], r->operands[1] };
    r->d_operands[0] = op_emit(r, LTH_OP_SCATTER_ALONG, in, 2, &to, sizeof to);
}

static void grad_scatter_along(op_rule *r)
{
    const lth_attr_scatter *a = r->attributes;
    lth_attr_axis from = { a->axis };
    uint32_t in[2] = { r->d_results[0], r->operands[1] };
    r->d_operands[0] = op_emit(r, LTH_OP_GATHER_ALONG, in, 2, &from, sizeof from);
}

#define LINEAR(code, name, attributes, shape, gradient)                             \
    {                                                                               \
        code, name, OP_PRIMITIVE, 2, 2, 1, false, attributes, shape, gradient, NULL \
    }

const op_info ops_linear[] = {
    LINEAR(LTH_OP_MATMUL, "matmul", sizeof(lth_attr_matmul), shape_matmul, grad_matmul),
    LINEAR(LTH_OP_GATHER, "gather", 0, shape_gather, grad_gather),
    LINEAR(LTH_OP_SCATTER_ADD, "scatter_add", sizeof(lth_attr_axis), shape_scatter_add, grad_scatter_add),
    LINEAR(LTH_OP_GATHER_ALONG, "gather_along", sizeof(lth_attr_axis), shape_gather_along, grad_gather_along),
    LINEAR(LTH_OP_SCATTER_ALONG, "scatter_along", sizeof(lth_attr_scatter), shape_scatter_along, grad_scatter_along),
};
