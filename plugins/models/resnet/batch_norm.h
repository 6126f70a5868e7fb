/* SPDX-License-Identifier: Apache-2.0
 * resnet/batch_norm.h: batch normalisation of images (Ioffe and Szegedy 2015), as torch.nn.BatchNorm2d, of the ops there are. */
#ifndef RESNET_BATCH_NORM_H
#define RESNET_BATCH_NORM_H

#include <lthost/model.h>
#include <lthost/nn.h>

typedef struct batch_norm {
    lth_parameter weight, bias;           /* (C) each */
    lth_buffer running_mean, running_var; /* (C) each: what evaluation normalises by */
    int64_t channels;
} batch_norm;

static inline batch_norm batch_norm_new(lth_setup *s, const char *name, int64_t C)
{
    batch_norm b = { .channels = C };
    lth_enter(s, name);
    b.weight = lth_parameter_new(s, "weight", LTH_SHAPE(C), lth_init_constant(1));
    b.bias = lth_parameter_new(s, "bias", LTH_SHAPE(C), lth_init_constant(0));
    b.running_mean = lth_buffer_new(s, "running_mean", LTH_SHAPE(C), lth_init_constant(0));
    b.running_var = lth_buffer_new(s, "running_var", LTH_SHAPE(C), lth_init_constant(1));
    lth_leave(s);
    return b;
}

/* A tenth of what this batch has goes into the running one. */
static inline void batch_norm_track(lth_buffer running, lth_tensor batch)
{
    lth_tensor before = lth_mul(lth_buffer_value(batch, running), 0.9);
    lth_assign(running, lth_add(before, lth_mul(lth_stop_gradient(batch), 0.1)));
}

/* x (B, C, H, W) -> the same. Training normalises by the biased variance and tracks the unbiased one. */
static inline lth_tensor batch_norm_apply(const batch_norm *b, lth_tensor x)
{
    lth_tensor mean = lth_buffer_value(x, b->running_mean), var = lth_buffer_value(x, b->running_var);
    if (lth_training(x)) {
        lth_tensor rows = lth_reshape(lth_permute(x, 1, 0, 2, 3), b->channels, -1); /* (C, B H W) */
        const double n = (double)lth_dim(rows, 1);
        mean = lth_mean_axis(rows, 1, 0);
        var = lth_mean_axis(lth_square(lth_sub(rows, lth_reshape(mean, -1, 1))), 1, 0);
        batch_norm_track(b->running_mean, mean);
        batch_norm_track(b->running_var, lth_mul(var, n > 1 ? n / (n - 1) : 1));
    }
    lth_tensor scale = lth_mul(lth_parameter_value(x, b->weight), lth_rsqrt(lth_add(var, 1e-5)));
    lth_tensor y = lth_mul(lth_sub(x, lth_reshape(mean, 1, -1, 1, 1)), lth_reshape(scale, 1, -1, 1, 1));
    return lth_add(y, lth_reshape(lth_parameter_value(x, b->bias), 1, -1, 1, 1));
}

#endif
