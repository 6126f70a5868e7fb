/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"
#include "reduction.h"

#define TEMPLATE "pairwise.h"
#include "each_float.h"
#undef TEMPLATE
#define TEMPLATE "network_float.h"
#include "each_float.h"
#undef TEMPLATE

static const plain_op ops[] = {
    { LTH_OP_MATMUL, PLAIN_FLOATS(matmul) },
    { LTH_OP_SOFTMAX, PLAIN_FLOATS(softmax) },
    { LTH_OP_LOG_SOFTMAX, PLAIN_FLOATS(log_softmax) },
    { LTH_OP_CROSS_ENTROPY, PLAIN_FLOATS(cross_entropy) },
    { LTH_OP_CROSS_ENTROPY_GRAD, PLAIN_FLOATS(cross_entropy_grad) },
};
const plain_family plain_network_ops = PLAIN_FAMILY(ops);
