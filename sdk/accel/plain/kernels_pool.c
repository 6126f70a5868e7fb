/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"
#include "pool.h"

#define TEMPLATE "pool_float.h"
#include "each_float.h"
#undef TEMPLATE

static const plain_op ops[] = {
    { LTH_OP_MAX_POOL, PLAIN_FLOATS(max_pool) },
    { LTH_OP_AVG_POOL, PLAIN_FLOATS(avg_pool) },
    { LTH_OP_AVG_POOL_GRAD, PLAIN_FLOATS(avg_pool_grad) },
};
const plain_family plain_pool_ops = PLAIN_FAMILY(ops);
