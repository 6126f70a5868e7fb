/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/reduction.h: what the losses share. [main]
 *
 * A loss is called with its tensors, then options as designators in the order of its struct:
 *     lth_mse_loss(prediction, target)    lth_mse_loss(prediction, target, .reduction = LTH_REDUCTION_SUM)
 * Names, formulas and defaults are those of torch.nn.functional; a zero means the default. Tensors of one loss have one
 * floating type and, where nothing else is said, one shape: nothing is broadcast. */
#ifndef LTHOST_NN_REDUCTION_H
#define LTHOST_NN_REDUCTION_H

#include "check.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef uint32_t lth_reduction;
enum {
    LTH_REDUCTION_MEAN = 0, /* over all elements -> rank 0 */
    LTH_REDUCTION_SUM = 1,  /* -> rank 0 */
    LTH_REDUCTION_NONE = 2, /* the loss of each element */
    LTH_REDUCTION_BATCH_MEAN = 3 /* the sum over axis 0's length: KL divergence as mathematics has it */
};

static inline lth_tensor lth_reduce_loss_(lth_tensor loss, lth_reduction reduction, const char *file, uint32_t line)
{
    switch (reduction) {
    case LTH_REDUCTION_MEAN: return lth_mean(loss);
    case LTH_REDUCTION_SUM: return lth_sum(loss);
    case LTH_REDUCTION_NONE: return loss;
    case LTH_REDUCTION_BATCH_MEAN: return lth_div(lth_sum(loss), (double)lth_dim(loss, 0));
    default: return lth_nn_fail_(loss, file, line, "a loss knows no reduction %u", (unsigned)reduction);
    }
}

#pragma pop_macro("LTH_HERE")
LTH_END_C
#endif
