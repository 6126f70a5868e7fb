/* SPDX-License-Identifier: Apache-2.0
 * lthost/clip.h: clipping by hand, of gradients from lth_backward: as torch.nn.utils.clip_grad_norm_ and clip_grad_value_.
 * [trainer] gradient_clip_val does the same for every optimizer without a line in the model. */
#ifndef LTHOST_CLIP_H
#define LTHOST_CLIP_H

#include "choose.h"
#include "tensor.h"

LTH_BEGIN_C

/* The 2-norm of all of them together: rank 0. lth_none() of none. */
static inline lth_tensor lth_grad_norm(const lth_tensor *gradients, uint32_t count)
{
    lth_tensor squares = lth_none();
    for (uint32_t i = 0; i < count; i++) {
        lth_tensor square = lth_sum(lth_mul(gradients[i], gradients[i]));
        squares = i == 0 ? square : lth_add(squares, square);
    }
    return count ? lth_sqrt(squares) : squares;
}

/* Scales them so that their norm is at most max_norm: by max_norm / (norm + 1e-6) where that is below 1. Returns the norm that
 * they had. */
static inline lth_tensor lth_clip_grad_norm_(lth_tensor *gradients, uint32_t count, double max_norm, const char *file, uint32_t line)
{
    lth_tensor norm = lth_grad_norm(gradients, count);
    if (count == 0)
        return norm;
    if (!(max_norm >= 0))
        return lth_refuse_(norm, file, line, "lth_clip_grad_norm: the norm must be 0 or above, not %g", max_norm);
    lth_tensor factor = lth_minimum(lth_div(lth_scalar(norm, max_norm), lth_add(norm, 1e-6)), lth_scalar(norm, 1.0));
    for (uint32_t i = 0; i < count; i++)
        gradients[i] = lth_mul(gradients[i], factor);
    return norm;
}

/* Each element into [-limit, limit]. */
static inline void lth_clip_grad_value_(lth_tensor *gradients, uint32_t count, double limit, const char *file, uint32_t line)
{
    if (count && !(limit >= 0))
        lth_refuse_(gradients[0], file, line, "lth_clip_grad_value: the limit must be 0 or above, not %g", limit);
    for (uint32_t i = 0; i < count; i++)
        gradients[i] = lth_clamp(gradients[i], -limit, limit);
}

#define lth_clip_grad_norm(gradients, count, max_norm) lth_clip_grad_norm_((gradients), (count), (max_norm), LTH_HERE)
#define lth_clip_grad_value(gradients, count, limit) lth_clip_grad_value_((gradients), (count), (limit), LTH_HERE)

LTH_END_C
#endif
