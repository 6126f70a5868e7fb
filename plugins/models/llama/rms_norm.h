#ifndef RMS_H
#define RMS_H
#include <lthost/model.h>
#include <lthost/nn.h>
typedef struct rms_norm {
    lth_parameter weight;
    double eps;
} rms_norm;
static inline rms_norm rms_norm_new_(lth_setup *s, const char *name, int64_t C, double eps)
{
    rms_norm n;
    lth_enter(s, name);
    n.weight = lth_parameter_new(s, "weight", LTH_SHAPE(C), lth_init_constant(1));
    n.eps = eps;
    lth_leave(s);
    return n;
}
#define rms_norm_new(s, n, C, e) rms_norm_new_(s, n, C, 1e-5)
static inline lth_tensor rms_norm_apply(const rms_norm *n, lth_tensor x)
{
    lth_tensor r = lth_rsqrt(lth_add(lth_mean_axis(lth_square(x), -1, 1), n->eps));
    return lth_mul(lth_mul(x, r), lth_parameter_value(x, n->weight));
}
#endif
