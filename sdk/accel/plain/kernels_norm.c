/* SPDX-License-Identifier: Apache-2.0 */
#include "reduction.h"

#include <math.h>

#define TEMPLATE "pairwise.h"
#include "each_float.h"
#undef TEMPLATE
#define TEMPLATE "norm_float.h"
#include "each_float.h"
#undef TEMPLATE

static const plain_op ops[] = {
    { LTH_OP_LAYER_NORM, PLAIN_FLOATS(layer_norm) },
    { LTH_OP_RMS_NORM, PLAIN_FLOATS(rms_norm) },
    { LTH_OP_BATCH_NORM, PLAIN_FLOATS(batch_norm) },
};
const plain_family plain_norm_ops = PLAIN_FAMILY(ops);
