/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RESNET_BATCH_NORM_H
#define RESNET_BATCH_NORM_H
#include <lthost/model.h>
#include <lthost/nn.h>
typedef struct batch_norm {
    lth_parameter weight, bias;
    lth_buffer mean, var;
    int64_t size;
} batch_norm;
static inline batch_norm batch_norm_new(lth_setup *s, const char *name, int64_t C)
{
    batch_norm b;
    lth_enter(s, name);
    b.size = C;
    b.weight = lth_parameter_new(s, "weight", LTH_SHAPE(C), lth_init_constant(1));
    b.bias = lth_parameter_new(s, "bias", LTH_SHAPE(C), lth_init_constant(0));
    b.mean = lth_buffer_new(s, "running_mean", LTH_SHAPE(C), lth_init_constant(0));
    b.var = lth_buffer_new(s, "running_var", LTH_SHAPE(C), lth_init_constant(1));
    lth_leave(s);
    return b;
}
static inline lth_tensor batch_norm_apply(const batch_norm *b, lth_tensor x)
{
    lth_tensor rm = lth_buffer_value(x, b->mean), rv = lth_buffer_value(x, b->var), mean = rm, var = rv;
    if (lth_training(x)) {
        lth_tensor r = lth_reshape(lth_permute(x, 1, 0, 2, 3), b->size, -1);
        double n = (double)lth_dim(r, 1);
        mean = lth_mean_axis(r, 1, 0);
        var = lth_mean_axis(lth_square(lth_sub(r, lth_reshape(mean, -1, 1))), 1, 0);
        lth_assign(b->mean, lth_add(lth_mul(rm, 0.9), lth_mul(lth_stop_gradient(mean), 0.1)));
        lth_assign(b->var, lth_add(lth_mul(rv, 0.9), lth_mul(lth_stop_gradient(var), 0.1 * n / (n - 1))));
    }
    lth_tensor scale = lth_mul(lth_parameter_value(x, b->weight), lth_rsqrt(lth_add(var, 1e-5)));
    lth_tensor y = lth_mul(lth_sub(x, lth_reshape(mean, 1, -1, 1, 1)), lth_reshape(scale, 1, -1, 1, 1));
    return lth_add(y, lth_reshape(lth_parameter_value(x, b->bias), 1, -1, 1, 1));
}
#endif
