/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/dropout.h: dropout of whole channels, and dropout that keeps mean and variance (lth_dropout of single elements is in
 * tensor.h). In training alone; elsewhere, and with p = 0, each is the identity. Masks depend on the seed, the step and the
 * call's place in it. [main] */
#ifndef LTHOST_NN_DROPOUT_H
#define LTHOST_NN_DROPOUT_H

#include "check.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

/* 1 of each channel of x (N, C, ...): (N, C, 1, ...). */
static inline lth_shape lth_channel_shape_(lth_tensor x)
{
    lth_shape s = *lth_shape_of(x);
    for (int32_t i = 2; i < s.rank; i++)
        s.dim[i] = 1;
    return s;
}

/* x (N, C, spatial...) -> the same: channels become 0 with probability p, the others are divided by 1 - p (Tompson et al. 2015).
 */
static inline lth_tensor lth_dropout_channels_(lth_tensor x, int32_t axes, double p, const char *file, uint32_t line)
{
    if (!x.trace)
        return x;
    if (lth_rank(x) != 2 + axes)
        return lth_nn_fail_(x, file, line, "dropout%dd wants (N, C) and %d spatial axes, got %s", (int)axes, (int)axes,
                            lth_shape_text_(x).at);
    if (!lth_training(x) || p == 0)
        return x;
    const lth_shape channels = lth_channel_shape_(x);
    lth_tensor one = x.trace->api->scalar(x.trace, 1, channels.dtype, file, line);
    return lth_mul(x, lth_dropout_(lth_expand_to(one, &channels), p, file, line));
}

/* Elements, or whole channels, become -1.758..., the limit of SELU; then all are scaled and shifted, so that what had mean 0 and
 * variance 1 has them still (Klambauer et al. 2017). As torch's AlphaDropout and FeatureAlphaDropout. */
static inline lth_tensor lth_alpha_dropout_(lth_tensor x, int32_t channels, double p, const char *file, uint32_t line)
{
    const double limit = -1.7580993408473766, scale = 1 / sqrt((1 + p * limit * limit) * (1 - p));
    if (!lth_training(x) || p == 0)
        return x;
    if (!(p > 0 && p < 1))
        return lth_nn_fail_(x, file, line, "dropout: the probability must be in [0, 1)");
    if (channels && lth_rank(x) < 2)
        return lth_nn_fail_(x, file, line, "feature_alpha_dropout wants (N, C, ...), got %s", lth_shape_text_(x).at);
    lth_shape drawn = channels ? lth_channel_shape_(x) : *lth_shape_of(x);
    if (drawn.dtype != LTH_F64)
        drawn.dtype = LTH_F32; /* so that a short type drops as often as it should */
    lth_tensor kept = lth_ge(lth_uniform(x, &drawn), p);
    return lth_add(lth_mul(lth_where(kept, x, limit), scale), -scale * limit * p);
}

#pragma pop_macro("LTH_HERE")
#define lth_dropout1d(x, p) lth_dropout_channels_((x), 1, (p), LTH_HERE)
#define lth_dropout2d(x, p) lth_dropout_channels_((x), 2, (p), LTH_HERE)
#define lth_dropout3d(x, p) lth_dropout_channels_((x), 3, (p), LTH_HERE)
#define lth_alpha_dropout(x, p) lth_alpha_dropout_((x), 0, (p), LTH_HERE)
#define lth_feature_alpha_dropout(x, p) lth_alpha_dropout_((x), 1, (p), LTH_HERE)

LTH_END_C
#endif
