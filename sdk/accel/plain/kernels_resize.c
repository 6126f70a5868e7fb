/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"
#include "resize.h"

enum { STRETCH = 256 };

/* Taps of elements first.. of the last axis; how many. */
static int64_t make_taps(const plain_resize *p, int64_t first, plain_tap *taps)
{
    int64_t left = p->out[2] - first, count = left < STRETCH ? left : STRETCH;
    for (int64_t i = 0; i < count; i++)
        taps[i] = plain_resize_tap(p, 2, first + i);
    return count;
}

#define TEMPLATE "resize_float.h"
#include "each_float.h"
#undef TEMPLATE

static const plain_op ops[] = {
    { LTH_OP_RESIZE, PLAIN_FLOATS(resize) },
    { LTH_OP_RESIZE_GRAD, PLAIN_FLOATS(resize_grad) },
};
const plain_family plain_resize_ops = PLAIN_FAMILY(ops);
