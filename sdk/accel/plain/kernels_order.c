/* SPDX-License-Identifier: Apache-2.0 */
#include "reduction.h"

#include <math.h>

#define TEMPLATE "order_number.h"
#define SUM double /* in which running sums are kept */
#include "each_float.h"
#undef SUM
#define SUM U
#include "each_integer.h"
#undef SUM
#undef TEMPLATE

static const plain_op ops[] = {
    { LTH_OP_CUMSUM, PLAIN_NUMBERS(cumsum) },
    { LTH_OP_ARGSORT, PLAIN_NUMBERS(argsort) },
};
const plain_family plain_order_ops = PLAIN_FAMILY(ops);
