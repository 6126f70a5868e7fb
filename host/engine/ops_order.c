/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_order.c: running sums and sorting; their table is in ops_sequence.c. d is the result's gradient. */
#include "engine/ops.h"

bool shape_cumsum(op_shapes *s)
{
    lth_attr_cumulative *a = s->attributes;
    if (!op_needs_number(s, 0) || !op_axis(s, &a->axis, s->operands[0]->rank))
        return false;
    a->exclusive = a->exclusive != 0;
    a->reverse = a->reverse != 0;
    s->results[0] = *s->operands[0];
    return true;
}

/* Each x is in the sums that end at it or later: of d, those that begin there. */
void grad_cumsum(op_rule *r)
{
    lth_attr_cumulative back = *(const lth_attr_cumulative *)r->attributes;
    back.reverse = !back.reverse;
    r->d_operands[0] = op_emit(r, LTH_OP_CUMSUM, &r->d_results[0], 1, &back, sizeof back);
}

bool shape_argsort(op_shapes *s)
{
    lth_attr_sort *a = s->attributes;
    const lth_shape *x = s->operands[0];
    if (!op_needs_number(s, 0) || !op_axis(s, &a->axis, x->rank))
        return false;
    if (a->length < 0 || a->length > x->dim[a->axis])
        return op_refuse(s, "the first %lld along axis %lld of %s, which has %lld", (long long)a->length, (long long)a->axis,
                         op_shape_text(x).text, (long long)x->dim[a->axis]);
    if (a->length == 0)
        a->length = x->dim[a->axis];
    a->descending = a->descending != 0;
    a->reserved = 0;
    s->results[0] = *x;
    s->results[0].dtype = LTH_I64;
    s->results[0].dim[a->axis] = a->length;
    return op_checks_size(s, &s->results[0]);
}
