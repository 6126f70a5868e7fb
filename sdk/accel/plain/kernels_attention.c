/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <math.h>

#define TEMPLATE "pairwise.h"
#include "each_float.h"
#undef TEMPLATE
#define TEMPLATE "attention_float.h"
#include "each_float.h"
#undef TEMPLATE

static const plain_op ops[] = {
    { LTH_OP_ATTENTION, PLAIN_FLOATS(attention) },
};
const plain_family plain_attention_ops = PLAIN_FAMILY(ops);
