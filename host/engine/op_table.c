/* SPDX-License-Identifier: Apache-2.0
 * engine/op_table.c: from a code to its line in the tables of the ops_*.c files. */
#include "engine/op_table.h"
#include "engine/ops.h"

enum { GROUP = 16 }; /* the tables begin at multiples of it, but for the leaves */

typedef struct family {
    const op_info *table;
    uint32_t first, last; /* codes */
} family;

static const family families[OP_CODES / GROUP] = {
    [0] = { ops_leaves, LTH_OP_INPUT, LTH_OP_INTEGER },
    [1] = { ops_unary, LTH_OP_NEG, LTH_OP_GELU_TANH_SLOPE },
    [2] = { ops_unary, LTH_OP_NEG, LTH_OP_GELU_TANH_SLOPE },
    [4] = { ops_binary, LTH_OP_ADD, LTH_OP_WHERE },
    [6] = { ops_shape, LTH_OP_RESHAPE, LTH_OP_FLIP },
    [7] = { ops_reduce, LTH_OP_SUM, LTH_OP_LOGSUMEXP },
    [8] = { ops_linear, LTH_OP_MATMUL, LTH_OP_SCATTER_ALONG },
    [9] = { ops_conv, LTH_OP_CONV, LTH_OP_RESIZE_GRAD },
    [10] = { ops_nn, LTH_OP_SOFTMAX, LTH_OP_DROPOUT },
    [11] = { ops_sequence, LTH_OP_BATCH_NORM, LTH_OP_RNN_STEPS_GRAD },
    [12] = { ops_control, LTH_OP_LOOP, LTH_OP_CUSTOM },
    [14] = { ops_effects, LTH_OP_ASSIGN, LTH_OP_ASSERT },
    [15] = { ops_symbolic, LTH_OP_GRAD, LTH_OP_UPDATE },
};

const op_info *op_find(uint32_t code)
{
    if (code >= OP_CODES)
        return NULL;
    const family *f = &families[code / GROUP];
    return f->table && code >= f->first && code <= f->last && f->table[code - f->first].code ? &f->table[code - f->first] : NULL;
}
