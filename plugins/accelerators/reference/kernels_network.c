/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"
#include "reduction.h"

#define TEMPLATE "pairwise.h"
#include "each_float.h"
#undef TEMPLATE
#define TEMPLATE "network_float.h"
#include "each_float.h"
#undef TEMPLATE

static const ref_op ops[] = {
    { LTH_OP_MATMUL, REF_FLOATS(matmul) },
    { LTH_OP_SOFTMAX, REF_FLOATS(softmax) },
    { LTH_OP_LOG_SOFTMAX, REF_FLOATS(log_softmax) },
    { LTH_OP_CROSS_ENTROPY, REF_FLOATS(cross_entropy) },
    { LTH_OP_CROSS_ENTROPY_GRAD, REF_FLOATS(cross_entropy_grad) },
    { LTH_OP_LAYER_NORM, REF_FLOATS(layer_norm) },
};
const ref_family ref_network_ops = REF_FAMILY(ops);
