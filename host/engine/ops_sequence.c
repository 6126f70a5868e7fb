/* SPDX-License-Identifier: Apache-2.0
 * engine/ops_sequence.c: the table of the ops that norms, attention and recurrent layers are made of, and of those that sum and
 * sort along an axis; their rules are in ops_norm.c, ops_attention.c, ops_rnn*.c and ops_order.c. */
#include "engine/ops.h"

// clang-format off
const op_info ops_sequence[] = {
    { LTH_OP_BATCH_NORM, "batch_norm", OP_COMPOSITE, 2, 2, 3, false, sizeof(lth_attr_axis), shape_batch_norm, grad_batch_norm,
      decompose_batch_norm },
    { LTH_OP_RMS_NORM, "rms_norm", OP_COMPOSITE, 2, 2, 2, false, sizeof(lth_attr_axis), shape_layer_norm, grad_rms_norm,
      decompose_rms_norm },
    { LTH_OP_ATTENTION, "attention", OP_COMPOSITE, 4, 6, 2, false, sizeof(lth_attr_attention), shape_attention, grad_attention,
      decompose_attention },
    { LTH_OP_ATTENTION_GRAD, "attention_grad", OP_COMPOSITE, 7, 9, 3, false, sizeof(lth_attr_attention), shape_attention_grad, NULL,
      decompose_attention_grad },
    { LTH_OP_ROTARY, "rotary", OP_COMPOSITE, 3, 3, 1, false, sizeof(lth_attr_rotary), shape_rotary, grad_rotary, decompose_rotary },
    { LTH_OP_CUMSUM, "cumsum", OP_PRIMITIVE, 1, 1, 1, false, sizeof(lth_attr_cumulative), shape_cumsum, grad_cumsum, NULL },
    { LTH_OP_ARGSORT, "argsort", OP_PRIMITIVE, 1, 1, 1, false, sizeof(lth_attr_sort), shape_argsort, NULL, NULL },
    { LTH_OP_RNN, "rnn", OP_COMPOSITE, 6, 7, 3, false, sizeof(lth_attr_rnn), shape_rnn, NULL, decompose_rnn },
    { LTH_OP_RNN_STEPS, "rnn_steps", OP_COMPOSITE, 5, 6, 4, false, sizeof(lth_attr_rnn), shape_rnn_steps, grad_rnn_steps,
      decompose_rnn_steps },
    { LTH_OP_RNN_STEPS_GRAD, "rnn_steps_grad", OP_COMPOSITE, 6, 8, 4, false, sizeof(lth_attr_rnn), shape_rnn_steps_grad, NULL,
      decompose_rnn_steps_grad },
};
// clang-format on
