/* SPDX-License-Identifier: Apache-2.0
 * llama/rms_norm.h: RMS normalisation (Zhang and Sennrich 2019), as torch.nn.RMSNorm over the last axis, of the ops there are. */
#ifndef LLAMA_RMS_NORM_H
#define LLAMA_RMS_NORM_H

#include <lthost/model.h>
#include <lthost/nn.h>

typedef struct rms_norm {
    lth_parameter weight; /* (C) */
    double eps;
} rms_norm;

static inline rms_norm rms_norm_new(lth_setup *s, const char *name, int64_t C, double eps)
{
    rms_norm n = { .eps = eps };
    lth_enter(s, name);
    n.weight = lth_parameter_new(s, "weight", LTH_SHAPE(C), lth_init_constant(1));
    lth_leave(s);
    return n;
}

/* x (..., C) -> the same */
static inline lth_tensor rms_norm_apply(const rms_norm *n, lth_tensor x)
{
    lth_tensor scale = lth_rsqrt(lth_add(lth_mean_axis(lth_square(x), -1, 1), n->eps));
    return lth_mul(lth_mul(x, scale), lth_parameter_value(x, n->weight));
}

#endif
