/* SPDX-License-Identifier: Apache-2.0
 * lthost/nn/linear.h: y = x W^T + b. Names, shapes and initial distributions are those of torch.nn.Linear. [main] */
#ifndef LTHOST_NN_LINEAR_H
#define LTHOST_NN_LINEAR_H

#include "check.h"
#include "init.h"

LTH_BEGIN_C
#pragma push_macro("LTH_HERE")
#undef LTH_HERE
#define LTH_HERE file, line

typedef struct lth_linear {
    lth_parameter weight; /* (out, in) */
    lth_parameter bias;   /* (out); id 0: none */
    int64_t in, out;
} lth_linear;

typedef struct lth_linear_args {
    int64_t out LTH_ZERO;
    const lth_init *weight LTH_ZERO; /* default: uniform in +-1/sqrt(in), as PyTorch */
    const lth_init *bias LTH_ZERO;   /* default: the same */
    int32_t no_bias LTH_ZERO;        /* 1: y = x W^T */
    int32_t reserved LTH_ZERO;
} lth_linear_args;

static inline lth_linear lth_linear_new_(lth_setup *s, const char *name, int64_t in, const lth_linear_args *a, const char *file,
                                         uint32_t line)
{
    lth_linear l = { { 0, 0 }, { 0, 0 }, in, a->out };
    const double bound = 1 / sqrt(in > 0 ? (double)in : 1);
    const lth_init initial = { LTH_INIT_UNIFORM, 0, -bound, bound, NULL };
    s->api->module(s, name, "Linear");
    lth_enter(s, name);
    l.weight = lth_parameter_new(s, "weight", LTH_SHAPE(a->out, in), a->weight ? a->weight : &initial);
    if (!a->no_bias)
        l.bias = lth_parameter_new(s, "bias", LTH_SHAPE(a->out), a->bias ? a->bias : &initial);
    lth_leave(s);
    return l;
}

/* x (..., in) -> (..., out). Leading axes are folded into one for the product, so that the weight is never expanded. */
static inline lth_tensor lth_linear_apply_(const lth_linear *l, lth_tensor x, const char *file, uint32_t line)
{
    lth_shape s = *lth_shape_of(x);
    if (!x.trace)
        return x;
    if (!l->weight.id)
        return lth_nn_fail_(x, file, line, "this linear layer was never made: call lth_linear_new in configure");
    if (s.rank < 1 || s.dim[s.rank - 1] != l->in)
        return lth_nn_fail_(x, file, line, "a linear layer (..., %lld) -> (..., %lld) was given %s", (long long)l->in,
                            (long long)l->out, lth_shape_text_(x).at);
    lth_tensor y = lth_matmul_t(s.rank == 2 ? x : lth_reshape(x, -1, l->in), lth_parameter_value(x, l->weight));
    if (l->bias.id)
        y = lth_add(y, lth_parameter_value(x, l->bias));
    s.dim[s.rank - 1] = l->out;
    return s.rank == 2 ? y : lth_reshape_to(y, &s);
}

#pragma pop_macro("LTH_HERE")
/* m->fc1 = lth_linear_new(s, "fc1", in, out); options follow: .weight, .bias (initial values), .no_bias = 1 */
#define lth_linear_new(s, name, in, ...) lth_linear_new_((s), (name), (in), LTH_REF(lth_linear_args, .out = __VA_ARGS__), LTH_HERE)
#define lth_linear_apply(l, x) lth_linear_apply_((l), (x), LTH_HERE)

LTH_END_C
#endif
