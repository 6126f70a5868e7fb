/* SPDX-License-Identifier: Apache-2.0 */
#include "image.h"
#include "kernel.h"

/* The window along an axis in which x's element i lies at kernel place k; -1: there is none. */
static int64_t plain_window(const plain_conv *v, int32_t axis, int64_t i, int64_t k)
{
    int64_t start = i + v->low[axis] - k * v->dilation[axis], o = start / v->stride[axis];
    return start >= 0 && o < v->out[axis] && o * v->stride[axis] == start ? o : -1;
}

#define TEMPLATE "conv_float.h"
#include "each_float.h"
#undef TEMPLATE

static const plain_op ops[] = {
    { LTH_OP_CONV, PLAIN_FLOATS(conv) },
    { LTH_OP_CONV_DATA_GRAD, PLAIN_FLOATS(conv_data_grad) },
    { LTH_OP_CONV_WEIGHT_GRAD, PLAIN_FLOATS(conv_weight_grad) },
};
const plain_family plain_conv_ops = PLAIN_FAMILY(ops);
